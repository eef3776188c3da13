#include "pgweir/session/settings.h"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

SettingList must(const wire::Parameters& parameters) {
    auto settings = startup_settings(parameters);
    REQUIRE(settings.has_value());
    return *settings;
}

SettingList from_options(std::string_view options) {
    return must({
        {"options", options}
    });
}

void refuses(std::string_view options) {
    CAPTURE(options);
    const auto settings = startup_settings({
        {"options", options}
    });
    REQUIRE_FALSE(settings.has_value());
    CHECK(settings.error().sqlstate == sqlstate::kSyntaxError);
    CHECK(settings.error().severity == Severity::Fatal);
}

/// For a session that ann opened.
std::string between(const SettingList& current, const SettingList& wanted) {
    return settings_query(current, wanted, "ann");
}

}  // namespace

TEST_CASE("settings: of a startup packet all but the connection's own parameters are settings") {
    const wire::Parameters parameters{
        {"user",            "ann" },
        {"database",        "app" },
        {"replication",     "off" },
        {"_pq_.extension",  "1"   },
        {"client_encoding", "UTF8"},
        {"geqo",            "off" }
    };
    CHECK(must(parameters) == SettingList{
                                  {"client_encoding", "UTF8"},
                                  {"geqo",            "off" }
    });
}

TEST_CASE("settings: names are spelled as PostgreSQL reports them") {
    CHECK(must({
              {"DATESTYLE",     "ISO"     },
              {"timezone",      "UTC"     },
              {"Intervalstyle", "iso_8601"}
    }) ==
          SettingList{{"DateStyle", "ISO"}, {"TimeZone", "UTC"}, {"IntervalStyle", "iso_8601"}});
    CHECK(must({
              {"Client_Encoding", "UTF8"},
              {"myApp.User",      "7"   }
    }) ==
          SettingList{{"client_encoding", "UTF8"}, {"myapp.user", "7"}});
}

TEST_CASE("settings: application_name is cleaned as PostgreSQL 15 cleans it") {
    CHECK(must({
              {"application_name", "caf\xc3\xa9\n\x7f~ "}
    })[0]
              .second == "caf????~ ");
    CHECK(must({
              {"application_name", std::string(100, 'x')}
    })[0]
              .second == std::string(63, 'x'));
    CHECK(must({
              {"search_path", "caf\xc3\xa9"}
    })[0]
              .second == "caf\xc3\xa9");
}

TEST_CASE("settings: options give settings in all of PostgreSQL's forms") {
    CHECK(from_options("-c geqo=off") == SettingList{
                                             {"geqo", "off"}
    });
    CHECK(from_options("-cgeqo=off") == SettingList{
                                            {"geqo", "off"}
    });
    CHECK(from_options("--geqo=off") == SettingList{
                                            {"geqo", "off"}
    });
    CHECK(from_options("--statement-timeout=5s") == SettingList{
                                                        {"statement_timeout", "5s"}
    });
    CHECK(from_options("  -c  geqo=off\t--TIMEZONE=UTC ") ==
          SettingList{
              {"geqo",     "off"},
              {"TimeZone", "UTC"}
    });
    CHECK(from_options("-c search_path=a,b=c") == SettingList{
                                                      {"search_path", "a,b=c"}
    });
    CHECK(from_options("-c geqo=") == SettingList{
                                          {"geqo", ""}
    });
    CHECK(from_options("").empty());
}

TEST_CASE("settings: a backslash in options makes the next character plain") {
    CHECK(from_options("-c search_path=a,\\ b") == SettingList{
                                                       {"search_path", "a, b"}
    });
    CHECK(from_options("-c x=a\\\\b") == SettingList{
                                             {"x", "a\\b"}
    });
    CHECK(from_options("-c x=a\\") == SettingList{
                                          {"x", "a\\"}
    });
}

TEST_CASE("settings: options that are not settings are refused with 42601") {
    for (const char* options : {"-d 5", "-c", "-c geqo", "--geqo", "geqo=off", "-c =off", "--=off",
                                "--", "-", "-S 100"}) {
        refuses(options);
    }
}

TEST_CASE("settings: a parameter of its own wins over the options, the later over the earlier") {
    SettingsTable table;
    const auto settings = table.intern(must({
        {"geqo",    "on"         },
        {"options", "-c geqo=off"}
    }));
    CHECK(settings.find("geqo") == "on");
    CHECK(table.intern(from_options("-c geqo=on -c geqo=off")).find("geqo") == "off");
}

TEST_CASE("settings: nothing is sent when nothing differs") {
    CHECK(between({}, {}).empty());
    CHECK(between(
              {
                  {"a", "1"},
                  {"b", "2"}
    },
              {{"a", "1"}, {"b", "2"}})
              .empty());
}

TEST_CASE("settings: what differs is set in one SELECT") {
    CHECK(between(
              {
                  {"a", "1"},
                  {"b", "2"},
                  {"c", "3"}
    },
              {{"a", "1"}, {"b", "x"}, {"c", "y"}}) ==
          "SELECT pg_catalog.set_config(E'b',E'x',false),pg_catalog.set_config(E'c',E'y',false)");
    CHECK(between(
              {
    },
              {{"a", "1"}}) == "SELECT pg_catalog.set_config(E'a',E'1',false)");
}

