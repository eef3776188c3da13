#include "pgweir/sql/effects.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::sql {
namespace {

using Names = std::vector<std::string>;

Names names_in(std::string_view sql) {
    Names names;
    CHECK(for_each_custom_setting(sql, [&](std::string_view name) { names.emplace_back(name); }));
    return names;
}

}  // namespace

TEST_CASE("custom settings: the form of a name") {
    for (const auto* name : {"myapp.user_id", "a.b", "a.b.c", "_a._b", "A.B1$", "\xc3\xa9.b"}) {
        CAPTURE(name);
        CHECK(is_custom_setting_name(name));
    }
    for (const auto* text : {"", "a", ".", "a.", ".a", "a..b", "1a.b", "a.1b", "$a.b", "a.b c",
                             "a-b.c", "a@b.c", "a.\"b\"", " a.b", "a.b\n", "a.it''s"}) {
        CAPTURE(text);
        CHECK_FALSE(is_custom_setting_name(text));
    }
    CHECK(is_custom_setting_name("a." + std::string(125, 'b')));
    CHECK_FALSE(is_custom_setting_name("a." + std::string(126, 'b')));
}

TEST_CASE("custom settings: strings that are a name from end to end") {
    CHECK(names_in("SELECT set_config('MyApp.user_id', $1, false)") == Names{"myapp.user_id"});
    CHECK(names_in("SELECT set_config(E'a.b', 'c d.e', false), $$f.g$$") == Names{"a.b", "f.g"});
    CHECK(names_in("SELECT a.b FROM \"c.d\" WHERE x = 'e.f '").empty());
}

TEST_CASE("custom settings: names behind SET and RESET") {
    CHECK(names_in("SET a.b = 1") == Names{"a.b"});
    CHECK(names_in("set session A.b TO 'x'") == Names{"a.b"});
    CHECK(names_in("SET LOCAL a . b = 1; RESET c.d") == Names{"a.b", "c.d"});
    CHECK(names_in("SET a.\"B\" = 1; SET \"a\".c = 1; SET \"x\".\"y\" = 1") ==
          Names{"a.b", "a.c", "x.y"});
    CHECK(names_in("SET local.a = 1; SET session.b = 2") == Names{"local.a", "session.b"});
    CHECK(names_in("SET a.b.c = 1") == Names{"a.b.c"});
    CHECK(names_in("SET local.a b.c") == Names{"local.a"});
    CHECK(names_in("RESET a.b") == Names{"a.b"});
    CHECK(names_in("SET search_path = a, b").empty());
    CHECK(names_in("SET \"a-b\".c = 1").empty());
    CHECK(names_in("SELECT t.set.x FROM t").empty());
    CHECK(names_in("RESET ALL; SELECT a.b").empty());
}

TEST_CASE("custom settings: identifiers are cut where PostgreSQL cuts them") {
    const std::string longest(63, 'b');
    CHECK(names_in("SET a." + longest + "bbb = 1") == Names{"a." + longest});
    CHECK(names_in("SET a." + longest + "." + longest + " = 1").empty());
}

TEST_CASE("custom settings: bodies are looked into, but not for ever") {
    CHECK(names_in("DO $$ BEGIN PERFORM set_config('a.b', '1', false); END $$") == Names{"a.b"});
    CHECK(names_in("DO $x$ BEGIN EXECUTE $$SET a.b = 1$$; END $x$") == Names{"a.b"});
    std::string nested = "SET a.b = 1";
    for (const auto* tag : {"$a$", "$b$", "$c$", "$d$"}) nested = tag + (" " + nested) + tag;
    CHECK(names_in(nested) == Names{"a.b"});
    CHECK(names_in("$e$ " + nested + "$e$").empty());
}

TEST_CASE("custom settings: a text with too many says so") {
    std::string sql;
    for (size_t i = 0; i < kCustomSettingsPerTextMax; ++i) sql += "'a.b', ";
    size_t told = 0;
    const auto count = [&](std::string_view) { ++told; };
    CHECK(for_each_custom_setting(sql, count));
    CHECK(told == kCustomSettingsPerTextMax);
    told = 0;
    CHECK_FALSE(for_each_custom_setting(sql + "'a.b'", count));
    CHECK(told == kCustomSettingsPerTextMax);
}

}  // namespace pgweir::sql
