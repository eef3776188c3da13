#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What statements that differ only in their values have in common. A decision about one of them
/// holds for all, since it goes by the shape of a statement and by the names in it.
namespace pgweir::sql {

/// The same in every process and version that has the same rules; two shapes with the same one are
/// not to be feared by chance. Whoever makes two on purpose is refused by the standby (25006).
struct Fingerprint {
    uint64_t high = 0;
    uint64_t low = 0;

    bool operator==(const Fingerprint&) const = default;
};

/// 16 hexadecimal digits, as rules and SHOW ROUTES name it.
std::string to_text(const Fingerprint& fingerprint);

/// Of a text as it is: cheaper by far, and another one for each value. Cost: some 10 ns.
Fingerprint digest_of(std::string_view text);

/// Of texts up to this length.
inline constexpr size_t kFingerprintedBytesMax = 64 << 10;

/// Without values, comments, and the case of words; lists of values count as one value. nullopt: it
/// is too long, or ends in another place under another setting or encoding.
/// Cost: no memory of the heap; some 100 ns for a short statement. Thread: any.
/// See: sql-syntax-lexical.html
std::optional<Fingerprint> fingerprint(std::string_view sql);

/// The shape as a text that people can read, cut off at `bytes_max`.
std::string shape_of(std::string_view sql, size_t bytes_max);

}  // namespace pgweir::sql
