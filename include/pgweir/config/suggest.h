#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace pgweir::config {

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
size_t edit_distance(std::string_view left, std::string_view right);

/// The known name that was probably meant; empty when none is near enough to be a help.
std::string_view nearest(std::string_view unknown, std::span<const std::string_view> known);

}  // namespace pgweir::config
