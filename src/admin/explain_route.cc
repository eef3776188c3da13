#include "pgweir/admin/tables.h"
#include "pgweir/config/effective.h"
#include "pgweir/route/judge.h"
#include "pgweir/route/rules.h"
#include "pgweir/sql/classify.h"
#include "pgweir/sql/fingerprint.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace pgweir::admin {
namespace {

std::string listed(const std::vector<sql::Name>& names, std::string_view suffix = "") {
    std::string all;
    for (const sql::Name& name : names) {
        all += fmt::format("{}{}{}", all.empty() ? "" : ", ", to_text(name), suffix);
    }
    return all;
}

const ClusterPicture* find_cluster(const Picture& picture, const std::string& name) {
    const auto found = std::find_if(picture.clusters.begin(), picture.clusters.end(),
                                    [&](const ClusterPicture& each) { return each.name == name; });
    return found == picture.clusters.end() ? nullptr : &*found;
}

route::Judgement judge_in(const config::Database& database,
                          const sql::Classification& statement,
                          const Picture& picture) {
    const bool may_be = statement.reads || statement.begins_read_only;
    if (!may_be) return route::judge(statement, nullptr);
    const ClusterPicture* cluster = find_cluster(picture, database.cluster);
    if (cluster == nullptr || cluster->nodes.size() < 2) {
        return {false, "its cluster has no standby that is watched"};
    }
    if (database.name == "*" && !database.dbname) {
        return {false, "no catalogue of a database that it serves is known"};
    }
    const std::string& name = database.dbname.value_or(database.name);
    for (const CataloguePicture& each : cluster->catalogues) {
        if (each.database != name) continue;
        route::Judgement judgement = route::judge(statement, each.catalogue);
        if (each.catalogue == nullptr && !each.why.empty()) judgement.why += ": " + each.why;
        return judgement;
    }
    return route::judge(statement, nullptr);
}

/// Who may get a read now, if it need not show what somebody has just written.
std::string nodes_for_reads(const config::Database& database,
                            const Picture& picture,
                            bool by_rule) {
    const auto configured = picture.config.clusters.find(database.cluster);
    const ClusterPicture* watched = find_cluster(picture, database.cluster);
    if (configured == picture.config.clusters.end() || watched == nullptr) return "primary";
    const config::Reads reads = by_rule
                                    ? config::Reads::Standby
                                    : config::effective_pool(picture.config, database, "").reads;
    if (reads == config::Reads::Primary) return "primary (by its reads)";
    std::string names = reads == config::Reads::Any ? "primary" : "";
    for (size_t i = 0; i < watched->nodes.size() && i < watched->view.nodes.size(); ++i) {
        const bool takes = watched->view.nodes[i].state == cluster::NodeState::Standby;
        if (!takes || watched->nodes[i].weight == 0) continue;
        names += (names.empty() ? "" : ", ") + watched->nodes[i].name;
    }
    return names.empty() ? "primary (no standby takes reads)" : names;
}

/// What rules of the database's cluster say of it, as the workers apply them.
bool apply_rules(route::Judgement& judgement,
                 std::string_view sql,
                 const sql::Classification& statement,
                 const config::Database& database,
                 const Picture& picture) {
    const auto cluster = picture.config.clusters.find(database.cluster);
    const ClusterPicture* watched = find_cluster(picture, database.cluster);
    const bool routes = watched != nullptr && watched->nodes.size() > 1;
    if (cluster == picture.config.clusters.end() || !routes) return false;
    const route::Rules rules(cluster->second.routing.rules);
    const config::RoutingRule* rule = rules.about(sql);
    const bool standby = rule != nullptr && rule->route == config::RuleRoute::Standby;
    if (rule == nullptr || (standby && !statement.reads)) return false;
    judgement = {standby, route::to_text(*rule)};
    return true;
}

/// Those behind "*" are known once they are used.
std::vector<config::Database> databases_of(const Picture& picture) {
    std::vector<config::Database> all;
    for (const auto& [name, database] : picture.config.databases) all.push_back(database);
    const auto others = picture.config.databases.find("*");
    if (others == picture.config.databases.end()) return all;
    const ClusterPicture* cluster = find_cluster(picture, others->second.cluster);
    if (cluster == nullptr) return all;
    const std::vector<std::string> listed = config::listed_databases(picture.config, cluster->name);
    for (const CataloguePicture& each : cluster->catalogues) {
        if (std::find(listed.begin(), listed.end(), each.database) != listed.end()) continue;
        config::Database learned = others->second;
        learned.name = each.database;
        learned.dbname = each.database;
        all.push_back(std::move(learned));
    }
    const bool any = all.size() > picture.config.databases.size();
    if (any) std::erase_if(all, [](const config::Database& each) { return each.name == "*"; });
    return all;
}

}  // namespace

Table explain_route(std::string_view sql, const Picture& picture) {
    const sql::Classification statement = sql::classify(sql);
    Table table;
    table.columns = {{"database"},  {"class"}, {"reason"},     {"functions"},
                     {"relations"}, {"node"},  {"fingerprint"}};
    const auto shape = sql::fingerprint(sql);
    for (const config::Database& database : databases_of(picture)) {
        route::Judgement judgement = judge_in(database, statement, picture);
        const bool by_rule = apply_rules(judgement, sql, statement, database, picture);
        const bool begins = statement.begins_read_only && judgement.standby && !by_rule;
        table.rows.push_back(
            {database.name,
             begins              ? "read-only transaction"
             : judgement.standby ? "read"
                                 : "primary",
             judgement.why, listed(statement.mentions.functions, "()"),
             listed(statement.mentions.relations),
             judgement.standby ? nodes_for_reads(database, picture, by_rule) : "primary",
             shape ? to_text(*shape) : ""});
    }
    return table;
}

}  // namespace pgweir::admin
