#include "pgweir/config/effective.h"

#include <algorithm>

namespace pgweir::config {

const Database* find_database(const Config& config, std::string_view name) {
    auto found = config.databases.find(name);
    if (found == config.databases.end()) found = config.databases.find(std::string_view("*"));
    return found == config.databases.end() ? nullptr : &found->second;
}

std::vector<std::string> listed_databases(const Config& config, std::string_view cluster) {
    std::vector<std::string> listed;
    for (const auto& [name, database] : config.databases) {
        if (name == "*" || database.cluster != cluster) continue;
        listed.push_back(database.dbname.value_or(name));
    }
    return listed;
}

EffectivePool effective_pool(const Config& config,
                             const Database& database,
                             std::string_view user) {
    const auto listed = config.users.find(user);
    const PoolSettings mine = listed == config.users.end() ? PoolSettings{} : listed->second.pool;
    const PoolSettings& theirs = database.pool;
    const PoolDefaults& defaults = config.pool;

    EffectivePool pool;
    pool.mode = mine.pool_mode.value_or(theirs.pool_mode.value_or(defaults.pool_mode));
    pool.size = mine.pool_size.value_or(theirs.pool_size.value_or(defaults.pool_size));
    pool.reserve_size =
        mine.reserve_size.value_or(theirs.reserve_size.value_or(defaults.reserve_size));
    pool.reserve_after =
        mine.reserve_after.value_or(theirs.reserve_after.value_or(defaults.reserve_after));
    pool.query_wait = mine.query_wait_timeout.value_or(
        theirs.query_wait_timeout.value_or(config.timeouts.query_wait));
    const uint32_t pinned_max =
        mine.pinned_max.value_or(theirs.pinned_max.value_or(defaults.pinned_max));
    uint32_t most = pool.size;
    for (const auto& limit : {mine.max_servers, theirs.max_servers}) {
        if (limit && *limit > 0) most = std::min(most, *limit);
    }
    pool.pinned_max = pinned_max > 0 ? pinned_max : std::max(1u, most - 1);
    pool.pinned_full = mine.pinned_full.value_or(theirs.pinned_full.value_or(defaults.pinned_full));
    pool.lazy_begin = mine.lazy_begin.value_or(theirs.lazy_begin.value_or(defaults.lazy_begin));
    const auto cluster = config.clusters.find(database.cluster);
    if (cluster != config.clusters.end()) pool.reads = cluster->second.routing.reads;
    if (database.reads) pool.reads = *database.reads;
    if (listed != config.users.end() && listed->second.reads) pool.reads = *listed->second.reads;
    // A user's smaller pool_size may stand below the database's min_size: the limit wins.
    pool.min_size =
        std::min(pool.size, mine.min_size.value_or(theirs.min_size.value_or(defaults.min_size)));
    return pool;
}

}  // namespace pgweir::config
