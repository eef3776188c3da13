#include "pgweir/session/balance.h"

#include <algorithm>
#include <vector>

namespace pgweir::session {
namespace {

constexpr uint32_t kAll = 1000;

/// Workers below this together become one; well below full, or clients would go to and fro.
uint32_t room(uint32_t full) {
    return full * 6 / 10;
}

uint32_t least_busy(std::span<const uint32_t> busy) {
    return static_cast<uint32_t>(std::min_element(busy.begin(), busy.end()) - busy.begin());
}

/// A worker that has nothing to do uses less.
bool carries_load(uint32_t busy) {
    constexpr uint32_t kLeast = 10;
    return busy >= kLeast;
}

/// The first full worker gives to the least busy one, the second to the next, and so on.
uint32_t taker_for(uint32_t number, std::span<const uint32_t> busy, uint32_t full) {
    std::vector<uint32_t> takers;
    size_t full_before = 0;
    for (uint32_t each = 0; each < busy.size(); ++each) {
        if (each < number && busy[each] >= full) ++full_before;
        if (each != number) takers.push_back(each);
    }
    if (takers.empty()) return number;
    std::stable_sort(takers.begin(), takers.end(),
                     [&](uint32_t one, uint32_t two) { return busy[one] < busy[two]; });
    const uint32_t by_rank = takers[full_before % takers.size()];
    return busy[by_rank] < full ? by_rank : takers.front();
}

}  // namespace

void BusyAverage::add(uint32_t latest) {
    constexpr double kWeight = 0.25;  // half of a change is seen after two to three ticks
    average_ += (std::min(latest, kAll) - average_) * kWeight;
}

std::optional<Handout> balance(uint32_t number, std::span<const uint32_t> busy, uint32_t full) {
    const uint32_t mine = busy[number];
    if (mine >= full) {
        const uint32_t other = taker_for(number, busy, full);
        // Between two that are nearly as busy a move gains nothing.
        if (busy[other] + mine / 4 >= mine) return std::nullopt;
        return Handout{other, (mine - busy[other]) * kAll / (2 * mine)};
    }
    const auto higher = busy.subspan(number + 1);
    const bool others_first = std::any_of(higher.begin(), higher.end(), carries_load);
    if (others_first && carries_load(mine)) return std::nullopt;
    for (uint32_t other = 0; other < number; ++other) {
        if (busy[other] + mine <= room(full)) return Handout{other, kAll};
    }
    return std::nullopt;
}

uint32_t worker_for_new(std::span<const uint32_t> busy, uint32_t full) {
    for (uint32_t number = 0; number < busy.size(); ++number) {
        if (busy[number] < full) return number;
    }
    return least_busy(busy);
}

bool should_accept(uint32_t number, bool accepts, std::span<const uint32_t> busy, uint32_t full) {
    const auto lower = busy.first(number);
    const uint32_t enough = accepts ? room(full) : full;
    return number == 0 ||
           std::any_of(lower.begin(), lower.end(), [&](uint32_t each) { return each >= enough; });
}

}  // namespace pgweir::session
