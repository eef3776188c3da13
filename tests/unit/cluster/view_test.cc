#include "pgweir/cluster/view.h"

#include <set>

#include <doctest/doctest.h>

namespace pgweir::cluster {

TEST_CASE("view: each state has a name of its own") {
    std::set<std::string_view> names;
    for (const NodeState state : kNodeStates) names.insert(to_text(state));
    CHECK(names.size() == kNodeStates.size());
    CHECK(to_text(NodeState::Unreachable) == "unreachable");
}

}  // namespace pgweir::cluster
