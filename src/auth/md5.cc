#include "pgweir/auth/md5.h"

#include "pgweir/base/bytes.h"

#include <array>
#include <cstddef>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace pgweir::auth {

namespace {

constexpr std::string_view kPrefix = "md5";
constexpr size_t kHexDigits = 32;
constexpr std::string_view kHexAlphabet = "0123456789abcdef";

/// "md5" and the digest in hexadecimal; empty when OpenSSL refuses MD5.
std::string prefixed_md5(std::string_view input) {
    std::array<uint8_t, 16> digest{};
    unsigned int size = 0;
    if (EVP_Digest(input.data(), input.size(), digest.data(), &size, EVP_md5(), nullptr) != 1) {
        return {};
    }
    std::string text{kPrefix};
    for (const uint8_t byte : digest) {
        text += kHexAlphabet[byte >> 4];
        text += kHexAlphabet[byte & 15];
    }
    return text;
}

}  // namespace

bool is_md5_verifier(std::string_view secret) {
    return secret.size() == kPrefix.size() + kHexDigits && secret.starts_with(kPrefix) &&
           secret.find_first_not_of(kHexAlphabet, kPrefix.size()) == std::string_view::npos;
}

std::string md5_verifier(std::string_view password, std::string_view user) {
    std::string input;
    input.reserve(password.size() + user.size());
    input += password;
    input += user;
    std::string verifier = prefixed_md5(input);
    OPENSSL_cleanse(input.data(), input.size());
    return verifier;
}

std::string md5_response(std::string_view verifier, std::span<const uint8_t, 4> salt) {
    if (!is_md5_verifier(verifier)) return {};
    std::string input{verifier.substr(kPrefix.size())};
    input += as_text(salt);
    return prefixed_md5(input);
}

}  // namespace pgweir::auth
