#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "session/parts.h"

#include <algorithm>
#include <vector>

/// Clients that change workers, so that a load that one worker can carry is carried by one. Only a
/// client that rests moves: every byte that it sent is answered, and it has no server, or, in
/// session mode, one that rests too and comes along. What it sends meanwhile stays in its socket.
/// See docs/adr/0015.
namespace pgweir::session {
namespace {

std::vector<PortableClient::Statement> carry(const ClientStatements* statements) {
    std::vector<PortableClient::Statement> carried;
    if (statements == nullptr) return carried;
    carried.reserve(statements->size());
    statements->for_each([&](const std::string& name, const Statement& statement) {
        carried.push_back({name, statement.query_and_types, statement.epoch});
    });
    return carried;
}

void unpack(Engine& engine, ClientSession& client, PortableClient& portable) {
    static_cast<ClientFacts&>(client) = std::move(portable);
    // No server of this worker has its unnamed statement: the number is a new one.
    if (client.unnamed_version != 0) client.unnamed_version = engine.next_unnamed_version();
    client.settings = engine.settings().intern(std::move(portable.settings));
    client.login_settings = engine.settings().intern(std::move(portable.login_settings));
    for (const auto& [name, query_and_types, epoch] : portable.statements) {
        if (client.statements == nullptr) client.statements = std::make_unique<ClientStatements>();
        client.statements->put(name, engine.statements().intern(as_bytes(query_and_types), epoch));
    }
}

/// True exactly when nothing of what it sent waits here, and nothing for it either.
bool is_quiet(const ClientSession& client) {
    // Who stops a pool counts what is there, and not what is under way.
    const bool serves = client.pool->state == PoolState::Open && !client.engine.globally_paused();
    return serves && client.subscription == nullptr && client.inbox.empty() &&
           client.passing == 0 && client.discarding == 0 && client.stream->backlog() == 0 &&
           !client.begun.any() && !client.awaits_place && !client.holding && !client.hold_at_sync &&
           !client.killed && !client.left;
}

/// True exactly when a whole session keeps this server, and both rest.
bool is_movable(const ServerConn& server) {
    return fits(server, *server.client) && server.pool.limits.mode == config::PoolMode::Session &&
           !server.raw && !server.ending && server.state == ServerState::Active &&
           server.pipeline.at_rest() && server.status == wire::TransactionStatus::Idle &&
           !server.pipeline.one_more_ready_possible() && !server.said_farewell &&
           server.can_move() && server.cancels == 0 && !server.cancel_lost && !server.pins.any() &&
           server.prepared_in_sql.empty() && server.kept.state != KeptBatch::State::Due;
}

void pack_server_of(Engine& engine, ClientSession& client, PortableClient& portable) {
    ServerConn& server = *client.server;
    portable.server_has_unnamed =
        client.unnamed_version != 0 && server.unnamed_version == client.unnamed_version;
    ++server.pool.stats.servers_lent;
    client.server = nullptr;
    server.client = nullptr;
    --server.pool.attached;
    portable.server = pack_server(engine, server);
}

void unpack_server_of(Engine& engine, ClientSession& client, PortableClient& portable) {
    ServerConn& server = unpack_server(engine, *client.pool, *portable.server);
    attach(engine, server, client);
    if (portable.server_has_unnamed) server.unnamed_version = client.unnamed_version;
    server.effects = portable.server->effects;  // its session goes on
}

}  // namespace

bool is_movable(const ClientSession& client) {
    if (!is_quiet(client)) return false;
    return client.state == ClientState::Idle ||
           (client.state == ClientState::Attached && !client.mid_transaction &&
            is_movable(*client.server));
}

void send_away(Engine& engine, ClientSession& client, uint32_t worker) {
    PGW_CHECK(is_movable(client) && worker != engine.worker());
    auto portable = std::make_unique<PortableClient>();
    const SettingsRef& settings =
        planted(Bug::MovedWithoutSettings) ? client.login_settings : client.settings;
    portable->stream = client.stream->detach();
    portable->generation = engine.generation();
    portable->pool_epoch = client.pool->epoch;
    portable->settings = settings.values();
    portable->login_settings = client.login_settings.values();
    portable->statements = carry(client.statements.get());
    if (client.server != nullptr) pack_server_of(engine, client, *portable);
    static_cast<ClientFacts&>(*portable) = std::move(client);

    ProcessShare& process = engine.process();
    const ClientDirectory::Place from{engine.worker(), client.handle.index};
    log::debug("client {} goes to worker {}", client.id, worker);
    ++engine.stats().clients_moved;
    process.clients_under_way.fetch_add(1);
    engine.shell().post(worker, MovedClient{&client.pool->share, std::move(portable)});
    // After it: a cancel request that is sent to the new place must come behind the client.
    process.directory.departed(client.pid, from, worker);
    engine.forget(client);
}

void adopt_client(Engine& engine, PoolShare& share, PortableClient& portable) {
    const bool known = engine.find_pool(share) != nullptr;
    Pool& pool = engine.pool(share.name());
    // Both workers have carried out the same orders: what is not too old there is not here.
    if (!known && portable.generation == engine.generation()) pool.epoch = portable.pool_epoch;
    ClientSession& client = engine.make_client();
    client.stream = &engine.shell().adopt(std::move(portable.stream), client);
    client.pool = &pool;
    client.queue = &pool;
    ++pool.clients;
    unpack(engine, client, portable);
    engine.process().directory.arrived(client.pid, {engine.worker(), client.handle.index});
    engine.move(client, ClientEvent::Arrived);
    engine.process().clients_under_way.fetch_sub(1);
    if (portable.server != nullptr) unpack_server_of(engine, client, portable);

    // Orders that this worker had carried out before the client came.
    if (client.server != nullptr) cut_off_if_older(engine, *client.server);
    if (client.state == ClientState::Closed) return;
    if (engine.admission() == Admission::Draining) {
        const Error error = shutting_down();
        engine.close(client, &error, "draining");
    } else if (pool.state == PoolState::Disabled) {
        const Error error = killed_by_administrator();
        engine.close(client, &error, "KILL");
    } else if (pool.state == PoolState::Gone && client.server != nullptr) {
        // A reload has just taken its database away, and here nobody knows its limits.
        const Error error = unknown_database(pool.database);
        engine.close(client, &error, "its database is gone");
    }
}

/// Those that were active since then and do not wait, until `visit` says false.
template <class Visitor>
void Engine::for_each_active(Instant since, Visitor&& visit) {
    // Each state's list is in the order of entering it: those at the back rest for the least time.
    auto& idle = in(ClientState::Idle);
    for (ClientSession* client = idle.empty() ? nullptr : &idle.back();
         client != nullptr && client->state_since >= since; client = idle.before(*client)) {
        if (!visit(*client)) return;
    }
    auto& attached = in(ClientState::Attached);
    for (ClientSession* client = attached.empty() ? nullptr : &attached.back(); client != nullptr;
         client = attached.before(*client)) {
        if (client->query_started >= since && !visit(*client)) return;
    }
}

uint32_t Engine::active_clients(Instant since) {
    uint32_t active = 0;
    for_each_active(since, [&](ClientSession&) {
        ++active;
        return true;
    });
    for (const auto& [key, pool] : pools_) active += static_cast<uint32_t>(pool->waiting.size());
    return active;
}

uint32_t Engine::give_clients(uint32_t worker, uint32_t count, Instant active_since) {
    std::vector<ClientSession*> movable;
    size_t statement_bytes = 0;
    const size_t most = std::min(count, kMovedMax);
    for_each_active(active_since, [&](ClientSession& client) {
        if (movable.size() >= most || statement_bytes >= kMovedBytesMax) return false;
        if (!is_movable(client)) return true;
        movable.push_back(&client);
        if (client.statements != nullptr) statement_bytes += client.statements->bytes();
        return true;
    });
    for (ClientSession* client : movable) send_away(*this, *client, worker);
    return static_cast<uint32_t>(movable.size());
}

}  // namespace pgweir::session
