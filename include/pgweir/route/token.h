#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgweir::route {

/// What a session was told of, as an application carries it to another connection: whoever has it
/// reads from standbys that show the same. It is no secret, and forging one harms only the reads of
/// who does. See: cluster/progress.h
struct Token {
    uint64_t process = 0;  // whose numbers these are; those of another mean nothing here
    uint32_t epoch = 0;    // of the primary that was written to
    uint64_t sample = 0;   // of its log that has to be shown; zero: nothing has

    bool operator==(const Token&) const = default;
};

/// As SHOW pgweir.token has it: three numbers in hexadecimal digits, with '-' between.
std::string to_text(const Token& token);

/// nullopt: it is none.
std::optional<Token> token_of(std::string_view text);

}  // namespace pgweir::route
