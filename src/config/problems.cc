#include "config/problems.h"

#include <algorithm>

#include <fmt/core.h>

namespace pgweir::config {
namespace {

constexpr size_t kShownBytesMax = 64;

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::string in_quotes(std::string_view text) {
    return head_in_quotes(text, "");
}

std::string head_in_quotes(std::string_view text, std::string_view stops) {
    size_t end = std::min(text.find_first_of(stops), text.size());
    if (end > kShownBytesMax) {
        end = kShownBytesMax;
        while (end > 0 && continues_character(text[end])) --end;
    }
    const bool cut = end < text.size();
    text = text.substr(0, end);
    std::string shown = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            shown += fmt::format("\\x{:02x}", byte);
        } else {
            shown += c;
        }
    }
    shown += cut ? "…\"" : "\"";
    return shown;
}

void Problems::add(size_t line, std::string what, std::string fix) {
    if (full()) return;
    problems_.push_back(Diagnostic{.file = file_,
                                   .line = std::max<size_t>(line, 1),
                                   .what = std::move(what),
                                   .fix = std::move(fix)});
}

std::vector<Diagnostic> Problems::take() {
    std::stable_sort(
        problems_.begin(), problems_.end(),
        [](const Diagnostic& left, const Diagnostic& right) { return left.line < right.line; });
    return std::move(problems_);
}

}  // namespace pgweir::config
