#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace pgweir::sql {

/// Of texts up to this length.
inline constexpr size_t kOutlinedBytesMax = 4096;

/// Where an outline is written; what is too much of a stride is written over.
using OutlineRoom = std::array<char, kOutlinedBytesMax + 16>;

/// A text as it is, but with 0 for each plain number in it and '' for each plain string: the texts
/// that an application makes of one template have the same outline, which costs a fraction of their
/// fingerprint, because it is no matter of words. An outline has the fingerprint of its text.
/// nullopt: the text has what only a lexer understands (comments, $tags$, backslashes, strings with
/// a prefix), has no end, or is too long.
/// Lifetime: the room's, and until it is used again. Cost: no memory of the heap; some 0.3 ns a
/// byte. Thread: any.
/// See: sql-syntax-lexical.html
std::optional<std::string_view> outline_of(std::string_view sql, OutlineRoom& room);

}  // namespace pgweir::sql
