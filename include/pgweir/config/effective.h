#pragma once

#include "pgweir/config/model.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::config {

/// The settings of one pool with every question answered.
struct EffectivePool {
    PoolMode mode = PoolMode::Transaction;
    uint32_t size = 0;
    uint32_t min_size = 0;  // Invariant: never above size
    uint32_t reserve_size = 0;
    Duration reserve_after = Duration::zero();
    Duration query_wait = Duration::zero();
    uint32_t pinned_max = 0;  // Invariant: at least one
    PinnedFull pinned_full = PinnedFull::Wait;
    bool lazy_begin = false;       // only counts where transactions are pooled
    Reads reads = Reads::Primary;  // unless its client's listener or application wants it otherwise

    bool operator==(const EffectivePool&) const = default;
};

/// The database that serves this name: the listed one, else "*", else nullptr.
/// Lifetime: as long as the configuration.
const Database* find_database(const Config& config, std::string_view name);

/// The listed databases of a cluster, as its servers call them; without those behind "*".
std::vector<std::string> listed_databases(const Config& config, std::string_view cluster);

/// The user's setting, else the database's, else the process's; as in PgBouncer, the user wins.
EffectivePool effective_pool(const Config& config, const Database& database, std::string_view user);

}  // namespace pgweir::config
