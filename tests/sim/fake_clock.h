#pragma once

#include "pgweir/base/clock.h"

namespace pgweir::sim {

/// Simulated time: it moves when the world says so.
class FakeClock {
public:
    Instant time() const { return time_; }

    void advance(Duration step) { time_ += step; }

    /// True once for each passed tick of 100 ms, oldest first.
    bool take_tick() {
        if (time_ < next_tick_) return false;
        next_tick_ += kTick;
        return true;
    }

    Duration to_next_tick() const { return next_tick_ - time_; }

    static constexpr Duration kTick = std::chrono::milliseconds(100);

private:
    // Not at the clock's zero: an engine's "never yet" is zero.
    Instant time_{std::chrono::hours(1)};
    Instant next_tick_ = time_ + kTick;
};

}  // namespace pgweir::sim
