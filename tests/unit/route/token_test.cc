#include "pgweir/route/token.h"

#include <doctest/doctest.h>

namespace pgweir::route {

TEST_CASE("token: a text and back") {
    const Token token{.process = 0x0123456789abcdef, .epoch = 7, .sample = 0x1f};
    CHECK(to_text(token) == "0123456789abcdef-7-1f");
    CHECK(token_of(to_text(token)) == token);
    const Token largest{UINT64_MAX, UINT32_MAX, UINT64_MAX};
    CHECK(token_of(to_text(largest)) == largest);
}

TEST_CASE("token: whatever else is none") {
    for (const char* text : {"", "-", "1", "1-2", "1-2-", "1-2-3-", "1-2-3 ", " 1-2-3", "1--3",
                             "1-2-3-4", "x-2-3", "1-2-zz", "-1-2-3", "1-100000000-3",
                             "10000000000000000-2-3", "1-2-10000000000000000", "0x1-2-3"}) {
        CAPTURE(text);
        CHECK_FALSE(token_of(text).has_value());
    }
    CHECK_FALSE(token_of({"1-2-3\0", 6}).has_value());
}

}  // namespace pgweir::route
