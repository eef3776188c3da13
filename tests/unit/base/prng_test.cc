#include "pgweir/base/prng.h"

#include "pgweir/base/bytes.h"
#include "pgweir/base/clock.h"

#include <array>
#include <chrono>

#include <doctest/doctest.h>

namespace pgweir {

using namespace std::chrono_literals;

TEST_CASE("prng: the same seed gives the same numbers, as SplitMix64 does") {
    Prng one(0);
    CHECK(one.next() == 0xe220a8397b1dcdafULL);
    CHECK(one.next() == 0x6e789e6aa1b965f4ULL);
    Prng again(0);
    CHECK(again.next() == 0xe220a8397b1dcdafULL);
    CHECK(Prng(1).next() != Prng(2).next());
}

TEST_CASE("prng: numbers stay below their bound and reach all of it") {
    Prng prng(3);
    std::array<int, 7> seen{};
    for (int i = 0; i < 1000; ++i) {
        const uint64_t number = prng.below(7);
        REQUIRE(number < 7);
        ++seen[number];
    }
    for (const int count : seen) CHECK(count > 80);
    CHECK(prng.below(1) == 0);
}

TEST_CASE("prng: a chance of none and of all") {
    Prng prng(3);
    for (int i = 0; i < 200; ++i) {
        CHECK_FALSE(prng.chance(0));
        CHECK(prng.chance(100));
    }
}

TEST_CASE("clock: no timeout is no deadline") {
    const Instant now{5s};
    CHECK(deadline_after(now, Duration::zero()) == kNever);
    CHECK(deadline_after(now, 2s) == Instant{7s});
    CHECK(to_microseconds(1500ns) == 1);
    CHECK(to_microseconds(2s) == 2000000);
}

TEST_CASE("bytes: numbers are in network order") {
    std::array<uint8_t, 4> bytes{};
    store_be32(bytes.data(), 0x01020304);
    CHECK(bytes == std::array<uint8_t, 4>{1, 2, 3, 4});
    CHECK(load_be32(bytes.data()) == 0x01020304);
    CHECK(load_be16(bytes.data()) == 0x0102);
    store_be32(bytes.data(), 0xfffefdfc);
    CHECK(load_be32(bytes.data()) == 0xfffefdfc);
    CHECK(load_be16(bytes.data()) == 0xfffe);
}

}  // namespace pgweir
