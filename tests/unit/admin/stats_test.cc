#include "pgweir/admin/tables.h"

#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace pgweir::admin {
namespace {

using session::EngineSnapshot;

EngineSnapshot worker_with(std::string database, std::string user, uint64_t transactions) {
    EngineSnapshot worker;
    session::PoolRow row;
    row.database = std::move(database);
    row.user = std::move(user);
    row.size = 20;
    row.stats.transactions = transactions;
    row.stats.queries = 2 * transactions;
    row.stats.transaction_us = 1000 * transactions;
    row.stats.query_us = 300 * transactions;
    row.stats.bytes_received = 50 * transactions;
    worker.pools.push_back(std::move(row));
    return worker;
}

std::map<std::string_view, std::string> cells(const Table& table, size_t row = 0) {
    REQUIRE(table.rows.size() > row);
    std::map<std::string_view, std::string> found;
    for (size_t i = 0; i < table.columns.size(); ++i) {
        found[table.columns[i].name] = table.rows[row][i];
    }
    return found;
}

bool has_line(const std::string& text, std::string_view line) {
    return fmt::format("\n{}", text).find(fmt::format("\n{}\n", line)) != std::string::npos;
}

}  // namespace

TEST_CASE("stats: sums go over users and workers, by database") {
    const auto sums = sum_by_database(
        {worker_with("app", "ann", 10), worker_with("app", "bob", 5), worker_with("b", "ann", 1)});
    CHECK(sums.size() == 2);
    CHECK(sums.at("app").transactions == 15);
    CHECK(sums.at("app").queries == 30);
    CHECK(sums.at("b").received == 50);
}

TEST_CASE("stats: totals are of now, averages of the period") {
    const config::Config config;
    Period period;
    period.before = sum_by_database({worker_with("app", "ann", 100)});
    period.after = sum_by_database({worker_with("app", "ann", 160)});
    period.seconds = 60;
    const Picture picture{config, {worker_with("app", "ann", 200)}, period, 0};

    auto row = cells(show(Topic::Stats, picture));
    CHECK(row["database"] == "app");
    CHECK(row["total_xact_count"] == "200");
    CHECK(row["total_received"] == "10000");
    CHECK(row["avg_xact_count"] == "1");
    CHECK(row["avg_query_count"] == "2");
    CHECK(row["avg_recv"] == "50");
    CHECK(row["avg_xact_time"] == "1000");  // a transaction, not a second
    CHECK(row["avg_query_time"] == "150");

    row = cells(show(Topic::StatsTotals, picture));
    CHECK(row["xact_count"] == "200");
    CHECK(row["bytes_received"] == "10000");
    row = cells(show(Topic::StatsAverages, picture));
    CHECK(row["xact_count"] == "1");

    std::map<std::string, std::string> sums;
    for (const auto& line : show(Topic::Totals, picture).rows) sums[line[0]] = line[1];
    CHECK(sums.size() == 24);
    CHECK(sums["total_xact_count"] == "200");
    CHECK(sums["total_client_bytes"] == "10000");
    CHECK(sums["avg_client_bytes"] == "50");
    CHECK(sums["avg_query_time"] == "150");
    CHECK(sums.contains("total_ps_bind_count"));
}

TEST_CASE("stats: without a period, or for a database that is new in it, averages are zero") {
    const config::Config config;
    const Period none;
    auto row =
        cells(show(Topic::Stats, Picture{config, {worker_with("app", "ann", 200)}, none, 0}));
    CHECK(row["avg_xact_count"] == "0");
    CHECK(row["avg_xact_time"] == "0");
}

TEST_CASE("stats: /metrics adds counters up, but takes the largest of sizes and waits") {
    auto one = worker_with("app", "ann", 10);
    one.pools[0].max_wait_us = 1'500'000;
    one.pools[0].clients_waiting = 2;
    one.stats.accepted = 7;
    one.buffer_bytes = 100;
    auto two = worker_with("app", "ann", 5);
    two.pools[0].clients_waiting = 1;
    two.stats.accepted = 3;
    const std::string text = metrics_text({one, two});
    CHECK(has_line(text, "pgweir_workers 2"));
    CHECK(has_line(text, "pgweir_clients_accepted_total 10"));
    CHECK(has_line(text, "pgweir_buffer_bytes 100"));
    CHECK(has_line(text, R"(pgweir_transactions_total{database="app",user="ann"} 15)"));
    CHECK(has_line(text, R"(pgweir_clients{database="app",user="ann",state="waiting"} 3)"));
    CHECK(has_line(text, R"(pgweir_pool_size{database="app",user="ann"} 20)"));
    CHECK(has_line(text, R"(pgweir_oldest_wait_seconds{database="app",user="ann"} 1.5)"));
    CHECK(text.find("pgweir_info{version=") != std::string::npos);
}

}  // namespace pgweir::admin
