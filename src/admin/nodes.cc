#include "admin/nodes.h"

#include <algorithm>

#include <fmt/format.h>

namespace pgweir::admin {
namespace {

using enum wire::ColumnType;
using metrics::Metric;

double to_seconds(Duration duration) {
    return static_cast<double>(to_microseconds(duration)) / 1e6;
}

std::vector<std::string> unwatched_row(const std::string& cluster, const config::Node& node) {
    return {cluster,     node.name, node.host, fmt::format("{}", node.port),
            "unwatched", "",        "",        "",
            "",          "",        "",        "",
            ""};
}

std::vector<std::string> row_of(const ClusterPicture& cluster, size_t number, Instant now) {
    const config::Node& node = cluster.nodes[number];
    const cluster::NodeView& view = cluster.view.nodes[number];
    return {cluster.name,
            node.name,
            node.host,
            fmt::format("{}", node.port),
            std::string(to_text(view.state)),
            view.why,
            fmt::format("{}", to_microseconds(now - view.since) / 1000000),
            view.timeline == 0 ? "" : fmt::format("{}", view.timeline),
            view.lsn == 0 ? "" : cluster::lsn_text(view.lsn),
            view.lag ? fmt::format("{}", to_microseconds(*view.lag) / 1000) : "",
            view.lag_bytes ? fmt::format("{}", *view.lag_bytes) : "",
            fmt::format("{}", cluster.view.epoch),
            fmt::format("{}", cluster.failures[number])};
}

}  // namespace

Table show_nodes(const Picture& picture) {
    Table table;
    // clang-format off
    table.columns = {{"cluster"},
                     {"node"},
                     {"host"},
                     {"port", Int4},
                     {"state"},
                     {"reason"},
                     {"state_seconds", Int8},
                     {"timeline", Int8},
                     {"lsn"},
                     {"lag_ms", Int8},
                     {"lag_bytes", Int8},
                     {"epoch", Int8},
                     {"failed_probes", Int8}};
    // clang-format on
    for (const auto& [name, configured] : picture.config.clusters) {
        const auto watched = std::find_if(
            picture.clusters.begin(), picture.clusters.end(),
            [&wanted = name](const ClusterPicture& each) { return each.name == wanted; });
        for (size_t number = 0; number < configured.nodes.size(); ++number) {
            table.rows.push_back(watched == picture.clusters.end()
                                     ? unwatched_row(name, configured.nodes[number])
                                     : row_of(*watched, number, picture.now));
        }
    }
    return table;
}

namespace {

void add_catalogue(metrics::Exposition& out,
                   const std::string& cluster,
                   const CataloguePicture& picture,
                   Instant now) {
    const metrics::Labels labels{
        {"cluster",  cluster         },
        {"database", picture.database}
    };
    const bool known = picture.catalogue != nullptr;
    out.add(Metric::CatalogueFacts, labels,
            known ? static_cast<double>(picture.catalogue->size()) : 0);
    if (known) out.add(Metric::CatalogueAge, labels, to_seconds(now - picture.read));
}

}  // namespace

void add_nodes(metrics::Exposition& out, const std::vector<ClusterPicture>& clusters, Instant now) {
    for (const ClusterPicture& cluster : clusters) {
        out.add(Metric::ClusterEpoch,
                {
                    {"cluster", cluster.name}
        },
                cluster.view.epoch);
        for (size_t number = 0; number < cluster.nodes.size(); ++number) {
            const cluster::NodeView& node = cluster.view.nodes[number];
            const std::string& name = cluster.nodes[number].name;
            const metrics::Labels labels{
                {"cluster", cluster.name},
                {"node",    name        }
            };
            for (const cluster::NodeState state : cluster::kNodeStates) {
                metrics::Labels with_state = labels;
                with_state.emplace_back("state", to_text(state));
                out.add(Metric::NodeState, with_state, node.state == state ? 1 : 0);
            }
            if (node.lag) out.add(Metric::NodeLag, labels, to_seconds(*node.lag));
            if (node.lag_bytes) {
                out.add(Metric::NodeLagBytes, labels, static_cast<double>(*node.lag_bytes));
            }
            out.add(Metric::ProbeFailures, labels, static_cast<double>(cluster.failures[number]));
        }
        out.add(Metric::CataloguesRefused,
                {
                    {"cluster", cluster.name}
        },
                static_cast<double>(cluster.databases_refused));
        for (const CataloguePicture& catalogue : cluster.catalogues) {
            add_catalogue(out, cluster.name, catalogue, now);
        }
    }
}

}  // namespace pgweir::admin
