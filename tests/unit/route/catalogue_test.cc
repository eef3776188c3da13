#include "pgweir/route/catalogue.h"

#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::route {
namespace {

using Line = std::array<const char*, 6>;

std::optional<Catalogue> read(const std::vector<Line>& lines) {
    std::vector<std::optional<std::string_view>> cells;
    for (const Line& line : lines) {
        for (const char* cell : line) {
            cells.push_back(cell == nullptr ? std::nullopt : std::optional<std::string_view>(cell));
        }
    }
    return Catalogue::from_rows(lines.size(), cells);
}

Catalogue made_of(const std::vector<Line>& lines) {
    auto made = read(lines);
    REQUIRE(made.has_value());
    return std::move(*made);
}

}  // namespace

TEST_CASE("catalogue: what a temporary view reads is nobody's fault") {
    // Its rule is in the catalogue, and it is no relation there: it is its session's alone.
    const Catalogue catalogue = made_of({
        {"relation", "1", "public", "s", "Sp", "0"},
        {"uses",     "9", "",       "",  "",   "1"},
    });
    CHECK(catalogue.against_relation({"", "s"}) != "");
}

TEST_CASE("catalogue: functions that are volatile stay, others may go") {
    const Catalogue catalogue = made_of({
        {"function", "1",  "public",     "counted",              "v", "0"},
        {"function", "2",  "public",     "shown",                "",  "0"},
        {"function", "3",  "a",          "mixed",                "",  "0"},
        {"function", "4",  "b",          "mixed",                "v", "0"},
        {"function", "5",  "pg_catalog", "brin_summarize_range", "v", "0"},
        {"function", "6",  "pg_catalog", "int4send",             "i", "0"},
        {"function", "7",  "pg_catalog", "both",                 "i", "0"},
        {"function", "8",  "pg_catalog", "both",                 "v", "0"},
        {"function", "9",  "public",     "int8send",             "v", "0"},
        {"function", "10", "pg_catalog", "int8send",             "i", "0"},
    });
    CHECK(catalogue.against_function({"", "int4send"}) == "");
    CHECK(catalogue.against_function({"pg_catalog", "int4send"}) == "");
    CHECK(catalogue.against_function({"public", "int4send"}) != "");
    CHECK(catalogue.against_function({"", "both"}) == "both() is not known to be harmless");
    CHECK(catalogue.against_function({"", "int8send"}) != "");
    CHECK(catalogue.against_function({"pg_catalog", "int8send"}) == "");
    CHECK(catalogue.against_function({"", "shown"}) == "");
    CHECK(catalogue.against_function({"", "counted"}) ==
          "public.counted() is VOLATILE; if it only reads, declare it STABLE");
    CHECK(catalogue.against_function({"a", "mixed"}) == "");
    CHECK(catalogue.against_function({"b", "mixed"}) != "");
    CHECK(catalogue.against_function({"", "mixed"}) != "");
    CHECK(catalogue.against_function({"c", "mixed"}) ==
          "c.mixed is no function that the catalogue has");
    CHECK(catalogue.against_function({"", "new"}) == "new is no function that the catalogue has");
    CHECK(catalogue.against_function({"", "brin_summarize_range"}) ==
          "brin_summarize_range() is not known to be harmless");
    CHECK(catalogue.size() == 10);
}

TEST_CASE("catalogue: a function of one's own may hide behind a name of PostgreSQL's") {
    const Catalogue catalogue = made_of({
        {"function", "1", "public", "lower",    "v",  "0"},
        {"function", "2", "public", "upper",    "",   "0"},
        {"function", "3", "public", "gen_salt", "ve", "0"},
    });
    CHECK(catalogue.against_harmless_function({"", "lower"}) != "");
    CHECK(catalogue.against_harmless_function({"pg_catalog", "lower"}) == "");
    CHECK(catalogue.against_harmless_function({"", "upper"}) == "");
    CHECK(catalogue.against_harmless_function({"", "gen_salt"}) == "");
    CHECK(catalogue.against_harmless_function({"", "now"}) == "");
}

