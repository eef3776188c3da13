#include "pgweir/cluster/lsn.h"

#include <charconv>

#include <fmt/format.h>

namespace pgweir::cluster {
namespace {

// Sizes of page headers: XLogShortPHD, and XLogLongPHD at the start of a segment.
constexpr uint64_t kShortHeader = 24;
constexpr uint64_t kLongHeader = 40;

constexpr size_t kHexDigitsMax = 8;
constexpr size_t kFileNameBytes = 24;

std::optional<uint32_t> parse_hex(std::string_view digits) {
    if (digits.empty() || digits.size() > kHexDigitsMax) return std::nullopt;
    uint32_t value = 0;
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

}  // namespace

std::optional<Lsn> parse_lsn(std::string_view text) {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto high = parse_hex(text.substr(0, slash));
    const auto low = parse_hex(text.substr(slash + 1));
    if (!high || !low) return std::nullopt;
    return uint64_t{*high} << 32 | *low;
}

std::string lsn_text(Lsn lsn) {
    return fmt::format("{:X}/{:X}", lsn >> 32, lsn & UINT32_MAX);
}

std::optional<uint32_t> timeline_of_file(std::string_view name) {
    if (name.size() != kFileNameBytes) return std::nullopt;
    return parse_hex(name.substr(0, kHexDigitsMax));
}

Lsn end_of_log(Lsn insert, const WalLayout& layout) {
    if (layout.block_size == 0 || layout.segment_size == 0) return insert;
    const uint64_t into_segment = insert % layout.segment_size;
    if (into_segment == kLongHeader) return insert - kLongHeader;
    const uint64_t into_page = insert % layout.block_size;
    const bool first_page = into_segment < layout.block_size;
    return into_page == kShortHeader && !first_page ? insert - kShortHeader : insert;
}

}  // namespace pgweir::cluster
