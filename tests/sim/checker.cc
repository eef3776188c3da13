#include "sim/checker.h"

#include "sim/fake_network.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

// An engine has this many ticks to take an idle server from one pool and to begin one in another.
constexpr uint32_t kEvictionTicks = 10;

using session::Pool;
using session::PoolState;
using session::ServerState;

bool serving(const session::Engine& engine, const Pool& pool) {
    return pool.state == PoolState::Open && pool.has_node && !engine.globally_paused();
}

bool is_full(const session::GroupShare& group, uint32_t servers_max) {
    return servers_max != 0 && group.servers.load() >= servers_max;
}

}  // namespace

void Checker::check_queue(session::Engine& engine, Pool& pool) {
    std::vector<uint64_t>& before = queues_[&pool];
    std::vector<uint64_t> now;
    pool.waiting.for_each([&](session::ClientSession& client) { now.push_back(client.id); });
    if (!before.empty() && !now.empty()) {
        // Who was served must have stood in front of all who still wait.
        const auto oldest = std::find(before.begin(), before.end(), now.front());
        engine.in(session::ClientState::Attached).for_each([&](session::ClientSession& client) {
            if (client.queue != &pool || client.state_since != engine.now()) return;
            const auto place = std::find(before.begin(), oldest, client.id);
            if (oldest != before.end() && place == oldest &&
                std::find(oldest, before.end(), client.id) != before.end()) {
                violations_.add(
                    fmt::format("client session {} overtook {}", client.id, now.front()));
            }
        });
        if (oldest == before.end() &&
            std::find(before.begin(), before.end(), now.back()) != before.end()) {
            violations_.add("the queue was reordered");
        }
    }
    before = std::move(now);
}

void Checker::check_engine(session::Engine& engine) {
    for (auto& [key, pool] : engine.pools()) {
        check_queue(engine, *pool);
        if (pool->waiting.size() > engine.config().limits.queue && !violations_.any()) {
            violations_.add(fmt::format("{} clients wait, the limit is {}", pool->waiting.size(),
                                        engine.config().limits.queue));
        }
        if (!pool->waiting.empty() && !pool->in(ServerState::Idle).empty() &&
            serving(engine, *pool)) {
            violations_.add("a client waits beside an idle server of its own worker");
        }
    }
}

void Checker::check_permits(const Engines& engines,
                            const PoolShares& shares,
                            const std::map<const session::PoolShare*, uint32_t>& travelling) {
    for (const auto& [key, share] : shares) {
        const auto found = travelling.find(share.get());
        uint32_t count = found == travelling.end() ? 0 : found->second;
        uint32_t limit = 0;
        for (const auto& engine : engines) {
            // An engine that does not know the pool yet will make it by its own configuration.
            const auto* database = config::find_database(engine->config(), share->name().database);
            const auto limits =
                config::effective_pool(engine->config(), *database, share->name().user);
            limit = std::max(limit, limits.size + limits.reserve_size);
            if (Pool* pool = engine->find_pool(*share)) count += pool->server_count();
        }
        if (share->open.load() != count) {
            violations_.add(
                fmt::format("{} permits are taken for {} servers", share->open.load(), count));
        }
        // A reload that makes a pool smaller lets it shrink; it may never grow above its size.
        uint32_t& ceiling = ceilings_.try_emplace(share.get(), UINT32_MAX).first->second;
        ceiling = std::max(limit, std::min(ceiling, count));
        if (count > ceiling) {
            violations_.add(fmt::format("{} servers in a pool of {}", count, ceiling));
        }
    }
}

void Checker::check_law(const Engines& engines, const PoolShares& shares) {
    for (const auto& [key, share] : shares) {
        bool all_serve = true;
        bool waits = false;
        bool idles = false;
        for (const auto& engine : engines) {
            Pool* pool = engine->find_pool(*share);
            if (pool == nullptr) continue;
            all_serve = all_serve && serving(*engine, *pool);
            waits = waits || !pool->waiting.empty();
            // One in the middle of telling something, sense or not, is offered when it has told it.
            pool->in(ServerState::Idle).for_each([&](session::ServerConn& server) {
                const Link& link = static_cast<FakeStream*>(server.stream)->link();
                idles = idles || (server.can_move() && !link.far_babbled);
            });
        }
        if (all_serve && waits && idles) {
            violations_.add("a client waits while an idle server sits in another worker");
        }
    }
}

