#include "pgweir/route/token.h"

#include <charconv>

#include <fmt/format.h>

namespace pgweir::route {
namespace {

/// Takes a number and what stands behind it; false: there is none.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, 16);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<size_t>(stop - text.data()));
    return true;
}

bool take_dash(std::string_view& text) {
    if (text.empty() || text.front() != '-') return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::string to_text(const Token& token) {
    return fmt::format("{:016x}-{:x}-{:x}", token.process, token.epoch, token.sample);
}

std::optional<Token> token_of(std::string_view text) {
    Token token;
    const bool is_one = take_number(text, token.process) && take_dash(text) &&
                        take_number(text, token.epoch) && take_dash(text) &&
                        take_number(text, token.sample) && text.empty();
    return is_one ? std::optional(token) : std::nullopt;
}

}  // namespace pgweir::route