TEST_CASE("settings: a DEALLOCATE, which no rollback undoes, stands behind all that may fail") {
    const SettingList current{
        {kPreparedMark + std::string("a"), "PREPARE a AS SELECT 1"}
    };
    const SettingList wanted{
        {"role",     "r"  },
        {"work_mem", "1MB"}
    };
    const std::string sets =
        "SELECT pg_catalog.set_config(E'work_mem',E'1MB',false);"
        "SELECT pg_catalog.set_config(E'role',E'r',false);DEALLOCATE \"a\"";
    CHECK(settings_query(current, wanted, "owner") == sets);
    CHECK(clean_settings_query(current, {}, wanted, "owner") == "RESET ALL;" + sets);
}

TEST_CASE("settings: what the client never named is reset") {
    CHECK(between(
              {
                  {"a", "1"}
    },
              {}) == "RESET \"a\"");
    CHECK(between(
              {
                  {"a", "1"},
                  {"b", "2"}
    },
              {}) == "RESET \"a\";RESET \"b\"");
    CHECK(between(
              {
                  {"a", "1"},
                  {"b", "2"}
    },
              {{"b", "3"}, {"c", "4"}}) ==
          "SELECT pg_catalog.set_config(E'b',E'3',false),pg_catalog.set_config(E'c',E'4',false)"
          ";RESET \"a\"");
}

TEST_CASE("settings: what a server only reports is neither set nor reset") {
    const SettingList mine{
        {"in_hot_standby",    "off" },
        {"integer_datetimes", "on"  },
        {"is_superuser",      "on"  },
        {"server_encoding",   "UTF8"},
        {"server_version",    "15.1"}
    };
    SettingList theirs = mine;
    for (auto& [name, value] : theirs) value = "different";
    CHECK(between(mine, theirs).empty());
    CHECK(between(mine, {}).empty());
    CHECK(between({}, mine).empty());
}

TEST_CASE("settings: quotes, backslashes and bytes beyond ASCII cannot leave the literal") {
    CHECK(between(
              {
    },
              {{"a", "it's \\ caf\xc3\xa9\n"}}) ==
          "SELECT pg_catalog.set_config(E'a',E'it\\x27s \\x5c caf\\xc3\\xa9\\x0a',false)");
    CHECK(between(
              {
    },
              {{"a'b", "1"}}) == "SELECT pg_catalog.set_config(E'a\\x27b',E'1',false)");
}

TEST_CASE("settings: the text is printable ASCII for every byte of a value") {
    std::string value;
    for (int byte = 1; byte < 256; ++byte) value.push_back(static_cast<char>(byte));
    const std::string sql = between(
        {
    },
        {{"a", value}});
    CHECK(std::all_of(sql.begin(), sql.end(), [](char c) { return c >= 0x20 && c <= 0x7e; }));
    CHECK(std::count(sql.begin(), sql.end(), '\'') == 4);
}

TEST_CASE("settings: like sets are one object, whatever the order they were given in") {
    SettingsTable table;
    const auto one = table.intern({
        {"a", "1"},
        {"b", "2"}
    });
    const auto same = table.intern({
        {"b", "2"},
        {"a", "1"}
    });
    const auto other = table.intern({
        {"a", "1"},
        {"b", "3"}
    });
    CHECK(one == same);
    CHECK_FALSE(one == other);
    CHECK(table.size() == 2);
    CHECK(one.values() == SettingList{
                              {"a", "1"},
                              {"b", "2"}
    });
}

TEST_CASE("settings: names and values are not mixed up") {
    SettingsTable table;
    CHECK_FALSE(table.intern({
                    {"a", "b"}
    }) == table.intern({{"b", "a"}}));
    CHECK_FALSE(table.intern({
                    {"ab", "c"}
    }) == table.intern({{"a", "bc"}}));
}

TEST_CASE("settings: a set is forgotten with its last reference") {
    SettingsTable table;
    {
        const auto kept = table.intern({
            {"a", "1"}
        });
        auto moved = table.intern({
            {"b", "1"}
        });
        SettingsRef copy = moved;
        moved = table.intern({
            {"c", "1"}
        });
        CHECK(table.size() == 3);
        copy = SettingsRef();
        CHECK(table.size() == 2);
        const SettingsRef taken = std::move(moved);
        CHECK(table.size() == 2);
        CHECK(taken.find("c") == "1");
    }
    CHECK(table.size() == 0);
}

TEST_CASE("settings: the same set with one value changed") {
    SettingsTable table;
    const auto base = table.intern({
        {"a", "1"},
        {"c", "3"}
    });
    CHECK(table.with(base, "a", "2").values() == SettingList{
                                                     {"a", "2"},
                                                     {"c", "3"}
    });
    CHECK(table.with(base, "b", "2").values() == SettingList{
                                                     {"a", "1"},
                                                     {"b", "2"},
                                                     {"c", "3"}
    });
    CHECK(table.with(base, "a", "1") == base);
    CHECK(table.with(SettingsRef(), "a", "1").values() == SettingList{
                                                              {"a", "1"}
    });
}

TEST_CASE("settings: what is not known yet holds nothing") {
    const SettingsRef unknown;
    CHECK_FALSE(unknown);
    CHECK_FALSE(unknown.holds("a"));
    CHECK(unknown.find("a").empty());
    SettingsTable table;
    const auto empty = table.intern({});
    CHECK(empty);
    CHECK_FALSE(empty == unknown);
    const auto one = table.intern({
        {"a", ""}
    });
    CHECK(one.holds("a"));
    CHECK_FALSE(one.holds("b"));
}

TEST_CASE("settings: a quote in a name cannot leave the identifier") {
    CHECK(between(
              {
                  {"a.b\"; DROP TABLE t; --", "1"}
    },
              {}) == "RESET \"a.b\"\"; DROP TABLE t; --\"");
}

}  // namespace pgweir::session
