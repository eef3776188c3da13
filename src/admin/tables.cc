#include "pgweir/admin/tables.h"

#include "admin/nodes.h"
#include "admin/pools.h"
#include "admin/routes.h"
#include "admin/stats.h"
#include "pgweir/config/effective.h"
#include "pgweir/config/fields.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

namespace pgweir::admin {
namespace {

using wire::Column;
using enum wire::ColumnType;

template <class T>
std::string text(T value) {
    return fmt::format("{}", value);
}

std::string time_of_day(int64_t unix_us) {
    const auto seconds = static_cast<std::time_t>(unix_us / 1000000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::pair<std::string, std::string> split_address(const std::string& address) {
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos) return {address, "0"};
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    return {host, address.substr(colon + 1)};
}

Table show_pools(const Picture& picture) {
    Table table;
    // clang-format off
    table.columns = {{"database"},
                     {"user"},
                     {"cl_active", Int4},
                     {"cl_waiting", Int4},
                     {"cl_active_cancel_req", Int4},
                     {"cl_waiting_cancel_req", Int4},
                     {"sv_active", Int4},
                     {"sv_active_cancel", Int4},
                     {"sv_being_canceled", Int4},
                     {"sv_idle", Int4},
                     {"sv_used", Int4},
                     {"sv_tested", Int4},
                     {"sv_login", Int4},
                     {"maxwait", Int4},
                     {"maxwait_us", Int4},
                     {"pool_mode"},
                     {"load_balance_hosts"}};
    // clang-format on
    for (const auto& pool : merged_pools(picture)) {
        table.rows.push_back({pool.database, pool.user,
                              // PgBouncer counts idle clients as active: linked or without request.
                              text(pool.clients_active + pool.clients_idle),
                              text(pool.clients_waiting), text(pool.cancels), "0",
                              text(pool.servers_active), text(pool.cancels),
                              text(pool.servers_cancelling), text(pool.servers_idle), "0",
                              text(pool.servers_checking), text(pool.servers_opening),
                              text(pool.max_wait_us / 1000000), text(pool.max_wait_us % 1000000),
                              std::string(config::to_text(pool.mode)), ""});
    }
    return table;
}

std::vector<Column> socket_columns() {
    // clang-format off
    return {{"type"},
            {"user"},
            {"database"},
            {"replication"},
            {"state"},
            {"addr"},
            {"port", Int4},
            {"local_addr"},
            {"local_port", Int4},
            {"connect_time"},
            {"request_time"},
            {"wait", Int4},
            {"wait_us", Int4},
            {"close_needed", Int4},
            {"ptr"},
            {"link"},
            {"remote_pid", Int4},
            {"tls"},
            {"application_name"},
            {"prepared_statements", Int4},
            {"id", Int4}};
    // clang-format on
}

std::string pointer(uint64_t id) {
    return id == 0 ? "" : fmt::format("{:#x}", id);
}

Table show_clients(const Picture& picture) {
    Table table{socket_columns(), {}};
    for (const auto& worker : picture.workers) {
        for (const auto& client : worker.clients) {
            const auto [host, port] = split_address(client.address);
            table.rows.push_back({"C",
                                  client.user,
                                  client.database,
                                  "none",
                                  client.state,
                                  host,
                                  port,
                                  "",
                                  "0",
                                  time_of_day(picture.wall_clock_us - client.connected_us_ago),
                                  time_of_day(picture.wall_clock_us - client.request_us_ago),
                                  text(client.wait_us / 1000000),
                                  text(client.wait_us % 1000000),
                                  "0",
                                  pointer(client.id),
                                  pointer(client.linked_server),
                                  "0",
                                  "",
                                  client.application_name,
                                  text(client.prepared),
                                  text(client.id)});
        }
    }
    return table;
}

Table show_servers(const Picture& picture) {
    Table table{socket_columns(), {}};
    for (const auto& worker : picture.workers) {
        for (const auto& server : worker.servers) {
            const auto [host, port] = split_address(server.address);
            table.rows.push_back({"S",
                                  server.user,
                                  server.database,
                                  "none",
                                  server.state,
                                  host,
                                  port,
                                  "",
                                  "0",
                                  time_of_day(picture.wall_clock_us - server.opened_us_ago),
                                  time_of_day(picture.wall_clock_us - server.state_us_ago),
                                  "0",
                                  "0",
                                  server.close_needed ? "1" : "0",
                                  pointer(server.id),
                                  pointer(server.linked_client),
                                  text(server.pid),
                                  "",
                                  server.application_name,
                                  text(server.prepared),
                                  text(server.id)});
        }
    }
    return table;
}

/// Ours: which sessions keep a server between transactions, and why.
Table show_pinned(const Picture& picture) {
    // clang-format off
    Table table{{{"database"},
                 {"user"},
                 {"client_id", Int8},
                 {"client_addr"},
                 {"application_name"},
                 {"server_id", Int8},
                 {"remote_pid", Int4},
                 {"reason"},
                 {"yields"},
                 {"request_time"}}, {}};
    // clang-format on
    for (const auto& worker : picture.workers) {
        for (const auto& server : worker.servers) {
            if (!server.pins.any()) continue;
            table.rows.push_back({server.database, server.user, text(server.linked_client),
                                  server.client_address, server.application_name, text(server.id),
                                  text(server.pid), server.pins.to_text(),
                                  server.pins.yields() ? "yes" : "no",
                                  time_of_day(picture.wall_clock_us - server.request_us_ago)});
        }
    }
    return table;
}

/// Ours: the connections that listen for all clients of a database.
Table show_listeners(const Picture& picture) {
    // clang-format off
    Table table{{{"database"},
                 {"user"},
                 {"state"},
                 {"remote_pid", Int4},
                 {"channels", Int8},
                 {"clients", Int8},
                 {"losses", Int8}}, {}};
    // clang-format on
    std::map<std::string, size_t> clients;
    for (const auto& worker : picture.workers) {
        for (const auto& [database, count] : worker.listening) clients[database] += count;
    }
    for (const auto& worker : picture.workers) {
        for (const auto& listener : worker.listeners) {
            table.rows.push_back({listener.database, listener.user, listener.state,
                                  text(listener.pid), text(listener.channels),
                                  text(clients[listener.database]), text(listener.losses)});
        }
    }
    return table;
}

struct Usage {
    uint32_t clients = 0;
    uint32_t servers = 0;
    bool paused = false;
    bool disabled = false;
};

Usage usage_of(const std::vector<session::PoolRow>& pools,
               std::string_view database,
               std::string_view user) {
    Usage usage;
    for (const auto& pool : pools) {
        if (!database.empty() && pool.database != database) continue;
        if (!user.empty() && pool.user != user) continue;
        usage.clients += pool.clients_idle + pool.clients_active + pool.clients_waiting;
        usage.servers += pool.servers_active + pool.servers_idle + pool.servers_checking +
                         pool.servers_opening + pool.servers_cancelling;
        usage.paused = usage.paused || pool.state == session::PoolState::Paused;
        usage.disabled = usage.disabled || pool.state == session::PoolState::Disabled;
    }
    return usage;
}

/// Where its writes go, or, as long as nobody knows, the node that the configuration names first.
const config::Node& node_of(const Picture& picture, const config::Cluster& cluster) {
    for (const ClusterPicture& watched : picture.clusters) {
        if (watched.name != cluster.name || !watched.view.primary) continue;
        return watched.nodes[*watched.view.primary];
    }
    return cluster.nodes.front();
}

Table show_databases(const Picture& picture) {
    Table table;
    // clang-format off
    table.columns = {{"name"},
                     {"host"},
                     {"port", Int4},
                     {"database"},
                     {"force_user"},
                     {"pool_size", Int4},
                     {"min_pool_size", Int4},
                     {"reserve_pool_size", Int4},
                     {"server_lifetime", Int4},
                     {"pool_mode"},
                     {"load_balance_hosts"},
                     {"max_connections", Int4},
                     {"current_connections", Int4},
                     {"max_client_connections", Int4},
                     {"current_client_connections", Int4},
                     {"paused", Int4},
                     {"disabled", Int4}};
    // clang-format on
    const auto pools = merged_pools(picture);
    std::vector<std::string> names;
    for (const auto& [name, database] : picture.config.databases) names.push_back(name);
    for (const auto& pool : pools) names.push_back(pool.database);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const auto& name : names) {
        const auto* database = config::find_database(picture.config, name);
        if (database == nullptr) continue;
        const auto cluster = picture.config.clusters.find(database->cluster);
        if (cluster == picture.config.clusters.end()) continue;
        const auto& node = node_of(picture, cluster->second);
        const auto limits = config::effective_pool(picture.config, *database, "");
        Usage usage = usage_of(pools, name, "");
        const auto ordered = picture.stop_orders.state_of(name);
        usage.paused = usage.paused || ordered == session::PoolState::Paused;
        usage.disabled = usage.disabled || ordered == session::PoolState::Disabled;
        const auto lifetime = picture.config.timeouts.server_lifetime;
        table.rows.push_back({name, node.host, text(node.port), database->dbname.value_or(name),
                              database->user.value_or(""), text(limits.size), text(limits.min_size),
                              text(limits.reserve_size), text(to_microseconds(lifetime) / 1000000),
                              std::string(config::to_text(limits.mode)), "",
                              text(database->pool.max_servers.value_or(0)), text(usage.servers),
                              text(database->pool.max_clients.value_or(0)), text(usage.clients),
                              usage.paused ? "1" : "0", usage.disabled ? "1" : "0"});
    }
    return table;
}

Table show_users(const Picture& picture) {
    Table table;
    // clang-format off
    table.columns = {{"name"},
                     {"pool_size"},
                     {"reserve_pool_size"},
                     {"pool_mode"},
                     {"max_user_connections", Int4},
                     {"current_connections", Int4},
                     {"max_user_client_connections", Int4},
                     {"current_client_connections", Int4}};
    // clang-format on
    const auto pools = merged_pools(picture);
    std::vector<std::string> names;
    for (const auto& [name, user] : picture.config.users) names.push_back(name);
    for (const auto& pool : pools) names.push_back(pool.user);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const auto& name : names) {
        const auto user = picture.config.users.find(name);
        const config::PoolSettings settings =
            user == picture.config.users.end() ? config::PoolSettings{} : user->second.pool;
        const Usage usage = usage_of(pools, "", name);
        table.rows.push_back(
            {name, settings.pool_size ? text(*settings.pool_size) : "",
             settings.reserve_size ? text(*settings.reserve_size) : "",
             settings.pool_mode ? std::string(config::to_text(*settings.pool_mode)) : "",
             text(settings.max_servers.value_or(0)), text(usage.servers),
             text(settings.max_clients.value_or(0)), text(usage.clients)});
    }
    return table;
}

Table show_config(const Picture& picture) {
    // clang-format off
    Table table{{{"key"}, {"value"}, {"default"}, {"changeable"}}, {}};
    // clang-format on
    for (const auto& row : config::show_config(picture.config)) {
        table.rows.push_back(
            {row.key, row.value, row.default_value, row.changeable ? "yes" : "no"});
    }
    return table;
}

Table show_lists(const Picture& picture) {
    uint64_t used_clients = 0;
    uint64_t login_clients = 0;
    uint64_t free_servers = 0;
    uint64_t used_servers = 0;
    const auto pools = merged_pools(picture);
    for (const auto& pool : pools) {
        used_clients += pool.clients_idle + pool.clients_active + pool.clients_waiting;
        free_servers += pool.servers_idle;
        used_servers += pool.servers_active + pool.servers_checking + pool.servers_cancelling;
    }
    for (const auto& worker : picture.workers) {
        login_clients += worker.login_clients;
        used_clients += worker.console_clients;
    }
    // clang-format off
    Table table{{{"list"}, {"items", Int4}}, {}};
    // clang-format on
    // clang-format off
    table.rows = {{"databases", text(picture.config.databases.size())},
                  {"users", text(picture.config.users.size())},
                  {"peers", "0"},
                  {"pools", text(pools.size())},
                  {"peer_pools", "0"},
                  {"free_clients", "0"},
                  {"used_clients", text(used_clients)},
                  {"login_clients", text(login_clients)},
                  {"free_servers", text(free_servers)},
                  {"used_servers", text(used_servers)},
                  {"dns_names", "0"},
                  {"dns_zones", "0"},
                  {"dns_queries", "0"},
                  {"dns_pending", "0"}};
    // clang-format on
    return table;
}

Table show_state(const Picture& picture) {
    bool paused = false;
    for (const auto& worker : picture.workers) paused = paused || worker.paused;
    // clang-format off
    Table table{{{"key"}, {"value"}}, {}};
    // clang-format on
    // clang-format off
    table.rows = {{"active", paused ? "no" : "yes"},
                  {"paused", paused ? "yes" : "no"},
                  {"suspended", "no"}};
    // clang-format on
    return table;
}

}  // namespace