TEST_CASE("catalogue: volatile functions may be called as columns, operators, casts and checks") {
    const Catalogue catalogue = made_of({
        {"function", "1",  "public",     "archive",  "v.", "0"},
        {"function", "2",  "public",     "title",    ".",  "0"},
        {"operator", "3",  "public",     "@@@",      "v",  "0"},
        {"type",     "4",  "public",     "checked",  "v",  "0"},
        {"operator", "0",  "pg_catalog", "@@",       "",   "0"},
        {"operator", "0",  "pg_catalog", "@@@",      "",   "0"},
        {"type",     "23", "pg_catalog", "int4",     "",   "0"},
        {"relation", "5",  "public",     "accounts", "rp", "0"},
    });
    CHECK(catalogue.against_field("archive") == "archive may be called as a column, and is unfit");
    CHECK(catalogue.against_field("title") == "");
    CHECK(catalogue.against_field("name") == "");
    CHECK(catalogue.against_operator({"", "@@@"}) != "");
    CHECK(catalogue.against_operator({"pg_catalog", "@@@"}) == "");
    CHECK(catalogue.against_operator({"", "@@"}) == "");
    CHECK(catalogue.against_type({"", "checked"}) != "");
    CHECK(catalogue.against_type({"", "int4"}) == "");
    CHECK(catalogue.against_type({"", "accounts"}) == "");
    CHECK(catalogue.against_type({"", "new"}) == "new is no type that the catalogue has");
    CHECK(catalogue.against_operator({"", "###"}) == "### is no operator that the catalogue has");
    CHECK(catalogue.against_all() == "");
}

TEST_CASE("catalogue: what needs no sign in the text is against every read") {
    CHECK(made_of({
                      {"type", "25", "", "text", "a", "0"}
    })
              .against_all() ==
          "text is a type whose casts, checks or comparisons call a VOLATILE function");
}

TEST_CASE("catalogue: transactions that are serializable by default are against every read") {
    CHECK(made_of({
                      {"serializable", "0", "", "", "", "0"}
    })
              .against_all() ==
          "its transactions are serializable by default, which no standby can be");
    const Catalogue of_one = made_of({
        {"serializable", "10", "", "app", "", "0"}
    });
    CHECK(of_one.against_all().empty());
    CHECK(of_one.is_serializable("app"));
    CHECK_FALSE(of_one.is_serializable("other"));
}

TEST_CASE("catalogue: a type that compares or casts by a volatile function taints what has it") {
    const Catalogue catalogue = made_of({
        {"type",     "1", "public", "kind",    "t",   "0"},
        {"relation", "2", "public", "kinds",   "rpt", "0"},
        {"function", "3", "public", "kind_of", "t",   "0"},
        {"operator", "4", "public", "<->",     "t",   "0"},
        {"relation", "5", "public", "others",  "rp",  "0"},
    });
    CHECK(catalogue.against_all() == "");
    CHECK(catalogue.against_type({"", "kind"}) ==
          "a cast, check or comparison of public.kind calls a VOLATILE function");
    CHECK(catalogue.against_relation({"", "kinds"}) ==
          "public.kinds has a column of a type whose casts, checks or comparisons call a VOLATILE "
          "function");
    CHECK(catalogue.against_relation({"", "others"}) == "");
    CHECK(
        catalogue.against_function({"", "kind_of"}) ==
        "public.kind_of() has to do with a type whose casts, checks or comparisons call a VOLATILE "
        "function");
    CHECK(catalogue.against_operator({"", "<->"}) ==
          "operator public.<-> has to do with a type whose casts, checks or comparisons call a "
          "VOLATILE "
          "function");
}

TEST_CASE("catalogue: relations that standbys do not have stay, and what reads them") {
    const Catalogue catalogue = made_of({
        {"uses",     "12", "",       "",           "",   "11" },
        {"uses",     "11", "",       "",           "",   "10" },
        {"uses",     "21", "",       "",           "",   "20" },
        {"relation", "10", "public", "cache",      "ru", "0"  },
        {"relation", "11", "public", "cached",     "vp", "0"  },
        {"relation", "12", "public", "all_cached", "vp", "0"  },
        {"relation", "20", "public", "part",       "fp", "0"  },
        {"relation", "21", "public", "whole",      "pp", "0"  },
        {"relation", "30", "public", "ids",        "Sp", "0"  },
        {"relation", "40", "public", "accounts",   "rp", "0"  },
        {"relation", "41", "other",  "cache",      "rp", "0"  },
        {"relation", "50", "public", "lost",       "vp", "0"  },
        {"uses",     "50", "",       "",           "",   "999"},
    });
    CHECK(catalogue.against_relation({"", "accounts"}) == "");
    CHECK(catalogue.against_relation({"", "cache"}) ==
          "public.cache is unlogged, and empty on standbys");
    CHECK(catalogue.against_relation({"other", "cache"}) == "");
    CHECK(catalogue.against_relation({"", "cached"}) ==
          "public.cached reads public.cache, which is unlogged, and empty on standbys");
    CHECK(catalogue.against_relation({"", "all_cached"}) ==
          "public.all_cached reads public.cached, which reads public.cache, which is unlogged, "
          "and empty on standbys");
    CHECK(catalogue.against_relation({"", "whole"}) ==
          "public.whole reads public.part, which is a foreign table");
    CHECK(catalogue.against_relation({"", "ids"}) ==
          "public.ids is a sequence, and ahead on standbys");
    CHECK(catalogue.against_relation({"", "lost"}) ==
          "public.lost reads something that is not in the catalogue");
    CHECK(catalogue.against_relation({"", "new"}) == "new is no relation that the catalogue has");
    CHECK(catalogue.has_relation({"", "cache"}));
    CHECK(!catalogue.has_relation({"", "new"}));
}

