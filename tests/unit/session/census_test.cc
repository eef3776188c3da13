#include "pgweir/session/census.h"

#include "unit/session/rig.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

/// Takes the body of a row.
bool take(Census& census, std::string_view row) {
    return take_census_row(census, as_bytes(row.substr(5)));
}

Pins all_pins() {
    Pins pins;
    for (size_t i = 0; i < kPins; ++i) pins.add(static_cast<Pin>(i));
    return pins;
}

}  // namespace

TEST_CASE("census: settings come as the database holds them") {
    Census census;
    CHECK(take(census, census_row("s", "work_mem", "7168")));
    CHECK(take(census, census_row("s", "myapp.name", "gr\\303\\274n \\\\ 'x'")));
    CHECK(take(census, census_row("s", "myapp.empty", "")));
    CHECK(census.settings ==
          SettingList{
              {"work_mem",    "7168"              },
              {"myapp.name",  "gr\xc3\xbcn \\ 'x'"},
              {"myapp.empty", ""                  }
    });
    CHECK(census.holds("work_mem"));
    CHECK_FALSE(census.holds("myapp"));
    CHECK_FALSE(census.pins.any());
    CHECK(census.complete);
}

TEST_CASE("census: each kind of state is a reason") {
    Census census;
    for (const auto kind : {"t", "a", "c", "l"}) CHECK(take(census, census_row(kind)));
    CHECK(take(census, census_row("p", "s", "PREPARE s AS SELECT 1")));
    CHECK(census.pins.to_text() ==
          "temporary table, advisory lock, holdable cursor, prepared statement, listening channel");
    CHECK(census.settings.empty());
    CHECK(census.prepared == SettingList{
                                 {"s", "PREPARE s AS SELECT 1"}
    });
}

TEST_CASE("census: what it writes down for SHOW pgweir.pinned is no news") {
    Census census;
    CHECK(take(census, census_row("z", "", "temporary table")));
    CHECK_FALSE(census.pins.any());
    CHECK(census.settings.empty());
}

TEST_CASE("census: a name that is found twice counts once") {
    Census census;
    CHECK(take(census, census_row("s", "a.b", "1")));
    CHECK(take(census, census_row("s", "a.b", "1")));
    CHECK(census.settings.size() == 1);
}

TEST_CASE("census: a row of another shape is refused") {
    Census census;
    CHECK_FALSE(take(census, census_row("x", "", "")));
    CHECK_FALSE(take(census, census_row("", "a", "1")));
    CHECK_FALSE(take(census, census_row("ss", "a", "1")));
    CHECK_FALSE(take(census, census_row("s", "", "1")));
    for (const auto value : {"\\", "\\3", "\\30", "\\400", "\\38a", "\\x41"}) {
        CAPTURE(value);
        CHECK_FALSE(take(census, census_row("s", "a", value)));
    }
    CHECK_FALSE(take(census, message('D', be16(2) + be32(0) + be32(0))));
    CHECK_FALSE(take(census, census_row("s", "a", "1") + "x"));
    CHECK_FALSE(take(census, message('D', be16(3) + be32(1) + "s" + be32(100) + "a")));
}

TEST_CASE("census: more than can be carried leaves it incomplete") {
    Census census;
    const std::string large(60000, 'x');
    for (int i = 0; i < 4; ++i) {
        CHECK(take(census, census_row("s", "a.b" + std::to_string(i), large)));
    }
    CHECK(census.complete);
    CHECK(take(census, census_row("s", "a.c", large)));
    CHECK_FALSE(census.complete);
    CHECK(census.settings.size() == 4);
}

TEST_CASE("census: the query is ASCII and asks for custom settings by name") {
    const std::vector<std::string> names{"myapp.tenant", "myapp.user"};
    const std::vector<std::string> more{"rls.tenant"};
    const std::string sql = census_query({.custom = names,
                                          .of_functions = more,
                                          .bodies = FunctionBodies::Search,
                                          .patience = Patience::Unlimited,
                                          .known = all_pins()});
    for (const char c : sql) CHECK((c >= 0x20 && c < 0x7f));
    CHECK(sql.find("ARRAY['myapp.tenant','myapp.user']") != std::string::npos);
    CHECK(sql.find("ARRAY['rls.tenant']") != std::string::npos);
    CHECK(sql.find("prosrc") != std::string::npos);
    CHECK(sql.find("sequence, process number, loaded module") != std::string::npos);
    CHECK(sql.find("SET LOCAL statement_timeout=0;") != std::string::npos);
    const std::string plain = census_query({});
    for (const auto word : {"prosrc", "unnest", "statement_timeout"}) {
        CAPTURE(word);
        CHECK(plain.find(word) == std::string::npos);
    }
}

TEST_CASE("census: what functions name is remembered, set or not") {
    Census census;
    CHECK(take(census, census_row("b", "rls.tenant", "7")));
    CHECK(take(census, census_row("b", "rls.user", "")));
    CHECK(census.of_functions == std::vector<std::string>{"rls.tenant", "rls.user"});
    CHECK(census.settings == SettingList{
                                 {"rls.tenant", "7"}
    });
    CHECK_FALSE(census.temporary_schema);
    CHECK(take(census, census_row("T")));
    CHECK(census.temporary_schema);
    CHECK_FALSE(census.pins.any());
}

TEST_CASE("pins: a set of reasons") {
    Pins pins;
    CHECK_FALSE(pins.any());
    CHECK(pins.to_text().empty());
    pins.add(Pin::Channel);
    pins.add(Pin::AdvisoryLock);
    CHECK(pins.has(Pin::Channel));
    CHECK_FALSE(pins.has(Pin::Sequence));
    CHECK(pins.to_text() == "advisory lock, listening channel");
    pins.remove(Pin::Channel);
    CHECK(pins.to_text() == "advisory lock");
    Pins more;
    more.add(Pin::Unknown);
    more.add(pins);
    CHECK(more.to_text() == "advisory lock, unknown state");
    CHECK(more != pins);
}

TEST_CASE("census: names of custom settings that are none are not asked for") {
    Census census;
    CHECK(take(census, census_row("b", "a.b'", "x")));
    CHECK(take(census, census_row("b", "a." + std::string(200, 'b'), "x")));
    CHECK(census.of_functions.empty());
    CHECK(census.settings.empty());
    CHECK(census.complete);
    CHECK(take(census, census_row("s", "a.b'", "x")));
    CHECK(census.settings.empty());
    CHECK_FALSE(census.complete);
}

TEST_CASE("census: functions bring 256 names at most") {
    Census census;
    for (int i = 0; i < 300; ++i) {
        CHECK(take(census, census_row("b", "a.b" + std::to_string(i), "")));
    }
    CHECK(census.of_functions.size() == 256);
}

}  // namespace pgweir::session
