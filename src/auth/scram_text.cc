#include "auth/scram_text.h"

#include "pgweir/auth/base64.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <system_error>

namespace pgweir::auth {

std::string_view AttributeReader::cut() {
    const std::string_view whole = *rest_;
    const size_t comma = whole.find(',');
    if (comma == std::string_view::npos) {
        rest_.reset();
        return whole;
    }
    rest_ = whole.substr(comma + 1);
    return whole.substr(0, comma);
}

std::optional<std::string_view> AttributeReader::take(char name) {
    if (!rest_ || rest_->size() < 2 || (*rest_)[0] != name || (*rest_)[1] != '=') {
        return std::nullopt;
    }
    return cut().substr(2);
}

std::optional<char> AttributeReader::skip() {
    if (!rest_ || rest_->size() < 2 || (*rest_)[1] != '=') return std::nullopt;
    const char name = (*rest_)[0];
    const bool letter = (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
    if (!letter) return std::nullopt;
    cut();
    return name;
}

bool is_nonce(std::string_view text) {
    return !text.empty() && text.size() <= kScramNonceBytesMax &&
           std::all_of(text.begin(), text.end(),
                       [](char letter) { return letter > 0x20 && letter < 0x7F && letter != ','; });
}

std::optional<uint32_t> parse_iterations(std::string_view text, uint32_t max) {
    if (text.empty() || text.front() == '0') return std::nullopt;
    uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end || value < 1 || value > max) return std::nullopt;
    return value;
}

std::optional<ScramKey> parse_key(std::string_view base64) {
    ScramKey key{};
    if (base64.size() != (key.size() + 2) / 3 * 4) return std::nullopt;
    const auto bytes = base64_decode(base64);
    if (!bytes || bytes->size() != key.size()) return std::nullopt;
    std::copy(bytes->begin(), bytes->end(), key.begin());
    return key;
}

}  // namespace pgweir::auth
