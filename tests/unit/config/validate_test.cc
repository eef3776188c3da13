#include "config/validate.h"

#include "unit/config/world.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

TEST_CASE("validate: without listen there is one address, with it there are only those") {
    const Loaded loaded =
        load_text("auth: {method: trust}\ndatabases: {a: {host: db}}", "c", World());
    REQUIRE(loaded.config.has_value());
    CHECK(loaded.config->listen == std::vector<ListenAddress>{
                                       {.host = "127.0.0.1", .unix_folder = "", .port = 6432}
    });
}

TEST_CASE("validate: an address has a host or a folder, and stands once") {
    CHECK(problems_in("listen:\n  - {host: a, unix: /run}\n  - {port: 5000}\n  - {host: b}\n"
                      "  - {host: b, port: 6432}\n") ==
          Lines{"2: listen.1 has both host and unix; write {host: 127.0.0.1, port: 6432} or {unix: "
                "/run/pgweir, port: 6432}",
                "3: listen.2 has neither host nor unix; write {host: 127.0.0.1, port: 6432} or "
                "{unix: /run/pgweir, port: 6432}",
                "5: listen.4 repeats an address; remove it"});
}

TEST_CASE("validate: a method with passwords needs the file that has them") {
    CHECK(problems_of("auth:\n  method: md5\ndatabases: {a: {host: db}}\n") ==
          Lines{"2: auth.method md5 needs auth.users_file; name the file of users and secrets, or "
                "use method: trust on a private machine"});
    CHECK(problems_of("databases: {a: {host: db}}\n").size() == 1);
    CHECK(problems_of("auth: {users_file: u}\ndatabases: {a: {host: db}}\n").empty());
}

TEST_CASE("validate: a rule has a pattern or a fingerprint, and a route") {
    const std::string head =
        "auth: {method: trust}\ndatabases: {a: {cluster: m}}\nclusters:\n  m:\n"
        "    nodes: [{host: x}]\n    routing:\n      rules:\n";
    CHECK(problems_of(head + "        - {pattern: \"select f(*)\", route: standby}\n"
                             "        - {fingerprint: \"0123456789abcdef\", route: primary}\n")
              .empty());
    CHECK(problems_of(head + "        - {route: standby}\n"
                             "        - {pattern: a, fingerprint: \"0123456789abcdef\"}\n"
                             "        - {fingerprint: \"0123456789ABCDEF\", route: primary}\n"
                             "        - {pattern: a, route: auto}\n") ==
          Lines{"8: clusters.m.routing.rules.1 has neither pattern nor fingerprint; write "
                "{pattern: \"select * from f(*)\", route: standby}",
                "9: clusters.m.routing.rules.2 has both pattern and fingerprint; write "
                "{pattern: \"select * from f(*)\", route: standby}",
                "9: clusters.m.routing.rules.2 has no route; write route: primary or standby",
                "10: clusters.m.routing.rules.3.fingerprint is none; 16 digits of 0-9 and a-f, as "
                "SHOW ROUTES has it, in quotes",
                "11: clusters.m.routing.rules.4.route: \"auto\" is not one of primary or standby; "
                "use one of them"});
}

TEST_CASE("validate: a wrong method is one problem, not two") {
    CHECK(problems_of("auth: {method: scram}\ndatabases: {a: {host: db}}\n").size() == 1);
}

TEST_CASE("validate: a cluster has no more nodes than can be watched") {
    std::string nodes;
    for (size_t i = 0; i <= kNodesMax; ++i) nodes += "      - {host: h" + std::to_string(i) + "}\n";
    const Lines found =
        problems_of("auth: {method: trust}\nclusters:\n  main:\n    nodes:\n" + nodes +
                    "    monitor: {user: m}\ndatabases: {a: {cluster: main}}\n");
    CHECK(found ==
          Lines{"4: cluster main has 33 nodes, at most 32 can be watched; leave some out, or "
                "make several clusters"});
}

TEST_CASE("validate: there is at least one database") {
    CHECK(problems_of("auth: {method: trust}\n") ==
          Lines{"1: there is no database; add one, such as databases: {\"*\": {host: 127.0.0.1, "
                "port: 5432}}"});
    CHECK(problems_of("auth: {method: trust}\ndatabases: {}\n").size() == 1);
    CHECK(problems_of("auth: {method: trust}\ndatabases: 5\n").size() == 1);
}

TEST_CASE("validate: the console's names are taken") {
    CHECK(problems_of("auth: {method: trust}\ndatabases:\n  pgweir: {host: db}\n"
                      "  pgbouncer: {host: db}\n") ==
          Lines{"3: the database name \"pgweir\" is the console's; choose another name",
                "4: the database name \"pgbouncer\" is the console's; choose another name"});
}

