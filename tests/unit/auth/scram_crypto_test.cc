#include "auth/scram_crypto.h"

#include "pgweir/auth/base64.h"
#include "pgweir/base/bytes.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

namespace {

std::string hex(const ScramKey& key) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : key) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

// RFC 7677, section 3.
constexpr std::string_view kAuthMessage =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

}  // namespace

TEST_CASE("scram crypto: SHA-256 of FIPS 180's \"abc\"") {
    CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("scram crypto: HMAC of RFC 4231's second case, and with an empty key") {
    CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex(hmac_sha256("", "")) ==
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("scram crypto: the client's proof and the server's signature are RFC 7677's") {
    const auto salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
    REQUIRE(salt.has_value());
    const ScramKeys keys = derive_scram_keys("pencil", *salt, 4096);

    CHECK(base64_encode(as_text(client_proof(keys.client_key, kAuthMessage))) ==
          "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    CHECK(base64_encode(as_text(hmac_sha256(as_text(keys.server_key), kAuthMessage))) ==
          "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_CASE("scram crypto: an empty password has keys too, and others than a blank") {
    CHECK(derive_scram_keys("", "salt", 1).client_key !=
          derive_scram_keys(" ", "salt", 1).client_key);
}

TEST_CASE("scram crypto: combining twice gives back the key") {
    const ScramKey key = sha256("key");
    const ScramKey mask = sha256("mask");
    CHECK(combine(key, mask) != key);
    CHECK(combine(combine(key, mask), mask) == key);
}

}  // namespace pgweir::auth
