#include "pgweir/base/intrusive_list.h"

#include <string>

#include <doctest/doctest.h>

namespace pgweir {
namespace {

struct Item : ListHook {
    explicit Item(char its_name) : name(its_name) {}

    char name;
};

std::string names(IntrusiveList<Item>& list) {
    std::string all;
    list.for_each([&](const Item& item) { all += item.name; });
    CHECK(all.size() == list.size());
    return all;
}

}  // namespace

TEST_CASE("intrusive list: both ends can be pushed, the front is popped") {
    IntrusiveList<Item> list;
    CHECK(list.empty());
    Item a('a');
    Item b('b');
    Item c('c');
    list.push_back(b);
    list.push_back(c);
    list.push_front(a);
    CHECK(names(list) == "abc");
    CHECK(&list.front() == &a);
    CHECK(&list.back() == &c);
    CHECK(list.before(c) == &b);
    CHECK(list.before(a) == nullptr);
    CHECK(&list.pop_front() == &a);
    CHECK_FALSE(a.linked());
    CHECK(names(list) == "bc");
}

TEST_CASE("intrusive list: anything can be taken out, and put into another list") {
    IntrusiveList<Item> list;
    IntrusiveList<Item> other;
    Item a('a');
    Item b('b');
    Item c('c');
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    list.erase(b);
    CHECK(names(list) == "ac");
    CHECK_FALSE(b.linked());
    other.push_back(b);
    list.erase(c);
    list.erase(a);
    CHECK(list.empty());
    CHECK(names(other) == "b");
    list.push_back(c);
    CHECK(names(list) == "c");
}

TEST_CASE("intrusive list: the visitor may take out what it is shown") {
    IntrusiveList<Item> list;
    Item a('a');
    Item b('b');
    Item c('c');
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    list.for_each([&](Item& item) {
        if (item.name != 'b') list.erase(item);
    });
    CHECK(names(list) == "b");
}

}  // namespace pgweir
