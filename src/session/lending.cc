#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "session/parts.h"

#include <algorithm>

/// Who gets which server: permits, queues, hand-over between workers.
namespace pgweir::session {
namespace {

// A worker whose oldest client waits this much longer than ours gets a server before ours does.
// Less would move servers to and fro for nothing; it is the scale of a few transactions.
constexpr Duration kFairnessSlack = std::chrono::milliseconds(10);

bool is_stopped(const Engine& engine, const Pool& pool) {
    return pool.state != PoolState::Open || engine.globally_paused();
}

bool serving(const Engine& engine, const Pool& pool) {
    return !is_stopped(engine, pool) && pool.has_node;
}

bool check_due(const Engine& engine, const ServerConn& server) {
    const Duration patience = engine.config().timeouts.server_check;
    return patience != Duration::zero() && engine.now() - server.state_since > patience;
}

/// The client has what it asked for.
void link(Engine& engine, ServerConn& server, ClientSession& client) {
    PoolStats& stats = server.pool.stats;
    const bool was_waiting = client.state == ClientState::Waiting;
    const int64_t waited = was_waiting ? to_microseconds(engine.now() - client.state_since) : 0;
    stats.wait_us += static_cast<uint64_t>(waited);
    stats.wait.observe(waited);
    ++stats.assignments;
    attach(engine, server, client);
}

/// A server at a standby is read-only by default whatever its client has, who shall not see that.
void pretend_as_client(Engine& engine, ServerConn& server, const ClientSession& client) {
    if (server.settings == client.settings || !client.settings.holds(kReadOnlyByDefault)) return;
    const std::string_view value = client.settings.find(kReadOnlyByDefault);
    server.base = engine.settings().with(server.base, kReadOnlyByDefault, value);
    server.settings = engine.settings().with(server.settings, kReadOnlyByDefault, value);
}

}  // namespace

void attach(Engine& engine, ServerConn& server, ClientSession& client) {
    Pool& pool = server.pool;
    const bool was_waiting = client.state == ClientState::Waiting;
    ++pool.attached;
    engine.move(client, ClientEvent::ServerLent);
    if (was_waiting) publish_waiting(engine, pool);
    client.server = &server;
    client.just_lent = true;
    client.told_route = false;
    client.notified = false;
    client.has_waited = false;
    server.client = &client;
    server.effects = {};
    server.transaction_started = engine.now();
    if (client.login != nullptr) client.settings = first_settings(engine, client, server.base);
    if (pool.of_standby()) pretend_as_client(engine, server, client);
    const bool same =
        (fits(server, client) || planted(Bug::SettingsSkipped)) && !is_told_by_shared(client);
    server.inherited = server.last_client != client.id;
    server.last_client = client.id;
    client.last_server = server.handle;
    server.errand = client.errand;
    ServerConn::note_client(server.sole_client, client.id);
    if (same && client.login == nullptr) {
        client.sets_temp_buffers = false;
        engine.move(server, ServerEvent::ClientAttached);
    } else {
        engine.move(server, ServerEvent::SettingsDiffer);
        send_settings(engine, server);
    }
}

namespace {

/// The worker whose oldest client should get this server before our own oldest, or our own number.
uint32_t neediest_worker(const Engine& engine, Pool& pool) {
    uint32_t neediest = engine.worker();
    int64_t oldest = PoolShare::kNobodyWaits;
    if (!pool.waiting.empty()) {
        const Instant since = pool.waiting.front().state_since - kFairnessSlack;
        oldest = since.time_since_epoch().count();
    }
    for (uint32_t other = 0; other < pool.share.workers(); ++other) {
        if (other == engine.worker()) continue;
        const int64_t theirs = pool.share.oldest_wait(other);
        if (theirs < oldest) {
            oldest = theirs;
            neediest = other;
        }
    }
    return neediest;
}

void open_server(Engine& engine, Pool& pool) {
    ServerConn& server = engine.make_server(pool);
    server.permitted = true;
    server.node = pool.address.node;
    server.stream = &engine.shell().connect(server.node, server);
}

/// Once a backend has had a temporary object, its temp_buffers stay as they are.
bool can_take(const ServerConn& server, const ClientSession& client) {
    if (server.temporary_of == 0) return true;
    return !client.sets_temp_buffers &&
           server.settings.find(kTempBuffers) == client.settings.find(kTempBuffers);
}

/// Idle for too long: asked whether they live, while others are looked at.
void check_stale(Engine& engine, Pool& pool) {
    auto& idle = pool.in(ServerState::Idle);
    while (!idle.empty() && check_due(engine, idle.front())) {
        ServerConn& stale = idle.front();
        engine.move(stale, ServerEvent::CheckDue);
        send_internal_query(engine, stale, "");
    }
}

/// The idle server for this client: the one that served last, unless one near it needs no change of
/// settings. Whoever has waited for long is not looked at: it has to be checked first. nullptr:
/// there is none.
ServerConn* best_idle(Engine& engine, Pool& pool, const ClientSession& client) {
    constexpr int kLookedAt = 8;
    auto& idle = pool.in(ServerState::Idle);
    check_stale(engine, pool);
    if (idle.empty()) return nullptr;
    ServerConn& warmest = idle.front();
    if (client.login != nullptr) return &warmest;
    // Its own from last time, if nobody else has had it since: what extensions keep in a backend
    // is in no view.
    ServerConn* own = engine.find_server(client.last_server);
    if (own != nullptr && &own->pool == &pool && own->state == ServerState::Idle &&
        own->last_client == client.id && fits(*own, client) && can_take(*own, client) &&
        !check_due(engine, *own)) {
        return own;
    }
    ServerConn* server = &warmest;
    for (int i = 0; i < kLookedAt && server != nullptr; ++i) {
        const bool fine = fits(*server, client) && can_take(*server, client);
        if (fine && !check_due(engine, *server)) return server;
        server = idle.after(*server);
    }
    if (can_take(warmest, client)) return &warmest;
    engine.retire(warmest, "its temp_buffers cannot be changed any more");
    return best_idle(engine, pool, client);
}

/// Ends an idle server of another pool of the group, for each client that waits here. Other workers
/// see `starving` at their next upkeep.
void make_room(Engine& engine, Pool& hungry) {
    size_t wanted = hungry.waiting.size();
    for (auto& [key, pool] : engine.pools()) {
        const GroupShare* group = hungry.starves_for;
        if (pool->database_group != group && pool->user_group != group) continue;
        wanted -= std::min(wanted, pool->in(ServerState::Closing).size());
        while (wanted > 0 && blocks_others(*pool) && !pool->in(ServerState::Idle).empty()) {
            engine.retire(pool->in(ServerState::Idle).back(),
                          "another pool waits for its place within max_servers");
            --wanted;
        }
        if (wanted > 0 && blocks_others(*pool)) yield_to_waiting(engine, *pool);
    }
}

}  // namespace

bool outlived(const Engine& engine, const ServerConn& server) {
    const Duration lifetime = engine.config().timeouts.server_lifetime;
    return server.epoch < server.pool.epoch ||
           (lifetime != Duration::zero() && engine.now() - server.opened > lifetime);
}

Permit take_permits(Pool& pool, uint32_t limit) {
    if (!try_take(pool.share.open, limit)) return Permit::PoolFull;
    if (!try_take(pool.database_group->servers, pool.database_servers_max)) {
        give_back(pool.share.open);
        return Permit::DatabaseFull;
    }
    if (!try_take(pool.user_group->servers, pool.user_servers_max)) {
        if (!planted(Bug::GroupPermitLost)) give_back(pool.database_group->servers);
        give_back(pool.share.open);
        return Permit::UserFull;
    }
    return Permit::Taken;
}

void exchange_server(Engine& engine, ClientSession& client) {
    ServerConn& server = *client.server;
    server.client = nullptr;
    client.server = nullptr;
    --server.pool.attached;
    engine.move(client, ClientEvent::ServerReleased);
    client.sets_temp_buffers = true;
    engine.retire(server, "its temp_buffers cannot be changed any more");
}

void send_settings(Engine& engine, ServerConn& server) {
    const std::string_view owner = server.base.find("session_authorization");
    const SettingList& current = server.settings.values();
    const SettingList& wanted = server.client->settings.values();
    const bool clean = !server.doubtful || !server.inherited;
    const std::string sql =
        clean ? settings_query(current, wanted, owner)
              : clean_settings_query(current, server.base.values(), wanted, owner);
    ++server.pool.stats.settings_applied;
    // An empty query still answers: what differs then is only what a server reports by itself.
    send_internal_query(engine, server, sql);
}

bool fits(const ServerConn& server, const ClientSession& client) {
    return server.settings == client.settings &&
           (!server.doubtful || server.last_client == client.id);
}

void reset(Engine& engine, ServerConn& server) {
    engine.move(server, ServerEvent::ResetDue);
    send_internal_query(engine, server, "DISCARD ALL");
}

NextUse next_use(const ServerConn& server) {
    if (server.bound_for_good || server.pins.has(Pin::Module) ||
        server.effects.has(sql::Effect::BindsForGood)) {
        return NextUse::Nobody;
    }
    // The schema itself stays, and with it temp_buffers cannot be set any more.
    if (server.pins.has(Pin::TemporaryTable)) return NextUse::Nobody;
    // Whoever left before its last transaction was looked at leaves what nobody knows.
    const bool session_over = server.pool.limits.mode == config::PoolMode::Session;
    const bool unknown = server.effects.has(sql::Effect::MayChangeSession);
    return session_over || server.pins.any() || unknown ? NextUse::AfterReset : NextUse::Anybody;
}

void publish_waiting(Engine& engine, Pool& pool) {
    int64_t since = PoolShare::kNobodyWaits;
    if (!pool.waiting.empty()) {
        // As fine as kFairnessSlack needs it, so that it seldom changes.
        constexpr int64_t kGrain = Duration(std::chrono::milliseconds(1)).count();
        since = pool.waiting.front().state_since.time_since_epoch().count();
        since -= since % kGrain;
    }
    pool.share.publish_oldest_wait(engine.worker(), since);
}

void ask_others(Engine& engine, Pool& pool) {
    if (pool.waiting.empty() || !serving(engine, pool) || planted(Bug::NobodyAsked)) return;
    for (uint32_t other = 0; other < pool.share.workers(); ++other) {
        if (other == engine.worker() || !pool.share.idle(other) || planted(Bug::NobodyAsked))
            continue;
        engine.shell().post(other, WantServer{&pool.share, engine.worker()});
    }
}

bool acquire(Engine& engine, ClientSession& client) {
    Pool& pool = *client.queue;
    const bool logging_in = client.login != nullptr;
    if (!logging_in && serving(engine, pool)) {
        if (ServerConn* server = best_idle(engine, pool, client)) {
            link(engine, *server, client);
            return true;
        }
    }
    const uint32_t waiting = pool.share.waiting.load(std::memory_order_relaxed);
    if (waiting >= engine.config().limits.queue && pool.of_standby()) {
        client.queue = client.pool;  // there may be room
        client.errand = Errand::Any;
        client.request_left = 0;
        return acquire(engine, client);
    }
    if (waiting >= engine.config().limits.queue) {
        ++pool.stats.queue_refusals;
        const Error error = queue_full(pool.database, pool.user, engine.config().limits.queue);
        engine.close(client, &error, "the queue is full");
        return false;
    }
    engine.move(client, logging_in ? ClientEvent::WelcomeWanted : ClientEvent::ServerWanted);
    client.deadline = deadline_after(engine.now(), pool.limits.query_wait);
    publish_waiting(engine, pool);
    if (!serving(engine, pool)) return false;

    if (!pool.in(ServerState::Idle).empty()) {
        serve_waiting(engine, pool);
        if (client.state != ClientState::Waiting) return client.state == ClientState::Attached;
    }
    ask_others(engine, pool);
    open_servers(engine, pool);
    yield_to_waiting(engine, pool);
    return client.state == ClientState::Attached;
}

void serve_waiting(Engine& engine, Pool& pool) {
    // A client that is closed while it is served gives its server back, which would serve the next
    // one from within: the loop that runs already does that, without growing the stack.
    if (!serving(engine, pool) || pool.being_served) return;
    pool.being_served = true;
    auto& idle = pool.in(ServerState::Idle);
    while (!pool.waiting.empty() && !idle.empty()) {
        ClientSession& client =
            planted(Bug::QueueOvertaken) ? pool.waiting.back() : pool.waiting.front();
        ServerConn* best = best_idle(engine, pool, client);
        if (best == nullptr) break;
        link(engine, *best, client);
        if (best->state == ServerState::Active) resume_client(engine, client);
    }
    pool.being_served = false;
}

void settings_applied(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    const bool returns = is_returning(client);
    if (!returns && !std::exchange(server.preparing, false)) {
        const auto texts = missing_prepares(server.settings.values(), client.settings.values());
        server.preparing = !texts.empty();
        for (const std::string_view text : texts) send_internal_query(engine, server, text);
        if (server.preparing) return;
    }
    if (!returns && is_told_by_shared(client)) {
        bring_back(engine, server);
        return;
    }
    if (returns && awaits_mark(client)) return;
    // What the server reports is as it says now; what it does not report is as it was told.
    SettingList values = server.settings.values();
    std::erase_if(values,
                  [&](const Setting& setting) { return !server.base.holds(setting.first); });
    for (const auto& [name, value] : client.settings.values()) {
        if (!server.base.holds(name)) values.emplace_back(name, value);
    }
    server.settings = engine.settings().intern(std::move(values));
    server.doubtful = server.doubtful && !server.inherited;
    client.settings = server.settings;
    client.sets_temp_buffers = false;
    engine.move(server, ServerEvent::SettingsApplied);
    brought_back(engine, server);
    if (client.login != nullptr) {
        server.pool.welcomes.insert_or_assign(welcome_key(client.login->settings), client.settings);
        welcome(engine, client);
        if (server.client != nullptr) release(engine, server);
        return;
    }
    resume_client(engine, client);
}

void release(Engine& engine, ServerConn& server) {
    Pool& pool = server.pool;
    ClientSession* client = std::exchange(server.client, nullptr);
    if (client != nullptr) {
        client->server = nullptr;
        --pool.attached;
        engine.move(*client, ClientEvent::ServerReleased);
    }
    server.stream->resume();  // it may have been stopped for a client that reads slowly
    server.request.clear();
    server.held_back.clear();
    server.retry_due = false;
    server.kept.state = KeptBatch::State::Nothing;
    server.cancelled = false;
    server.refused = false;
    server.began = {};
    server.sync_due = false;
    const NextUse next = next_use(server);
    if (server.cancel_lost) {
        engine.retire(server, "a cancel that was given up may still hit it");
    } else if (server.pipeline.one_more_ready_possible()) {
        engine.retire(server, "a COPY failed, and it may owe one more ReadyForQuery");
    } else if (next == NextUse::Nobody) {
        engine.retire(server, "its client left what cannot be wiped: " + server.pins.to_text());
    } else if (server.cancels > 0 && !planted(Bug::CancelNotHeld)) {
        engine.move(server, ServerEvent::CancelPending);
    } else if (next == NextUse::AfterReset) {
        reset(engine, server);
    } else {
        engine.move(server, ServerEvent::Released);
        offer(engine, server);
    }
    if (client != nullptr) go_on_without_server(engine, *client);
}

void send_away_if_due(Engine& engine, ClientSession& client) {
    if (client.begun.any() && !planted(Bug::DrainCutsTransactions)) return;
    if (client.killed) {
        const Error error = killed_by_administrator();
        engine.close(client, &error, "killed by an administrator");
    } else if (engine.admission() == Admission::Draining) {
        const Error error = shutting_down();
        engine.close(client, &error, "draining");
    }
}

void go_on_without_server(Engine& engine, ClientSession& client) {
    client.holding = false;
    client.stream->resume();
    send_away_if_due(engine, client);
    if (client.state != ClientState::Closed && !client.inbox.empty()) {
        resume_client(engine, client);
    }
}

void offer(Engine& engine, ServerConn& server) {
    Pool& pool = server.pool;
    PGW_CHECK(server.state == ServerState::Idle && server.pipeline.at_rest());
    if (outlived(engine, server)) {
        engine.retire(server, "it has lived long enough, or RECONNECT asked for it");
        return;
    }
    if (is_stopped(engine, pool)) {
        engine.retire(server, "its pool is paused");
        return;
    }
    if (!pool.has_node) return;  // the one that is away may come back
    if (server.can_move()) {
        const uint32_t neediest = neediest_worker(engine, pool);
        if (neediest != engine.worker()) {
            lend_away(engine, server, neediest);
            return;
        }
    }
    serve_waiting(engine, pool);
    if (server.state == ServerState::Idle && blocks_others(pool)) {
        engine.retire(server, "another pool waits for its place within max_servers");
    }
}

bool others_wait(const Engine& engine, const Pool& pool) {
    for (uint32_t other = 0; other < pool.share.workers(); ++other) {
        const bool waits = pool.share.oldest_wait(other) != PoolShare::kNobodyWaits;
        if (other != engine.worker() && waits) return true;
    }
    return false;
}

std::unique_ptr<PortableServer> pack_server(Engine& engine, ServerConn& server) {
    auto portable = std::make_unique<PortableServer>();
    portable->stream = server.stream->detach();
    server.stream = nullptr;
    portable->base = server.base.values();
    portable->settings = server.settings.values();
    server.statements.for_each_oldest_first([&](const CarriedStatement& statement) {
        if (!planted(Bug::LentWithoutStatements)) portable->statements.push_back(statement);
    });
    static_cast<ServerFacts&>(*portable) = server;
    portable->idle_since = server.state_since;
    server.permitted = false;  // the permit goes with it
    engine.move(server, ServerEvent::Ended);
    engine.shell().reap_soon();
    return portable;
}

ServerConn& unpack_server(Engine& engine, Pool& pool, PortableServer& portable) {
    ServerConn& server = engine.make_server(pool);
    server.permitted = true;
    static_cast<ServerFacts&>(server) = portable;
    server.base = engine.settings().intern(std::move(portable.base));
    server.settings = engine.settings().intern(std::move(portable.settings));
    if (!pool.base) pool.base = server.base;
    for (const CarriedStatement& carried : portable.statements) {
        server.statements.add_pending(carried.digest, carried.text_bytes, 0);
        if (carried.confirmed) {
            server.statements.confirm(carried.digest);
        } else {
            server.statements.doubt(carried.digest);
        }
    }
    server.stream = &engine.shell().adopt(std::move(portable.stream), server);
    engine.move(server, ServerEvent::Connected);
    engine.move(server, ServerEvent::LoggedIn);
    server.state_since = portable.idle_since;
    return server;
}

void lend_away(Engine& engine, ServerConn& server, uint32_t worker) {
    Pool& pool = server.pool;
    ++pool.stats.servers_lent;
    engine.shell().post(worker, LentServer{&pool.share, pack_server(engine, server)});
}

void adopt_server(Engine& engine, Pool& pool, PortableServer& portable) {
    offer(engine, unpack_server(engine, pool, portable));
    ask_others(engine, pool);  // it may have been too old to serve
}

void open_servers(Engine& engine, Pool& pool) {
    if (!serving(engine, pool) || engine.now() < pool.retry_at) {
        starve(pool, nullptr);
        return;
    }
    uint32_t limit = pool.limits.size;
    if (!pool.waiting.empty() && pool.limits.reserve_size > 0 &&
        engine.now() - pool.waiting.front().state_since >= pool.limits.reserve_after) {
        limit += pool.limits.reserve_size;
    }
    // After failures one at a time, until one succeeds.
    const uint32_t opening_max =
        pool.back_off.failures() > 0 ? 1 : engine.config().limits.opening_servers;
    const bool below_minimum = pool.clients > 0 && pool.share.open.load() < pool.limits.min_size;
    size_t wanted = std::max<size_t>(pool.waiting.size(), below_minimum ? 1 : 0);
    GroupShare* full_group = nullptr;
    while (pool.opening_count() < std::min<size_t>(opening_max, wanted)) {
        const Permit permit = take_permits(pool, limit);
        if (permit == Permit::DatabaseFull) full_group = pool.database_group;
        if (permit == Permit::UserFull) full_group = pool.user_group;
        if (permit != Permit::Taken) break;
        open_server(engine, pool);
    }
    starve(pool, pool.waiting.empty() ? nullptr : full_group);
    if (pool.starves_for != nullptr) make_room(engine, pool);
}

void starve(Pool& pool, GroupShare* group) {
    if (pool.starves_for == group) return;
    if (pool.starves_for != nullptr) pool.starves_for->starving.fetch_sub(1);
    pool.starves_for = group;
    if (group != nullptr) group->starving.fetch_add(1);
}

bool blocks_others(const Pool& pool) {
    if (pool.starves_for != nullptr || !pool.waiting.empty()) return false;
    return pool.database_group->starving.load(std::memory_order_relaxed) > 0 ||
           pool.user_group->starving.load(std::memory_order_relaxed) > 0;
}

void after_server_closed(Engine& engine, Pool& pool) {
    ask_others(engine, pool);  // it may have been on its way to a client
    open_servers(engine, pool);
    for (auto& [key, other] : engine.pools()) {
        GroupShare* wanted = other->starves_for;
        const bool freed = wanted == pool.database_group || wanted == pool.user_group;
        if (wanted != nullptr && freed) open_servers(engine, *other);
    }
    if (!pool.waiting.empty()) return;
    for (uint32_t other = 0; other < pool.share.workers(); ++other) {
        const bool waits = pool.share.oldest_wait(other) != PoolShare::kNobodyWaits;
        if (other == engine.worker() || !waits) continue;
        engine.shell().post(other, PermitFreed{&pool.share});
        return;
    }
}

void refuse_waiting(Engine& engine, Pool& pool, const Error& error) {
    // Closing a client may let another one in: only those that wait now are refused.
    for (size_t left = pool.waiting.size(); left > 0 && !pool.waiting.empty(); --left) {
        engine.close(pool.waiting.front(), &error, "its server cannot be had");
    }
}

}  // namespace pgweir::session
