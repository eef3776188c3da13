#include "config/yaml_tree.h"

#include "unit/config/world.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

/// What a text becomes: its tree if it has one, and its problems as "line: what".
struct Parsing {
    std::optional<YamlNode> root;
    Lines problems;

    explicit Parsing(std::string_view text) {
        Problems collected("t.yaml");
        root = parse_yaml(text, collected);
        for (const Diagnostic& problem : collected.take()) {
            problems.add(std::to_string(problem.line) + ": " + problem.what);
        }
    }
};

TEST_CASE("yaml_tree: scalars stay the text that was typed") {
    const Parsing parsing("a: 0123\nb: yes\nc: \"1\"\nd: 1e3\n");
    REQUIRE(parsing.root.has_value());
    CHECK(parsing.problems.empty());
    const auto& entries = parsing.root->entries;
    REQUIRE(entries.size() == 4);
    CHECK(entries[0].value.text == "0123");
    CHECK(entries[1].value.text == "yes");
    CHECK(entries[2].value.quoted);
    CHECK_FALSE(entries[3].value.quoted);
    CHECK(entries[3].line == 4);
}

TEST_CASE("yaml_tree: a key without a value has the line of the key") {
    const Parsing parsing("a:\n\n\n\nb: 1\n");
    REQUIRE(parsing.root.has_value());
    CHECK(parsing.root->entries[0].value.kind == YamlNode::Kind::Nothing);
    CHECK(parsing.root->entries[0].value.line == 1);
}

TEST_CASE("yaml_tree: maps and lists, in both ways of writing") {
    const Parsing parsing("a:\n  - {x: 1}\n  - x: 2\n    y: [3, 4]\n");
    REQUIRE(parsing.root.has_value());
    const YamlNode& list = parsing.root->entries[0].value;
    REQUIRE(list.items.size() == 2);
    CHECK(list.items[0].entries[0].value.text == "1");
    CHECK(list.items[1].entries[1].value.items[1].text == "4");
    CHECK(list.items[1].entries[1].line == 4);
}

TEST_CASE("yaml_tree: a duplicate key names the line of the first") {
    CHECK(Parsing("a: 1\nb: 2\na: 3\n").problems == Lines{"3: duplicate key \"a\""});
    CHECK(Parsing("a: 1\n\"a\": 3\n").problems == Lines{"2: duplicate key \"a\""});
}

TEST_CASE("yaml_tree: anchors, aliases, tags and merge keys are refused where they stand") {
    CHECK(Parsing("a: 1\nb: &x 2\nc: *x\n").problems ==
          Lines{"2: anchors (&name) are not allowed", "3: aliases (*name) are not allowed"});
    CHECK(Parsing("a: 1\nb: !!str 2\n").problems == Lines{"2: tags (!name) are not allowed"});
    CHECK(Parsing("a: ! 2\n").problems == Lines{"1: tags (!name) are not allowed"});
    CHECK(Parsing("a: !x {b: 1}\n").problems == Lines{"1: tags (!name) are not allowed"});
    CHECK(Parsing("a:\n  <<: {b: 1}\n").problems == Lines{"2: merge keys (<<) are not allowed"});
    CHECK(Parsing("a: '!x'\n").problems.empty());
}

TEST_CASE("yaml_tree: aliases of aliases are never expanded") {
    const Parsing parsing("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n");
    CHECK(parsing.problems.size() == 6);
}

TEST_CASE("yaml_tree: a second document is refused, an end mark is not") {
    CHECK(Parsing("a: 1\n---\nb: 2\n").problems == Lines{"2: there is a second document"});
    CHECK(Parsing("---\na: 1\n...\n").problems.empty());
}

TEST_CASE("yaml_tree: nesting ends at sixteen levels") {
    CHECK(Parsing(std::string(16, '[') + std::string(16, ']')).problems.empty());
    CHECK(Parsing("a: 1\nb: " + std::string(16, '[') + std::string(16, ']')).problems ==
          Lines{"2: not valid YAML: nested deeper than 16"});
}

TEST_CASE("yaml_tree: deep nesting in every way of writing neither crashes nor takes long") {
    constexpr size_t kBytes = size_t{1} << 16;
    for (const std::string_view piece : {"[", "{", "- ", "? ", "{a: ", "[a: ", "!a ", "&a "}) {
        CAPTURE(piece);
        std::string text;
        while (text.size() < kBytes) text += piece;
        CHECK_FALSE(Parsing(text).problems.empty());
    }
}

TEST_CASE("yaml_tree: broken YAML has a line") {
    CHECK(Parsing("a: 1\nb: [1, 2\n").problems.size() == 1);
    CHECK(Parsing("a: 1\n  b: 2\n").problems ==
          Lines{"1: a value goes on in the next line", "2: not valid YAML: illegal map value"});
    CHECK(Parsing("databases:\n  *: {host: a}\n").problems.front().starts_with("2: "));
}

TEST_CASE("yaml_tree: a value ends in its line, or a colon or quote was forgotten") {
    CHECK(Parsing("a: 1\nb: \"x\nc: 2\n").problems ==
          Lines{"2: a quoted text does not end in its line"});
    CHECK(Parsing("a: 'x\n  y'\n").problems == Lines{"1: a quoted text does not end in its line"});
    CHECK(Parsing("a:\n  b: db\n    password hunter2\n").problems ==
          Lines{"2: a value goes on in the next line"});
    CHECK(Parsing("a: {b: 1, c: x y, 'd e': \"f # g\"}  # h\ni: 'it''s'\n").problems.empty());
    CHECK(Parsing("# é\nsetting: é\r\nother: x\r\n").problems.empty());
}

TEST_CASE("yaml_tree: tabs as indentation are named") {
    Problems collected("t.yaml");
    CHECK_FALSE(parse_yaml("a:\n\tb: 1\n", collected).has_value());
    CHECK(collected.take().front().fix == "indent with spaces, not tabs");
}

TEST_CASE("yaml_tree: bytes that are no text are refused with their line") {
    using std::string_literals::operator""s;
    CHECK(Parsing("a: 1\nb: \0x\n"s).problems == Lines{"2: there is a control character"});
    CHECK(Parsing("a: 1\n\nb: \xff\xfe\n").problems ==
          Lines{"3: there are bytes that are not UTF-8"});
    CHECK(Parsing("a: \xe3\x81").problems == Lines{"1: there are bytes that are not UTF-8"});
    CHECK(Parsing("a: \"x\\0y\"\n").problems == Lines{"1: there is a control character in a text"});
}

TEST_CASE("yaml_tree: a byte-order mark and other scripts are fine") {
    const Parsing parsing("\xEF\xBB\xBF# 設定\na: 値\r\nb: 2\r\n");
    REQUIRE(parsing.root.has_value());
    CHECK(parsing.problems.empty());
    CHECK(parsing.root->entries[0].value.text == "値");
    CHECK(parsing.root->entries[1].value.text == "2");
}

TEST_CASE("yaml_tree: an empty text is nothing, not an error") {
    const Parsing parsing("# only a comment\n");
    REQUIRE(parsing.root.has_value());
    CHECK(parsing.root->kind == YamlNode::Kind::Nothing);
}

}  // namespace
}  // namespace pgweir::config
