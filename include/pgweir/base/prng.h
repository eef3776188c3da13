#pragma once

#include <cstdint>

namespace pgweir {

/// Seeded numbers for simulation, jitter and choice; never for secrets. (SplitMix64.)
class Prng {
public:
    explicit Prng(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        state_ += 0x9E3779B97F4A7C15ULL;
        uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
        return mixed ^ (mixed >> 31);
    }

    /// A number in [0, bound); bound is at least 1.
    uint64_t below(uint64_t bound) { return next() % bound; }

    bool chance(uint32_t percent) { return below(100) < percent; }

private:
    uint64_t state_;
};

}  // namespace pgweir
