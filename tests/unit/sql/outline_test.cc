#include "pgweir/sql/outline.h"

#include "pgweir/sql/fingerprint.h"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::sql {
namespace {

/// "-": it has none.
std::string outlined(const std::string& sql) {
    OutlineRoom room;
    return std::string(outline_of(sql, room).value_or("-"));
}

}  // namespace

TEST_CASE("outline: plain numbers and strings do not count, all else does") {
    const std::vector<std::pair<const char*, const char*>> texts{
        {"",                                      ""                                     },
        {"SELECT 1",                              "SELECT 0"                             },
        {"select  12345678901234567890 ;",        "select  0 ;"                          },
        {"LIMIT 20 OFFSET 40",                    "LIMIT 0 OFFSET 0"                     },
        {"a = 'x' AND b IN ('y','z')",            "a = '' AND b IN ('','')"              },
        {"a = 'it''s'",                           "a = ''''"                             },
        {"a=''",                                  "a=''"                                 },
        {"'1'2 '3'",                              "''0 ''"                               },
        {"'a long string with \" and -- and /*'", "''"                                   },
        {"\"a\".\"b1\" = 1",                      "\"a\".\"b1\" = 0"                     },
        {"\"it's 5\" = 5",                        "\"it's 5\" = 0"                       },
        {"\"a\"\"1\" = 1",                        "\"a\"\"1\" = 0"                       },
        {"\"a name of more than a stride 1\", 1", "\"a name of more than a stride 1\", 0"},
        {"t1.c2 = 3 AND a_4 = 5",                 "t1.c2 = 0 AND a_4 = 0"                },
        {"\xc3\xa4"
         "1 = 1",                        "\xc3\xa4"
         "1 = 0"                                               },
        {"1.5 + .5 - 1e10",                       "0.0 + .0 - 0e10"                      },
        {"0x1F 1_000",                            "0x1F 0_000"                           },
        {"$1 $22 a$3 $1.5",                       "$1 $22 a$3 $1.0"                      },
        {"a - 1 / 2 -3",                          "a - 0 / 0 -0"                         },
        {"a->>'b'->3",                            "a->>''->0"                            },
        {"@1 ?2 :3",                              "@0 ?0 :0"                             },
    };
    for (const auto& [sql, outline] : texts) {
        CAPTURE(std::string(sql));
        CHECK(outlined(sql) == outline);
    }
}

TEST_CASE("outline: what needs a lexer has none") {
    for (const char* sql : {"SELECT 1 -- one",
                            "SELECT /* a */ 1",
                            "SELECT 'a\\'",
                            "a\\b",
                            "SELECT E'a'",
                            "select b'1'",
                            "X'f'",
                            "N'a'",
                            "U&'a'",
                            "&'a'",
                            "_'a'",
                            "1'a'",
                            "\xc3\xa4'a'",
                            "$$a$$",
                            "$tag$1$tag$",
                            "a$b",
                            "$",
                            "'a",
                            "'",
                            "a = 'b' || 'c",
                            "\"a",
                            "\"",
                            "\"a\"\"",
                            "--",
                            "/*"}) {
        CAPTURE(std::string(sql));
        CHECK(outlined(sql) == "-");
    }
    CHECK(outlined(std::string(kOutlinedBytesMax, ' ')).size() == kOutlinedBytesMax);
    CHECK(outlined(std::string(kOutlinedBytesMax + 1, ' ')) == "-");
}

TEST_CASE("outline: it has the fingerprint of its text, wherever a stride begins") {
    std::ifstream corpus("tests/corpus/applications.tsv");
    REQUIRE(corpus.is_open());
    size_t with_outline = 0;
    for (std::string line; std::getline(corpus, line);) {
        const std::string sql = line.substr(line.find('\t') + 1);
        CAPTURE(sql);
        const std::string outline = outlined(sql);
        if (outline == "-" || line.starts_with('#')) continue;
        ++with_outline;
        CHECK(fingerprint(outline) == fingerprint(sql));
        CHECK(outlined(outline) == outline);
        for (size_t spaces = 1; spaces < 32; ++spaces) {
            const std::string space(spaces, ' ');
            const std::string front = space + sql;
            const std::string behind = sql + space;
            CHECK(outlined(front) == space + outline);
            CHECK(outlined(behind) == outline + space);
        }
    }
    MESSAGE(with_outline, " statements of applications have an outline");
    CHECK(with_outline > 400);
}

TEST_CASE("outline: each byte is taken alike in a stride and behind the last one") {
    for (int c = 0; c < 256; ++c) {
        for (const char* behind : {"1", "'x'", "\"1\" 1", "a"}) {
            const std::string sql = std::string("a ") + static_cast<char>(c) + behind;
            CAPTURE(c);
            CAPTURE(std::string(behind));
            const std::string outline = outlined(sql);
            const std::string space(16, ' ');
            CHECK(outlined(sql + space) == (outline == "-" ? "-" : outline + space));
            if (outline != "-") CHECK(fingerprint(outline) == fingerprint(sql));
        }
    }
}

}  // namespace pgweir::sql
