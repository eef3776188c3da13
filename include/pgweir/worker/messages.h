#pragma once

#include "pgweir/session/shell.h"
#include "pgweir/session/snapshot.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What crosses threads, always as values.
namespace pgweir::worker {

struct Accepted {
    int descriptor;
    size_t listener;  // by which it came
};

struct Reload {
    std::unique_ptr<const session::Setup> setup;
};

struct Drain {};

struct Stop {};

struct Pause {
    std::string database;  // empty: all
};

struct Resume {
    std::string database;
};

struct Reconnect {
    std::string database;
};

struct Kill {
    std::string database;
};

struct FollowCluster {
    std::string cluster;
    session::Topology topology;
    std::shared_ptr<const cluster::Progress> progress;  // that the topology points to
};

/// Some standby shows more than before, and clients wait for that.
struct ProgressMade {};

struct ForgetCluster {
    std::string cluster;
};

struct UseCatalogue {
    std::string cluster;
    std::string database;                               // as the server calls it
    std::shared_ptr<const route::Catalogue> catalogue;  // nullptr: none is believed
};

/// Statements that passed have changed what the catalogue of this database tells.
struct CatalogueChanged {
    std::string cluster;
    std::string database;
};

/// This database is used, and no catalogue of it is known.
struct CatalogueMissed {
    std::string cluster;
    std::string database;
};

/// Answered with a ClientKilled that carries the same ticket.
struct KillClient {
    uint64_t ticket;
    uint64_t id;
};

/// Answered with a SnapshotTaken that carries the same ticket.
struct TakeSnapshot {
    uint64_t ticket;
    session::Detail detail;
};

struct ConsoleReply {
    Handle client;
    std::string bytes;
    bool close_after;
};

/// To a worker.
using Order = std::variant<session::PeerMessage,
                           Accepted,
                           Reload,
                           Drain,
                           Stop,
                           Pause,
                           Resume,
                           Reconnect,
                           Kill,
                           FollowCluster,
                           ProgressMade,
                           ForgetCluster,
                           UseCatalogue,
                           KillClient,
                           TakeSnapshot,
                           ConsoleReply>;

struct ConsoleAsked {
    uint32_t worker;
    Handle client;
    session::ConsoleRole role;
    std::string sql;
};

struct SnapshotTaken {
    uint32_t worker;
    uint64_t ticket;
    session::EngineSnapshot snapshot;
};

/// Whether the client was one of this worker's.
struct ClientKilled {
    uint64_t ticket;
    bool found;
};

/// The worker has no client any more, after Drain.
struct Drained {
    uint32_t worker;
};

/// To the control loop.
using Report = std::
    variant<ConsoleAsked, SnapshotTaken, ClientKilled, CatalogueChanged, CatalogueMissed, Drained>;

}  // namespace pgweir::worker
