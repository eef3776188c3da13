#pragma once

#include "pgweir/session/engine.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What one engine looks like at one moment, as values: threads exchange these and share nothing.
namespace pgweir::session {

struct PoolRow {
    std::string database;
    std::string user;
    std::string node{};  // of a standby's; empty: it is on the primary
    PoolState state = PoolState::Open;
    config::PoolMode mode = config::PoolMode::Transaction;
    uint32_t clients_idle = 0;
    uint32_t clients_active = 0;
    uint32_t clients_waiting = 0;
    uint32_t servers_active = 0;
    uint32_t servers_idle = 0;
    uint32_t servers_checking = 0;
    uint32_t servers_opening = 0;
    uint32_t servers_cancelling = 0;       // given back, a cancel is still on its way
    uint32_t servers_closing = 0;          // told to go, not gone yet
    uint32_t permits = 0;                  // taken for servers, in all workers together
    uint32_t cancels = 0;                  // under way to servers
    std::array<uint32_t, kPins> pinned{};  // servers kept for each reason
    uint32_t size = 0;
    int64_t max_wait_us = 0;     // of the client that waits longest now
    std::string last_problem{};  // why the last attempt to open a server failed; empty: it did not
    PoolStats stats;
};

struct ClientRowData {
    std::string user;
    std::string database;
    std::string state;
    std::string address;
    std::string application_name;
    uint64_t id = 0;
    uint64_t linked_server = 0;
    int64_t connected_us_ago = 0;
    int64_t request_us_ago = 0;
    int64_t wait_us = 0;
    size_t prepared = 0;
};

struct ServerRowData {
    std::string user;
    std::string database;
    std::string state;
    std::string address;
    std::string application_name;
    uint64_t id = 0;
    uint64_t linked_client = 0;
    uint32_t pid = 0;
    int64_t opened_us_ago = 0;
    int64_t state_us_ago = 0;
    int64_t request_us_ago = 0;  // of its client's last one
    bool close_needed = false;
    Pins pins;
    std::string client_address{};
    size_t prepared = 0;
};

/// The connection that listens for all clients of a database; in the worker that has it.
struct ListenerRow {
    std::string database;
    std::string user;
    std::string state;
    uint32_t pid = 0;
    size_t channels = 0;
    uint64_t losses = 0;
};

/// What one shape of statements is taken for, and where it went.
struct RouteRow {
    std::string cluster;
    std::string database;  // as the server calls it
    sql::Fingerprint fingerprint;
    route::Decision decision;
};

/// What the looking into statements of one database has cost.
struct DecisionsRow {
    std::string cluster;
    std::string database;
    uint64_t looked_into = 0;
    uint64_t not_looked_into = 0;  // for lack of time
};

/// How much a snapshot is wanted to hold.
enum class Detail : uint8_t { Pools, Clients, Servers, Routes };

struct EngineSnapshot {
    std::vector<PoolRow> pools;
    std::vector<ClientRowData> clients;
    std::vector<ServerRowData> servers;
    std::vector<ListenerRow> listeners;
    std::vector<RouteRow> routes;
    std::vector<DecisionsRow> decisions;
    std::map<std::string, size_t> listening;  // clients of this worker, by database
    EngineStats stats;
    uint32_t login_clients = 0;
    uint32_t console_clients = 0;
    uint64_t buffer_bytes = 0;
    uint64_t statement_bytes = 0;
    uint32_t worker = 0;
    uint32_t busy = 0;  // thousandths of a core that the worker used lately
    bool paused = false;
};

EngineSnapshot take_snapshot(Engine& engine, Detail detail);

}  // namespace pgweir::session
