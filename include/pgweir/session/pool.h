#pragma once

#include "pgweir/base/error.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/base/prng.h"
#include "pgweir/config/effective.h"
#include "pgweir/metrics/histogram.h"
#include "pgweir/route/choose.h"
#include "pgweir/route/decisions.h"
#include "pgweir/session/client.h"
#include "pgweir/session/server.h"
#include "pgweir/session/share.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace pgweir::session {

enum class PoolState : uint8_t {
    Open,
    Paused,    // PAUSE: nobody is served, servers close as they are given back
    Disabled,  // KILL: the same, and new logins are refused
    Gone,      // a reload took its database away; another one may bring it back
};

/// Why a request went where it went.
enum class RouteReason : uint8_t {
    Write,      // or what may be one
    Read,       // to a standby
    Behind,     // a read, but no standby shows yet what its session was told of
    Current,    // a read-only transaction that has to show also what is told while it runs
    NoStandby,  // a read, but none takes reads
    Balanced,   // a read whose turn it was at the primary
    Asked,      // where a hint or a setting wanted it
    Retried,    // a read that a standby did not answer, asked again
    Refused,    // a read that belongs to standbys, of which none was fit
    Undecided,  // it could not be looked into, or not now
};

inline constexpr size_t kRouteReasons = 10;

inline constexpr std::array<std::string_view, kRouteReasons> kRouteReasonNames{
    "write",    "read",  "behind",  "current", "no_standby",
    "balanced", "asked", "retried", "refused", "undecided"};

/// How the requests of a pool find their nodes.
struct Routes {
    const Topology* topology = nullptr;
    const cluster::Progress* progress = nullptr;  // that clients' tokens count by
    route::Decisions* decisions = nullptr;
    const config::Routing* routing = nullptr;
    std::atomic<uint64_t>* written = nullptr;  // GroupShare::written of its database
    std::vector<Pool*> standbys{};  // as the topology numbers its nodes; nullptr: not needed so far
    std::vector<uint32_t> weights{};
    std::vector<bool> near{};
    uint32_t primary_weight = 0;  // zero: it takes reads only if no standby does
    bool primary_near = true;
    uint64_t primary_turn = 0;
    route::Turns turns{};
};

/// How long to leave an unreachable server alone: doubles from the first failure to a limit.
class BackOff {
public:
    void succeeded() { failures_ = 0; }

    /// Units: the pause before the next try, with up to a quarter of jitter so that workers and
    /// pools do not knock together.
    Duration failed(Duration longest, Prng& prng);

    uint32_t failures() const { return failures_; }

private:
    uint32_t failures_ = 0;
};

/// Counters of one pool in one worker; plain numbers, handed out in snapshots.
struct PoolStats {
    uint64_t assignments = 0;
    uint64_t transactions = 0;
    uint64_t queries = 0;
    uint64_t bytes_received = 0;  // from clients
    uint64_t bytes_sent = 0;      // to clients
    uint64_t transaction_us = 0;
    uint64_t query_us = 0;
    uint64_t wait_us = 0;
    uint64_t client_parses = 0;
    uint64_t server_parses = 0;
    uint64_t binds = 0;
    uint64_t logins = 0;
    uint64_t servers_opened = 0;
    uint64_t servers_failed = 0;
    uint64_t servers_lent = 0;
    uint64_t settings_applied = 0;
    uint64_t censuses = 0;
    uint64_t stale_plans = 0;
    uint64_t cancels = 0;
    uint64_t timeouts = 0;
    uint64_t queue_refusals = 0;
    uint64_t pin_refusals = 0;
    uint64_t begins_deferred = 0;
    uint64_t transactions_untouched = 0;  // that ended before a server knew of them
    uint64_t causal_waits = 0;
    uint64_t causal_timeouts = 0;
    uint64_t notifications = 0;                    // told by the shared connection
    uint64_t slow_listeners = 0;                   // ended, because they did not read
    std::array<uint64_t, kRouteReasons> routed{};  // requests that found their node, by the reason
    metrics::Histogram wait;
    metrics::Histogram query;
    metrics::Histogram transaction;
};

