#include "pgweir/admin/tables.h"
#include "pgweir/sql/classify.h"

#include <string>
#include <vector>

namespace pgweir::admin {
namespace {

std::string listed(const std::vector<std::string>& names) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    return all;
}

}  // namespace

Table explain_route(std::string_view sql) {
    const sql::Classification found = sql::classify(sql);
    Table table;
    table.columns = {{"class"}, {"reason"}, {"functions"}, {"relations"}, {"node"}};
    // Reads on standbys come with a later version.
    table.rows.push_back({std::string(to_text(found.which)), found.why, listed(found.functions),
                          listed(found.relations), "primary"});
    return table;
}

}  // namespace pgweir::admin
