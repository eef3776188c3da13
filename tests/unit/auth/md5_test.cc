#include "pgweir/auth/md5.h"

#include <array>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

namespace {

constexpr std::array<uint8_t, 4> kSalt{1, 2, 3, 4};
// printf 'secretbob' | md5sum
constexpr std::string_view kVerifier = "md521f3163f8f86fa10bdefbfbd502a8f06";
// printf '21f3163f8f86fa10bdefbfbd502a8f06\1\2\3\4' | md5sum
constexpr std::string_view kResponse = "md5f21dfe33ff3a9e03dbc3e008251fe5cc";

}  // namespace

TEST_CASE("md5: verifier and response are what PostgreSQL and md5sum compute") {
    CHECK(md5_verifier("secret", "bob") == kVerifier);
    CHECK(md5_verifier("", "") == "md5d41d8cd98f00b204e9800998ecf8427e");
    CHECK(md5_verifier("a", "bc") == "md5900150983cd24fb0d6963f7d28e17f72");  // RFC 1321: "abc"
    CHECK(md5_response(kVerifier, kSalt) == kResponse);
}

TEST_CASE("md5: another salt asks for another response") {
    CHECK(md5_response(kVerifier, std::array<uint8_t, 4>{1, 2, 3, 5}) != kResponse);
}

TEST_CASE("md5: only the exact form counts as a verifier") {
    const std::string verifier{kVerifier};
    CHECK(is_md5_verifier(verifier));
    CHECK_FALSE(is_md5_verifier(""));
    CHECK_FALSE(is_md5_verifier("md5"));
    CHECK_FALSE(is_md5_verifier(verifier + "0"));
    CHECK_FALSE(is_md5_verifier(verifier.substr(0, 34)));
    CHECK_FALSE(is_md5_verifier("MD5" + verifier.substr(3)));
    CHECK_FALSE(is_md5_verifier(verifier.substr(0, 34) + "A"));
    CHECK_FALSE(is_md5_verifier(verifier.substr(0, 34) + "g"));
}

TEST_CASE("md5: what is no verifier has no response") {
    CHECK(md5_response("", kSalt).empty());
    CHECK(md5_response("secret", kSalt).empty());
}

}  // namespace pgweir::auth
