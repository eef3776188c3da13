#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "session/parts.h"

#include <algorithm>

/// Where the servers of each pool are opened: what the configuration names, and what is believed of
/// clusters that are watched.
namespace pgweir::session {
namespace {

const config::Node* find_node(const config::Cluster& cluster, std::string_view name) {
    const auto found = std::find_if(cluster.nodes.begin(), cluster.nodes.end(),
                                    [&](const config::Node& node) { return node.name == name; });
    return found == cluster.nodes.end() ? nullptr : &*found;
}

Reading reading_at(const Topology* topology, std::string_view node) {
    if (topology == nullptr) return Reading::Drains;
    for (const Topology::Node& each : topology->nodes) {
        if (each.name == node) return each.reading;
    }
    return Reading::Drains;
}

bool is_near(const std::string& here, const std::string& there) {
    return here.empty() || there.empty() || here == there;
}

}  // namespace

void Engine::apply_setup(Pool& pool) {
    // Also of a database that this worker does not know yet: its clients are counted there.
    // A standby's servers are counted apart: each node has slots of its own.
    const std::string& node = pool.share.name().node;
    const std::string there = node.empty() ? "" : "\n" + node;  // no name has such an end
    pool.database_group = &shell_.database_share(pool.database + there);
    pool.user_group = &shell_.user_share(pool.user + there);
    const config::Database* database = config::find_database(config(), pool.database);
    if (database == nullptr) {
        pool.state = PoolState::Gone;
        pool.routes.reset();
        return;
    }
    if (pool.state == PoolState::Gone) pool.state = stop_orders_.state_of(pool.database);
    pool.limits = config::effective_pool(config(), *database, pool.user);
    pool.database_servers_max = database->pool.max_servers.value_or(0);
    const auto user = config().users.find(pool.user);
    pool.user_servers_max =
        user == config().users.end() ? 0 : user->second.pool.max_servers.value_or(0);

    apply_place(pool, *database);
}

void Engine::apply_place(Pool& pool, const config::Database& database) {
    const auto found = config().clusters.find(database.cluster);
    PGW_CHECK(found != config().clusters.end());
    const config::Cluster& cluster = found->second;
    const Topology* watched = topology_of(database.cluster);
    pool.cluster = database.cluster;
    std::optional<config::Node> node;
    uint32_t epoch = 0;
    if (pool.of_standby()) {
        // Who is primary is none of its business; what is read there may be read in any epoch.
        const config::Node* its = find_node(cluster, pool.share.name().node);
        if (its != nullptr) node = *its;
        const bool takes = reading_at(watched, pool.share.name().node) == Reading::Takes;
        pool.has_node = node.has_value() && takes && pool.its_home().routes != nullptr &&
                        pool.limits.mode != config::PoolMode::Session;
    } else {
        if (watched != nullptr) {
            node = watched->primary;
            epoch = watched->epoch;
        } else if (cluster.nodes.size() == 1) {
            node = cluster.nodes.front();
        }
        pool.has_node = node.has_value();
        apply_routes(pool, database);
    }

    ServerAddress address;
    address.node = node.value_or(pool.address.node);
    address.database = database.dbname.value_or(pool.database);
    address.user = database.user.value_or(pool.user);
    if (database.password) {
        address.password = *database.password;
    } else if (const auto* entry = setup_->users.find(address.user)) {
        address.password = entry->secret;
    }
    if (!(pool.address == address) || pool.primary_epoch != epoch) {
        pool.address = std::move(address);
        pool.primary_epoch = epoch;
        pool.epoch = generation_;  // servers that were opened before go
        pool.welcomes.clear();
        pool.back_off.succeeded();
        pool.retry_at = now();
    }
}

void Engine::apply_routes(Pool& pool, const config::Database& database) {
    const Topology* topology = topology_of(database.cluster);
    // Also where whole sessions are pooled: nothing of them is routed, but what they write counts.
    const bool can_route =
        topology != nullptr && topology->progress != nullptr && topology->nodes.size() > 1;
    if (!can_route) {
        pool.routes.reset();
        return;
    }
    const config::Cluster& cluster = config().clusters.find(database.cluster)->second;
    const std::string& here = cluster.routing.zone;
    if (pool.routes == nullptr) pool.routes = std::make_unique<Routes>();
    Routes& routes = *pool.routes;
    const std::string& name = database.dbname.value_or(pool.database);
    routes.written = &shell_.database_share(database.cluster + "\n" + name + "\n").written;
    const bool counted = routes.progress == topology->progress;
    if (!counted) forget_tokens(pool, routes, topology->progress->next_sample());
    routes.progress = topology->progress;
    routes.topology = topology;
    routes.routing = &cluster.routing;
    const auto [decisions, fresh] = decisions_.try_emplace({database.cluster, name});
    if (fresh) decisions->second.use(catalogues_[decisions->first]);
    routes.decisions = &decisions->second;
    if (!routes.decisions->has_rules_of(setups_)) {
        routes.decisions->use(route::Rules(cluster.routing.rules));
    }
    routes.standbys.clear();
    routes.weights.clear();
    routes.near.clear();
    for (const Topology::Node& each : topology->nodes) {
        const config::Node* node = find_node(cluster, each.name);
        routes.standbys.push_back(find_pool(PoolName{pool.database, pool.user, each.name}));
        routes.weights.push_back(node != nullptr ? node->weight : 0);
        routes.near.push_back(node != nullptr && is_near(here, node->zone));
    }
    const config::Node* primary =
        topology->primary ? find_node(cluster, topology->primary->name) : nullptr;
    routes.primary_weight = primary != nullptr ? primary->weight : 0;
    routes.primary_near = primary != nullptr && is_near(here, primary->zone);
}

void cut_off_if_older(Engine& engine, ServerConn& server) {
    constexpr const char* kReason = "its node is not the primary any more";
    const auto watched = engine.topology_of(server.cluster);
    const bool reads = server.pool.of_standby();
    if (reads || watched == nullptr || server.primary_epoch >= watched->epoch) return;
    if (server.state == ServerState::Closed) return;
    server.stream->cut();  // not what waits to be sent either
    if (server.client != nullptr) {
        if (planted(Bug::OldPrimaryKept)) return;
        break_up(engine, server, primary_changed(server.node.name), kReason);
    } else {
        engine.close(server, kReason);  // a node that hangs would not let go of it
    }
}

void Engine::follow_cluster(std::string_view cluster, Topology topology) {
    topologies_.insert_or_assign(std::string(cluster), std::move(topology));
    apply_topology(cluster);
}

void Engine::progress_made() {
    wake_behind(*this);
}

void Engine::forget_cluster(std::string_view cluster) {
    const auto known = topologies_.find(cluster);
    if (known == topologies_.end()) return;
    for (auto& [key, pool] : pools_) {
        if (pool->cluster == cluster) pool->routes.reset();
    }
    topologies_.erase(known);
    apply_topology(cluster);
}

void Engine::apply_topology(std::string_view cluster) {
    ++generation_;
    for (auto& [key, pool] : pools_) {
        const config::Database* database = config::find_database(config(), pool->database);
        if (database != nullptr && database->cluster == cluster) apply_place(*pool, *database);
    }
    for (auto& [key, pool] : pools_) {
        const config::Database* database = config::find_database(config(), pool->database);
        const bool is_its = database != nullptr && database->cluster == cluster;
        // Its database may have gone, or be another cluster's now: its old servers are still there.
        for (auto& list : pool->servers) {
            list.for_each([&](ServerConn& server) { cut_off_if_older(*this, server); });
        }
        if (!is_its) continue;
        if (pool->of_standby()) {
            const Reading reading = reading_at(topology_of(cluster), pool->share.name().node);
            if (reading == Reading::Lost) abandon_standby(*this, *pool);
            if (!pool->has_node) send_elsewhere(*this, *pool);
        }
        ask_others(*this, *pool);
        open_servers(*this, *pool);
        if (pool->has_node) offer_again(*this, *pool);  // those that stayed idle without one
    }
    wake_behind(*this);
}

void Engine::use_catalogue(std::string_view cluster,
                           std::string_view database,
                           const route::Catalogue* catalogue) {
    const std::pair key{std::string(cluster), std::string(database)};
    catalogues_[key] = catalogue;
    // Where nobody of its clients is, there is nothing to decide, and no room is taken for it.
    const auto decisions = decisions_.find(key);
    if (decisions != decisions_.end()) decisions->second.use(catalogue);
}

}  // namespace pgweir::session
