#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/base/secret.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What an administrator asked for: plain values, validated by the loader, never changed after.
/// Every default here is the one in config/fields.cc's table.
/// Thread: immutable once loaded; each worker has a copy of its own.
namespace pgweir::config {

using Bytes64 = uint64_t;  // a size in bytes

enum class PoolMode : uint8_t { Session, Transaction, Statement };
/// What becomes of a session that would keep one server more than its pool lets be kept.
enum class PinnedFull : uint8_t { Wait, Error };
/// Where reads go.
enum class Reads : uint8_t { Primary, Standby, PreferStandby, Any };
/// What a read on a standby has to show: whatever is there, all that its own session was told of,
/// or all that any session of its database was told of.
enum class Consistency : uint8_t { Eventual, Session, Database };
/// What becomes of a read when no standby is fit, and standbys are where it should go.
enum class NoStandby : uint8_t { Primary, Error };
enum class AuthMethod : uint8_t { Trust, Md5, ScramSha256 };
enum class LogLevel : uint8_t { Debug, Info, Warning, Error };

/// One place to listen: host and port, or the folder of a unix socket and the port in its name.
struct ListenAddress {
    std::string host;         // empty for a unix socket
    std::string unix_folder;  // the socket is <unix_folder>/.s.PGSQL.<port>
    uint16_t port = 6432;
    std::optional<Reads> reads{};  // of those who connect here

    bool operator==(const ListenAddress&) const = default;

    bool is_at(const ListenAddress& other) const {
        return host == other.host && unix_folder == other.unix_folder && port == other.port;
    }
};

struct HttpAddress {
    std::string host = "127.0.0.1";
    uint16_t port = 0;  // 0: no HTTP listener

    bool operator==(const HttpAddress&) const = default;
};

/// Of one cluster.
inline constexpr size_t kNodesMax = 32;

/// A PostgreSQL instance. A host that begins with '/' is the folder of its unix socket.
struct Node {
    std::string name;
    std::string host;
    uint16_t port = 5432;
    uint32_t weight = 1;  // of the reads; 0: none
    std::string zone{};   // empty: not told

    /// The same place; how much is read there may differ.
    bool operator==(const Node& other) const {
        return name == other.name && host == other.host && port == other.port;
    }
};

/// How the nodes of a cluster are watched, and as whom.
struct Monitor {
    std::string user;  // empty: nobody watches
    std::optional<Secret> password;
    std::string database = "postgres";
    Duration interval = std::chrono::milliseconds(100);
    Duration timeout = std::chrono::seconds(1);
};

enum class RuleRoute : uint8_t { Primary, Standby };

/// Of one cluster.
inline constexpr size_t kRulesMax = 100;

/// Where the statements go that it is about. Invariant: either a pattern or a fingerprint.
struct RoutingRule {
    std::string pattern{};      // of a statement's shape; '*' stands for anything
    std::string fingerprint{};  // as SHOW ROUTES has it
    std::optional<RuleRoute> route{};
    std::vector<std::string> samples{};  // statements that it has to be about
    size_t line = 0;                     // in the file

