#include "pgweir/sql/fingerprint.h"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::sql {
namespace {

Fingerprint of(std::string_view sql) {
    const auto found = fingerprint(sql);
    REQUIRE(found.has_value());
    return *found;
}

}  // namespace

TEST_CASE("fingerprint: values, comments, case and space do not count") {
    const std::vector<std::pair<const char*, const char*>> alike{
        {"SELECT 1",                          "select  2 -- two"             },
        {"SELECT * FROM t WHERE a = 'x'",     "SELECT * FROM T WHERE a=$1;"  },
        {"SELECT 'a'",                        "SELECT $$b$$"                 },
        {"SELECT E'a\\n', B'1', X'ff'",       "SELECT 1, 2, 3"               },
        {"SELECT 1 /* a /* b */ */ + 2",      "SELECT 3 + 4 ;;"              },
        {"SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN(7)"},
        {"SELECT f(1, 2, a, 3, 4)",           "SELECT f(1, a, 2)"            },
        {"INSERT INTO t VALUES ($1, $2, $3)", "INSERT INTO t VALUES ('a', 1)"},
    };
    for (const auto& [one, other] : alike) {
        CAPTURE(std::string(one));
        CHECK(of(one) == of(other));
    }
}

TEST_CASE("fingerprint: names, words and signs count") {
    const std::vector<std::pair<const char*, const char*>> different{
        {"SELECT a FROM t",          "SELECT b FROM t"           },
        {"SELECT a FROM t",          "SELECT \"a\" FROM t"       },
        {"SELECT \"A\" FROM t",      "SELECT \"a\" FROM t"       },
        {"SELECT ab FROM t",         "SELECT a b FROM t"         },
        {"SELECT a.b",               "SELECT a, b"               },
        {"SELECT a < b",             "SELECT a > b"              },
        {"SELECT a < -1",            "SELECT a <- 1"             },
        {"SELECT a <- 1",            "SELECT a </* */- 1"        },
        {"SELECT 1",                 "SELECT a"                  },
        {"SELECT 1, a",              "SELECT 1, 2, a, 3"         },
        {"SELECT 1; SELECT 2",       "SELECT 1 SELECT 2"         },
        {"SELECT * FROM t",          "SELECT * FROM t FOR UPDATE"},
        {"SELECT 'a;DELETE FROM t'", "SELECT 'a';DELETE FROM t"  },
        {"SELECT f(1)",              "SELECT f()"                },
        {"SELECT (1), (2)",          "SELECT (1)"                },
        {"SELECT 1,",                "SELECT 1"                  },
    };
    for (const auto& [one, other] : different) {
        CAPTURE(std::string(one));
        CHECK(of(one) != of(other));
    }
}

TEST_CASE("fingerprint: a text without a certain end has none") {
    for (const char* sql : {"SELECT 'a", "SELECT /* a", "SELECT '\\'", "SELECT $a$ b", "SELECT \"a",
                            "SELECT U&\"a\" UESCAPE '!'"}) {
        CAPTURE(std::string(sql));
        CHECK(!fingerprint(sql));
    }
    CHECK(fingerprint(std::string(kFingerprintedBytesMax, ' ')));
    CHECK(!fingerprint(std::string(kFingerprintedBytesMax + 1, ' ')));
}

TEST_CASE("fingerprint: long texts differ in every part") {
    std::string sql = "SELECT ";
    for (int i = 0; i < 2000; ++i) sql += "column" + std::to_string(i) + ", ";
    sql += "1";
    const Fingerprint whole = of(sql);
    for (const size_t place : {size_t{10}, sql.size() / 2, sql.size() - 10}) {
        std::string other = sql;
        other[place] = other[place] == 'x' ? 'y' : 'x';
        CHECK(of(other) != whole);
    }
    CHECK(of(sql + " -- more") == whole);
}

TEST_CASE("fingerprint: short texts and long ones are read alike") {
    // Space does not count, and a text with much of it is hashed in pieces.
    const std::string space(5000, ' ');
    std::ifstream corpus("tests/corpus/applications.tsv");
    REQUIRE(corpus.is_open());
    for (std::string line; std::getline(corpus, line);) {
        for (char& c : line) c = c == 'T' ? '\xc4' : c;  // letters beyond ASCII stay as they are
        CAPTURE(line);
        CHECK(fingerprint(line) == fingerprint(line + space));
        CHECK(fingerprint(space + line) == fingerprint(line));
    }
    for (const char* sql : {"a", "\"a\"", "A \"", "SELECT [x]", "e'x' U&'y' U&\"z\"", "\"a\"\"b\"",
                            "SELECTSELECTSELECTSELECT", "\"twenty bytes and some\""}) {
        CAPTURE(sql);
        CHECK(fingerprint(sql) == fingerprint(sql + space));
    }
}

TEST_CASE("fingerprint: the shape can be read") {
    CHECK(shape_of("SELECT  A.\"B\", count(*) FROM s.t a WHERE a.x<=10 AND y IN (1,2, 3)::int[];",
                   1000) ==
          "select a.\"B\", count(*) from s.t a where a.x <= $1 and y in($2)::int[]");
    CHECK(shape_of("SELECT 'secret', $tag$secret$tag$", 1000) == "select $1");
    CHECK(shape_of("SELECT a < -1, b ? 'c' || 'd'", 1000) == "select a < - $1, b ? $2 || $3");
    CHECK(shape_of("SELECT abcdef", 10) == "select abc");
    CHECK(to_text(Fingerprint{0xff00, 0x00ff}) == "000000000000ffff");
    CHECK(to_text(of("SELECT 1")) == to_text(of("select 2")));
}

}  // namespace pgweir::sql
