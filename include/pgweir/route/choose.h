#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace pgweir::route {

/// A node as a read sees it. Units: clients for `busy`; `turn` as Turns counts.
struct Candidate {
    bool fit = false;   // it takes reads, and shows what this one has to see
    bool near = false;  // in the zone where pgweir is, or nobody told zones
    bool room = false;  // a server of it is free, or may be opened
    uint32_t weight = 1;
    uint32_t busy = 0;
    uint64_t turn = 0;
};

/// Which of those that are offered reads: one that is fit and has a weight; first those that are
/// near and have room, then any that has room, then those that are near. Among equals the least
/// busy for its weight, then whose turn it is; then the one that was offered first.
class Choice {
public:
    void offer(size_t number, const Candidate& candidate) {
        if (!candidate.fit || candidate.weight == 0) return;
        if (number_ && !is_better(candidate)) return;
        number_ = number;
        best_ = candidate;
    }

    /// nullopt: none is fit.
    std::optional<size_t> number() const { return number_; }

    const Candidate& best() const { return best_; }

private:
    static uint32_t rank(const Candidate& candidate) {
        return (candidate.room ? 0 : 2) + (candidate.near ? 0 : 1);
    }

    bool is_better(const Candidate& other) const {
        if (rank(other) != rank(best_)) return rank(other) < rank(best_);
        const uint64_t busy = uint64_t{other.busy} * best_.weight;
        const uint64_t least = uint64_t{best_.busy} * other.weight;
        return busy != least ? busy < least : other.turn < best_.turn;
    }

    std::optional<size_t> number_;
    Candidate best_;
};

/// Whose turn it is: each one's counter goes on by a step that is the smaller the greater its
/// weight. Who was away begins where the others are, and gets no burst.
class Turns {
public:
    /// What `choose` compares for one whose counter stands there.
    uint64_t of(uint64_t counter) const { return counter > now_ ? counter : now_; }

    /// It was chosen. Returns its new counter.
    uint64_t take(uint64_t counter, uint32_t weight);

private:
    uint64_t now_ = 0;
};

}  // namespace pgweir::route