TEST_CASE("catalogue: views and policies are as good as what they call") {
    const Catalogue catalogue = made_of({
        {"relation", "1",  "public",     "numbered",        "vp",  "0" },
        {"relation", "2",  "public",     "plain",           "vp",  "0" },
        {"relation", "3",  "public",     "locking",         "vp",  "0" },
        {"relation", "4",  "public",     "own",             "rps", "0" },
        {"relation", "5",  "public",     "placed",          "vp",  "0" },
        {"relation", "6",  "public",     "gone",            "vp",  "0" },
        {"relation", "7",  "public",     "of_kind",         "vp",  "0" },
        {"function", "21", "public",     "shown",           "",    "0" },
        {"function", "22", "public",     "counted",         "v",   "0" },
        {"calls",    "1",  "pg_catalog", "nextval",         "",    "1" },
        {"calls",    "2",  "pg_catalog", "now",             "",    "2" },
        {"calls",    "2",  "public",     "shown",           "",    "21"},
        {"locks",    "3",  "",           "",                "",    "0" },
        {"calls",    "4",  "public",     "counted",         "",    "22"},
        {"calls",    "5",  "pg_catalog", "current_setting", "",    "3" },
        {"calls",    "6",  "public",     "not_there",       "",    "99"},
        {"tainted",  "7",  "",           "",                "",    "0" },
    });
    CHECK(catalogue.against_relation({"", "gone"}) == "public.gone calls public.not_there()");
    CHECK(catalogue.against_relation({"", "of_kind"}) ==
          "public.of_kind has to do with a type whose casts, checks or comparisons call a "
          "VOLATILE function");
    CHECK(catalogue.against_relation({"", "plain"}) == "");
    CHECK(catalogue.against_relation({"", "numbered"}) ==
          "public.numbered calls pg_catalog.nextval()");
    CHECK(catalogue.against_relation({"", "locking"}) == "public.locking locks rows");
    CHECK(catalogue.against_relation({"", "own"}) == "public.own calls public.counted()");
    CHECK(catalogue.against_relation({"", "placed"}) != "");
}

TEST_CASE(
    "catalogue: a function is as good as the defaults of its arguments, and as no text of SQL") {
    const Catalogue catalogue = made_of({
        {"defaults", "1", "pg_catalog", "nextval",  "v",  "0"},
        {"function", "1", "public",     "numbered", "",   "0"},
        {"function", "2", "public",     "dated",    "",   "0"},
        {"defaults", "2", "pg_catalog", "now",      "",   "0"},
        {"function", "3", "public",     "counting", "",   "0"},
        {"defaults", "3", "public",     "counted",  "v",  "0"},
        {"function", "4", "public",     "crosstab", "",   "0"},
        {"relation", "5", "public",     "view_of",  "vp", "0"},
        {"calls",    "5", "public",     "numbered", "",   "1"},
    });
    CHECK(catalogue.against_function({"", "numbered"}) ==
          "public.numbered() has pg_catalog.nextval() in a default");
    CHECK(catalogue.against_function({"", "dated"}) == "");
    CHECK(catalogue.against_function({"", "counting"}) != "");
    CHECK(catalogue.against_function({"", "crosstab"}) == "public.crosstab() runs a text as SQL");
    CHECK(catalogue.against_relation({"", "view_of"}) == "public.view_of calls public.numbered()");
}

TEST_CASE("catalogue: two views that read each other come to an end") {
    const Catalogue catalogue = made_of({
        {"relation", "1", "public", "a", "vp", "0"},
        {"relation", "2", "public", "b", "vp", "0"},
        {"uses",     "1", "",       "",  "",   "2"},
        {"uses",     "2", "",       "",  "",   "1"},
        {"locks",    "1", "",       "",  "",   "0"},
    });
    CHECK(catalogue.against_relation({"", "b"}) == "public.b reads public.a, which locks rows");
}

TEST_CASE("catalogue: rows that make no sense are refused") {
    CHECK(read({}).has_value());
    CHECK(!read({
        {"function", "x", "public", "f", "", "0"}
    }));
    CHECK(!read({
        {"function", "1", "public", "f", "", "-1"}
    }));
    CHECK(!read({
        {"function", "1", nullptr, "f", "", "0"}
    }));
    CHECK(!read({
        {"what", "1", "public", "f", "", "0"}
    }));
    CHECK(!Catalogue::from_rows(2, std::vector<std::optional<std::string_view>>(6)));
}

}  // namespace pgweir::route
