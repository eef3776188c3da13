#include "pgweir/admin/tables.h"
#include "pgweir/route/judge.h"
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
    if (!statement.reads) return route::judge(statement, nullptr);
    const ClusterPicture* cluster = find_cluster(picture, database.cluster);
    if (cluster == nullptr || cluster->nodes.size() < 2) {
        return {false, "its cluster has no standby that is watched"};
    }
    if (database.name == "*") return {false, "only databases that are listed by name are known"};
    const std::string& name = database.dbname.value_or(database.name);
    for (const CataloguePicture& each : cluster->catalogues) {
        if (each.database != name) continue;
        route::Judgement judgement = route::judge(statement, each.catalogue);
        if (each.catalogue == nullptr && !each.why.empty()) judgement.why += ": " + each.why;
        return judgement;
    }
    return route::judge(statement, nullptr);
}

}  // namespace

Table explain_route(std::string_view sql, const Picture& picture) {
    const sql::Classification statement = sql::classify(sql);
    Table table;
    table.columns = {{"database"},  {"class"}, {"reason"},     {"functions"},
                     {"relations"}, {"node"},  {"fingerprint"}};
    const auto shape = sql::fingerprint(sql);
    for (const auto& [name, database] : picture.config.databases) {
        const route::Judgement judgement = judge_in(database, statement, picture);
        // Reads on standbys come with a later version.
        table.rows.push_back({name, judgement.standby ? "read" : "primary", judgement.why,
                              listed(statement.mentions.functions, "()"),
                              listed(statement.mentions.relations), "primary",
                              shape ? to_text(*shape) : ""});
    }
    return table;
}

}  // namespace pgweir::admin
