#pragma once

#include "pgweir/auth/scram.h"

#include <cstdint>
#include <optional>
#include <string_view>

/// The texts that SCRAM is made of: "a=value,b=value".
namespace pgweir::auth {

/// Takes attributes off the front of a message. Views point into the message.
class AttributeReader {
public:
    explicit AttributeReader(std::string_view message) : rest_(message) {}

    /// The value of the next attribute, if its name is `name`; otherwise nothing is taken.
    std::optional<std::string_view> take(char name);

    /// Takes any attribute "x=value" and returns its name.
    std::optional<char> skip();

    /// What was not taken yet; nullopt at the end. A trailing comma is not the end.
    std::optional<std::string_view> rest() const { return rest_; }

private:
    std::string_view cut();

    std::optional<std::string_view> rest_;
};

/// True for 1 to kScramNonceBytesMax printable ASCII characters, none of them a comma.
bool is_nonce(std::string_view text);

/// Digits only, no sign, no leading zero; nullopt outside 1 to `max`.
std::optional<uint32_t> parse_iterations(std::string_view text, uint32_t max);

/// Base64 of exactly one key.
std::optional<ScramKey> parse_key(std::string_view base64);

}  // namespace pgweir::auth
