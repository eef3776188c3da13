#include "pgweir/route/choose.h"

namespace pgweir::route {
namespace {

uint32_t rank(const Candidate& candidate) {
    const uint32_t full = candidate.room ? 0 : 2;
    return full + (candidate.near ? 0 : 1);
}

bool is_better(const Candidate& one, const Candidate& other) {
    if (rank(one) != rank(other)) return rank(one) < rank(other);
    const uint64_t busy = uint64_t{one.busy} * other.weight;
    const uint64_t others = uint64_t{other.busy} * one.weight;
    return busy != others ? busy < others : one.turn < other.turn;
}

}  // namespace

std::optional<size_t> choose(std::span<const Candidate> candidates) {
    std::optional<size_t> best;
    for (size_t i = 0; i < candidates.size(); ++i) {
        const Candidate& candidate = candidates[i];
        if (!candidate.fit || candidate.weight == 0) continue;
        if (!best || is_better(candidate, candidates[*best])) best = i;
    }
    return best;
}

uint64_t Turns::take(uint64_t counter, uint32_t weight) {
    constexpr uint64_t kStep = 1 << 20;
    const uint64_t turn = of(counter);
    now_ = turn;
    return turn + kStep / weight;
}

}  // namespace pgweir::route
