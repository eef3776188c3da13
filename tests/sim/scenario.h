#pragma once

#include "pgweir/base/prng.h"
#include "pgweir/session/shell.h"
#include "sim/fake_client.h"
#include "sim/family.h"

#include <cstdint>
#include <memory>

namespace pgweir::sim {

/// What one seed plays: everything is drawn from it before the first step.
struct Scenario {
    uint32_t engines = 1;
    uint32_t clients = 3;
    uint32_t steps = 60;
    uint32_t databases = 1;
    uint32_t users = 1;
    uint32_t events_per_step = 10;
    bool network_faults = false;
    bool server_faults = false;
    bool hangs = false;
    bool cancels = false;
    bool administration = false;
    bool killing = false;
    bool slow_readers = false;
    bool slow_network = false;
    bool vanishing = false;
    bool discards = false;
    bool sleepers_stay = false;  // True exactly when sleeps end by cancels only, until all heals.
    uint32_t reckless = 0;       // clients
    uint32_t walsenders = 0;
    uint32_t reload_at_step = UINT32_MAX;
    uint32_t drain_at_step = UINT32_MAX;
    Families families;
    config::Config config;
    Mishaps mishaps;
};

Scenario draw_scenario(Prng& prng, Families families);

/// The configuration of a reload: pool sizes and limits change, names do not.
config::Config redrawn(const config::Config& config, Prng& prng);

}  // namespace pgweir::sim
