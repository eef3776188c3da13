#pragma once

#include "pgweir/session/pool.h"

#include <map>
#include <string>
#include <string_view>

namespace pgweir::session {

/// What PAUSE, KILL and RESUME of databases have left in force, so that a pool which is made later,
/// in whatever worker, obeys as well. An empty name is all databases. PAUSE of all is not kept
/// here: it leaves the states of pools alone.
class StopOrders {
public:
    /// A database that is killed stays so.
    void pause(std::string_view database);
    void kill(std::string_view database);

    /// False when there was nothing to undo.
    bool resume(std::string_view database);

    /// Open, Paused or Disabled.
    PoolState state_of(std::string_view database) const;

private:
    std::map<std::string, PoolState, std::less<>> states_;  // "" for those that are not named
};

}  // namespace pgweir::session
