#pragma once

#include "pgweir/session/engine.h"
#include "sim/violations.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pgweir::sim {

/// What has to hold between events, seen from inside the engines.
class Checker {
public:
    using Engines = std::vector<std::unique_ptr<session::Engine>>;
    using PoolShares = std::map<session::PoolName, std::unique_ptr<session::PoolShare>>;

    explicit Checker(Violations& violations) : violations_(violations) {}

    /// After each event of one engine: queues are fair and short, nobody waits beside an idle
    /// server.
    void check_engine(session::Engine& engine);

    /// Permits are exact and limits kept. `travelling` counts servers in messages, by pool.
    void check_permits(const Engines& engines,
                       const PoolShares& shares,
                       const std::map<const session::PoolShare*, uint32_t>& travelling);

    /// No client waits while an idle server of its pool sits anywhere. Once no message is under
    /// way.
    void check_law(const Engines& engines, const PoolShares& shares);

    /// Once in a tick: nobody waits for long for a server of a full database or user while one of
    /// its other pools has an idle server that could go.
    void check_shared_limits(const Engines& engines, const PoolShares& shares);

    /// After the last client and the last server.
    void check_end(const Engines& engines,
                   const PoolShares& shares,
                   const session::ProcessShare& process);

private:
    static bool starves(const Engines& engines,
                        const PoolShares& shares,
                        const session::PoolShare& share);
    void check_queue(session::Engine& engine, session::Pool& pool);

    Violations& violations_;
    std::map<const session::Pool*, std::vector<uint64_t>> queues_;  // as after the last event
    std::map<const session::PoolShare*, uint32_t> ceilings_;
    std::map<const session::PoolShare*, uint32_t> starved_ticks_;
};

}  // namespace pgweir::sim
