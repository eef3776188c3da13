#include "admin/stats.h"

#include "admin/nodes.h"
#include "admin/routes.h"
#include "pgweir/metrics/exposition.h"

#include <array>

#include <fmt/format.h>

/// Statistics: SHOW STATS and its relatives, and the page of /metrics.
namespace pgweir::admin {
namespace {

using wire::Column;
using enum wire::ColumnType;

struct StatColumn {
    std::string_view total;          // in SHOW STATS
    std::string_view average;        // there too
    std::string_view plain;          // in SHOW STATS_TOTALS
    std::string_view plain_average;  // in SHOW STATS_AVERAGES
    std::string_view sum;            // in SHOW TOTALS, after total_ and avg_
    uint64_t Totals::*value;
    uint64_t Totals::*divided_by;  // nullptr: by the seconds of the period
};

// clang-format off
constexpr std::array<StatColumn, 12> kStats{{
    {"total_server_assignment_count", "avg_server_assignment_count", "server_assignment_count", "server_assignment_count", "server_assignment_count", &Totals::assignments,    nullptr},
    {"total_xact_count",              "avg_xact_count",              "xact_count",              "xact_count",              "xact_count",                &Totals::transactions,   nullptr},
    {"total_query_count",             "avg_query_count",             "query_count",             "query_count",             "query_count",               &Totals::queries,        nullptr},
    {"total_received",                "avg_recv",                    "bytes_received",          "bytes_received",          "client_bytes",              &Totals::received,       nullptr},
    {"total_sent",                    "avg_sent",                    "bytes_sent",              "bytes_sent",              "server_bytes",              &Totals::sent,           nullptr},
    {"total_xact_time",               "avg_xact_time",               "xact_time",               "xact_time",               "xact_time",                 &Totals::transaction_us, &Totals::transactions},
    {"total_query_time",              "avg_query_time",              "query_time",              "query_time",              "query_time",                &Totals::query_us,       &Totals::queries},
    {"total_wait_time",               "avg_wait_time",               "wait_time",               "wait_time",               "wait_time",                 &Totals::wait_us,        nullptr},
    {"total_client_parse_count",      "avg_client_parse_count",      "client_parse_count",      "avg_client_parse_count",  "ps_client_parse_count",     &Totals::client_parses,  nullptr},
    {"total_server_parse_count",      "avg_server_parse_count",      "server_parse_count",      "avg_server_parse_count",  "ps_server_parse_count",     &Totals::server_parses,  nullptr},
    {"total_bind_count",              "avg_bind_count",              "bind_count",              "avg_bind_count",          "ps_bind_count",             &Totals::binds,          nullptr},
    {"total_client_login_count",      "avg_client_login_count",      "client_login_count",      "avg_client_login_count",  "client_login_count",        &Totals::logins,         nullptr},
}};

// clang-format on

uint64_t average(const StatColumn& stat,
                 const Totals& before,
                 const Totals& after,
                 double seconds) {
    const uint64_t change = after.*stat.value - before.*stat.value;
    if (stat.divided_by != nullptr) {
        const uint64_t count = after.*stat.divided_by - before.*stat.divided_by;
        return count == 0 ? 0 : change / count;
    }
    return seconds <= 0 ? 0 : static_cast<uint64_t>(static_cast<double>(change) / seconds);
}

/// All databases together.
Totals sum_of(const DatabaseTotals& totals) {
    Totals sum;
    for (const auto& [database, part] : totals) {
        for (const auto& stat : kStats) sum.*stat.value += part.*stat.value;
    }
    return sum;
}

const Totals& find(const DatabaseTotals& totals, const std::string& name) {
    static const Totals nothing;
    const auto it = totals.find(name);
    return it == totals.end() ? nothing : it->second;
}

void append_averages(const Picture& picture,
                     const std::string& database,
                     std::vector<std::string>& row) {
    const Totals& before = find(picture.period.before, database);
    const Totals& after = find(picture.period.after, database);
    for (const auto& stat : kStats) {
        row.push_back(fmt::format("{}", average(stat, before, after, picture.period.seconds)));
    }
}

void append_totals(const Totals& totals, std::vector<std::string>& row) {
    for (const auto& stat : kStats) row.push_back(fmt::format("{}", totals.*stat.value));
}

}  // namespace

DatabaseTotals sum_by_database(const std::vector<session::EngineSnapshot>& workers) {
    DatabaseTotals sums;
    for (const auto& worker : workers) {
        for (const auto& pool : worker.pools) {
            Totals& sum = sums[pool.database];
            const session::PoolStats& stats = pool.stats;
            sum.assignments += stats.assignments;
            sum.transactions += stats.transactions;
            sum.queries += stats.queries;
            sum.received += stats.bytes_received;
            sum.sent += stats.bytes_sent;
            sum.transaction_us += stats.transaction_us;
            sum.query_us += stats.query_us;
            sum.wait_us += stats.wait_us;
            sum.client_parses += stats.client_parses;
            sum.server_parses += stats.server_parses;
            sum.binds += stats.binds;
            sum.logins += stats.logins;
        }
    }
    return sums;
}

Table show_stats(const Picture& picture) {
    Table table{{{"database"}}, {}};
    for (const auto& stat : kStats) table.columns.push_back({stat.total, Int8});
    for (const auto& stat : kStats) table.columns.push_back({stat.average, Int8});
    for (const auto& [database, totals] : sum_by_database(picture.workers)) {
        std::vector<std::string> row{database};
        append_totals(totals, row);
        append_averages(picture, database, row);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table show_totals(const Picture& picture) {
    Table table{{{"database"}}, {}};
    for (const auto& stat : kStats) table.columns.push_back({stat.plain, Int8});
    for (const auto& [database, totals] : sum_by_database(picture.workers)) {
        std::vector<std::string> row{database};
        append_totals(totals, row);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table show_averages(const Picture& picture) {
    Table table{{{"database"}}, {}};
    for (const auto& stat : kStats) table.columns.push_back({stat.plain_average, Int8});
    for (const auto& [database, totals] : sum_by_database(picture.workers)) {
        std::vector<std::string> row{database};
        append_averages(picture, database, row);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table show_sums(const Picture& picture) {
    Table table{
        {{"name"},  {"value", Int8}},
        {         }
    };
    const Totals now = sum_of(sum_by_database(picture.workers));
    const Totals before = sum_of(picture.period.before);
    const Totals after = sum_of(picture.period.after);
    for (const auto& stat : kStats) {
        table.rows.push_back(
            {fmt::format("total_{}", stat.sum), fmt::format("{}", now.*stat.value)});
    }
    for (const auto& stat : kStats) {
        table.rows.push_back(
            {fmt::format("avg_{}", stat.sum),
             fmt::format("{}", average(stat, before, after, picture.period.seconds))});
    }
    return table;
}

namespace {

using metrics::Exposition;
using metrics::Labels;
using metrics::Metric;

void add_states(Exposition& out, const session::PoolRow& pool) {
    const auto add = [&](Metric metric, std::string_view state, uint32_t count) {
        out.add(metric,
                {
                    {"database", pool.database},
                    {"user",     pool.user    },
                    {"state",    state        }
        },
                count);
    };
    add(Metric::Clients, "idle", pool.clients_idle);
    add(Metric::Clients, "active", pool.clients_active);
    add(Metric::Clients, "waiting", pool.clients_waiting);
    add(Metric::Servers, "active", pool.servers_active + pool.servers_cancelling);
    add(Metric::Servers, "idle", pool.servers_idle);
    add(Metric::Servers, "opening", pool.servers_opening);
    add(Metric::Servers, "tested", pool.servers_checking);
}

void add_pool(Exposition& out, const session::PoolRow& pool) {
    const Labels labels{
        {"database", pool.database},
        {"user",     pool.user    }
    };
    const session::PoolStats& stats = pool.stats;
    const auto add = [&](Metric metric, uint64_t value) {
        out.add(metric, labels, static_cast<double>(value));
    };
    add_states(out, pool);
    for (size_t i = 0; i < session::kPins; ++i) {
        out.add(Metric::Pinned,
                {
                    {"database", pool.database        },
                    {"user",     pool.user            },
                    {"reason",   session::kPinNames[i]}
        },
                pool.pinned[i]);
    }
    add(Metric::Logins, stats.logins);
    add(Metric::Transactions, stats.transactions);
    add(Metric::Queries, stats.queries);
    add(Metric::BytesReceived, stats.bytes_received);
    add(Metric::BytesSent, stats.bytes_sent);
    add(Metric::ServersOpened, stats.servers_opened);
    add(Metric::ServersFailed, stats.servers_failed);
    add(Metric::ServersLent, stats.servers_lent);
    add(Metric::SettingsApplied, stats.settings_applied);
    add(Metric::Censuses, stats.censuses);
    add(Metric::PinRefusals, stats.pin_refusals);
    add(Metric::BeginsDeferred, stats.begins_deferred);
    add(Metric::Untouched, stats.transactions_untouched);
    add(Metric::CausalWaits, stats.causal_waits);
    add(Metric::CausalTimeouts, stats.causal_timeouts);
    add(Metric::StalePlans, stats.stale_plans);
    add(Metric::Notifications, stats.notifications);
    add(Metric::SlowListeners, stats.slow_listeners);
    add(Metric::Cancels, stats.cancels);
    add(Metric::Timeouts, stats.timeouts);
    add(Metric::QueueRefusals, stats.queue_refusals);
    add(Metric::ClientParses, stats.client_parses);
    add(Metric::ServerParses, stats.server_parses);
    add(Metric::Binds, stats.binds);
    out.add(Metric::WaitTime, labels, stats.wait);
    out.add(Metric::QueryTime, labels, stats.query);
    out.add(Metric::TransactionTime, labels, stats.transaction);
}

void add_listening(Exposition& out, const session::EngineSnapshot& worker) {
    for (const auto& listener : worker.listeners) {
        const Labels labels{
            {"database", listener.database}
        };
        out.add(Metric::SharedChannels, labels, static_cast<double>(listener.channels));
        out.add(Metric::ListenerLosses, labels, static_cast<double>(listener.losses));
    }
    for (const auto& [database, clients] : worker.listening) {
        out.add(Metric::Listeners,
                {
                    {"database", database}
        },
                static_cast<double>(clients));
    }
}

}  // namespace

std::string metrics_text(const std::vector<session::EngineSnapshot>& workers,
                         const std::vector<ClusterPicture>& clusters,
                         Instant now) {
    Exposition out;
    out.add(Metric::Info,
            {
                {"version", PGWEIR_VERSION}
    },
            1);
    out.add(Metric::Workers, {}, static_cast<double>(workers.size()));
    // The size and the longest wait are not sums over the workers.
    std::map<session::PoolName, std::pair<uint32_t, int64_t>> largest;
    for (const auto& worker : workers) {
        out.add(Metric::WorkerBusy,
                {
                    {"worker", std::to_string(worker.worker)}
        },
                worker.busy / 1000.0);
        out.add(Metric::ClientsMoved, {}, static_cast<double>(worker.stats.clients_moved));
        out.add(Metric::ClientsAccepted, {}, static_cast<double>(worker.stats.accepted));
        out.add(Metric::ClientsRefused, {}, static_cast<double>(worker.stats.refused));
        out.add(Metric::LoginFailures, {}, static_cast<double>(worker.stats.login_failures));
        out.add(Metric::ProtocolErrors, {}, static_cast<double>(worker.stats.protocol_errors));
        out.add(Metric::CancelsReceived, {}, static_cast<double>(worker.stats.cancels_received));
        out.add(Metric::CancelsUnknown, {}, static_cast<double>(worker.stats.cancels_unknown));
        out.add(Metric::AddressesPassed, {},
                static_cast<double>(worker.stats.addresses_passed_over));
        out.add(Metric::BufferBytes, {}, static_cast<double>(worker.buffer_bytes));
        out.add(Metric::StatementBytes, {}, static_cast<double>(worker.statement_bytes));
        add_listening(out, worker);
        for (const auto& pool : worker.pools) {
            add_pool(out, pool);
            auto& [size, wait] = largest[{pool.database, pool.user, pool.node}];
            size = std::max(size, pool.size);
            wait = std::max(wait, pool.max_wait_us);
        }
    }
    std::map<session::PoolName, int64_t> waits;  // on whichever node
    for (const auto& [key, value] : largest) {
        const Labels labels{
            {"database", key.database},
            {"user",     key.user    }
        };
        out.add(Metric::PoolSize, labels, value.first);
        int64_t& longest = waits[{key.database, key.user}];
        longest = std::max(longest, value.second);
    }
    for (const auto& [key, wait] : waits) {
        out.add(Metric::OldestWait,
                {
                    {"database", key.database},
                    {"user",     key.user    }
        },
                static_cast<double>(wait) / 1e6);
    }
    add_routes(out, workers);
    add_nodes(out, clusters, now);
    return out.text();
}

}  // namespace pgweir::admin
