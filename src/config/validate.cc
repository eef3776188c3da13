#include "config/validate.h"

#include "pgweir/config/fields.h"
#include "pgweir/config/suggest.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

namespace pgweir::config {
namespace {

constexpr std::array<std::string_view, 2> kConsoleNames{"pgweir", "pgbouncer"};

std::string key_of(std::string_view section, std::string_view name, std::string_view rest = {}) {
    return fmt::format("{}.{}{}{}", section, shown_name(name), rest.empty() ? "" : ".", rest);
}

void check_listen(Draft& draft, Problems& problems) {
    std::vector<ListenAddress>& listen = draft.config.listen;
    if (!draft.has("listen")) listen = default_listen();
    for (size_t i = 0; i < listen.size(); ++i) {
        const std::string item = item_key("listen", i);
        if (!draft.has(item) || draft.is_broken(item)) continue;
        const bool has_host = draft.has(item + ".host");
        const bool has_unix = draft.has(item + ".unix");
        if (has_host == has_unix) {
            problems.add(draft.line_of(item),
                         fmt::format("{} has {}", item,
                                     has_host ? "both host and unix" : "neither host nor unix"),
                         "write {host: 127.0.0.1, port: 6432} or {unix: /run/pgweir, port: 6432}");
        }
        const auto here = listen.begin() + static_cast<std::ptrdiff_t>(i);
        const bool taken = std::any_of(listen.begin(), here, [&](const ListenAddress& earlier) {
            return earlier.is_at(*here);
        });
        const bool same = has_host != has_unix && taken;
        if (same) problems.add(draft.line_of(item), item + " repeats an address", "remove it");
    }
}

void check_auth(const Draft& draft, Problems& problems) {
    const Auth& auth = draft.config.auth;
    if (auth.method == AuthMethod::Trust || draft.has("auth.users_file")) return;
    if (draft.is_broken("auth.method") || draft.is_broken("auth")) return;  // what was meant?
    problems.add(draft.line_of("auth.method"),
                 fmt::format("auth.method {} needs auth.users_file", to_text(auth.method)),
                 "name the file of users and secrets, or use method: trust on a private machine");
}

void check_node_names(const Draft& draft, const Cluster& cluster, Problems& problems) {
    for (auto node = cluster.nodes.begin(); node != cluster.nodes.end(); ++node) {
        const auto same = std::find_if(cluster.nodes.begin(), node, [&](const Node& earlier) {
            return earlier.name == node->name;
        });
        if (same == node || node->name.empty()) continue;
        const std::string item = item_key(key_of("clusters", cluster.name, "nodes"),
                                          static_cast<size_t>(node - cluster.nodes.begin()));
        problems.add(draft.line_of(item),
                     fmt::format("{} is called {}, as an earlier one", item, in_quotes(node->name)),
                     "give it a name of its own");
    }
}

void check_nodes(const Draft& draft, Cluster& cluster, Problems& problems) {
    const std::string nodes_key = key_of("clusters", cluster.name, "nodes");
    if (draft.is_broken(key_of("clusters", cluster.name)) || draft.is_broken(nodes_key)) return;
    if (cluster.nodes.size() > kNodesMax) {
        problems.add(draft.line_of(nodes_key),
                     fmt::format("cluster {} has {} nodes, at most {} can be watched", cluster.name,
                                 cluster.nodes.size(), kNodesMax),
                     "leave some out, or make several clusters");
        return;
    }
    if (cluster.nodes.empty()) {
        problems.add(draft.line_of(nodes_key),
                     fmt::format("cluster {} has no node", in_quotes(cluster.name)),
                     "write nodes: [{host: 10.0.0.5, port: 5432}]");
    }
    for (size_t i = 0; i < cluster.nodes.size(); ++i) {
        Node& node = cluster.nodes[i];
        const std::string item = item_key(nodes_key, i);
        if (node.host.empty() && !draft.is_broken(item) && !draft.is_broken(item + ".host")) {
            problems.add(draft.line_of(item), item + " has no host",
                         "write {host: 10.0.0.5, port: 5432}");
        }
        if (node.name.empty()) node.name = node.host;
    }
    check_node_names(draft, cluster, problems);
}

void check_monitor(const Draft& draft, const Cluster& cluster, Problems& problems) {
    const std::string key = key_of("clusters", cluster.name, "monitor");
    if (draft.is_broken(key_of("clusters", cluster.name)) || draft.is_broken(key)) return;
    if (!cluster.monitor.user.empty() || draft.is_broken(key + ".user")) return;
    if (cluster.nodes.size() > 1) {
        problems.add(
            draft.line_of(key),
            fmt::format("cluster {} has {} nodes and no monitor.user, so nobody can tell which "
                        "one takes writes",
                        in_quotes(cluster.name), cluster.nodes.size()),
            "write monitor: {user: pgweir_monitor}, a role that is a member of pg_monitor");
    } else if (draft.has(key)) {
        problems.add(draft.line_of(key), key + " has no user",
                     "write {user: pgweir_monitor}, a role that is a member of pg_monitor");
    }
}

bool is_fingerprint(std::string_view text) {
    constexpr size_t kDigits = 16;
    return text.size() == kDigits && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

void check_rules(const Draft& draft, Cluster& cluster, Problems& problems) {
    const std::string key = key_of("clusters", cluster.name, "routing.rules");
    std::vector<RoutingRule>& rules = cluster.routing.rules;
    if (rules.size() > kRulesMax) {
        problems.add(draft.line_of(key),
                     fmt::format("{} has {} rules, more than {}", key, rules.size(), kRulesMax),
                     "use patterns for several shapes at once");
    }
    for (size_t i = 0; i < rules.size(); ++i) {
        RoutingRule& rule = rules[i];
        const std::string item = item_key(key, i);
        rule.line = draft.line_of(item);
        if (draft.is_broken(item)) continue;
        const bool names = draft.has(item + ".fingerprint");
        if (names == draft.has(item + ".pattern")) {
            problems.add(rule.line,
                         fmt::format("{} has {}", item,
                                     names ? "both pattern and fingerprint"
                                           : "neither pattern nor fingerprint"),
                         "write {pattern: \"select * from f(*)\", route: standby}");
        } else if (names && !is_fingerprint(rule.fingerprint) &&
                   !draft.is_broken(item + ".fingerprint")) {
            problems.add(rule.line, item + ".fingerprint is none",
                         "16 digits of 0-9 and a-f, as SHOW ROUTES has it, in quotes");
        }
        if (!draft.has(item + ".route")) {
            problems.add(rule.line, item + " has no route", "write route: primary or standby");
        }
    }
}

void check_cluster_name(const Draft& draft, const Database& database, Problems& problems) {
    const auto& clusters = draft.config.clusters;
    if (database.cluster.empty() || clusters.contains(database.cluster)) return;

    std::vector<std::string_view> names;
    names.reserve(clusters.size());
    for (const auto& [name, cluster] : clusters) names.push_back(name);
    const std::string_view meant = nearest(database.cluster, names);
    problems.add(draft.line_of(key_of("databases", database.name, "cluster")),
                 fmt::format("database {} names cluster {}, which does not exist",
                             in_quotes(database.name), in_quotes(database.cluster)),
                 meant.empty() ? std::string("define it under clusters")
                               : fmt::format("did you mean {}?", meant));
}

void check_target(const Draft& draft, const DatabaseEntry& entry, Problems& problems) {
    const std::string& name = entry.database.name;
    if (draft.is_broken(key_of("databases", name))) return;
    // Asked of the values: "databases.a.cluster" may also be a database named "a.cluster".
    const auto is_broken = [&](std::string_view key) {
        return draft.is_broken(key_of("databases", name, key));
    };
    const bool has_cluster = !entry.database.cluster.empty() || is_broken("cluster");
    const bool has_host = !entry.host.empty() || is_broken("host");
    const std::string which = fmt::format("database {}", in_quotes(name));
    const size_t line = draft.line_of(key_of("databases", name));
    if (has_cluster && has_host) {
        problems.add(line, which + " has both cluster and host", "keep one of them");
    } else if (!has_cluster && !has_host) {
        problems.add(line, which + " has neither cluster nor host",
                     "write {cluster: NAME} or {host: 10.0.0.5, port: 5432}");
    } else if (has_cluster && entry.port) {
        problems.add(draft.line_of(key_of("databases", name, "port")),
                     which + " has a port beside cluster",
                     "the port belongs to the cluster's node");
    }
}

void check_sizes(size_t line,
                 std::string_view where,
                 uint32_t min_size,
                 uint32_t pool_size,
                 Problems& problems) {
    if (min_size <= pool_size) return;
    problems.add(line,
                 fmt::format("{}: min_size {} is above pool_size {}", where, min_size, pool_size),
                 "lower the one or raise the other");
}

void check_databases(const Draft& draft, Problems& problems) {
    if (draft.databases.empty() && !draft.is_broken("databases")) {
        problems.add(draft.line_of("databases"), "there is no database",
                     "add one, such as databases: {\"*\": {host: 127.0.0.1, port: 5432}}");
    }
    for (const auto& [name, entry] : draft.databases) {
        const size_t line = draft.line_of(key_of("databases", name));
        if (std::find(kConsoleNames.begin(), kConsoleNames.end(), name) != kConsoleNames.end()) {
            problems.add(line,
                         fmt::format("the database name {} is the console's", in_quotes(name)),
                         "choose another name");
        }
        check_target(draft, entry, problems);
        check_cluster_name(draft, entry.database, problems);
        const PoolSettings& pool = entry.database.pool;
        if (!pool.min_size && !pool.pool_size) continue;  // the defaults are checked once
        check_sizes(line, key_of("databases", name),
                    pool.min_size.value_or(draft.config.pool.min_size),
                    pool.pool_size.value_or(draft.config.pool.pool_size), problems);
    }
}

// One instance is one cluster, however many databases name it. No cluster of the file can have such
// a name: they have no colon.
std::string made_up_cluster(Config& config, const DatabaseEntry& entry) {
    const Node usual;
    const uint16_t port = entry.port.value_or(usual.port);
    std::string name = address_text(entry.host, port);
    config.clusters.emplace(
        name,
        Cluster{.name = name, .nodes = {Node{.name = name, .host = entry.host, .port = port}}});
    return name;
}

}  // namespace

Config validate(Draft draft, Problems& problems) {
    check_listen(draft, problems);
    check_auth(draft, problems);
    check_sizes(draft.line_of("pool.min_size"), "pool", draft.config.pool.min_size,
                draft.config.pool.pool_size, problems);
    for (auto& [name, cluster] : draft.config.clusters) {
        check_nodes(draft, cluster, problems);
        check_monitor(draft, cluster, problems);
        check_rules(draft, cluster, problems);
    }
    check_databases(draft, problems);
    if (draft.config.users.contains("*")) {
        problems.add(draft.line_of("users.*"), "users has no \"*\"",
                     "what is for everybody stands in pool and timeouts");
    }

    Config config = std::move(draft.config);
    for (auto& [name, entry] : draft.databases) {
        if (entry.database.cluster.empty()) entry.database.cluster = made_up_cluster(config, entry);
        config.databases.emplace(name, std::move(entry.database));
    }
    return config;
}

}  // namespace pgweir::config