/// True exactly when a client waits that could have a server if other pools gave up idle ones.
bool Checker::starves(const Engines& engines,
                      const PoolShares& shares,
                      const session::PoolShare& share) {
    bool waits = false;
    bool full_database = false;
    bool full_user = false;
    for (const auto& engine : engines) {
        Pool* pool = engine->find_pool(share);
        if (pool == nullptr) continue;
        if (!serving(*engine, *pool) || engine->now() < pool->retry_at) return false;
        // Its own size is what keeps it small, or a server is being opened already.
        if (share.open.load() >= pool->limits.size || pool->opening_count() > 0) return false;
        waits = waits || !pool->waiting.empty();
        full_database = is_full(*pool->database_group, pool->database_servers_max);
        full_user = is_full(*pool->user_group, pool->user_servers_max);
    }
    if (!waits || (!full_database && !full_user)) return false;
    bool database_idles = false;
    bool user_idles = false;
    for (const auto& [key, other] : shares) {
        // Each node has slots of its own.
        const bool there = other->name().node == share.name().node;
        const bool in_database = there && other->name().database == share.name().database;
        const bool in_user = there && other->name().user == share.name().user;
        if (other.get() == &share || (!in_database && !in_user)) continue;
        for (const auto& engine : engines) {
            Pool* pool = engine->find_pool(*other);
            if (pool == nullptr) continue;
            if (!pool->in(ServerState::Closing).empty()) return false;  // one goes already
            const bool idles = !pool->in(ServerState::Idle).empty();
            database_idles = database_idles || (in_database && idles);
            user_idles = user_idles || (in_user && idles);
        }
    }
    return (!full_database || database_idles) && (!full_user || user_idles);
}

void Checker::check_shared_limits(const Engines& engines, const PoolShares& shares) {
    for (const auto& [key, share] : shares) {
        uint32_t& ticks = starved_ticks_[share.get()];
        ticks = starves(engines, shares, *share) ? ticks + 1 : 0;
        if (ticks > kEvictionTicks) {
            violations_.add(
                fmt::format("a client of {}/{} waits while idle servers of other pools hold all of "
                            "max_servers",
                            share->name().database, share->name().user));
        }
    }
}

void Checker::check_end(const Engines& engines,
                        const PoolShares& shares,
                        const session::ProcessShare& process) {
    for (const auto& [key, share] : shares) {
        if (share->open.load() != 0) violations_.add("permits are taken at the end");
    }
    if (process.clients.load() != 0) violations_.add("clients are counted at the end");
    if (process.logins.load() != 0) violations_.add("logins are counted at the end");
    if (process.clients_behind.load() != 0) violations_.add("clients wait for standbys at the end");
    for (const auto& engine : engines) {
        if (engine->client_count() != 0) violations_.add("a client session is left");
        if (engine->cancels_in_flight() != 0) violations_.add("a cancel is left");
        if (engine->buffers().bytes_in_use() != 0) violations_.add("buffers are in use at the end");
        if (engine->statements().size() != 0) violations_.add("statements are held at the end");
        for (auto& [key, pool] : engine->pools()) {
            if (pool->server_count() != 0) violations_.add("a server is left");
            if (pool->attached != 0 || pool->clients != 0)
                violations_.add("a pool counts clients at the end");
            if (pool->database_group->servers.load() != 0 ||
                pool->database_group->clients.load() != 0 ||
                pool->user_group->servers.load() != 0 || pool->user_group->clients.load() != 0) {
                violations_.add("a database or user counts servers or clients at the end");
            }
        }
    }
}

}  // namespace pgweir::sim
