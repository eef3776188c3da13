#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/cluster/lsn.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What is believed of a cluster at one moment: plain values, made anew and never changed.
namespace pgweir::cluster {

enum class NodeState : uint8_t {
    Unknown,      // has not answered yet
    Primary,      // takes writes; one at most
    Standby,      // takes reads
    Lagging,      // a standby that is too far behind, or whose replay is paused
    Returning,    // a standby that is well again, but only since a moment ago
    Stale,        // would take writes, but is not the primary of this epoch
    Foreign,      // belongs to another cluster
    Unreachable,  // does not answer
};

inline constexpr std::array kNodeStates{
    NodeState::Unknown,   NodeState::Primary, NodeState::Standby, NodeState::Lagging,
    NodeState::Returning, NodeState::Stale,   NodeState::Foreign, NodeState::Unreachable};

/// In small letters, as SHOW NODES and the metrics say it.
std::string_view to_text(NodeState state);

struct NodeView {
    NodeState state = NodeState::Unknown;
    std::string why;  // it is in that state; empty for those that serve
    Instant since{};
    uint32_t timeline = 0;        // zero: not known
    Lsn lsn = 0;                  // of a standby what it has replayed, else the end of its log
    std::optional<Duration> lag;  // nullopt: not known, or no standby
    std::optional<uint64_t> lag_bytes;
    uint64_t shown =
        0;  // the last sample of the primary that a standby shows, see Progress; or zero
};

struct View {
    // One more whenever what is sent to the primary of before must not reach it any more: another
    // one was found, or it is known to be none. A primary that is only away may come back.
    uint32_t epoch = 0;
    std::optional<uint32_t> primary;  // its place among the nodes
    std::vector<NodeView> nodes;      // in the order of the configuration
};

}  // namespace pgweir::cluster