session::Detail detail_for(Topic topic) {
    if (topic == Topic::Clients) return session::Detail::Clients;
    const bool servers = topic == Topic::Servers || topic == Topic::Pinned;
    if (servers) return session::Detail::Servers;
    if (topic == Topic::Routes) return session::Detail::Routes;
    return session::Detail::Pools;
}

Table show(Topic topic, const Picture& picture) {
    switch (topic) {
        case Topic::Version:
            return {{{"version"}}, {{"PgBouncer 1.25.0 (pgweir " PGWEIR_VERSION ")"}}};
        case Topic::Pools: return show_pools(picture);
        case Topic::Clients: return show_clients(picture);
        case Topic::Servers: return show_servers(picture);
        case Topic::Pinned: return show_pinned(picture);
        case Topic::Listeners: return show_listeners(picture);
        case Topic::Nodes: return show_nodes(picture);
        case Topic::Routes: return show_routes(picture);
        case Topic::Databases: return show_databases(picture);
        case Topic::Users: return show_users(picture);
        case Topic::Stats: return show_stats(picture);
        case Topic::StatsTotals: return show_totals(picture);
        case Topic::StatsAverages: return show_averages(picture);
        case Topic::Totals: return show_sums(picture);
        case Topic::Lists: return show_lists(picture);
        case Topic::Config: return show_config(picture);
        case Topic::State: return show_state(picture);
        case Topic::Help:
        case Topic::None: break;
    }
    return {};
}

std::string encode_answer(const Table& table, std::string_view tag) {
    wire::Writer out;
    wire::encode_row_description(out, table.columns);
    for (const auto& row : table.rows) wire::encode_data_row(out, table.columns, row);
    wire::encode_command_complete(out, tag);
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    return out.take();
}

std::string encode_done(std::string_view tag) {
    wire::Writer out;
    wire::encode_command_complete(out, tag);
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    return out.take();
}

std::string encode_failure(const Error& error) {
    wire::Writer out;
    wire::encode_error(out, error);
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    return out.take();
}

std::string encode_help() {
    wire::Writer out;
    wire::encode_notice(out, "NOTICE",
                        Error{.sqlstate = SqlState("00000"),
                              .severity = Severity::Error,
                              .message = "Console usage",
                              .detail = std::string(help_text()),
                              .hint = {}});
    wire::encode_command_complete(out, "SHOW");
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    return out.take();
}

}  // namespace pgweir::admin
