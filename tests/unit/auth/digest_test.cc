#include "pgweir/auth/digest.h"

#include "pgweir/auth/base64.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

TEST_CASE("digest: it is the first half of SHA-256 over length and bytes") {
    // printf '\0\0\0\0\0\0\0\3abc' | sha256sum
    const Digest128 expected{0xc3, 0x49, 0x4c, 0xa1, 0xa2, 0xcf, 0x8e, 0xeb,
                             0x8a, 0x11, 0xde, 0xd3, 0x16, 0xfb, 0x55, 0xb8};
    CHECK(digest128({as_bytes("abc")}) == expected);
}

TEST_CASE("digest: the same parts give the same digest, again and again") {
    const Digest128 first = digest128({as_bytes("select"), as_bytes("1")});
    digest128({as_bytes("something else")});
    CHECK(digest128({as_bytes("select"), as_bytes("1")}) == first);
}

TEST_CASE("digest: where parts end matters, and so does an empty part") {
    const Digest128 digest = digest128({as_bytes("ab"), as_bytes("c")});
    CHECK(digest != digest128({as_bytes("a"), as_bytes("bc")}));
    CHECK(digest != digest128({as_bytes("abc")}));
    CHECK(digest != digest128({as_bytes("ab"), as_bytes("c"), as_bytes("")}));
    CHECK(digest128({}) != digest128({as_bytes("")}));
}

TEST_CASE("digest: random bytes fill the whole span and differ each time") {
    std::array<uint8_t, 32> first{};
    std::array<uint8_t, 32> second{};
    fill_random(first);
    fill_random(second);
    CHECK(first != second);
    CHECK(std::any_of(first.begin() + 16, first.end(), [](uint8_t byte) { return byte != 0; }));
}

TEST_CASE("digest: a nonce is 24 characters without a comma, another each time") {
    const auto nonce = random_nonce();
    CHECK(nonce.size() == 24);
    CHECK(nonce.find(',') == std::string::npos);
    CHECK(base64_decode(nonce).value_or("").size() == 18);
    CHECK(nonce != random_nonce());
}

}  // namespace pgweir::auth
