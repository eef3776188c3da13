#include "pgweir/auth/base64.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace pgweir::auth {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 0xFF;

constexpr std::array<uint8_t, 256> make_digits() {
    std::array<uint8_t, 256> digits{};
    for (auto& digit : digits) digit = kNoDigit;
    for (size_t i = 0; i < kAlphabet.size(); ++i) {
        digits[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
    }
    return digits;
}

constexpr auto kDigits = make_digits();

uint32_t byte_at(std::string_view bytes, size_t at) {
    return at < bytes.size() ? static_cast<uint8_t>(bytes[at]) : 0;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t at = 0; at < bytes.size(); at += 3) {
        const uint32_t group =
            (byte_at(bytes, at) << 16) | (byte_at(bytes, at + 1) << 8) | byte_at(bytes, at + 2);
        text += kAlphabet[(group >> 18) & 63];
        text += kAlphabet[(group >> 12) & 63];
        text += at + 1 < bytes.size() ? kAlphabet[(group >> 6) & 63] : '=';
        text += at + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
    }
    return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;

    size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    const std::string_view digits = text.substr(0, text.size() - padding);

    std::string bytes;
    bytes.reserve(digits.size() * 3 / 4);
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    for (const char letter : digits) {
        const uint8_t digit = kDigits[static_cast<uint8_t>(letter)];
        if (digit == kNoDigit) return std::nullopt;
        bits = (bits << 6) | digit;
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        bytes += static_cast<char>((bits >> bit_count) & 0xFF);
        bits &= (1U << bit_count) - 1;
    }
    if (bits != 0) return std::nullopt;  // a second text for the same bytes
    return bytes;
}

}  // namespace pgweir::auth
