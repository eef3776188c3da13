#include "pgweir/session/balance.h"

#include <vector>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

constexpr uint32_t kFull = 700;

using Busy = std::vector<uint32_t>;

}  // namespace

TEST_CASE("balance: a moment's burst is no load") {
    BusyAverage average;
    average.add(1000);
    CHECK(average.value() == 250);
    for (int i = 0; i < 3; ++i) average.add(1000);
    CHECK(average.value() < kFull);
    average.add(5000);
    CHECK(average.value() >= kFull);
    for (int i = 0; i < 40; ++i) average.add(1000);
    CHECK(average.value() >= 999);
    for (int i = 0; i < 40; ++i) average.add(0);
    CHECK(average.value() == 0);
}

TEST_CASE("balance: a load that one worker can carry goes to the first") {
    CHECK_FALSE(balance(0, Busy{300, 100}, kFull));
    CHECK(balance(1, Busy{300, 100}, kFull) == Handout{0, 1000});
    CHECK(balance(1, Busy{0, 400}, kFull) == Handout{0, 1000});
    CHECK(balance(2, Busy{400, 300, 100}, kFull) == Handout{1, 1000});
    CHECK_FALSE(balance(1, Busy{200, 200, 200}, kFull));  // one at a time, the last one first
    CHECK(balance(2, Busy{200, 200, 200}, kFull) == Handout{0, 1000});
    CHECK(balance(1, Busy{200, 5, 200}, kFull) == Handout{0, 1000});
    CHECK_FALSE(balance(1, Busy{300, 200}, kFull));
    CHECK_FALSE(balance(0, Busy{300}, kFull));
}

TEST_CASE("balance: a full worker gives half of the difference to the least busy one") {
    CHECK(balance(0, Busy{800, 0}, kFull) == Handout{1, 500});
    CHECK(balance(0, Busy{800, 400, 200}, kFull) == Handout{2, 375});
    CHECK(balance(1, Busy{0, 900}, kFull) == Handout{0, 500});
    CHECK(balance(0, Busy{1000, 699}, kFull) == Handout{1, 150});
    CHECK_FALSE(balance(0, Busy{900, 690}, kFull));
    CHECK(balance(1, Busy{900, 800, 100, 0}, kFull) == Handout{2, 437});  // not the first one's
    CHECK(balance(1, Busy{900, 800, 100}, kFull) == Handout{2, 437});
    CHECK_FALSE(balance(0, Busy{900}, kFull));
}

TEST_CASE("balance: what was spread does not come back at once") {
    // For each pair of loads: if it spreads, the two halves must not be put together again.
    for (uint32_t full = 10; full <= 1000; full += 10) {
        for (uint32_t mine = full; mine <= 1000; mine += 10) {
            const auto handout = balance(0, Busy{mine, 0}, full);
            REQUIRE(handout);
            const uint32_t given = mine * handout->thousandths / 1000;
            CHECK_FALSE(balance(1, Busy{mine - given, given}, full));
        }
    }
}

TEST_CASE("balance: new connections go to the first worker that is not full") {
    CHECK(worker_for_new(Busy{0, 0, 0}, kFull) == 0);
    CHECK(worker_for_new(Busy{699, 0, 0}, kFull) == 0);
    CHECK(worker_for_new(Busy{700, 300, 0}, kFull) == 1);
    CHECK(worker_for_new(Busy{900, 800, 850}, kFull) == 1);
}

TEST_CASE("balance: workers accept when those before them are full, until that is well over") {
    CHECK(should_accept(0, false, Busy{0, 0}, kFull));
    CHECK_FALSE(should_accept(1, false, Busy{699, 900}, kFull));
    CHECK(should_accept(1, false, Busy{700, 0}, kFull));
    CHECK(should_accept(1, true, Busy{500, 0}, kFull));
    CHECK_FALSE(should_accept(1, true, Busy{400, 0}, kFull));
    CHECK(should_accept(2, false, Busy{0, 800, 0}, kFull));
}

}  // namespace pgweir::session
