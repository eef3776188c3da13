#include "pgweir/session/balance.h"

#include <algorithm>

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

}  // namespace

void BusyAverage::add(uint32_t latest) {
    constexpr double kWeight = 0.25;  // half of a change is seen after two to three ticks
    average_ += (std::min(latest, kAll) - average_) * kWeight;
}

std::optional<Handout> balance(uint32_t number, std::span<const uint32_t> busy, uint32_t full) {
    const uint32_t mine = busy[number];
    if (mine >= full) {
        const uint32_t other = least_busy(busy);
        // Between two that are nearly as busy a move gains nothing.
        if (busy[other] > mine / 2) return std::nullopt;
        return Handout{other, (mine - busy[other]) * kAll / (2 * mine)};
    }
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
