#include "pgweir/metrics/histogram.h"

#include <numeric>

#include <doctest/doctest.h>

namespace pgweir::metrics {
namespace {

/// The bucket in which a single observation is counted.
size_t bucket_of(int64_t microseconds) {
    Histogram histogram;
    histogram.observe(microseconds);
    size_t found = histogram.counts.size();
    for (size_t i = 0; i < histogram.counts.size(); ++i) {
        if (histogram.counts[i] == 1) found = i;
    }
    return found;
}

}  // namespace

TEST_CASE("histogram: bounds double from 64 microseconds to about two minutes") {
    CHECK(Histogram::bound_seconds(0) == doctest::Approx(64e-6));
    CHECK(Histogram::bound_seconds(1) == doctest::Approx(128e-6));
    CHECK(Histogram::bound_seconds(Histogram::kBounds - 1) ==
          doctest::Approx(134.2).epsilon(0.001));
}

TEST_CASE("histogram: each duration falls below its bucket's bound and above the one before") {
    for (int64_t us = 1; us < 300'000'000; us = us * 3 / 2 + 1) {
        CAPTURE(us);
        const size_t bucket = bucket_of(us);
        const double seconds = static_cast<double>(us) / 1e6;
        REQUIRE(bucket <= Histogram::kBounds);
        if (bucket < Histogram::kBounds) CHECK(seconds <= Histogram::bound_seconds(bucket));
        if (bucket > 0) CHECK(seconds >= Histogram::bound_seconds(bucket - 1));
    }
}

TEST_CASE("histogram: nothing and less than nothing fall into the first bucket") {
    CHECK(bucket_of(0) == 0);
    CHECK(bucket_of(-5) == 0);
    CHECK(bucket_of(63) == 0);
}

TEST_CASE("histogram: the last bucket takes the rest") {
    CHECK(bucket_of(INT64_MAX) == Histogram::kBounds);
    CHECK(bucket_of(135'000'000) == Histogram::kBounds);
    CHECK(bucket_of(134'000'000) == Histogram::kBounds - 1);
}

TEST_CASE("histogram: sums are sums, and time that ran backwards takes nothing away") {
    Histogram one;
    one.observe(100);
    one.observe(-100);
    Histogram other;
    other.observe(1000);
    one.add(other);
    CHECK(one.sum_us == 1100);
    CHECK(std::accumulate(one.counts.begin(), one.counts.end(), uint64_t{0}) == 3);
}

TEST_CASE("histogram: what equals a bound is counted below it") {
    CHECK(bucket_of(64) == 0);
    CHECK(bucket_of(128) == 1);
}

}  // namespace pgweir::metrics
