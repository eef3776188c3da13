#include "sim/scenario.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <class T>
T either(Prng& prng, uint32_t percent, T one, T other) {
    return prng.chance(percent) ? one : other;
}

uint32_t up_to(Prng& prng, uint32_t most) {
    return static_cast<uint32_t>(prng.below(most + 1));
}

/// How many of the names have a max_servers, and how much it is above one at most.
struct Caps {
    uint32_t percent;
    uint32_t most;
};

void draw_names(Scenario& scenario, Prng& prng, Caps of_databases, Caps of_users) {
    for (uint32_t i = 0; i < scenario.databases; ++i) {
        config::Database database;
        database.name = fmt::format("db{}", i);
        database.cluster = "main";
        if (prng.chance(of_databases.percent))
            database.pool.max_servers = 1 + up_to(prng, of_databases.most);
        scenario.config.databases[database.name] = database;
    }
    for (uint32_t i = 0; i < scenario.users; ++i) {
        config::User user;
        user.name = fmt::format("user{}", i);
        if (prng.chance(of_users.percent)) user.pool.max_servers = 1 + up_to(prng, of_users.most);
        scenario.config.users[user.name] = user;
    }
}

void draw_pools(Scenario& scenario, Prng& prng) {
    auto& config = scenario.config;
    config.clusters["main"] = {.name = "main",
                               .nodes = {{.name = "pg1", .host = "pg1", .port = 5432}}};
    const auto mode = prng.chance(80)   ? config::PoolMode::Transaction
                      : prng.chance(70) ? config::PoolMode::Session
                                        : config::PoolMode::Statement;
    scenario.mishaps.session_mode = mode == config::PoolMode::Session;
    scenario.mishaps.statement_mode = mode == config::PoolMode::Statement;
    config.pool.pool_mode = mode;
    config.pool.pool_size = 1 + up_to(prng, 3);
    config.pool.min_size = either(prng, 20, 1u, 0u);
    config.pool.reserve_size = either(prng, 20, 1u, 0u);
    config.pool.reserve_after = milliseconds(300);
    draw_names(scenario, prng, {15, 3}, {15, 3});
}

void draw_limits(Scenario& scenario, Prng& prng) {
    auto& limits = scenario.config.limits;
    limits.output_buffer = 256 + up_to(prng, 4096);
    limits.prepared_per_server = either(prng, 50, 1 + up_to(prng, 3), 500u);
    limits.opening_servers = 1 + up_to(prng, 3);
    if (prng.chance(15)) {
        limits.queue = up_to(prng, 3);
        scenario.mishaps.queue_fills = true;
    }
    if (prng.chance(5)) {
        limits.clients = 3;
        scenario.mishaps.too_many = true;
    }
    if (prng.chance(5)) {
        limits.logins_in_flight = 1;
        scenario.mishaps.too_many = true;
    }
}

void draw_timeouts(Scenario& scenario, Prng& prng) {
    auto& timeouts = scenario.config.timeouts;
    timeouts.query_wait = Duration::zero();
    if (prng.chance(30)) {
        timeouts.query_wait = seconds(1 + up_to(prng, 4));
        scenario.mishaps.waits_end = true;
    }
    if (prng.chance(20)) {
        timeouts.idle_transaction = seconds(1);
        scenario.mishaps.transactions_end = true;
    }
    timeouts.login = seconds(15);
    scenario.mishaps.logins_end = true;
    timeouts.wait_notice = either(prng, 50, Duration(milliseconds(500)), Duration::zero());
    timeouts.server_connect = seconds(scenario.hangs ? 2 : 1000);
    scenario.mishaps.servers_are_slow = scenario.hangs;
    // A server that idles in one pool of a full database or user keeps the others out until then.
    bool shared = false;
    for (const auto& [name, database] : scenario.config.databases)
        shared = shared || database.pool.max_servers;
    for (const auto& [name, user] : scenario.config.users) shared = shared || user.pool.max_servers;
    if (shared) scenario.config.pool.min_size = 0;
    timeouts.server_idle = either(prng, shared ? 0 : 50, seconds(600), seconds(1));
    timeouts.server_lifetime = either(prng, 70, seconds(3600), seconds(2));
    timeouts.server_check = either(prng, 50, Duration(seconds(30)), Duration(milliseconds(200)));
    timeouts.server_retry_max = seconds(1);
    timeouts.cancel = seconds(2);
}

/// Idle servers stay, so that only eviction lets clients of other pools in.
void draw_shared_limits(Scenario& scenario, Prng& prng) {
    scenario.databases = 1 + up_to(prng, 1);
    scenario.users = 2 + up_to(prng, 1);
    auto& config = scenario.config;
    config.pool.pool_size = 1 + up_to(prng, 2);
    config.pool.min_size = 0;
    config.timeouts.server_idle = seconds(600);
    config.timeouts.server_lifetime = seconds(3600);
    config.databases.clear();
    config.users.clear();
    draw_names(scenario, prng, {60, 2}, {40, 1});
}

