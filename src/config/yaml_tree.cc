#include "config/yaml_tree.h"

#include "pgweir/base/check.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace pgweir::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// yaml-cpp's marks count from 0, and from -1 when it does not know.
size_t line_of(const YAML::Mark& mark) {
    return mark.line < 0 ? 1 : static_cast<size_t>(mark.line) + 1;
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

/// Builds the tree from yaml-cpp's events. Events come before yaml-cpp recurses into a map or list,
/// so throwing at kDepthMax bounds its stack as well as ours.
/// Lifetime: one parse. Only this class and parse_yaml see yaml-cpp's exceptions.
class TreeBuilder : public YAML::EventHandler {
public:
    TreeBuilder(std::string_view text, Problems& problems) : text_(text), problems_(problems) {}

    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        ++documents_;
        // A second document is a problem as such: nothing in it needs to be read.
        if (documents_ > 1) throw YAML::ParserException(mark, "there is a second document");
    }

    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        YamlNode node;
        // An empty value's mark is behind it, maybe lines below; its key's line is what helps.
        node.line = !open_.empty() && open_.back().key ? open_.back().key->line : line_of(mark);
        add(std::move(node));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        problems_.add(line_of(mark), "aliases (*name) are not allowed",
                      "write the value again; the database \"*\" needs its quotes");
        YamlNode node;
        node.line = line_of(mark);
        add(std::move(node));
    }

    void OnScalar(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        YamlNode node;
        node.kind = YamlNode::Kind::Scalar;
        node.line = line_of(mark);
        node.quoted = tag == "!";
        node.text = value;
        if (anchor == 0) refuse_several_lines(mark, tag, value);  // else the mark is the anchor's
        if (std::any_of(value.begin(), value.end(), is_control)) {
            problems_.add(node.line, "there is a control character in a text",
                          "write it on one line and without escapes");
        }
        add(std::move(node));
    }

    void OnSequenceStart(const YAML::Mark& mark,
                         const std::string& tag,
                         YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        start(mark, tag, anchor, YamlNode::Kind::List);
    }

    void OnSequenceEnd() override { finish(); }

    void OnMapStart(const YAML::Mark& mark,
                    const std::string& tag,
                    YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        start(mark, tag, anchor, YamlNode::Kind::Map);
    }

    void OnMapEnd() override { finish(); }

private:
    struct Key {
        std::string text;
        size_t line;
        bool usable;  // True exactly when its value goes into the tree
    };

    /// A map or list whose end was not seen yet.
    struct Open {
        YamlNode node;
        std::optional<Key> key{};               // of a map: its value comes next
        std::map<std::string, size_t> lines{};  // of a map: where each key stood
    };

    void start(const YAML::Mark& mark,
               const std::string& tag,
               YAML::anchor_t anchor,
               YamlNode::Kind kind) {
        if (open_.size() >= kDepthMax) {
            throw YAML::ParserException(mark, fmt::format("nested deeper than {}", kDepthMax));
        }
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        YamlNode node;
        node.kind = kind;
        node.line = line_of(mark);
        open_.push_back(Open{.node = std::move(node)});
    }

    void finish() {
        PGW_CHECK(!open_.empty());
        YamlNode node = std::move(open_.back().node);
        open_.pop_back();
        add(std::move(node));
    }

    void add(YamlNode node) {
        if (problems_.full()) throw YAML::ParserException(YAML::Mark::null_mark(), "");
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == YamlNode::Kind::List) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.key) {
            parent.key = read_key(parent, node);
        } else {
            const Key key = std::move(*parent.key);
            parent.key.reset();
            if (!key.usable) return;
            parent.node.entries.push_back(YamlEntry{key.text, key.line, std::move(node)});
        }
    }

    Key read_key(Open& parent, const YamlNode& node) {
        if (node.kind != YamlNode::Kind::Scalar) {
            problems_.add(node.line, "a key is not plain text", "write \"name: value\"");
            return Key{.text = "", .line = node.line, .usable = false};
        }
        if (node.text == "<<" && !node.quoted) {
            problems_.add(node.line, "merge keys (<<) are not allowed", "write the keys again");
            return Key{.text = "", .line = node.line, .usable = false};
        }
        const auto [seen, is_new] = parent.lines.emplace(node.text, node.line);
        if (!is_new) {
            problems_.add(node.line, fmt::format("duplicate key {}", in_quotes(node.text)),
                          fmt::format("it is already in line {}; keep one", seen->second));
        }
        return Key{.text = node.text, .line = node.line, .usable = is_new};
    }

    void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor == 0) return;
        problems_.add(line_of(mark), "anchors (&name) are not allowed",
                      "remove the anchor and write the value where it is needed");
    }

    // yaml-cpp says "?" or nothing when there is no tag, and "!" for quotes as well as for a lone
    // !.
    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        const auto at = static_cast<size_t>(std::max(mark.pos, 0));
        const bool lone = tag == "!" && at < text_.size() && text_[at] == '!';
        if (!lone && (tag.empty() || tag == "?" || tag == "!")) return;
        problems_.add(line_of(mark), "tags (!name) are not allowed",
                      "remove the tag; a text that begins with ! needs quotes");
    }

    // A forgotten colon or quote makes the next lines part of a value, and yaml-cpp even takes the
    // end of the file for a closing quote: what a value says must stand in its own line.
    void refuse_several_lines(const YAML::Mark& mark,
                              const std::string& tag,
                              const std::string& value) {
        const size_t at = std::min(static_cast<size_t>(std::max(mark.pos, 0)), text_.size());
        const std::string_view rest = text_.substr(at, text_.substr(at).find('\n'));
        if (tag == "?" && !rest.starts_with(value)) {
            problems_.add(line_of(mark), "a value goes on in the next line",
                          "look for a forgotten colon; a value stands in one line");
        }
        const bool is_quoted = tag == "!" && (rest.starts_with('"') || rest.starts_with('\''));
        if (is_quoted && rest.find(rest.front(), 1) == std::string_view::npos) {
            problems_.add(line_of(mark), "a quoted text does not end in its line",
                          "close the quote");
        }
    }

    std::string_view text_;
    Problems& problems_;
    std::vector<Open> open_;
    YamlNode root_;
    size_t documents_ = 0;
};

