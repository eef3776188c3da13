#include "pgweir/config/fields.h"

#include "config/field.h"
#include "pgweir/config/suggest.h"

#include <array>

#include <fmt/core.h>

namespace pgweir::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr uint64_t kTextBytesMax = 1024;
constexpr uint64_t kSampleBytesMax = 16384;
constexpr uint64_t kHostBytesMax = 255;    // RFC 1035
constexpr uint64_t kNameBytesMax = 63;     // as PostgreSQL's names (NAMEDATALEN - 1)
constexpr uint64_t kSocketFolderMax = 90;  // sun_path has 108: "/.s.PGSQL.65535" and zero go off
constexpr uint64_t kPathBytesMax = 4095;   // PATH_MAX without its zero
constexpr uint64_t kPasswordBytesMax = 65531;  // as PgBouncer: a longer one fits no packet

constexpr uint64_t kKilo = uint64_t{1} << 10;
constexpr uint64_t kMega = uint64_t{1} << 20;
constexpr uint64_t kGiga = uint64_t{1} << 30;
constexpr uint64_t kMillion = 1'000'000;

constexpr Rule truth() {
    return Rule{.kind = Kind::Bool};
}

constexpr Rule choice() {
    return Rule{.kind = Kind::Choice};
}

constexpr Rule count(uint64_t min, uint64_t max) {
    return Rule{.kind = Kind::Count, .min = min, .max = max};
}

constexpr Rule port() {
    return count(1, 65535);
}

constexpr Rule size(uint64_t min, uint64_t max) {
    return Rule{.kind = Kind::Size, .min = min, .max = max};
}

constexpr Rule time(Duration min, Duration max) {
    return Rule{.kind = Kind::Duration,
                .min = static_cast<uint64_t>(min.count()),
                .max = static_cast<uint64_t>(max.count())};
}

constexpr Rule text(Kind kind, uint64_t max) {
    return Rule{.kind = kind, .max = max};
}

