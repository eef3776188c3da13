#include "pgweir/route/judge.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::route {
namespace {

Catalogue some_catalogue(const char* against_all = "") {
    using Line = std::array<std::string_view, 6>;
    std::vector<Line> lines{
        {"relation", "1", "public",     "accounts", "rp", "0"},
        {"relation", "2", "public",     "numbered", "vp", "0"},
        {"calls",    "2", "pg_catalog", "nextval",  "v",  "0"},
        {"function", "3", "public",     "counted",  "v.", "0"},
        {"function", "4", "public",     "shown",    "",   "0"},
        {"function", "5", "public",     "lower",    "v",  "0"},
        {"operator", "6", "public",     "@@@",      "v",  "0"},
        {"operator", "0", "pg_catalog", "=",        "",   "0"},
        {"type",     "7", "public",     "checked",  "v",  "0"},
    };
    if (*against_all != 0) lines.push_back({"type", "9", "", against_all, "a", "0"});
    std::vector<std::optional<std::string_view>> cells;
    for (const Line& line : lines) cells.insert(cells.end(), line.begin(), line.end());
    auto made = Catalogue::from_rows(lines.size(), cells);
    REQUIRE(made.has_value());
    return std::move(*made);
}

}  // namespace

TEST_CASE("judge: a read of what the catalogue knows may go") {
    const Catalogue catalogue = some_catalogue();
    for (const char* sql : {
             "SELECT 1",
             "SELECT * FROM accounts a WHERE a.id = 1",
             "SELECT shown(id) FROM public.accounts",
             "WITH mine AS (SELECT 1) SELECT * FROM mine",
             "SELECT upper('a'), pg_catalog.lower('A')",
         }) {
        CAPTURE(std::string(sql));
        CHECK(judge(sql::classify(sql), &catalogue).why == "");
        CHECK(judge(sql::classify(sql), &catalogue).standby);
    }
}

TEST_CASE("judge: whatever the catalogue has against one of its names keeps it") {
    const Catalogue catalogue = some_catalogue();
    for (const char* sql : {
             "DELETE FROM accounts",
             "SELECT * FROM numbered",
             "SELECT * FROM accounts, unknown",
             "SELECT counted(id) FROM accounts",
             "SELECT unknown(id) FROM accounts",
             "SELECT lower(name) FROM accounts",
             "SELECT a @@@ b FROM accounts",
             "SELECT a #### b FROM accounts",
             "SELECT a::fresh FROM accounts",
             "SELECT a::checked FROM accounts",
             "SELECT a.counted FROM accounts a",
             "SELECT (a).counted FROM accounts a",
             // Which of both it is depends on where it stands.
             "SELECT * FROM (WITH numbered AS (SELECT 1) SELECT * FROM numbered) x, numbered",
         }) {
        CAPTURE(std::string(sql));
        CHECK(!judge(sql::classify(sql), &catalogue).standby);
        CHECK(judge(sql::classify(sql), &catalogue).why != "");
    }
}

TEST_CASE("judge: without a catalogue, or with one that is against all, nothing goes") {
    CHECK(judge(sql::classify("SELECT 1"), nullptr).why ==
          "the catalogue of its database is not known");
    CHECK(judge(sql::classify("DELETE FROM t"), nullptr).why == "delete_stmt is no read");
    const Catalogue against = some_catalogue("text");
    CHECK(!judge(sql::classify("SELECT 1"), &against).standby);
}

TEST_CASE("judge: a transaction of reads begins where reads may go") {
    const auto begin = sql::classify("BEGIN READ ONLY");
    const Catalogue fine = some_catalogue();
    CHECK(judge(begin, &fine).standby);
    CHECK(judge(begin, &fine).why == "");
    const Catalogue unfit = some_catalogue("text");
    CHECK_FALSE(judge(begin, &unfit).standby);
    CHECK_FALSE(judge(begin, nullptr).standby);
    CHECK_FALSE(judge(sql::classify("BEGIN"), &fine).standby);
}

}  // namespace pgweir::route
