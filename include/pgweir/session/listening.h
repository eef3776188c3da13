#pragma once

#include "pgweir/session/hearing.h"
#include "pgweir/session/pool.h"
#include "pgweir/session/share.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// LISTEN without a server of one's own. A client listens on the server that it has, as PostgreSQL
/// means it; when that server is wanted elsewhere, or after a moment, its channels go to one
/// connection for each database and process, and back before the client's next transaction.
namespace pgweir::session {

/// What one client listens on, as the last census found it.
struct Subscription {
    std::vector<std::string> channels;  // sorted
    Hearing hearing;
    bool missed = false;  // True exactly when it waits to be told that it is listened for again.
    Instant failed_at{};  // when its channels could not be handed over
};

/// The clients of one worker that listen in one database.
struct Audience {
    /// More are not shared: their clients keep their servers.
    static constexpr size_t kChannelsMax = 10000;

    struct Channel {
        std::set<uint32_t> clients;  // places in the worker's slab
        uint64_t serial = 0;         // of the wish for it; an answer to an older one says nothing
        bool shared = false;         // True exactly when the shared connection listens on it.
    };

    std::map<std::string, Channel, std::less<>> channels;
    uint64_t last_serial = 0;
};

/// The connection that listens for all clients of a database, in the worker that owner_of() names.
/// It stands beside all pools: no client gets it, and it takes no permit.
struct SharedListener {
    SharedListener(const PoolShare& of, uint32_t workers)
        : share(of.name(), workers), pool(share), outgoing(workers) {}

    struct Channel {
        std::map<uint32_t, uint64_t> wishes;  // serials, by worker
        bool listening = false;               // True exactly when PostgreSQL has confirmed it.
    };

    ServerConn* connection = nullptr;
    PoolShare share;  // its own: nobody lends or waits here
    Pool pool;
    std::string encoding;  // of the database, and so of all whom it listens for
    std::map<std::string, Channel, std::less<>> channels;
    std::vector<std::string> asked;     // LISTEN is under way for these
    std::vector<std::string> outgoing;  // notifications, by worker, until the end of the turn
    Instant needed_at{};                // when it last had a channel to listen on
    Instant heard_at{};                 // when it last answered
    uint64_t losses = 0;
};

struct Listening {
    std::map<std::string, Audience, std::less<>> audiences;
    std::map<std::string, std::unique_ptr<SharedListener>, std::less<>> listeners;
};

/// As SQL writes an identifier: whatever its letters are, it means this channel.
std::string quoted_channel(std::string_view name);

/// The worker with the shared connection of a database.
inline uint32_t owner_of(std::string_view database, uint32_t workers) {
    return static_cast<uint32_t>(std::hash<std::string_view>{}(database) % workers);
}

}  // namespace pgweir::session
