#include "pgweir/base/slab.h"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir {
namespace {

/// Counts the living.
struct Counted {
    explicit Counted(int& its_living, int its_number = 0) : living(its_living), number(its_number) {
        ++living;
    }

    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    ~Counted() { --living; }

    int& living;
    int number;
};

}  // namespace

TEST_CASE("slab: what is made is found by its handle until it is destroyed") {
    int living = 0;
    Slab<Counted> slab;
    const auto [handle, object] = slab.make(living, 7);
    CHECK(slab.find(handle) == object);
    CHECK(slab.find_at(handle.index) == object);
    CHECK(object->number == 7);
    CHECK(slab.size() == 1);
    slab.destroy(handle);
    CHECK(living == 0);
    CHECK(slab.find(handle) == nullptr);
    CHECK(slab.find_at(handle.index) == nullptr);
    CHECK(slab.size() == 0);
}

TEST_CASE("slab: a slot that is used again does not answer to its old handle") {
    int living = 0;
    Slab<Counted> slab;
    const auto [old, first] = slab.make(living);
    slab.destroy(old);
    const auto [fresh, second] = slab.make(living);
    CHECK(second == first);
    CHECK(fresh.index == old.index);
    CHECK_FALSE(fresh == old);
    CHECK(slab.find(old) == nullptr);
    CHECK(slab.find(fresh) == second);
}

TEST_CASE("slab: a handle that was never given names nothing") {
    Slab<int> slab;
    CHECK(slab.find(Handle{}) == nullptr);
    CHECK(slab.find_at(0) == nullptr);
    slab.make(1);
    CHECK(slab.find(Handle{}) == nullptr);
    CHECK(slab.find_at(1) == nullptr);
    CHECK(slab.find_at(64) == nullptr);
}

TEST_CASE("slab: addresses do not change when it grows") {
    Slab<int, 4> slab;
    std::vector<std::pair<Handle, int*>> made;
    for (int i = 0; i < 100; ++i) made.push_back(slab.make(i));
    std::set<uint32_t> indices;
    for (int i = 0; i < 100; ++i) {
        const auto& [handle, object] = made[static_cast<size_t>(i)];
        CHECK(slab.find(handle) == object);
        CHECK(*object == i);
        indices.insert(handle.index);
    }
    CHECK(indices.size() == 100);
    CHECK(*indices.rbegin() == 99);  // slots are taken from the bottom, so cancel keys stay small
}

TEST_CASE("slab: each living object is visited once") {
    Slab<int, 4> slab;
    std::vector<Handle> handles;
    for (int i = 0; i < 10; ++i) handles.push_back(slab.make(i).first);
    for (size_t i = 0; i < 10; i += 2) slab.destroy(handles[i]);
    std::set<int> seen;
    slab.for_each([&](int& value) { CHECK(seen.insert(value).second); });
    CHECK(seen == std::set<int>{1, 3, 5, 7, 9});
}

TEST_CASE("slab: whoever is left is destroyed with it") {
    int living = 0;
    {
        Slab<Counted, 4> slab;
        const auto gone = slab.make(living).first;
        for (int i = 0; i < 9; ++i) slab.make(living);
        slab.destroy(gone);
        CHECK(living == 9);
    }
    CHECK(living == 0);
}

}  // namespace pgweir
