#include "pgweir/cluster/lag.h"

#include <doctest/doctest.h>

namespace pgweir::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Instant at(int64_t ms) {
    return Instant{} + seconds(1000) + milliseconds(ms);
}

}  // namespace

TEST_CASE("lag: an idle primary makes nobody late") {
    LogHistory log;
    log.add(at(0), 100);
    log.add(at(3'600'000), 100);
    CHECK(log.behind(100, at(3'600'000)) == Duration::zero());
    CHECK(log.behind(120, at(3'600'000)) == Duration::zero());  // it is ahead of what we were told
}

TEST_CASE("lag: counts from when the log last ended where the standby is") {
    LogHistory log;
    log.add(at(0), 100);
    log.add(at(60'000), 100);
    log.add(at(60'020), 150);
    log.add(at(60'040), 200);
    CHECK(log.behind(100, at(60'050)) == milliseconds(50));
    CHECK(log.behind(149, at(60'050)) == milliseconds(50));
    CHECK(log.behind(150, at(60'050)) == milliseconds(30));
    CHECK(log.behind(200, at(60'050)) == Duration::zero());
}

TEST_CASE("lag: what was written before anything was known is not guessed") {
    LogHistory log;
    CHECK(log.empty());
    CHECK(!log.behind(100, at(0)));
    log.add(at(0), 100);
    CHECK(!log.behind(99, at(10'000)));
    CHECK(log.behind(100, at(10'000)) == Duration::zero());
}

TEST_CASE("lag: a log that goes back is another one") {
    LogHistory log;
    log.add(at(0), 100);
    log.add(at(20), 300);
    log.add(at(40), 200);
    CHECK(log.end() == 200);
    CHECK(!log.behind(150, at(50)));
}

TEST_CASE("lag: a long history becomes coarser, and lags never smaller") {
    LogHistory log;
    constexpr int64_t kMany = 20 * static_cast<int64_t>(LogHistory::kSamplesMax);
    for (int64_t i = 0; i < kMany; ++i) log.add(at(20 * i), static_cast<Lsn>(100 + 10 * i));
    const Instant now = at(20 * kMany);
    for (int64_t i = 0; i < kMany; i += 7) {
        CAPTURE(i);
        const auto lag = log.behind(static_cast<Lsn>(100 + 10 * i), now);
        const Duration truth = i + 1 == kMany ? Duration::zero() : now - at(20 * i);
        REQUIRE(lag);
        CHECK(*lag >= truth);
    }
    // What is recent is as exact as the samples.
    CHECK(log.behind(static_cast<Lsn>(100 + 10 * (kMany - 100)), now) == milliseconds(2000));
    CHECK(log.behind(100, now) == now - at(0));
}

TEST_CASE("lag: the last sample that a standby shows") {
    LogHistory log;
    CHECK(log.last_within(1000) == 0);
    log.add(at(0), 100, 1);
    log.add(at(20), 300, 4);
    log.add(at(40), 300, 5);  // the log rests: the later sample saw no more
    log.add(at(60), 400, 9);
    CHECK(log.last_within(99) == 0);
    CHECK(log.last_within(100) == 1);
    CHECK(log.last_within(299) == 1);
    CHECK(log.last_within(300) == 5);
    CHECK(log.last_within(1000) == 9);
    log.add(at(80), 50, 11);  // another log
    CHECK(log.last_within(49) == 0);
    CHECK(log.last_within(50) == 11);
}

}  // namespace pgweir::cluster