    bool operator==(const RoutingRule&) const = default;
};

struct Routing {
    Reads reads = Reads::Primary;
    Consistency consistency = Consistency::Session;
    std::string zone{};  // that pgweir is in; empty: not told
    Duration max_lag = std::chrono::seconds(1);
    Duration causal_wait = Duration::zero();  // for a standby that is behind; 0: not at all
    NoStandby no_standby = NoStandby::Primary;
    Duration warm_up = Duration::zero();  // of a standby that is well again; 0: none
    std::vector<RoutingRule> rules{};     // the first that fits counts
};

struct Cluster {
    std::string name;
    std::vector<Node> nodes;
    Monitor monitor{};
    Routing routing{};
};

/// What databases and users may set for their pools; unset means: look further up.
struct PoolSettings {
    std::optional<PoolMode> pool_mode;
    std::optional<uint32_t> pool_size;
    std::optional<uint32_t> min_size;
    std::optional<uint32_t> reserve_size;
    std::optional<Duration> reserve_after;
    std::optional<uint32_t> pinned_max;
    std::optional<PinnedFull> pinned_full;
    std::optional<bool> lazy_begin;
    std::optional<Duration> query_wait_timeout;
    std::optional<uint32_t> max_servers;  // servers of this database (or user) over all its pools
    std::optional<uint32_t> max_clients;  // clients of this database (or user)
};

/// A database as clients name it. name "*" serves every name that is not listed.
struct Database {
    std::string name;
    std::string cluster;  // the key in Config::clusters; made up for host/port entries
    std::optional<std::string> dbname;  // the name at the server; default: as the client says
    std::optional<std::string> user;    // the server's user; default: the client's
    std::optional<Secret> password;
    PoolSettings pool;
    std::optional<Reads> reads{};
};

struct User {
    std::string name;
    PoolSettings pool;
    std::optional<Reads> reads{};
};

/// Clients with this application_name.
struct Application {
    std::optional<Reads> reads{};
};

using Applications = std::map<std::string, Application, std::less<>>;

struct Auth {
    AuthMethod method = AuthMethod::ScramSha256;
    std::string users_file;  // resolved against the configuration file's folder
};

struct Admin {
    std::vector<std::string> users;    // may do everything on the console
    std::vector<std::string> viewers;  // may SHOW
};

struct Limits {
    uint32_t clients = 10000;
    uint32_t logins_in_flight = 256;
    Bytes64 message_size = Bytes64{1} << 30;         // largest message, streamed
    Bytes64 statement_size = Bytes64{16} << 20;      // largest Parse of a named statement
    Bytes64 prepared_per_client = Bytes64{8} << 20;  // one client's named statements
    uint32_t prepared_per_server = 500;              // statements kept on one server, LRU beyond
    Bytes64 prepared_per_server_size = Bytes64{16} << 20;
    Bytes64 output_buffer = Bytes64{256} << 10;  // backlog towards one peer that stops reading
    Bytes64 notifications = Bytes64{4} << 20;    // backlog towards one client that listens
    Bytes64 input_buffers = Bytes64{256} << 20;  // requests held back in one worker
    uint32_t queue = 10000;                      // clients that may wait in one pool
    uint32_t pools = 10000;                      // pairs of database and user
    uint32_t catalogues = 200;                   // of databases behind "*", in each cluster
    uint32_t opening_servers = 4;                // servers of one pool opened at once, per worker
    uint32_t cancels_in_flight = 64;             // cancel connections towards servers, per worker
    uint32_t worker_load = 70;                   // percent of a core, before clients spread
};

struct Timeouts {
    Duration login = std::chrono::seconds(15);
    Duration query_wait = std::chrono::minutes(2);
    Duration wait_notice = std::chrono::seconds(5);      // a waiting client gets a NOTICE; 0: never
    Duration idle_transaction = Duration::zero();        // 0: no limit
    Duration client_idle = Duration::zero();             // 0: no limit
    Duration pinned_idle = Duration::zero();             // 0: no limit
    Duration server_connect = std::chrono::seconds(15);  // connect and log in
    Duration server_idle = std::chrono::minutes(10);
    Duration server_lifetime = std::chrono::hours(1);
    Duration server_check = std::chrono::seconds(30);  // idle longer: checked before it is lent
    Duration server_retry_max =
        std::chrono::seconds(15);  // longest back-off of an unreachable host
    Duration cancel = std::chrono::seconds(10);
    Duration dns = std::chrono::seconds(15);  // how long an answer is believed
    Duration shutdown = std::chrono::seconds(30);
};

struct Log {
    std::string file;  // empty: stderr
    LogLevel level = LogLevel::Info;
    bool connections = true;
    bool disconnections = true;
};

struct PoolDefaults {
    PoolMode pool_mode = PoolMode::Transaction;
    uint32_t pool_size = 20;
    uint32_t min_size = 0;
    uint32_t reserve_size = 0;
    Duration reserve_after = std::chrono::seconds(5);
    uint32_t pinned_max = 0;  // 0: all servers of the pool but one, and at least one
    PinnedFull pinned_full = PinnedFull::Wait;
    bool lazy_begin = false;  // BEGIN goes to the server with the first statement behind it
};

struct Config {
    std::string path;  // the file it came from
    std::vector<ListenAddress> listen;
    HttpAddress http;
    uint32_t workers = 0;  // 0: one for each core
    Limits limits;
    Auth auth;
    Admin admin;
    PoolDefaults pool;
    Timeouts timeouts;
    Log log;
    std::map<std::string, Cluster, std::less<>> clusters;
    std::map<std::string, Database, std::less<>> databases;
    std::map<std::string, User, std::less<>> users;
    Applications applications;
};

}  // namespace pgweir::config
