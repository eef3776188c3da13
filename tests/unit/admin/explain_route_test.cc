#include "pgweir/admin/tables.h"
#include "pgweir/sql/fingerprint.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::admin {
namespace {

using Row = std::vector<std::string>;

struct Scene {
    Scene() {
        config.clusters["main"].nodes.resize(2);
        config.clusters["plain"].nodes.resize(1);
        for (const char* name : {"main", "plain"}) {
            pictures.push_back({name, config.clusters[name].nodes, {}, {}, {}});
        }
        // As the fields of route::kCatalogueQuestion.
        const std::vector<std::optional<std::string_view>> cells{
            "relation", "1", "public", "accounts", "rp", "0",
            "function", "2", "public", "counted",  "v",  "0"};
        auto made = route::Catalogue::from_rows(2, cells);
        REQUIRE(made.has_value());
        catalogue = std::make_unique<route::Catalogue>(std::move(*made));
        pictures[0].catalogues = {
            {"app_at_server", catalogue.get(), Instant{}, ""       },
            {"closed",        nullptr,         Instant{}, "refused"}
        };
    }

    void add_database(const std::string& name, const std::string& cluster) {
        config.databases[name].name = name;
        config.databases[name].cluster = cluster;
    }

    Table explain(std::string_view sql) {
        return explain_route(sql, {config, {}, period, 0, {}, pictures, Instant{}});
    }

    config::Config config;
    Period period;
    std::vector<ClusterPicture> pictures;
    std::unique_ptr<route::Catalogue> catalogue;
};

}  // namespace

TEST_CASE("explain route: by the catalogue of each database") {
    Scene scene;
    scene.add_database("app", "main");
    scene.config.databases["app"].dbname = "app_at_server";
    const Table table = scene.explain("SELECT * FROM accounts");
    REQUIRE(table.rows.size() == 1);
    CHECK(table.rows[0].size() == table.columns.size());
    const std::string shape = sql::to_text(*sql::fingerprint("select * from accounts;"));
    CHECK(table.rows[0] == Row{"app", "read", "", "", "accounts", "primary (by its reads)", shape});
    CHECK(scene.explain("SELECT counted(1) FROM accounts").rows.at(0) ==
          Row{"app", "primary", "public.counted() is VOLATILE; if it only reads, declare it STABLE",
              "counted()", "accounts", "primary",
              sql::to_text(*sql::fingerprint("SELECT counted(2) FROM accounts"))});
    CHECK(scene.explain("DELETE FROM accounts").rows.at(0).at(2) == "delete_stmt is no read");
}

TEST_CASE("explain route: the nodes that take reads now") {
    Scene scene;
    scene.add_database("app", "main");
    scene.config.databases["app"].dbname = "app_at_server";
    auto& nodes = scene.pictures[0].nodes;
    nodes = {
        {"one", "10.0.0.1"},
        {"two", "10.0.0.2"}
    };
    auto& view = scene.pictures[0].view;
    view.nodes.resize(2);
    view.nodes[0].state = cluster::NodeState::Primary;
    view.nodes[1].state = cluster::NodeState::Standby;
    const auto node = [&](std::string_view sql) { return scene.explain(sql).rows.at(0).at(5); };
    scene.config.clusters["main"].routing.reads = config::Reads::Standby;
    CHECK(node("SELECT * FROM accounts") == "two");
    CHECK(node("BEGIN READ ONLY") == "two");
    CHECK(node("DELETE FROM accounts") == "primary");
    scene.config.clusters["main"].routing.reads = config::Reads::Any;
    CHECK(node("SELECT * FROM accounts") == "primary, two");
    scene.config.clusters["main"].routing.reads = config::Reads::Standby;
    view.nodes[1].state = cluster::NodeState::Lagging;
    CHECK(node("SELECT * FROM accounts") == "primary (no standby takes reads)");
    view.nodes[1].state = cluster::NodeState::Standby;
    nodes[1].weight = 0;
    CHECK(node("SELECT * FROM accounts") == "primary (no standby takes reads)");
}

TEST_CASE("explain route: rules come before the catalogue") {
    Scene scene;
    scene.add_database("app", "main");
    scene.add_database("small", "plain");
    for (const char* cluster : {"main", "plain"}) {
        scene.config.clusters[cluster].routing.rules = {
            {.pattern = "select counted(*)*", .route = config::RuleRoute::Standby},
            {.pattern = "*",                  .route = config::RuleRoute::Primary}
        };
    }
    auto& view = scene.pictures[0].view;
    scene.pictures[0].nodes[1].name = "two";
    view.nodes.resize(2);
    view.nodes[1].state = cluster::NodeState::Standby;
    const Table ruled = scene.explain("SELECT counted(1) FROM accounts");
    CHECK(ruled.rows.at(0).at(1) == "read");
    CHECK(ruled.rows.at(0).at(2) == "rule \"select counted(*)*\"");
    CHECK(ruled.rows.at(0).at(5) == "two");
    CHECK(ruled.rows.at(1).at(1) == "primary");
    const Table kept = scene.explain("SELECT 1");
    CHECK(kept.rows.at(0).at(1) == "primary");
    CHECK(kept.rows.at(0).at(2) == "rule \"*\"");
}

TEST_CASE("explain route: what is not known is said") {
    Scene scene;
    scene.pictures[0].catalogues.erase(scene.pictures[0].catalogues.begin());
    scene.add_database("*", "main");
    scene.add_database("closed", "main");
    scene.add_database("new", "main");
    scene.add_database("small", "plain");
    scene.add_database("unwatched", "elsewhere");
    const Table table = scene.explain("SELECT 1");
    REQUIRE(table.rows.size() == 5);
    for (const Row& row : table.rows) CHECK(row.at(1) == "primary");
    CHECK(table.rows[0].at(2) == "no catalogue of a database that it serves is known");
    CHECK(table.rows[1].at(2) == "the catalogue of its database is not known: refused");
    CHECK(table.rows[2].at(2) == "the catalogue of its database is not known");
    CHECK(table.rows[3].at(2) == "its cluster has no standby that is watched");
    CHECK(table.rows[4].at(2) == "its cluster has no standby that is watched");
}

TEST_CASE("explain route: databases behind the star, once they are used") {
    Scene scene;
    scene.add_database("*", "main");
    scene.add_database("app", "main");
    scene.config.databases["app"].dbname = "app_at_server";
    Table table = scene.explain("SELECT * FROM accounts");
    REQUIRE(table.rows.size() == 2);
    CHECK(table.rows[0].at(0) == "app");
    CHECK(table.rows[0].at(1) == "read");
    CHECK(table.rows[1].at(0) == "closed");
    CHECK(table.rows[1].at(2) == "the catalogue of its database is not known: refused");
    scene.config.databases.erase("app");
    table = scene.explain("SELECT * FROM accounts");
    REQUIRE(table.rows.size() == 2);
    CHECK(table.rows[0].at(0) == "app_at_server");
    CHECK(table.rows[0].at(1) == "read");
    // Of another cluster's star they are none.
    scene.add_database("*", "plain");
    table = scene.explain("SELECT * FROM accounts");
    REQUIRE(table.rows.size() == 1);
    CHECK(table.rows[0].at(0) == "*");
}

}  // namespace pgweir::admin
