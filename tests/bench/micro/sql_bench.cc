// What deciding about a statement costs: scripts/bench micro.
#include "pgweir/route/decisions.h"
#include "pgweir/sql/classify.h"
#include "pgweir/sql/fingerprint.h"

#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <pg_query.h>

namespace {

const std::string kPgbench = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;";

// As an ORM writes it.
const std::string kJoin =
    "SELECT \"statuses\".\"id\", \"statuses\".\"updated_at\" FROM \"statuses\" LEFT OUTER JOIN "
    "\"mentions\" ON \"mentions\".\"status_id\" = \"statuses\".\"id\" INNER JOIN \"accounts\" ON "
    "\"accounts\".\"id\" = \"statuses\".\"account_id\" WHERE \"statuses\".\"visibility\" IN (0, 1) "
    "AND \"accounts\".\"silenced_at\" IS NULL AND (\"statuses\".\"reply\" = FALSE OR "
    "\"statuses\".\"in_reply_to_account_id\" = \"statuses\".\"account_id\") AND "
    "\"statuses\".\"deleted_at\" IS NULL ORDER BY \"statuses\".\"id\" DESC LIMIT 20";

void fingerprint(benchmark::State& state, const std::string& sql) {
    for (auto _ : state) benchmark::DoNotOptimize(pgweir::sql::fingerprint(sql));
}

void classify(benchmark::State& state, const std::string& sql) {
    for (auto _ : state) benchmark::DoNotOptimize(pgweir::sql::classify(sql));
}

void parse_alone(benchmark::State& state, const std::string& sql) {
    for (auto _ : state) {
        PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql.c_str());
        benchmark::DoNotOptimize(parsed.parse_tree.len);
        pg_query_free_protobuf_parse_result(parsed);
    }
}

/// Of a text that came before, to the byte.
void decision_by_text(benchmark::State& state, const std::string& sql) {
    pgweir::route::Decisions decisions;
    pgweir::route::Decisions::Ref ref;
    for (auto _ : state) benchmark::DoNotOptimize(decisions.about(sql, ref));
}

/// Of a shape that came before, with a value that did not.
void decision_by_shape(benchmark::State& state, const std::string& sql) {
    constexpr size_t kTexts = 100'000;
    pgweir::route::Decisions decisions;
    pgweir::route::Decisions::Ref ref;
    std::vector<std::string> texts;
    for (size_t i = 0; i < kTexts; ++i) texts.push_back(sql + " OFFSET " + std::to_string(i));
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(decisions.about(texts[i++ % kTexts], ref));
}

BENCHMARK_CAPTURE(decision_by_text, pgbench, kPgbench);
BENCHMARK_CAPTURE(decision_by_text, join, kJoin);
BENCHMARK_CAPTURE(decision_by_shape, pgbench, kPgbench);
BENCHMARK_CAPTURE(decision_by_shape, join, kJoin);
BENCHMARK_CAPTURE(fingerprint, pgbench, kPgbench);
BENCHMARK_CAPTURE(fingerprint, join, kJoin);
BENCHMARK_CAPTURE(classify, pgbench, kPgbench);
BENCHMARK_CAPTURE(classify, join, kJoin);
BENCHMARK_CAPTURE(parse_alone, pgbench, kPgbench);
BENCHMARK_CAPTURE(parse_alone, join, kJoin);

}  // namespace

BENCHMARK_MAIN();
