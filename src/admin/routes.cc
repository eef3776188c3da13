#include "admin/routes.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include <fmt/format.h>

namespace pgweir::admin {
namespace {

using enum wire::ColumnType;
using metrics::Labels;
using metrics::Metric;

// For people: who wants all of them asks for one shape by EXPLAIN ROUTE.
constexpr size_t kRoutesMax = 100;

/// The same shape in several workers is one row.
std::vector<session::RouteRow> merged_routes(const Picture& picture) {
    std::map<std::tuple<std::string, std::string, uint64_t, uint64_t>, session::RouteRow> merged;
    for (const auto& worker : picture.workers) {
        for (const session::RouteRow& route : worker.routes) {
            if (route.decision.seen == 0) continue;
            auto [it, added] = merged.try_emplace(
                {route.cluster, route.database, route.fingerprint.high, route.fingerprint.low},
                route);
            if (added) continue;
            it->second.decision.seen += route.decision.seen;
            it->second.decision.on_standbys += route.decision.on_standbys;
            it->second.decision.microseconds += route.decision.microseconds;
        }
    }
    std::vector<session::RouteRow> rows;
    rows.reserve(merged.size());
    for (auto& [key, row] : merged) rows.push_back(std::move(row));
    std::stable_sort(rows.begin(), rows.end(), [](const auto& one, const auto& other) {
        return one.decision.seen > other.decision.seen;
    });
    if (rows.size() > kRoutesMax) rows.resize(kRoutesMax);
    return rows;
}

}  // namespace

Table show_routes(const Picture& picture) {
    Table table;
    // clang-format off
    table.columns = {{"cluster"},
                     {"database"},
                     {"fingerprint"},
                     {"class"},
                     {"reason"},
                     {"requests", Int8},
                     {"on_standbys", Int8},
                     {"total_ms", Int8},
                     {"statement"}};
    // clang-format on
    for (const session::RouteRow& row : merged_routes(picture)) {
        const route::Decision& decision = row.decision;
        table.rows.push_back({row.cluster, row.database, to_text(row.fingerprint),
                              std::string(to_text(decision.its)), decision.why,
                              fmt::format("{}", decision.seen),
                              fmt::format("{}", decision.on_standbys),
                              fmt::format("{}", decision.microseconds / 1000), decision.shape});
    }
    return table;
}

void add_routes(metrics::Exposition& out, const std::vector<session::EngineSnapshot>& workers) {
    for (const session::EngineSnapshot& worker : workers) {
        for (const session::PoolRow& pool : worker.pools) {
            for (size_t i = 0; pool.node.empty() && i < session::kRouteReasons; ++i) {
                if (pool.stats.routed[i] == 0) continue;  // most databases have no standbys
                out.add(Metric::Routed,
                        {
                            {"database", pool.database                },
                            {"user",     pool.user                    },
                            {"reason",   session::kRouteReasonNames[i]}
                },
                        static_cast<double>(pool.stats.routed[i]));
            }
            if (pool.node.empty()) continue;
            out.add(Metric::StandbyRequests,
                    {
                        {"database", pool.database},
                        {"user",     pool.user    },
                        {"node",     pool.node    }
            },
                    static_cast<double>(pool.stats.assignments));
        }
        for (const session::DecisionsRow& row : worker.decisions) {
            const Labels labels{
                {"cluster",  row.cluster },
                {"database", row.database}
            };
            out.add(Metric::Classified, labels, static_cast<double>(row.looked_into));
            out.add(Metric::Unclassified, labels, static_cast<double>(row.not_looked_into));
        }
    }
}

}  // namespace pgweir::admin