/// Statements that a server of the pool has accepted: who prepares one of them again needs no
/// server for it. pgbench and some drivers wait for that answer while they hold other servers.
class KnownStatements {
public:
    void add(const Digest128& digest) {
        if (digests_.size() >= kMax) digests_.clear();
        digests_.insert(digest);
    }

    bool contains(const Digest128& digest) const { return digests_.contains(digest); }

private:
    static constexpr size_t kMax = 16384;
    std::unordered_set<Digest128, DigestHash> digests_;
};

/// Where servers of a pool are opened, and as whom.
struct ServerAddress {
    config::Node node;
    std::string database;
    std::string user;
    Secret password;

    bool operator==(const ServerAddress& other) const {
        return node == other.node && database == other.database && user == other.user &&
               password.reveal() == other.password.reveal();
    }
};

/// One worker's part of a pool: the clients of one database and user, and the servers they share.
/// A client belongs to the pool on the primary, its home; one on each standby lends it servers for
/// reads.
/// Invariant: while it is served, an idle server and a waiting client never stand side by side.
/// Thread: its worker's; `share` is what other workers see.
struct Pool {
    bool of_standby() const { return home != nullptr; }

    Pool& its_home() { return home != nullptr ? *home : *this; }

    explicit Pool(PoolShare& its_share)
        : database(its_share.name().database), user(its_share.name().user), share(its_share) {}

    IntrusiveList<ServerConn>& in(ServerState which) { return servers[static_cast<size_t>(which)]; }

    uint32_t server_count() const {
        uint32_t count = 0;
        for (const auto& list : servers) count += static_cast<uint32_t>(list.size());
        return count;
    }

    uint32_t opening_count() {
        return static_cast<uint32_t>(in(ServerState::Connecting).size() +
                                     in(ServerState::Authenticating).size());
    }

    std::string database;
    std::string user;
    PoolShare& share;
    GroupShare* database_group = nullptr;
    GroupShare* user_group = nullptr;
    GroupShare* starves_for = nullptr;  // the group whose max_servers its clients wait for
    uint32_t database_servers_max = 0;
    uint32_t user_servers_max = 0;
    config::EffectivePool limits;
    ServerAddress address;
    std::string cluster;         // that its servers are opened in
    uint32_t primary_epoch = 0;  // of that cluster, when the address was found
    // False exactly when nobody knows where its writes may go; of a standby's, when it takes none.
    bool has_node = true;
    PoolState state = PoolState::Open;
    bool being_served = false;  // True exactly when serve_waiting() is in its loop.

    std::array<IntrusiveList<ServerConn>, kServerStates> servers;
    IntrusiveList<ClientSession> waiting;  // FIFO
    uint32_t clients = 0;                  // logged in
    uint32_t attached = 0;
    uint32_t behind = 0;         // its clients that are
    uint32_t yielding = 0;       // servers that are kept, but only as long as nobody waits
    uint32_t place_waiters = 0;  // clients that wait until fewer servers are kept
    uint32_t epoch = 0;          // servers opened in an older generation of orders are closed

    Pool* home = nullptr;            // of a standby's; nullptr: it is one itself
    std::unique_ptr<Routes> routes;  // of a home whose cluster has standbys
    uint64_t turn = 0;               // of a standby's, see route::Turns

    SettingsRef base;  // what a fresh server reports; unknown until the first login
    std::unordered_map<std::string, SettingsRef> welcomes;  // by what clients ask for
    KnownStatements known_statements;
    std::vector<std::string> custom_of_functions;  // settings that its database's functions name
    Instant functions_searched{};                  // when that was asked
    Instant leaves_until{};  // idle servers go, because a statement wants the database alone
    BackOff back_off;
    Instant retry_at{};
    std::optional<Error> last_failure;
    PoolStats stats;
};

}  // namespace pgweir::session
