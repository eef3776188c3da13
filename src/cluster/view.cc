#include "pgweir/cluster/view.h"

namespace pgweir::cluster {

std::string_view to_text(NodeState state) {
    switch (state) {
        case NodeState::Unknown: return "unknown";
        case NodeState::Primary: return "primary";
        case NodeState::Standby: return "standby";
        case NodeState::Lagging: return "lagging";
        case NodeState::Returning: return "returning";
        case NodeState::Stale: return "stale";
        case NodeState::Foreign: return "foreign";
        case NodeState::Unreachable: return "unreachable";
    }
    return "unknown";
}

}  // namespace pgweir::cluster
