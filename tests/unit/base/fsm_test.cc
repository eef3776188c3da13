#include "pgweir/base/fsm.h"

#include <array>

#include <doctest/doctest.h>

namespace pgweir::fsm {
namespace {

enum class Door { Open, Closed, Gone };
enum class Push { In, Out, Break };

using enum Door;
using enum Push;
using DoorRow = Row<Door, Push>;

constexpr auto kGood = std::to_array<DoorRow>({
    {Open,   In,    Closed, "shut"     },
    {Closed, Out,   Open,   "opened"   },
    {Open,   Break, Gone,   "broken"   },
    {Closed, Break, Gone,   "broken in"},
});

}  // namespace

TEST_CASE("fsm: two rows with the same state and event are found") {
    CHECK(deterministic(kGood));
    CHECK_FALSE(deterministic(std::to_array<DoorRow>({
        {Open,   In, Closed, ""},
        {Closed, In, Gone,   ""},
        {Open,   In, Gone,   ""}
    })));
}

TEST_CASE("fsm: a state that no row leads to is found") {
    CHECK(reachable(kGood, Open));
    CHECK_FALSE(reachable(std::to_array<DoorRow>({
                              {Open,   Break, Gone, ""},
                              {Closed, Out,   Open, ""}
    }),
                          Open));
    CHECK(reachable(std::to_array<DoorRow>({
                        {Closed, Out,   Open, ""},
                        {Open,   Break, Gone, ""}
    }),
                    Closed));
}

TEST_CASE("fsm: a state that no row leaves is found, unless it is the last") {
    CHECK(ends_only_in(kGood, Gone));
    CHECK_FALSE(ends_only_in(std::to_array<DoorRow>({
                                 {Open, In,    Closed, ""},
                                 {Open, Break, Gone,   ""}
    }),
                             Gone));
    CHECK_FALSE(ends_only_in(std::to_array<DoorRow>({
                                 {Open, Break, Gone, ""},
                                 {Gone, In,    Open, ""}
    }),
                             Gone));
}

TEST_CASE("fsm: each row is looked up by its state and event, what has none is illegal") {
    static constexpr Lookup<DoorRow, 3, 3> kLookup{kGood};
    CHECK(kLookup.find(Open, In) == &kGood[0]);
    CHECK(kLookup.find(Closed, Break) == &kGood[3]);
    CHECK(kLookup.find(Open, Out) == nullptr);
    for (const Push push : {In, Out, Break}) CHECK(kLookup.find(Gone, push) == nullptr);
}

}  // namespace pgweir::fsm
