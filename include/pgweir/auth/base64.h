#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgweir::auth {

/// RFC 4648's standard alphabet with padding, on one line.
std::string base64_encode(std::string_view bytes);

/// Strict: nullopt for any byte outside the alphabet, white space too, for missing padding, and for
/// spare bits that are not zero. So each value has exactly one text, and none can be altered
/// unnoticed.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace pgweir::auth