// Shorter columns for the table below.
using enum Reload;
constexpr auto kHost = text(Kind::Host, kHostBytesMax);
constexpr auto kList = text(Kind::List, kTextBytesMax);
constexpr auto kPath = text(Kind::Path, kPathBytesMax);
constexpr auto kText = text(Kind::Text, kTextBytesMax);
constexpr auto kPassword = text(Kind::Secret, kPasswordBytesMax);
constexpr auto kPoolSize = count(1, 10'000);
constexpr auto kExtraSize = count(0, 10'000);  // min_size and reserve_size may be none
constexpr auto kServers = count(1, 100'000);
constexpr auto kClients = count(1, kMillion);
constexpr auto kWait = time(milliseconds(1), hours(24));
constexpr auto kLong = time(milliseconds(1), hours(24 * 365));

template <auto kMember>
constexpr auto of_monitor = &member<&Cluster::monitor, kMember>;

template <auto kMember>
constexpr auto of_pool = &member<&Config::pool, kMember>;

template <auto kMember>
constexpr auto of_limits = &member<&Config::limits, kMember>;

template <auto kMember>
constexpr auto of_timeouts = &member<&Config::timeouts, kMember>;

template <auto kMember>
constexpr auto of_log = &member<&Config::log, kMember>;

template <auto kMember>
constexpr auto of_database = &member<&DatabaseEntry::database, kMember>;

template <auto kMember>
constexpr auto of_database_pool = &member<&DatabaseEntry::database, &Database::pool, kMember>;

template <auto kMember>
constexpr auto of_user_pool = &member<&User::pool, kMember>;

// The one table: reading, ranges, suggestions, SHOW CONFIG and docs/config.md come from these rows.
// A default is not repeated here: it is what a default-constructed model holds.
// clang-format off
constexpr auto kFields = std::to_array<Field>({
    {"listen.*.host", &member<&ListenAddress::host>,
     kHost.or_unset("required, or unix"), Restart,
     "Address to listen on; 0.0.0.0 or \"::\" for all."},
    {"listen.*.unix", &member<&ListenAddress::unix_folder>,
     text(Kind::Path, kSocketFolderMax).or_unset("required, or host"), Restart,
     "Folder of the unix socket, instead of host."},
    {"listen.*.port", &member<&ListenAddress::port>,
     port(), Restart,
     "Port, or the number in the unix socket's name."},
    {"listen.*.reads", &member<&ListenAddress::reads>,
     choice().or_unset("the application's"), Restart,
     "As clusters.*.routing.reads, for those who connect here; it comes before all others."},

    {"http.host", &member<&Config::http, &HttpAddress::host>,
     kHost, Restart,
     "Address of /metrics, /healthz, /readyz and the status page; IPv4, or a name."},
    {"http.port", &member<&Config::http, &HttpAddress::port>,
     port().or_zero("no HTTP listener"), Restart,
     "Port of the HTTP listener."},

    {"workers", &member<&Config::workers>,
     count(1, 64).or_word("auto"), Restart,
     "Event-loop threads; auto is one for each core."},

    {"limits.clients", of_limits<&Limits::clients>,
     kClients, AtOnce,
     "Client connections of the whole process; one more is refused with 53300."},
    {"limits.logins_in_flight", of_limits<&Limits::logins_in_flight>,
     count(1, 100'000), AtOnce,
     "Clients that may be logging in at the same time."},
    {"limits.message_size", of_limits<&Limits::message_size>,
     size(64 * kKilo, kGiga), AtOnce,
     "Largest message of the protocol; it is streamed, never kept whole."},
    {"limits.statement_size", of_limits<&Limits::statement_size>,
     size(kKilo, kGiga), AtOnce,
     "Largest text of a named prepared statement."},
    {"limits.prepared_per_client", of_limits<&Limits::prepared_per_client>,
     size(kKilo, kGiga), AtOnce,
     "All named prepared statements of one client: texts, names, and 128 bytes for each."},
    {"limits.prepared_per_server", of_limits<&Limits::prepared_per_server>,
     count(1, 100'000), AtOnce,
     "Prepared statements kept on one server connection; the least recently used goes first."},
    {"limits.prepared_per_server_size", of_limits<&Limits::prepared_per_server_size>,
     size(kKilo, kGiga), AtOnce,
     "Text of all prepared statements kept on one server connection."},
    {"limits.output_buffer", of_limits<&Limits::output_buffer>,
     size(16 * kKilo, 64 * kMega), AtOnce,
     "Backlog towards one side that has stopped reading, beyond which the other side waits."},
    {"limits.notifications", of_limits<&Limits::notifications>,
     size(16 * kKilo, kGiga), AtOnce,
     "Notifications that wait for one client that listens and does not read; beyond it the client "
     "is ended with 53200."},
    {"limits.input_buffers", of_limits<&Limits::input_buffers>,
     size(kMega, 64 * kGiga), AtOnce,
     "Requests that one worker holds back, because their rest or a server is awaited; beyond it "
     "a client that sends half a request is ended with 53200, and others are not read."},
    {"limits.queue", of_limits<&Limits::queue>,
     kClients, AtOnce,
     "Clients that may wait in one pool; one more gets 53300."},
    {"limits.pools", of_limits<&Limits::pools>,
     kClients, AtOnce,
     "Pools, that is pairs of database and user; a login that needs one more gets 53300."},
    {"limits.catalogues", of_limits<&Limits::catalogues>,
     count(0, 100'000), AtOnce,
     "Databases behind `\"*\"` of each cluster with standbys whose catalogues are read, once requests "
     "for them could be routed; the reads of more than these stay on the primary."},
    {"limits.opening_servers", of_limits<&Limits::opening_servers>,
     count(1, 1000), AtOnce,
     "Server connections of one pool that one worker opens at the same time."},
    {"limits.cancels_in_flight", of_limits<&Limits::cancels_in_flight>,
     count(1, 10'000), AtOnce,
     "Cancel connections towards servers that one worker has open at the same time."},
    {"limits.worker_load", of_limits<&Limits::worker_load>,
     count(1, 90).or_zero("clients are spread evenly from the start"), AtOnce,
     "Percent of a core that a worker uses before some of its clients move to another; as long as "
     "fewer workers can carry the load, the others rest."},

    {"auth.method", &member<&Config::auth, &Auth::method>,
     choice(), NewConnections,
     "How clients prove who they are; trust asks nothing."},
    {"auth.users_file", &member<&Config::auth, &Auth::users_file>,
     kPath.or_unset("required unless method is trust"), NewConnections,
     "File of lines \"name\" \"secret\"; the secret is plain, md5... or SCRAM-SHA-256$..."},

    {"admin.users", &member<&Config::admin, &Admin::users>,
     kList.or_unset("nobody"), NewConnections,
     "Users who may do everything on the console."},
    {"admin.viewers", &member<&Config::admin, &Admin::viewers>,
     kList.or_unset("nobody"), NewConnections,
     "Users who may SHOW on the console."},

    {"pool.pool_mode", of_pool<&PoolDefaults::pool_mode>,
     choice(), AtOnce,
     "When a server connection goes back: at the end of the session, transaction or statement."},
    {"pool.pool_size", of_pool<&PoolDefaults::pool_size>,
     kPoolSize, AtOnce,
     "Server connections of one pool, over all workers; a pool is a database and a user."},
    {"pool.min_size", of_pool<&PoolDefaults::min_size>,
     kExtraSize, AtOnce,
     "Server connections that a pool in use keeps open."},
    {"pool.reserve_size", of_pool<&PoolDefaults::reserve_size>,
     kExtraSize, AtOnce,
     "Server connections beyond pool_size, for clients that wait too long."},
    {"pool.reserve_after", of_pool<&PoolDefaults::reserve_after>,
     kWait, AtOnce,
     "How long a client waits before the reserve is opened."},

    {"pool.pinned_max", of_pool<&PoolDefaults::pinned_max>,
     kExtraSize.or_zero("all but one, and at least one"), AtOnce,
     "Server connections of one pool that sessions may keep between transactions, for state that cannot move."},
    {"pool.pinned_full", of_pool<&PoolDefaults::pinned_full>,
     choice(), AtOnce,
     "When pinned_max is reached: a statement that may need one more waits, or gets an error."},
    {"pool.lazy_begin", of_pool<&PoolDefaults::lazy_begin>,
     truth(), AtOnce,
     "Whether BEGIN waits for the first statement of its transaction, and costs no round trip to the server; now() is the time of that statement then. Only where transactions are pooled."},

    {"timeouts.login", of_timeouts<&Timeouts::login>,
     kWait, NewConnections,
     "A client must have logged in by then."},
    {"timeouts.query_wait", of_timeouts<&Timeouts::query_wait>,
     kWait, AtOnce,
     "Longest time a client waits for a server connection; then it gets an error."},
    {"timeouts.wait_notice", of_timeouts<&Timeouts::wait_notice>,
     kWait.or_zero("never"), AtOnce,
     "A client that waits so long is told why, by a NOTICE."},
    {"timeouts.idle_transaction", of_timeouts<&Timeouts::idle_transaction>,
     kLong.or_zero("no limit"), AtOnce,
     "A client idle inside a transaction for so long is disconnected (25P03)."},
    {"timeouts.client_idle", of_timeouts<&Timeouts::client_idle>,
     kLong.or_zero("no limit"), AtOnce,
     "A client idle outside transactions for so long is disconnected (57P05)."},
    {"timeouts.pinned_idle", of_timeouts<&Timeouts::pinned_idle>,
     kLong.or_zero("no limit"), AtOnce,
     "A client idle for so long while its session keeps a server connection is disconnected (57P05)."},
    {"timeouts.server_connect", of_timeouts<&Timeouts::server_connect>,
     kWait, NewConnections,
     "A server must accept the connection and the login by then; of a host with several addresses, one that is silent for 2 s makes way for the next."},
    {"timeouts.server_idle", of_timeouts<&Timeouts::server_idle>,
     kLong, AtOnce,
     "A server connection that nobody used for so long is closed."},
    {"timeouts.server_lifetime", of_timeouts<&Timeouts::server_lifetime>,
     kLong, AtOnce,
     "A server connection is closed at this age, when it is idle."},
    {"timeouts.server_check", of_timeouts<&Timeouts::server_check>,
     kLong, AtOnce,
     "A server connection idle for longer is checked before it is lent."},
    {"timeouts.server_retry_max", of_timeouts<&Timeouts::server_retry_max>,
     kWait, AtOnce,
     "Longest pause between attempts to reach a server that is down."},
    {"timeouts.cancel", of_timeouts<&Timeouts::cancel>,
     kWait, AtOnce,
     "A cancel request must have reached its server by then."},
    {"timeouts.dns", of_timeouts<&Timeouts::dns>,
     kLong, AtOnce,
     "How long the answer of a name server is believed."},
    {"timeouts.shutdown", of_timeouts<&Timeouts::shutdown>,
     kWait, AtOnce,
     "How long a stop waits for transactions to end."},

    {"log.file", of_log<&Log::file>,
     kPath.or_unset("stderr"), Restart,
     "File that lines are appended to."},
    {"log.level", of_log<&Log::level>,
     choice(), AtOnce,
     "Least important line that is written."},
    {"log.connections", of_log<&Log::connections>,
     truth(), AtOnce,
     "Whether each login is written."},
    {"log.disconnections", of_log<&Log::disconnections>,
     truth(), AtOnce,
     "Whether each end of a client connection is written, with its reason."},

    {"clusters.*.nodes.*.name", &member<&Node::name>,
     text(Kind::Name, kNameBytesMax).or_unset("as host"), NewConnections,
     "Name in logs and metrics."},
    {"clusters.*.nodes.*.host", &member<&Node::host>,
     kHost.or_unset("required"), NewConnections,
     "Host name or address; with a leading / the folder of a unix socket."},
    {"clusters.*.nodes.*.port", &member<&Node::port>,
     port(), NewConnections,
     "Port of PostgreSQL."},
    {"clusters.*.nodes.*.weight", &member<&Node::weight>,
     count(1, 1000).or_zero("no reads"), AtOnce,
     "Its share of the reads beside other nodes'."},
    {"clusters.*.nodes.*.zone", &member<&Node::zone>,
     kText.or_unset("not told"), AtOnce,
     "Where it is, see routing.zone."},

    {"clusters.*.monitor.user", of_monitor<&Monitor::user>,
     kText.or_unset("required with several nodes"), AtOnce,
     "Who watches the nodes, on connections of its own; a member of pg_monitor."},
    {"clusters.*.monitor.password", of_monitor<&Monitor::password>,
     kPassword.or_unset("none is sent"), AtOnce,
     "Its password: text, {file: PATH} or {env: NAME}."},
    {"clusters.*.monitor.database", of_monitor<&Monitor::database>,
     text(Kind::Text, kNameBytesMax), AtOnce,
     "Database that it connects to."},
    {"clusters.*.monitor.interval", of_monitor<&Monitor::interval>,
     time(milliseconds(20), hours(1)), AtOnce,
     "How often a node is asked what cluster it belongs to, and how often a lost connection is tried "
     "again; its role and its place in the log are asked every 20 ms."},
    {"clusters.*.monitor.timeout", of_monitor<&Monitor::timeout>,
     time(milliseconds(100), hours(1)), AtOnce,
     "How long a node may be silent before it counts as unreachable."},
    {"clusters.*.routing.reads", &member<&Cluster::routing, &Routing::reads>,
     choice(), AtOnce,
     "Where statements that only read go: primary, standby (to the primary only while no standby is "
     "fit), prefer-standby (also while the standbys' servers are all taken), or any node."},
    {"clusters.*.routing.consistency", &member<&Cluster::routing, &Routing::consistency>,
     choice(), AtOnce,
     "What a standby has to show before it is read: eventual (max_lag is all), session (all that "
     "this client was told of), or database (all that any client of the database was told of)."},
    {"clusters.*.routing.zone", &member<&Cluster::routing, &Routing::zone>,
     kText.or_unset("not told"), AtOnce,
     "Where pgweir is: nodes of the same zone are read first."},
    {"clusters.*.routing.max_lag", &member<&Cluster::routing, &Routing::max_lag>,
     time(milliseconds(10), hours(24)), AtOnce,
     "How far a standby may be behind the primary; beyond it the standby counts as lagging."},
    {"clusters.*.routing.causal_wait", &member<&Cluster::routing, &Routing::causal_wait>,
     time(milliseconds(1), hours(1)).or_zero("the primary is read at once"), AtOnce,
     "How long a read waits for a standby that does not show yet what it has to see, before the "
     "primary is read."},
    {"clusters.*.routing.no_standby", &member<&Cluster::routing, &Routing::no_standby>,
     choice(), AtOnce,
     "What becomes of a read that belongs to the standbys while none is fit: primary reads there, "
     "error refuses it with 57P03."},
    {"clusters.*.routing.warm_up", &member<&Cluster::routing, &Routing::warm_up>,
     time(milliseconds(1), hours(24)).or_zero("its full share at once"), AtOnce,
     "How long the share of a standby that is well again grows, until it has its full weight."},
    {"clusters.*.routing.rules.*.pattern", &member<&RoutingRule::pattern>,
     kText.or_unset("required, or fingerprint"), AtOnce,
     "Statements whose shape, as SHOW ROUTES has it, is like this; * stands for anything."},
    {"clusters.*.routing.rules.*.fingerprint", &member<&RoutingRule::fingerprint>,
     text(Kind::Text, 16).or_unset("required, or pattern"), AtOnce,
     "Statements of this fingerprint, as SHOW ROUTES and EXPLAIN ROUTE have it."},
    {"clusters.*.routing.rules.*.route", &member<&RoutingRule::route>,
     choice().or_unset("required"), AtOnce,
     "Where they go; standby only counts for what is a read by PostgreSQL's grammar."},
    {"clusters.*.routing.rules.*.samples", &member<&RoutingRule::samples>,
     text(Kind::List, kSampleBytesMax).or_unset("none"), AtOnce,
     "Statements that the rule has to be about; --check, a start and a reload try it."},

    {"databases.*.cluster", of_database<&Database::cluster>,
     text(Kind::Name, kNameBytesMax).or_unset("required, or host"), NewConnections,
     "Cluster that serves this database."},
    {"databases.*.host", &member<&DatabaseEntry::host>,
     kHost.or_unset("required, or cluster"), NewConnections,
     "Host, instead of cluster; with a leading / the folder of a unix socket."},
    {"databases.*.port", &member<&DatabaseEntry::port>,
     port().or_unset("5432"), NewConnections,
     "Port beside host."},
    {"databases.*.dbname", of_database<&Database::dbname>,
     kText.or_unset("as the client says"), NewConnections,
     "Name of the database at the server."},
    {"databases.*.user", of_database<&Database::user>,
     kText.or_unset("as the client says"), NewConnections,
     "User at the server."},
    {"databases.*.password", of_database<&Database::password>,
     kPassword.or_unset("from users_file, or the client's keys"), NewConnections,
     "Password at the server: text, {file: PATH} or {env: NAME}."},
    {"databases.*.reads", of_database<&Database::reads>,
     choice().or_unset("the cluster's"), AtOnce,
     "As clusters.*.routing.reads, for this database."},
    {"databases.*.pool_mode", of_database_pool<&PoolSettings::pool_mode>,
     choice().or_unset("pool.pool_mode"), AtOnce,
     "As pool.pool_mode, for this database."},
    {"databases.*.pool_size", of_database_pool<&PoolSettings::pool_size>,
     kPoolSize.or_unset("pool.pool_size"), AtOnce,
     "As pool.pool_size, for this database."},
    {"databases.*.min_size", of_database_pool<&PoolSettings::min_size>,
     kExtraSize.or_unset("pool.min_size"), AtOnce,
     "As pool.min_size, for this database."},
    {"databases.*.reserve_size", of_database_pool<&PoolSettings::reserve_size>,
     kExtraSize.or_unset("pool.reserve_size"), AtOnce,
     "As pool.reserve_size, for this database."},
    {"databases.*.reserve_after", of_database_pool<&PoolSettings::reserve_after>,
     kWait.or_unset("pool.reserve_after"), AtOnce,
     "As pool.reserve_after, for this database."},
    {"databases.*.pinned_max", of_database_pool<&PoolSettings::pinned_max>,
     kExtraSize.or_zero("all but one, and at least one").or_unset("pool.pinned_max"), AtOnce,
     "As pool.pinned_max, for this database."},
    {"databases.*.pinned_full", of_database_pool<&PoolSettings::pinned_full>,
     choice().or_unset("pool.pinned_full"), AtOnce,
     "As pool.pinned_full, for this database."},
    {"databases.*.lazy_begin", of_database_pool<&PoolSettings::lazy_begin>,
     truth().or_unset("pool.lazy_begin"), AtOnce,
     "As pool.lazy_begin, for this database."},
    {"databases.*.query_wait_timeout", of_database_pool<&PoolSettings::query_wait_timeout>,
     kWait.or_unset("timeouts.query_wait"), AtOnce,
     "As timeouts.query_wait, for this database."},
    {"databases.*.max_servers", of_database_pool<&PoolSettings::max_servers>,
     kServers.or_unset("no limit"), AtOnce,
     "Server connections of this database over all its pools."},
    {"databases.*.max_clients", of_database_pool<&PoolSettings::max_clients>,
     kClients.or_unset("no limit"), AtOnce,
     "Client connections of this database."},

    {"users.*.pool_mode", of_user_pool<&PoolSettings::pool_mode>,
     choice().or_unset("the database's"), AtOnce,
     "As pool.pool_mode, for this user in every database."},
    {"users.*.pool_size", of_user_pool<&PoolSettings::pool_size>,
     kPoolSize.or_unset("the database's"), AtOnce,
     "As pool.pool_size, for this user's pool of each database."},
    {"users.*.reserve_size", of_user_pool<&PoolSettings::reserve_size>,
     kExtraSize.or_unset("the database's"), AtOnce,
     "As pool.reserve_size, for this user's pool of each database."},
    {"users.*.pinned_max", of_user_pool<&PoolSettings::pinned_max>,
     kExtraSize.or_zero("all but one, and at least one").or_unset("the database's"), AtOnce,
     "As pool.pinned_max, for this user's pool of each database."},
    {"users.*.pinned_full", of_user_pool<&PoolSettings::pinned_full>,
     choice().or_unset("the database's"), AtOnce,
     "As pool.pinned_full, for this user."},
    {"users.*.lazy_begin", of_user_pool<&PoolSettings::lazy_begin>,
     truth().or_unset("the database's"), AtOnce,
     "As pool.lazy_begin, for this user."},
    {"users.*.query_wait_timeout", of_user_pool<&PoolSettings::query_wait_timeout>,
     kWait.or_unset("the database's"), AtOnce,
     "As timeouts.query_wait, for this user."},
    {"users.*.max_servers", of_user_pool<&PoolSettings::max_servers>,
     kServers.or_unset("no limit"), AtOnce,
     "Server connections of this user over all its pools."},
    {"users.*.max_clients", of_user_pool<&PoolSettings::max_clients>,
     kClients.or_unset("no limit"), AtOnce,
     "Client connections of this user."},
    {"users.*.reads", &member<&User::reads>,
     choice().or_unset("the database's"), AtOnce,
     "As clusters.*.routing.reads, for this user in every database."},

    {"applications.*.reads", &member<&Application::reads>,
     choice().or_unset("the user's"), AtOnce,
     "As clusters.*.routing.reads, for clients with this application_name."},
});
// clang-format on

constexpr auto kLaterKeys = std::to_array<LaterKey>({
    {"tls",                 "TLS towards clients."                             },
    {"auth.cert",           "Login by client certificate."                     },
    {"auth.hba",            "Rules by address, database and user."             },
    {"auth.hba_file",       "Rules in pg_hba.conf's format."                   },
    {"auth.query",          "Secrets looked up in PostgreSQL."                 },
    {"clusters.*.tls",      "TLS towards servers."                             },
    {"clusters.*.failover", "Promotion of a standby."                          },
    {"coordination",        "Several pgweir processes that agree through etcd."},
});

struct Renamed {
    std::string_view theirs;
    std::string_view ours;
};

// For those who come from PgBouncer: its settings that have another name here.
constexpr auto kRenamed = std::to_array<Renamed>({
    {"admin_users",                 "admin.users"               },
    {"auth_file",                   "auth.users_file"           },
    {"auth_type",                   "auth.method"               },
    {"cancel_wait_timeout",         "timeouts.cancel"           },
    {"client_idle_timeout",         "timeouts.client_idle"      },
    {"client_login_timeout",        "timeouts.login"            },
    {"default_pool_size",           "pool.pool_size"            },
    {"dns_max_ttl",                 "timeouts.dns"              },
    {"idle_transaction_timeout",    "timeouts.idle_transaction" },
    {"listen_addr",                 "listen.*.host"             },
    {"listen_port",                 "listen.*.port"             },
    {"log_connections",             "log.connections"           },
    {"log_disconnections",          "log.disconnections"        },
    {"logfile",                     "log.file"                  },
    {"max_client_conn",             "limits.clients"            },
    {"max_db_client_connections",   "databases.*.max_clients"   },
    {"max_db_connections",          "databases.*.max_servers"   },
    {"max_packet_size",             "limits.message_size"       },
    {"max_prepared_statements",     "limits.prepared_per_server"},
    {"max_user_client_connections", "users.*.max_clients"       },
    {"max_user_connections",        "users.*.max_servers"       },
    {"min_pool_size",               "pool.min_size"             },
    {"query_wait_timeout",          "timeouts.query_wait"       },
    {"reserve_pool",                "pool.reserve_size"         },
    {"reserve_pool_size",           "pool.reserve_size"         },
    {"reserve_pool_timeout",        "pool.reserve_after"        },
    {"server_check_delay",          "timeouts.server_check"     },
    {"server_connect_timeout",      "timeouts.server_connect"   },
    {"server_idle_timeout",         "timeouts.server_idle"      },
    {"stats_users",                 "admin.viewers"             },
    {"unix_socket_dir",             "listen.*.unix"             },
});

std::string_view last_part(std::string_view key) {
    return key.substr(key.rfind('.') + 1);
}

bool is_process_wide(const Field& field) {
    return field.key.find('*') == std::string_view::npos;
}

std::string addresses_text(const std::vector<ListenAddress>& addresses) {
    std::string text;
    for (const ListenAddress& address : addresses) {
        const std::string& where = address.unix_folder.empty() ? address.host : address.unix_folder;
        text += (text.empty() ? "" : ", ") + address_text(where, address.port);
    }
    return text;
}

// Where a renamed setting belongs from here: beside us if it has a place there too.
std::string place_of(std::string_view prefix, std::string_view ours) {
    const std::string beside = fmt::format("{}{}", prefix, last_part(ours));
    return find_field(beside) != nullptr ? std::string(last_part(ours)) : std::string(ours);
}

}  // namespace

std::span<const Field> fields() {
    return kFields;
}

std::span<const LaterKey> later_keys() {
    return kLaterKeys;
}

const Field* find_field(std::string_view key) {
    for (const Field& field : kFields) {
        if (field.key == key) return &field;
    }
    return nullptr;
}

const LaterKey* find_later_key(std::string_view key) {
    for (const LaterKey& later : kLaterKeys) {
        if (later.key == key) return &later;
    }
    return nullptr;
}

bool any_field_under(std::string_view prefix) {
    for (const Field& field : kFields) {
        if (field.key.starts_with(prefix)) return true;
    }
    return false;
}

std::vector<std::string_view> names_under(std::string_view prefix) {
    std::vector<std::string_view> names;
    for (const Field& field : kFields) {
        if (!field.key.starts_with(prefix)) continue;
        const std::string_view rest = field.key.substr(prefix.size());
        const std::string_view name = rest.substr(0, rest.find('.'));
        if (names.empty() || names.back() != name) names.push_back(name);  // rows stand in groups
    }
    return names;
}

std::optional<std::string> meant_key(std::string_view prefix, std::string_view name) {
    for (const Renamed& renamed : kRenamed) {
        if (renamed.theirs == name) return place_of(prefix, renamed.ours);
    }
    for (const Field& field : kFields) {
        if (last_part(field.key) == name) return std::string(field.key);
    }
    const std::string_view near = nearest(name, names_under(prefix));
    if (near.empty()) return std::nullopt;
    return std::string(near);
}

std::string address_text(std::string_view host, uint16_t port) {
    const bool is_ipv6 = host.find(':') != std::string_view::npos;
    return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::vector<ListenAddress> default_listen() {
    return {
        ListenAddress{.host = "127.0.0.1", .unix_folder = ""}
    };
}

Slot BlankModel::slot_of(const Field& field) {
    const auto stands_under = [&](std::string_view prefix) {
        return field.key.starts_with(prefix);
    };
    if (stands_under("listen.")) return field.slot(&listen_);
    if (stands_under("clusters.*.nodes.")) return field.slot(&node_);
    if (stands_under("clusters.*.routing.rules.")) return field.slot(&rule_);
    if (stands_under("clusters.")) return field.slot(&cluster_);
    if (stands_under("databases.")) return field.slot(&database_);
    if (stands_under("users.")) return field.slot(&user_);
    if (stands_under("applications.")) return field.slot(&application_);
    return field.slot(&config_);
}

std::vector<ConfigRow> show_config(const Config& config) {
    Config usual;
    usual.listen = default_listen();
    Config shown = config;  // a copy, since a slot is a way to write, too
    std::vector<ConfigRow> rows{
        {.key = "listen",
         .value = addresses_text(shown.listen),
         .default_value = addresses_text(usual.listen),
         .changeable = false}
    };
    for (const Field& field : kFields) {
        if (!is_process_wide(field) || field.rule.kind == Kind::Secret) continue;
        rows.push_back(ConfigRow{.key = std::string(field.key),
                                 .value = print(field.slot(Owner(&shown)), field.rule),
                                 .default_value = print(field.slot(Owner(&usual)), field.rule),
                                 .changeable = field.reload != Restart});
    }
    return rows;
}

}  // namespace pgweir::config
