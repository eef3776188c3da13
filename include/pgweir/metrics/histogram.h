#pragma once

#include "pgweir/base/clock.h"

#include <array>
#include <bit>
#include <cstdint>

namespace pgweir::metrics {

/// Durations in buckets whose upper bounds double from 64 microseconds to about two minutes; the
/// last bucket takes the rest. One shift and one addition to observe.
struct Histogram {
    static constexpr int kFirstBoundUs = 64;
    static constexpr size_t kBounds = 22;

    static constexpr double bound_seconds(size_t i) {
        return static_cast<double>(uint64_t{kFirstBoundUs} << i) / 1e6;
    }

    void observe(int64_t microseconds) {
        const auto us = static_cast<uint64_t>(microseconds < 0 ? 0 : microseconds);
        // A value that equals a bound belongs below it, as Prometheus has it ("le").
        const uint64_t below = us == 0 ? 0 : us - 1;
        const auto i = static_cast<size_t>(std::bit_width(below / kFirstBoundUs));
        ++counts[i < kBounds ? i : kBounds];
        sum_us += us;
    }

    void add(const Histogram& other) {
        for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
        sum_us += other.sum_us;
    }

    std::array<uint64_t, kBounds + 1> counts{};
    uint64_t sum_us = 0;
};

}  // namespace pgweir::metrics
