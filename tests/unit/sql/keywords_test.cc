#include "sql/keywords.h"

#include <doctest/doctest.h>

namespace pgweir::sql {

TEST_CASE("keywords: found in any case, with what they mean") {
    CHECK(find_keyword("select").has(Trait::Command));
    CHECK(find_keyword("SeLeCt").has(Trait::Syntax));
    CHECK(find_keyword("SET").keyword == Keyword::Set);
    CHECK(find_keyword("temporary").keyword == Keyword::Temp);
    CHECK(find_keyword("INTO").has(Trait::NameFollows));
    CHECK(find_keyword("vacuum").has(Trait::NoExpressions));
    CHECK(find_keyword("localtimestamp").has(Trait::Syntax));
}

TEST_CASE("keywords: everything else is a name") {
    for (const auto* name : {"", "x", "users", "selec", "selects", "sel_ct", "left",
                             "replac\xc3\xa9", "a_name_that_is_longer_than_any_keyword"}) {
        CAPTURE(name);
        CHECK(find_keyword(name).keyword == Keyword::None);
        CHECK(find_keyword(name).traits == 0);
    }
}

TEST_CASE("keywords: what is a function as well is no syntax") {
    for (const auto* name :
         {"left", "right", "replace", "set", "operator", "hash", "range", "key"}) {
        CAPTURE(name);
        CHECK_FALSE(find_keyword(name).has(Trait::Syntax));
    }
}

}  // namespace pgweir::sql
