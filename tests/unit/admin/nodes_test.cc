#include "pgweir/admin/tables.h"

#include <doctest/doctest.h>

namespace pgweir::admin {
namespace {

using namespace std::chrono_literals;

struct Scene {
    Scene() {
        config.clusters["main"].nodes = {
            config::Node{"pg1", "10.0.0.1", 5432},
            config::Node{"pg2", "10.0.0.2", 5433}
        };
        config.clusters["plain"].nodes = {
            config::Node{"only", "10.0.0.9", 5432}
        };
        cluster::View view{.epoch = 3, .primary = 0u, .nodes = {}};
        view.nodes.resize(2);
        view.nodes[0] = {.state = cluster::NodeState::Primary,
                         .why = "",
                         .since = now - 90s,
                         .timeline = 2,
                         .lsn = 0x3000148,
                         .lag = {},
                         .lag_bytes = {}};
        view.nodes[1] = {.state = cluster::NodeState::Lagging,
                         .why = "it is 1500 ms behind, the limit is 1000 ms",
                         .since = now - 2s,
                         .timeline = 2,
                         .lsn = 0x3000000,
                         .lag = 1500ms,
                         .lag_bytes = 0x148};
        clusters.push_back({
            "main",
            config.clusters["main"].nodes,
            view,
            {0, 7},
            {{"app", nullptr, {}, "refused"}},
        });
    }

    config::Config config;
    std::vector<ClusterPicture> clusters;
    Instant now{1h};
    Period period;
};

}  // namespace

TEST_CASE("nodes: SHOW NODES has a row for each node, watched or not") {
    const Scene scene;
    const Picture picture{scene.config, {}, scene.period, 0, {}, scene.clusters, scene.now};
    const Table table = show(Topic::Nodes, picture);
    using Row = std::vector<std::string>;
    REQUIRE(table.rows.size() == 3);
    CHECK(table.rows[0] == Row{"main", "pg1", "10.0.0.1", "5432", "primary", "", "90", "2",
                               "0/3000148", "", "", "3", "0"});
    CHECK(table.rows[1] == Row{"main", "pg2", "10.0.0.2", "5433", "lagging",
                               "it is 1500 ms behind, the limit is 1000 ms", "2", "2", "0/3000000",
                               "1500", "328", "3", "7"});
    CHECK(table.rows[2] ==
          Row{"plain", "only", "10.0.0.9", "5432", "unwatched", "", "", "", "", "", "", "", ""});
    for (const auto& row : table.rows) CHECK(row.size() == table.columns.size());
}

TEST_CASE("nodes: metrics say the state of each, and no lag that is not known") {
    const Scene scene;
    const std::string text = metrics_text({}, scene.clusters, scene.now);
    const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
    CHECK(has("pgweir_cluster_epoch{cluster=\"main\"} 3"));
    CHECK(has("pgweir_node_state{cluster=\"main\",node=\"pg1\",state=\"primary\"} 1"));
    CHECK(has("pgweir_node_state{cluster=\"main\",node=\"pg1\",state=\"standby\"} 0"));
    CHECK(has("pgweir_node_lag_seconds{cluster=\"main\",node=\"pg2\"} 1.5"));
    CHECK(has("pgweir_node_lag_bytes{cluster=\"main\",node=\"pg2\"} 328"));
    CHECK(has("pgweir_probe_failures_total{cluster=\"main\",node=\"pg2\"} 7"));
    CHECK_FALSE(has("pgweir_node_lag_seconds{cluster=\"main\",node=\"pg1\"}"));
    CHECK(has("pgweir_catalogue_facts{cluster=\"main\",database=\"app\"} 0"));
    CHECK_FALSE(has("pgweir_catalogue_age_seconds{"));
    CHECK(has("pgweir_catalogues_refused_total{cluster=\"main\"} 0"));
}

}  // namespace pgweir::admin
