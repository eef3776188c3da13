#include "pgweir/config/suggest.h"

#include <algorithm>
#include <vector>

namespace pgweir::config {
namespace {

constexpr size_t kNameBytesMax = 64;  // the distance takes quadratic time; no known name is longer

// A third of the letters may be wrong; short names get one mistake, or "log" would mean "tls".
size_t mistakes_allowed(std::string_view name) {
    return std::max<size_t>(1, name.size() / 3);
}

}  // namespace

size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<size_t> before(right.size() + 1);  // two rows up, for swaps
    std::vector<size_t> above(right.size() + 1);
    std::vector<size_t> row(right.size() + 1);
    for (size_t column = 0; column <= right.size(); ++column) row[column] = column;

    for (size_t i = 1; i <= left.size(); ++i) {
        before.swap(above);
        above.swap(row);
        row[0] = i;
        for (size_t j = 1; j <= right.size(); ++j) {
            const size_t replaced = above[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
            const bool swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row[right.size()];
}

std::string_view nearest(std::string_view unknown, std::span<const std::string_view> known) {
    if (unknown.size() > kNameBytesMax) return {};

    std::string_view best;
    size_t best_distance = mistakes_allowed(unknown) + 1;
    for (const std::string_view name : known) {
        if (name.size() > kNameBytesMax) continue;
        const size_t distance = edit_distance(unknown, name);
        if (distance < best_distance && distance < name.size()) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace pgweir::config
