#include "pgweir/session/snapshot.h"

#include "pgweir/session/listening.h"

namespace pgweir::session {
namespace {

uint32_t count(Pool& pool, ServerState state) {
    return static_cast<uint32_t>(pool.in(state).size());
}

/// Clients of a home that wait or read at standbys.
uint32_t count_elsewhere(const Pool& home) {
    uint32_t elsewhere = 0;
    if (home.routes == nullptr) return elsewhere;
    for (const Pool* pool : home.routes->standbys) {
        if (pool == nullptr) continue;
        elsewhere += pool->attached + static_cast<uint32_t>(pool->waiting.size());
    }
    return elsewhere;
}

PoolRow pool_row(Engine& engine, Pool& pool) {
    PoolRow row;
    row.database = pool.database;
    row.user = pool.user;
    row.node = pool.share.name().node;
    row.state = engine.globally_paused() ? PoolState::Paused : pool.state;
    row.mode = pool.limits.mode;
    row.clients_active = pool.attached;
    row.clients_waiting =
        static_cast<uint32_t>(pool.waiting.size()) + pool.place_waiters + pool.behind;
    // A client belongs to its home, also while it reads elsewhere.
    const uint32_t busy = row.clients_active + row.clients_waiting + count_elsewhere(pool);
    row.clients_idle = pool.clients > busy ? pool.clients - busy : 0;
    row.servers_active = count(pool, ServerState::Active) + count(pool, ServerState::Syncing) +
                         count(pool, ServerState::Asking) + count(pool, ServerState::Parting);
    row.servers_idle = count(pool, ServerState::Idle);
    row.servers_checking = count(pool, ServerState::Checking) + count(pool, ServerState::Resetting);
    row.servers_opening = pool.opening_count();
    row.servers_cancelling = count(pool, ServerState::Cancelling);
    row.servers_closing = count(pool, ServerState::Closing);
    row.permits = pool.share.open.load();
    for (const auto state : {ServerState::Active, ServerState::Cancelling}) {
        pool.in(state).for_each([&](ServerConn& server) { row.cancels += server.cancels; });
    }
    pool.in(ServerState::Active).for_each([&](ServerConn& server) {
        for (size_t i = 0; i < kPins; ++i) row.pinned[i] += server.pins.has(static_cast<Pin>(i));
    });
    row.size = pool.limits.size;
    if (!pool.waiting.empty()) {
        row.max_wait_us = to_microseconds(engine.now() - pool.waiting.front().state_since);
    }
    if (pool.last_failure) row.last_problem = pool.last_failure->message;
    row.stats = pool.stats;
    return row;
}

std::string_view console_state(ClientState state) {
    switch (state) {
        case ClientState::Waiting:
        case ClientState::Behind: return "waiting";
        case ClientState::Attached: return "active";
        case ClientState::Greeting:
        case ClientState::Authenticating:
        case ClientState::Idle:
        case ClientState::Console:
        case ClientState::Closed: return "idle";
    }
    return "idle";
}

std::string_view console_state(ServerState state) {
    switch (state) {
        case ServerState::Connecting:
        case ServerState::Authenticating: return "new";
        case ServerState::Idle: return "idle";
        case ServerState::Checking:
        case ServerState::Resetting: return "tested";
        case ServerState::Syncing:
        case ServerState::Asking:
        case ServerState::Parting:
        case ServerState::Listening:
        case ServerState::Active: return "active";
        case ServerState::Cancelling:
        case ServerState::Closing:
        case ServerState::Closed: return "being_canceled";
    }
    return "idle";
}

void add_client(Engine& engine, EngineSnapshot& snapshot, ClientSession& client) {
    ClientRowData row;
    row.user = client.user;
    row.database = client.pool != nullptr ? client.pool->database : "pgbouncer";
    row.state = console_state(client.state);
    row.address = client.stream->peer_name();
    row.application_name = client.settings.find("application_name");
    row.id = client.id;
    row.linked_server = client.server != nullptr ? client.server->id : 0;
    row.connected_us_ago = to_microseconds(engine.now() - client.connected_at);
    row.request_us_ago = to_microseconds(engine.now() - client.state_since);
    const bool waits = client.state == ClientState::Waiting || client.state == ClientState::Behind;
    if (waits) row.wait_us = row.request_us_ago;
    row.prepared = client.statements != nullptr ? client.statements->size() : 0;
    snapshot.clients.push_back(std::move(row));
}

void add_server(Engine& engine, EngineSnapshot& snapshot, ServerConn& server) {
    ServerRowData row;
    row.user = server.pool.user;
    row.database = server.pool.database;
    row.state = console_state(server.state);
    row.address = server.stream != nullptr ? server.stream->peer_name() : "";
    row.application_name = server.settings.find("application_name");
    row.id = server.id;
    row.linked_client = server.client != nullptr ? server.client->id : 0;
    row.pid = server.key.pid;
    row.opened_us_ago = to_microseconds(engine.now() - server.opened);
    row.state_us_ago = to_microseconds(engine.now() - server.state_since);
    row.pins = server.pins;
    if (server.client != nullptr) {
        row.client_address = server.client->stream->peer_name();
        row.request_us_ago = to_microseconds(engine.now() - server.client->query_started);
    }
    row.close_needed = server.epoch < server.pool.epoch;
    row.prepared = server.statements.size();
    snapshot.servers.push_back(std::move(row));
}

void add_listener(Engine& engine,
                  EngineSnapshot& snapshot,
                  SharedListener& listener,
                  Detail detail) {
    ListenerRow row;
    row.database = listener.pool.database;
    row.user = listener.pool.user;
    const ServerConn* server = listener.connection;
    const bool up = server != nullptr && server->state == ServerState::Listening;
    row.state = up ? "listening" : server != nullptr ? "opening" : "closed";
    row.pid = up ? server->key.pid : 0;
    row.channels = listener.channels.size();
    row.losses = listener.losses;
    snapshot.listeners.push_back(std::move(row));
    if (detail != Detail::Servers) return;
    for (auto& list : listener.pool.servers) {
        list.for_each([&](ServerConn& each) { add_server(engine, snapshot, each); });
    }
}

size_t count_listening(const Audience& audience) {
    std::set<uint32_t> places;
    for (const auto& [name, channel] : audience.channels) {
        places.insert(channel.clients.begin(), channel.clients.end());
    }
    return places.size();
}

}  // namespace

EngineSnapshot take_snapshot(Engine& engine, Detail detail) {
    EngineSnapshot snapshot;
    for (auto& [key, pool] : engine.pools()) {
        snapshot.pools.push_back(pool_row(engine, *pool));
        if (detail == Detail::Clients) {
            pool->waiting.for_each(
                [&](ClientSession& client) { add_client(engine, snapshot, client); });
        }
        if (detail != Detail::Servers) continue;
        for (auto& list : pool->servers) {
            list.for_each([&](ServerConn& server) { add_server(engine, snapshot, server); });
        }
    }
    for (auto& [database, listener] : engine.listening().listeners) {
        add_listener(engine, snapshot, *listener, detail);
    }
    for (const auto& [database, audience] : engine.listening().audiences) {
        snapshot.listening[database] = count_listening(audience);
    }
    if (detail == Detail::Clients) {
        for (const auto state : {ClientState::Idle, ClientState::Behind, ClientState::Attached,
                                 ClientState::Console}) {
            engine.in(state).for_each(
                [&](ClientSession& client) { add_client(engine, snapshot, client); });
        }
    }
    for (const auto& [name, decisions] : engine.decisions()) {
        const std::string& cluster = name.first;  // no binding: clang 14 lets none into a lambda
        const std::string& database = name.second;
        snapshot.decisions.push_back(
            {cluster, database, decisions.looked_into(), decisions.not_looked_into()});
        if (detail != Detail::Routes) continue;
        decisions.for_each([&](const sql::Fingerprint& shape, const route::Decision& decision) {
            snapshot.routes.push_back({cluster, database, shape, decision});
        });
    }
    snapshot.stats = engine.stats();
    snapshot.login_clients = static_cast<uint32_t>(engine.in(ClientState::Greeting).size() +
                                                   engine.in(ClientState::Authenticating).size());
    snapshot.worker = engine.worker();
    snapshot.console_clients = static_cast<uint32_t>(engine.in(ClientState::Console).size());
    snapshot.buffer_bytes = engine.buffers().bytes_in_use();
    snapshot.statement_bytes = engine.statements().text_bytes();
    snapshot.paused = engine.globally_paused();
    return snapshot;
}

}  // namespace pgweir::session
