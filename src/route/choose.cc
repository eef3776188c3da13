#include "pgweir/route/choose.h"

namespace pgweir::route {

uint64_t Turns::take(uint64_t counter, uint32_t weight) {
    constexpr uint64_t kStep = 1 << 26;  // many times the largest weight
    const uint64_t turn = of(counter);
    now_ = turn;
    return turn + kStep / weight;
}

}  // namespace pgweir::route
