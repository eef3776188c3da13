#include "pgweir/session/client_directory.h"

#include <set>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

using Place = ClientDirectory::Place;

}  // namespace

TEST_CASE("client directory: finds who is there, and nobody else") {
    ClientDirectory directory;
    CHECK_FALSE(directory.find(0));
    CHECK_FALSE(directory.find(1));
    const uint32_t one = directory.add({0, 7});
    const uint32_t two = directory.add({1, 7});
    CHECK(one != 0);
    CHECK(one != two);
    CHECK(directory.find(one) == Place{0, 7});
    CHECK(directory.find(two) == Place{1, 7});
    CHECK(directory.size() == 2);
    directory.remove(one);
    CHECK_FALSE(directory.find(one));
    CHECK(directory.find(two) == Place{1, 7});
    CHECK_FALSE(directory.find(UINT32_MAX));
    CHECK(directory.size() == 1);
}

TEST_CASE("client directory: a number that came free rests, and is given again in the end") {
    ClientDirectory directory;
    std::set<uint32_t> numbers;
    for (int i = 0; i < 1024; ++i) {
        const uint32_t number = directory.add({0, 0});
        CHECK(numbers.insert(number).second);
        directory.remove(number);
    }
    for (int i = 0; i < 5000; ++i) {
        const uint32_t number = directory.add({0, 0});
        CHECK(number <= 1024);
        CHECK(number == 1 + static_cast<uint32_t>(i) % 1024);  // the one that rested for longest
        directory.remove(number);
    }
    CHECK(directory.size() == 0);
}

TEST_CASE("client directory: a move is seen in the order in which it happened") {
    ClientDirectory directory;
    const uint32_t number = directory.add({0, 7});
    directory.departed(number, {0, 7}, 1);
    CHECK(directory.find(number) == Place{1, ClientDirectory::kUnderWay});
    directory.arrived(number, {1, 3});
    CHECK(directory.find(number) == Place{1, 3});

    // The next worker is faster than the one that says where it went.
    directory.arrived(number, {2, 9});
    directory.departed(number, {1, 3}, 2);
    CHECK(directory.find(number) == Place{2, 9});
}

}  // namespace pgweir::session
