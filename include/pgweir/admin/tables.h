#pragma once

#include "pgweir/admin/command.h"
#include "pgweir/cluster/view.h"
#include "pgweir/route/catalogue.h"
#include "pgweir/session/snapshot.h"
#include "pgweir/session/stop_orders.h"
#include "pgweir/wire/backend.h"

#include <map>
#include <string>
#include <vector>

/// What SHOW answers, in PgBouncer's columns and order, from the snapshots of all workers.
namespace pgweir::admin {

struct Table {
    std::vector<wire::Column> columns;
    std::vector<std::vector<std::string>> rows;
};

/// Sums of one database over its pools and all workers.
struct Totals {
    uint64_t assignments = 0;
    uint64_t transactions = 0;
    uint64_t queries = 0;
    uint64_t received = 0;
    uint64_t sent = 0;
    uint64_t transaction_us = 0;
    uint64_t query_us = 0;
    uint64_t wait_us = 0;
    uint64_t client_parses = 0;
    uint64_t server_parses = 0;
    uint64_t binds = 0;
    uint64_t logins = 0;
};

using DatabaseTotals = std::map<std::string, Totals>;

DatabaseTotals sum_by_database(const std::vector<session::EngineSnapshot>& workers);

/// The change over one period of statistics, from which averages are made.
struct Period {
    DatabaseTotals before;
    DatabaseTotals after;
    double seconds = 0;
};

/// What is known of one database's catalogue. Lifetime: as long as nobody reads another one.
struct CataloguePicture {
    std::string database;                         // as the server calls it
    const route::Catalogue* catalogue = nullptr;  // nullptr: nothing is known
    Instant read{};
    std::string why{};  // it could not be read the last time
};

/// A cluster that is watched, and what is believed of it.
struct ClusterPicture {
    std::string name;
    std::vector<config::Node> nodes;
    cluster::View view;
    std::vector<uint64_t> failures;  // probes that failed, of each node
    std::vector<CataloguePicture> catalogues{};
    uint64_t databases_refused = 0;  // see route::CatalogueSchedule
};

/// Everything that a SHOW may need.
struct Picture {
    const config::Config& config;
    std::vector<session::EngineSnapshot> workers;
    const Period& period;
    int64_t wall_clock_us = 0;  // since 1970, for the columns with times of day
    session::StopOrders stop_orders{};
    std::vector<ClusterPicture> clusters{};
    Instant now{};
};

/// The detail that a topic needs from each worker.
session::Detail detail_for(Topic topic);

Table show(Topic topic, const Picture& picture);

/// EXPLAIN ROUTE: for each database, how a statement is classed, and where it goes.
Table explain_route(std::string_view sql, const Picture& picture);

/// The whole answer to a SHOW, or to EXPLAIN ROUTE, up to ReadyForQuery.
std::string encode_answer(const Table& table, std::string_view tag = "SHOW");
std::string encode_done(std::string_view tag);
std::string encode_failure(const Error& error);
std::string encode_help();

/// The page of /metrics.
std::string metrics_text(const std::vector<session::EngineSnapshot>& workers,
                         const std::vector<ClusterPicture>& clusters = {},
                         Instant now = {});

}  // namespace pgweir::admin