/// Reads are routed where transactions or statements are pooled.
void draw_standbys(Scenario& scenario, Prng& prng) {
    auto& cluster = scenario.config.clusters["main"];
    cluster.nodes.push_back({.name = "pg2", .host = "pg2"});
    cluster.nodes.push_back({.name = "pg3", .host = "pg3"});
    using enum config::Reads;
    constexpr std::array kReads{Standby, PreferStandby, Any};
    auto& routing = cluster.routing;
    routing.reads = kReads[prng.below(kReads.size())];
    routing.consistency =
        either(prng, 30, config::Consistency::Database, config::Consistency::Session);
    routing.causal_wait = either(prng, 40, Duration(milliseconds(200)), Duration::zero());
    routing.warm_up = either(prng, 20, Duration(seconds(1)), Duration::zero());
    if (scenario.mishaps.session_mode)
        scenario.config.pool.pool_mode = config::PoolMode::Transaction;
    scenario.mishaps.session_mode = false;
    scenario.mishaps.standbys = true;
    scenario.mishaps.servers_are_slow = true;
    scenario.config.timeouts.server_connect = seconds(2);  // to one that hangs
}

void draw_families(Scenario& scenario, Prng& prng, Families families) {
    if (families.has(Family::CopySyncs)) families.add(Family::CopyErrors);
    scenario.families = families;
    if (families.has(Family::RecklessClients)) scenario.reckless = 1 + up_to(prng, 4);
    if (families.has(Family::Walsenders)) scenario.walsenders = 1 + up_to(prng, 3);
    if (families.has(Family::SharedLimits)) draw_shared_limits(scenario, prng);
    if (families.has(Family::Drains)) {
        scenario.reload_at_step = either(prng, 60, up_to(prng, scenario.steps), UINT32_MAX);
        scenario.drain_at_step = either(prng, 80, 20 + up_to(prng, scenario.steps), UINT32_MAX);
    }
    if (families.has(Family::SessionState)) {
        auto& pool = scenario.config.pool;
        pool.pinned_max = up_to(prng, 2);
        const bool refuses = prng.chance(50);
        pool.pinned_full = refuses ? config::PinnedFull::Error : config::PinnedFull::Wait;
        scenario.mishaps.pins_are_refused = refuses;
        scenario.mishaps.pins_wait = !refuses;
    }
    if (families.has(Family::CopyErrors)) scenario.cancels = true;
    if (families.has(Family::Moves)) scenario.engines = std::max(scenario.engines, 2u);
    if (families.has(Family::PipelinedDiscards)) scenario.discards = true;
    if (families.has(Family::Standbys)) draw_standbys(scenario, prng);
    if (families.has(Family::LazyBegins)) {
        scenario.config.pool.lazy_begin = true;
        scenario.config.pool.pool_mode = config::PoolMode::Transaction;
        scenario.mishaps.session_mode = false;
        scenario.mishaps.statement_mode = false;
    }
    if (families.has(Family::Primaries)) {
        if (!families.has(Family::Standbys)) {
            scenario.config.clusters["main"].nodes.push_back({.name = "pg2", .host = "pg2"});
        }
        scenario.mishaps.primary_changes = true;
    }
}

}  // namespace

Scenario draw_scenario(Prng& prng, Families families) {
    Scenario scenario;
    scenario.engines = prng.chance(40) ? 1 : 2 + up_to(prng, 2);
    scenario.clients = 3 + up_to(prng, 9);
    scenario.steps = 60 + up_to(prng, 140);
    scenario.databases = 1 + up_to(prng, 1);
    scenario.users = either(prng, 70, 1u, 2u);
    scenario.events_per_step = 2 + up_to(prng, 14);
    // A seed without faults has no excuses: half of them are such.
    scenario.server_faults = prng.chance(35);
    scenario.network_faults = prng.chance(25);
    scenario.hangs = scenario.server_faults && prng.chance(30);
    scenario.cancels = prng.chance(40);
    scenario.administration = prng.chance(35);
    scenario.killing = scenario.administration && prng.chance(30);
    scenario.slow_readers = prng.chance(35);
    scenario.slow_network = prng.chance(30);
    scenario.vanishing = prng.chance(50);
    scenario.discards = prng.chance(30);
    scenario.sleepers_stay = scenario.cancels && prng.chance(50);
    scenario.mishaps.killing = scenario.killing;
    scenario.config.auth.method = config::AuthMethod::Trust;
    draw_pools(scenario, prng);
    draw_limits(scenario, prng);
    draw_timeouts(scenario, prng);
    draw_families(scenario, prng, families);
    scenario.mishaps.connections_break =
        scenario.server_faults || scenario.network_faults || scenario.hangs ||
        scenario.administration || scenario.slow_network || scenario.reload_at_step != UINT32_MAX ||
        scenario.drain_at_step != UINT32_MAX || families.has(Family::RecklessServers) ||
        families.has(Family::Primaries) || families.has(Family::Standbys);
    return scenario;
}

config::Config redrawn(const config::Config& config, Prng& prng) {
    config::Config next = config;
    next.pool.pool_size = 1 + up_to(prng, 3);
    next.pool.min_size = 0;
    next.limits.output_buffer = 256 + up_to(prng, 4096);
    next.limits.prepared_per_server = 1 + up_to(prng, 5);
    if (prng.chance(20)) next.clusters["main"].nodes[0].host = prng.chance(50) ? "pg1" : "pg2";
    return next;
}

}  // namespace pgweir::sim
