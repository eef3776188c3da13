#include "pgweir/config/suggest.h"

#include <array>
#include <string>

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

constexpr std::array<std::string_view, 5> kKnown{"clients", "queue", "login", "log", "tls"};

TEST_CASE("suggest: a swap of neighbours is one mistake") {
    CHECK(edit_distance("clients", "clients") == 0);
    CHECK(edit_distance("cleints", "clients") == 1);
    CHECK(edit_distance("client", "clients") == 1);
    CHECK(edit_distance("klient", "clients") == 2);
    CHECK(edit_distance("", "log") == 3);
    CHECK(edit_distance("log", "") == 3);
}

TEST_CASE("suggest: the nearest known name is found") {
    CHECK(nearest("cleints", kKnown) == "clients");
    CHECK(nearest("que", kKnown).empty());
    CHECK(nearest("qeue", kKnown) == "queue");
    CHECK(nearest("Clients", kKnown) == "clients");
    CHECK(nearest("lag", kKnown) == "log");
}

TEST_CASE("suggest: a name like none of them suggests nothing") {
    CHECK(nearest("favourite_colour", kKnown).empty());
    CHECK(nearest("x", kKnown).empty());
    CHECK(nearest("", kKnown).empty());
}

TEST_CASE("suggest: a name of a megabyte costs nothing") {
    const std::string endless(1 << 20, 'c');
    CHECK(nearest(endless, kKnown).empty());
}

}  // namespace
}  // namespace pgweir::config
