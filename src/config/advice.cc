#include "pgweir/config/advice.h"

#include "pgweir/config/effective.h"
#include "pgweir/config/fields.h"

#include <fmt/format.h>

namespace pgweir::config {

std::vector<std::string> advice(const Config& config) {
    std::vector<std::string> sentences;
    for (const auto& [name, cluster] : config.clusters) {
        if (cluster.routing.reads == Reads::Primary || cluster.nodes.size() > 1) continue;
        sentences.push_back(fmt::format(
            "clusters.{}.routing.reads is {}, and the cluster has no second node: all is "
            "read from its only one",
            name, to_text(cluster.routing.reads)));
    }
    for (const auto& [name, database] : config.databases) {
        const auto cluster = config.clusters.find(database.cluster);
        const bool routed = cluster != config.clusters.end() && cluster->second.nodes.size() > 1 &&
                            effective_pool(config, database, "").reads != Reads::Primary;
        if (routed && effective_pool(config, database, "").mode == PoolMode::Session) {
            sentences.push_back(fmt::format(
                "databases.{}: with pool_mode session its reads stay on the primary", name));
        }
    }
    return sentences;
}

}  // namespace pgweir::config