TEST_CASE("validate: a database has a cluster or a host, and the cluster exists") {
    CHECK(problems_of(R"(auth: {method: trust}
clusters:
  main: {nodes: [{host: a}]}
databases:
  a: {cluster: mian}
  b: {cluster: elsewhere}
  c: {cluster: main, host: db}
  d: {pool_size: 5}
  e: {cluster: main, port: 5432}
  f: oops
  g: {cluster: main, pool_size: 5, min_size: 6}
)") == Lines{"5: database \"a\" names cluster \"mian\", which does not exist; did you mean main?",
             "6: database \"b\" names cluster \"elsewhere\", which does not exist; define it under "
             "clusters",
             "7: database \"c\" has both cluster and host; keep one of them",
             "8: database \"d\" has neither cluster nor host; write {cluster: NAME} or {host: "
             "10.0.0.5, port: 5432}",
             "9: database \"e\" has a port beside cluster; the port belongs to the cluster's node",
             "10: databases.f is a single value; write keys with values below it",
             "11: databases.g: min_size 6 is above pool_size 5; lower the one or raise the other"});
}

TEST_CASE("validate: a cluster has nodes, which have hosts, and somebody who watches them") {
    CHECK(
        problems_in("clusters:\n  a: {}\n  b:\n    nodes:\n      - {host: x}\n      - {host: y}\n"
                    "  c:\n    nodes:\n      - {port: 5432}\n  d: {nodes: []}\n"
                    "  e:\n    monitor: {user: m}\n    nodes:\n      - {host: x}\n"
                    "      - {host: x, port: 5433}\n"
                    "  f: {nodes: [{host: x}], monitor: {database: app}}\n"
                    "  g: {nodes: [{host: x}], monitor: {user: m}}\n") ==
        Lines{
            "2: cluster \"a\" has no node; write nodes: [{host: 10.0.0.5, port: 5432}]",
            "3: cluster \"b\" has 2 nodes and no monitor.user, so nobody can tell which one takes "
            "writes; "
            "write monitor: {user: pgweir_monitor}, a role that is a member of pg_monitor",
            "9: clusters.c.nodes.1 has no host; write {host: 10.0.0.5, port: 5432}",
            "10: clusters.d.nodes is empty; write a list, such as [{host: 10.0.0.5, port: 5432}]",
            "15: clusters.e.nodes.2 is called \"x\", as an earlier one; give it a name of its own",
            "16: clusters.f.monitor has no user; write {user: pgweir_monitor}, a role that is a "
            "member of pg_monitor"});
}

TEST_CASE("validate: databases of one host share a cluster that is named after it") {
    const Loaded loaded = load_text(R"(
auth: {method: trust}
databases:
  a: {host: db}
  b: {host: db, port: 5432}
  c: {host: "::1", port: 5433}
  d: {host: /run/postgresql}
)",
                                    "c.yaml", World());
    REQUIRE(loaded.config.has_value());
    const Config& config = *loaded.config;
    CHECK(config.clusters.size() == 3);
    CHECK(config.databases.at("a").cluster == "db:5432");
    CHECK(config.databases.at("b").cluster == "db:5432");
    CHECK(config.databases.at("c").cluster == "[::1]:5433");
    CHECK(config.databases.at("d").cluster == "/run/postgresql:5432");
    CHECK(config.clusters.at("db:5432").nodes ==
          std::vector<Node>{
              {.name = "db:5432", .host = "db", .port = 5432}
    });
}

TEST_CASE("validate: a database named like another one's key is only a database") {
    CHECK(
        problems_of("auth: {method: trust}\ndatabases:\n  a: {host: db}\n  a.cluster: {host: db}\n"
                    "  a.port: {host: db}\n")
            .empty());
}

TEST_CASE("validate: a wrong host or cluster is one problem, not two") {
    CHECK(problems_of("auth: {method: trust}\ndatabases:\n  a: {host: \"*\"}\n  b: {cluster: [x]}\n"
                      "clusters: {m: {nodes: [{host: \"\"}]}}\n")
              .size() == 3);
}

TEST_CASE("validate: a node without a name is called like its host") {
    const Loaded loaded = load_text(
        "auth: {method: trust}\nclusters: {m: {nodes: [{host: db}]}}\ndatabases: {a: {cluster: m}}",
        "c.yaml", World());
    REQUIRE(loaded.config.has_value());
    CHECK(loaded.config->clusters.at("m").nodes.front().name == "db");
}

TEST_CASE("validate: users have no star, and pool's sizes fit each other") {
    CHECK(problems_in("users:\n  \"*\": {pool_size: 5}\n") ==
          Lines{"2: users has no \"*\"; what is for everybody stands in pool and timeouts"});
    CHECK(problems_in("pool:\n  pool_size: 5\n  min_size: 6\n") ==
          Lines{"3: pool: min_size 6 is above pool_size 5; lower the one or raise the other"});
}

}  // namespace
}  // namespace pgweir::config
