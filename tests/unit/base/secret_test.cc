#include "pgweir/base/secret.h"

#include <string>
#include <type_traits>

#include <doctest/doctest.h>
#include <fmt/core.h>

namespace pgweir {

TEST_CASE("secret: it shows itself only when it is asked to") {
    const Secret secret(std::string("hunter2"));
    CHECK(secret.reveal() == "hunter2");
    CHECK_FALSE(secret.empty());
    CHECK(Secret().empty());
    static_assert(!std::is_convertible_v<Secret, std::string>);
    static_assert(!std::is_convertible_v<Secret, std::string_view>);
    static_assert(!std::is_convertible_v<std::string, Secret>);
    static_assert(!fmt::is_formattable<Secret>::value);
}

TEST_CASE("secret: it is a value") {
    Secret one(std::string("hunter2"));
    const Secret copy = one;
    const Secret moved = std::move(one);
    CHECK(copy.reveal() == moved.reveal());
    one = Secret(std::string("other"));
    CHECK(one.reveal() == "other");
    CHECK(copy.reveal() == "hunter2");
}

TEST_CASE("secret: texts are equal when every byte and the length are") {
    CHECK(equal_in_constant_time("", ""));
    CHECK(equal_in_constant_time("secret", "secret"));
    CHECK_FALSE(equal_in_constant_time("secret", "secres"));
    CHECK_FALSE(equal_in_constant_time("secret", "Secret"));
    CHECK_FALSE(equal_in_constant_time("secret", "secre"));
    CHECK_FALSE(equal_in_constant_time("", "x"));
    const std::string zeros(2, '\0');
    CHECK_FALSE(equal_in_constant_time(zeros, "\x01\x01"));
    CHECK_FALSE(equal_in_constant_time("\x01\x01", "\x81\x81"));
}

}  // namespace pgweir
