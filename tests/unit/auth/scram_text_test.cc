#include "auth/scram_text.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

TEST_CASE("scram text: attributes are taken in order, and values may contain equal signs") {
    AttributeReader reader{"r=abc,s=AA==,i=1"};
    CHECK(reader.take('r') == "abc");
    CHECK_FALSE(reader.take('i').has_value());  // not yet
    CHECK(reader.take('s') == "AA==");
    CHECK(reader.rest() == "i=1");
    CHECK(reader.take('i') == "1");
    CHECK_FALSE(reader.rest().has_value());
    CHECK_FALSE(reader.take('i').has_value());
}

TEST_CASE("scram text: a trailing comma is not the end") {
    AttributeReader reader{"r=abc,"};
    CHECK(reader.take('r') == "abc");
    CHECK(reader.rest() == "");
    CHECK_FALSE(reader.take('s').has_value());
    CHECK_FALSE(reader.skip().has_value());
}

TEST_CASE("scram text: only a letter and an equal sign name an attribute") {
    CHECK(AttributeReader{"x="}.skip() == 'x');
    CHECK(AttributeReader{"X=1,b=2"}.skip() == 'X');
    for (const std::string_view text : {"", "x", "=x", "1=x", "xx=1", ",x=1"}) {
        CAPTURE(text);
        CHECK_FALSE(AttributeReader{text}.skip().has_value());
    }
}

TEST_CASE("scram text: a nonce is printable, without comma, and of limited length") {
    CHECK(is_nonce("!"));
    CHECK(is_nonce("rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
    CHECK(is_nonce(std::string(1024, 'n')));
    CHECK_FALSE(is_nonce(std::string(1025, 'n')));
    for (const std::string_view text : {"", "a,b", "a b", "a\n", "a\x7f", "\xc3\xa9"}) {
        CAPTURE(text);
        CHECK_FALSE(is_nonce(text));
    }
}

TEST_CASE("scram text: iterations are plain digits up to the maximum") {
    CHECK(parse_iterations("1", 10) == 1U);
    CHECK(parse_iterations("10", 10) == 10U);
    for (const std::string_view text : {"", "0", "11", "-1", "+1", "01", "1 ", "4294967297"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_iterations(text, 10).has_value());
    }
}

TEST_CASE("scram text: a key is exactly 32 bytes") {
    CHECK(parse_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").has_value());
    CHECK_FALSE(parse_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==").has_value());  // 31
    CHECK_FALSE(parse_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").has_value());  // 33
    CHECK_FALSE(parse_key("").has_value());
}

}  // namespace pgweir::auth
