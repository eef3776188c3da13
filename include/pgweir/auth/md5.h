#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pgweir::auth {

/// True for "md5" and 32 lower-case hexadecimal digits, PostgreSQL's own test; other text is a
/// plain password even if it begins with "md5".
bool is_md5_verifier(std::string_view secret);

/// "md5" + hex(md5(password + user)): what PostgreSQL stores.
/// Empty when OpenSSL refuses MD5, as it does in FIPS mode.
std::string md5_verifier(std::string_view password, std::string_view user);

/// "md5" + hex(md5(hex part of the verifier + salt)): what a client answers.
/// Empty when `verifier` is none, or when OpenSSL refuses MD5; never take that for a match.
/// See: protocol-flow.html#PROTOCOL-FLOW-START-UP
std::string md5_response(std::string_view verifier, std::span<const uint8_t, 4> salt);

}  // namespace pgweir::auth
