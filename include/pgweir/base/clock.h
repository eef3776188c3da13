#pragma once

#include <chrono>
#include <cstdint>

namespace pgweir {

/// A clock without now(): in the pure layers the time is an argument. net::Loop reads the real one.
struct MonotonicClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicClock, duration>;
    static constexpr bool is_steady = true;
};

using Instant = MonotonicClock::time_point;
using Duration = std::chrono::nanoseconds;

inline constexpr Instant kNever = Instant::max();

inline int64_t to_microseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

/// Deadline after `timeout`; zero means that there is none.
inline Instant deadline_after(Instant now, Duration timeout) {
    return timeout == Duration::zero() ? kNever : now + timeout;
}

}  // namespace pgweir
