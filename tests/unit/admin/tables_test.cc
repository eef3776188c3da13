#include "pgweir/admin/tables.h"

#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::admin {
namespace {

using session::EngineSnapshot;
using session::PoolRow;

/// Two workers with the same pool, a client and a server.
struct Scene {
    Scene() {
        config.clusters["main"] = {"main", {{"pg1", "10.0.0.9", 5433}}};
        config.databases["app"].name = "app";
        config.databases["app"].cluster = "main";
        config.databases["app"].dbname = "app_production";
        config.databases["app"].pool.max_clients = 50;
        config.users["ann"].pool.pool_size = 5;
        workers.resize(2);
        for (EngineSnapshot& worker : workers) worker.pools.push_back(pool());
        workers[1].pools[0].max_wait_us = 2'500'000;
    }

    static PoolRow pool() {
        PoolRow row;
        row.database = "app";
        row.user = "ann";
        row.clients_idle = 1;
        row.clients_active = 2;
        row.clients_waiting = 3;
        row.servers_active = 4;
        row.servers_idle = 5;
        row.servers_checking = 6;
        row.servers_opening = 7;
        row.servers_cancelling = 8;
        row.cancels = 9;
        row.size = 20;
        row.max_wait_us = 100;
        return row;
    }

    Table shown(Topic topic) const {
        return show(topic, Picture{config, workers, period, 1'700'000'000'000'000});
    }

    config::Config config;
    std::vector<EngineSnapshot> workers;
    Period period;
};

/// The cells of a row by the names of their columns.
std::map<std::string_view, std::string> cells(const Table& table, size_t row = 0) {
    REQUIRE(table.rows.size() > row);
    REQUIRE(table.rows[row].size() == table.columns.size());
    std::map<std::string_view, std::string> found;
    for (size_t i = 0; i < table.columns.size(); ++i) {
        found[table.columns[i].name] = table.rows[row][i];
    }
    return found;
}

std::vector<std::string_view> names(const Table& table) {
    std::vector<std::string_view> all;
    for (const auto& column : table.columns) all.push_back(column.name);
    return all;
}

}  // namespace

TEST_CASE("tables: SHOW POOLS adds up the workers, in PgBouncer's columns") {
    const Scene scene;
    const Table table = scene.shown(Topic::Pools);
    CHECK(names(table) == std::vector<std::string_view>{
                              "database", "user", "cl_active", "cl_waiting", "cl_active_cancel_req",
                              "cl_waiting_cancel_req", "sv_active", "sv_active_cancel",
                              "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login",
                              "maxwait", "maxwait_us", "pool_mode", "load_balance_hosts"});
    REQUIRE(table.rows.size() == 1);
    auto row = cells(table);
    CHECK(row["database"] == "app");
    CHECK(row["cl_active"] == "6");  // PgBouncer counts idle ones too
    CHECK(row["cl_waiting"] == "6");
    CHECK(row["sv_active"] == "8");
    CHECK(row["sv_idle"] == "10");
    CHECK(row["sv_tested"] == "12");
    CHECK(row["sv_login"] == "14");
    CHECK(row["sv_being_canceled"] == "16");
    CHECK(row["maxwait"] == "2");
    CHECK(row["maxwait_us"] == "500000");
    CHECK(row["pool_mode"] == "transaction");
}

TEST_CASE("tables: SHOW CLIENTS and SHOW SERVERS have the same columns") {
    Scene scene;
    session::ClientRowData client;
    client.user = "ann";
    client.database = "app";
    client.state = "waiting";
    client.address = "[::1]:5001";
    client.id = 255;
    client.linked_server = 16;
    client.wait_us = 1'500'000;
    client.connected_us_ago = 10'000'000;
    scene.workers[0].clients.push_back(client);
    session::ServerRowData server;
    server.user = "ann";
    server.database = "app";
    server.state = "active";
    server.address = "unix";
    server.id = 16;
    server.pid = 4711;
    server.close_needed = true;
    scene.workers[1].servers.push_back(server);

    const Table clients = scene.shown(Topic::Clients);
    const Table servers = scene.shown(Topic::Servers);
    CHECK(names(clients) == names(servers));
    auto row = cells(clients);
    CHECK(row["type"] == "C");
    CHECK(row["addr"] == "::1");
    CHECK(row["port"] == "5001");
    CHECK(row["connect_time"] == "2023-11-14 22:13:10 UTC");
    CHECK(row["wait"] == "1");
    CHECK(row["wait_us"] == "500000");
    CHECK(row["ptr"] == "0xff");
    CHECK(row["link"] == "0x10");
    row = cells(servers);
    CHECK(row["type"] == "S");
    CHECK(row["addr"] == "unix");
    CHECK(row["port"] == "0");
    CHECK(row["remote_pid"] == "4711");
    CHECK(row["close_needed"] == "1");
    CHECK(row["link"].empty());
}

TEST_CASE("tables: SHOW DATABASES says where each leads and what is used") {
    Scene scene;
    scene.workers[0].pools[0].state = session::PoolState::Paused;
    auto row = cells(scene.shown(Topic::Databases));
    CHECK(row["name"] == "app");
    CHECK(row["host"] == "10.0.0.9");
    CHECK(row["port"] == "5433");
    CHECK(row["database"] == "app_production");
    CHECK(row["force_user"].empty());
    CHECK(row["pool_size"] == "20");
    CHECK(row["max_client_connections"] == "50");
    CHECK(row["current_connections"] == "60");
    CHECK(row["current_client_connections"] == "12");
    CHECK(row["paused"] == "1");
    CHECK(row["disabled"] == "0");
}

TEST_CASE("tables: SHOW DATABASES says who is stopped although it has no pool yet") {
    Scene scene;
    scene.workers.clear();
    Picture picture{scene.config, scene.workers, scene.period, 0};
    picture.stop_orders.pause("app");
    CHECK(cells(show(Topic::Databases, picture))["paused"] == "1");
    picture.stop_orders.kill("");
    CHECK(cells(show(Topic::Databases, picture))["disabled"] == "1");
}

TEST_CASE("tables: a database that only \"*\" serves is shown while it has a pool") {
    Scene scene;
    scene.config.databases["*"].name = "*";
    scene.config.databases["*"].cluster = "main";
    scene.workers[0].pools[0].database = "other";
    const Table table = scene.shown(Topic::Databases);
    REQUIRE(table.rows.size() == 3);
    CHECK(table.rows[0][0] == "*");
    CHECK(table.rows[1][0] == "app");
    CHECK(table.rows[2][0] == "other");
    CHECK(cells(table, 2)["database"] == "other");
}

TEST_CASE("tables: SHOW USERS names those with settings and those with pools") {
    Scene scene;
    scene.workers[0].pools[0].user = "bob";
    const Table table = scene.shown(Topic::Users);
    REQUIRE(table.rows.size() == 2);
    CHECK(cells(table, 0)["name"] == "ann");
    CHECK(cells(table, 0)["pool_size"] == "5");
    CHECK(cells(table, 0)["current_client_connections"] == "6");
    CHECK(cells(table, 1)["name"] == "bob");
    CHECK(cells(table, 1)["pool_size"].empty());
}

TEST_CASE("tables: SHOW LISTS counts") {
    Scene scene;
    scene.workers[0].login_clients = 2;
    scene.workers[1].console_clients = 1;
    std::map<std::string, std::string> lists;
    for (const auto& row : scene.shown(Topic::Lists).rows) lists[row[0]] = row[1];
    CHECK(lists["databases"] == "1");
    CHECK(lists["pools"] == "1");
    CHECK(lists["used_clients"] == "13");
    CHECK(lists["login_clients"] == "2");
    CHECK(lists["free_servers"] == "10");
    CHECK(lists["used_servers"] == "36");
}

TEST_CASE("tables: SHOW STATE, VERSION and CONFIG") {
    Scene scene;
    CHECK(scene.shown(Topic::State).rows[0] == std::vector<std::string>{"active", "yes"});
    scene.workers[1].paused = true;
    CHECK(scene.shown(Topic::State).rows[1] == std::vector<std::string>{"paused", "yes"});
    CHECK(scene.shown(Topic::Version).rows[0][0].find("pgweir") != std::string::npos);
    const Table settings = scene.shown(Topic::Config);
    CHECK(names(settings) ==
          std::vector<std::string_view>{"key", "value", "default", "changeable"});
    CHECK(settings.rows.size() > 10);
}

TEST_CASE("tables: only what a topic needs is asked of the workers") {
    CHECK(detail_for(Topic::Pools) == session::Detail::Pools);
    CHECK(detail_for(Topic::Clients) == session::Detail::Clients);
    CHECK(detail_for(Topic::Servers) == session::Detail::Servers);
    CHECK(detail_for(Topic::Stats) == session::Detail::Pools);
}

TEST_CASE("tables: every row of every topic fills its columns") {
    const Scene scene;
    for (const auto topic : {Topic::Version, Topic::Pools, Topic::Databases, Topic::Users,
                             Topic::Stats, Topic::StatsTotals, Topic::StatsAverages, Topic::Totals,
                             Topic::Lists, Topic::Config, Topic::State}) {
        const Table table = scene.shown(topic);
        CHECK_FALSE(table.rows.empty());
        for (const auto& row : table.rows) CHECK(row.size() == table.columns.size());
    }
}

TEST_CASE("tables: answers end with ReadyForQuery") {
    const std::string ready("Z\0\0\0\5I", 6);
    const auto ends_ready = [&](const std::string& answer) {
        return answer.size() >= 6 && answer.substr(answer.size() - 6) == ready;
    };
    const std::string answer = encode_answer({
        {{"a"} },
        { {"1"}, {"2"}}
    });
    CHECK(answer[0] == 'T');
    CHECK(ends_ready(answer));
    CHECK(ends_ready(encode_done("PAUSE")));
    CHECK(encode_done("PAUSE")[0] == 'C');
    CHECK(encode_help()[0] == 'N');
    CHECK(ends_ready(encode_help()));
    const std::string failure = encode_failure(
        {.sqlstate = sqlstate::kSyntaxError, .severity = Severity::Error, .message = "no"});
    CHECK(failure[0] == 'E');
    CHECK(ends_ready(failure));
}

}  // namespace pgweir::admin