size_t continuation_bytes(unsigned char lead) {
    if (lead < 0x80) return 0;
    if (lead >= 0xC2 && lead <= 0xDF) return 1;
    if (lead >= 0xE0 && lead <= 0xEF) return 2;
    if (lead >= 0xF0 && lead <= 0xF4) return 3;
    return SIZE_MAX;
}

// Strict enough that yaml-cpp never sees a broken character; it does not look for surrogates.
bool valid_utf8_at(std::string_view text, size_t at, size_t more) {
    if (more == SIZE_MAX || text.size() - at <= more) return false;
    for (size_t i = 1; i <= more; ++i) {
        if ((static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80U) return false;
    }
    return true;
}

/// Refuses bytes that are no text before yaml-cpp guesses another encoding from them.
bool check_bytes(std::string_view text, Problems& problems) {
    size_t line = 1;
    for (size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\n') ++line;
        if (is_control(c) && c != '\n' && c != '\t' && c != '\r') {
            problems.add(line, "there is a control character", "save the file as plain UTF-8");
            return false;
        }
        const size_t more = continuation_bytes(static_cast<unsigned char>(c));
        if (!valid_utf8_at(text, at, more)) {
            problems.add(line, "there are bytes that are not UTF-8", "save the file as UTF-8");
            return false;
        }
        at += more;
    }
    return true;
}

bool line_begins_with_tab(std::string_view text, size_t line) {
    for (; line > 1; --line) text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
    const size_t at = text.find_first_not_of(' ');
    return at != std::string_view::npos && text[at] == '\t';
}

void report(const YAML::Exception& problem, std::string_view text, Problems& problems) {
    if (problems.full()) return;
    const std::string_view what = problem.msg;
    std::string fix = "look at the quotes, brackets and indentation here and just above";
    if (what.starts_with("nested")) fix = "no key needs that";
    if (line_begins_with_tab(text, line_of(problem.mark))) fix = "indent with spaces, not tabs";
    if (what.find("alias") != std::string_view::npos) {
        fix = "a text that begins with * needs quotes, such as \"*\"";
    }
    if (what.starts_with("there is a second")) {
        problems.add(line_of(problem.mark), problem.msg,
                     "keep one; look at \"---\", \"...\" and the indentation here");
        return;
    }
    problems.add(line_of(problem.mark), fmt::format("not valid YAML: {}", what), std::move(fix));
}

}  // namespace

std::optional<YamlNode> parse_yaml(std::string_view text, Problems& problems) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (!check_bytes(text, problems)) return std::nullopt;

    TreeBuilder builder(text, problems);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const YAML::Exception& problem) {
        report(problem, text, problems);
        return std::nullopt;
    } catch (const std::exception& problem) {  // yaml-cpp promises nothing
        problems.add(1, fmt::format("not valid YAML: {}", problem.what()), "");
        return std::nullopt;
    }
    return builder.take();
}

}  // namespace pgweir::config
