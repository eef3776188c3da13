#include "pgweir/metrics/catalogue.h"

#include <fmt/format.h>

namespace pgweir::metrics {
namespace {

using enum Metric;
using enum Kind;

constexpr std::string_view kPool = "database, user";

// clang-format off
constexpr std::array<MetricRow, kMetrics> kCatalogue{{
    {Info,            Gauge,     "pgweir_info",                          "version",               "Always 1; the version is in the label."},
    {Workers,         Gauge,     "pgweir_workers",                       "",                      "Event-loop threads."},
    {WorkerBusy,      Gauge,     "pgweir_worker_busy_ratio",             "worker",                "Part of a core that the worker used lately."},
    {ClientsMoved,    Counter,   "pgweir_clients_moved_total",           "",                      "Clients handed to another worker."},
    {ClientsAccepted, Counter,   "pgweir_clients_accepted_total",        "",                      "Connections taken from clients."},
    {ClientsRefused,  Counter,   "pgweir_clients_refused_total",         "",                      "Connections refused because a limit was reached."},
    {LoginFailures,   Counter,   "pgweir_login_failures_total",          "",                      "Logins that failed, for whatever reason."},
    {ProtocolErrors,  Counter,   "pgweir_protocol_errors_total",         "",                      "Clients sent away for malformed messages."},
    {CancelsReceived, Counter,   "pgweir_cancel_requests_total",         "",                      "Cancel requests from clients."},
    {CancelsUnknown,  Counter,   "pgweir_cancel_requests_unknown_total", "",                      "Cancel requests whose key belongs to no client."},
    {AddressesPassed, Counter,   "pgweir_addresses_passed_over_total",   "",                      "Addresses of a node that did not answer for 2 s, so that its next one was tried."},
    {BufferBytes,     Gauge,     "pgweir_buffer_bytes",                  "",                      "Memory in buffers of sessions that cannot go on at once."},
    {StatementBytes,  Gauge,     "pgweir_statement_bytes",               "",                      "Text of the prepared statements that clients hold."},
    {Clients,         Gauge,     "pgweir_clients",                       "database, user, state", "Clients by state: idle, active, waiting."},
    {Servers,         Gauge,     "pgweir_servers",                       "database, user, state", "Servers by state: active, idle, opening, tested."},
    {Pinned,          Gauge,     "pgweir_pinned_servers",                "database, user, reason", "Servers that a session keeps between transactions, by reason; one may have several."},
    {PoolSize,        Gauge,     "pgweir_pool_size",                     kPool,                   "Servers that the pool may have in the whole process."},
    {OldestWait,      Gauge,     "pgweir_oldest_wait_seconds",           kPool,                   "How long the client that waits longest has waited."},
    {Logins,          Counter,   "pgweir_logins_total",                  kPool,                   "Clients that logged in."},
    {Transactions,    Counter,   "pgweir_transactions_total",            kPool,                   "Transactions that ended."},
    {Queries,         Counter,   "pgweir_queries_total",                 kPool,                   "Query and Execute messages passed on."},
    {BytesReceived,   Counter,   "pgweir_client_received_bytes_total",   kPool,                   "Bytes received from clients."},
    {BytesSent,       Counter,   "pgweir_client_sent_bytes_total",       kPool,                   "Bytes sent to clients."},
    {ServersOpened,   Counter,   "pgweir_servers_opened_total",          kPool,                   "Servers that logged in."},
    {ServersFailed,   Counter,   "pgweir_servers_failed_total",          kPool,                   "Servers that could not be opened."},
    {ServersLent,     Counter,   "pgweir_servers_lent_total",            kPool,                   "Servers handed to another worker."},
    {SettingsApplied, Counter,   "pgweir_settings_applied_total",        kPool,                   "Times a server took a client's settings before it was lent."},
    {Censuses,        Counter,   "pgweir_censuses_total",                kPool,                   "Times a server was asked what a transaction left in its session."},
    {PinRefusals,     Counter,   "pgweir_pin_refusals_total",            kPool,                   "Statements refused or sessions ended because pinned_max was reached."},
    {BeginsDeferred,  Counter,   "pgweir_begins_deferred_total",         kPool,                   "BEGINs that were answered at once and waited for their first statement (lazy_begin)."},
    {Untouched,       Counter,   "pgweir_transactions_untouched_total",  kPool,                   "Transactions that ended before they had a statement, and touched no server."},
    {CausalWaits,     Counter,   "pgweir_causal_waits_total",            kPool,                   "Reads that waited until a standby showed what their session was told of."},
    {CausalTimeouts,  Counter,   "pgweir_causal_wait_timeouts_total",    kPool,                   "The same that routing.causal_wait was not enough for."},
    {StalePlans,      Counter,   "pgweir_stale_plans_total",             kPool,                   "Times a prepared statement was out of date because a table had changed."},
    {Notifications,   Counter,   "pgweir_notifications_total",           kPool,                   "Notifications told to clients by their database's shared connection."},
    {SlowListeners,   Counter,   "pgweir_slow_listeners_total",          kPool,                   "Clients ended because limits.notifications was reached."},
    {Cancels,         Counter,   "pgweir_cancels_total",                 kPool,                   "Cancel requests passed on to servers."},
    {Timeouts,        Counter,   "pgweir_timeouts_total",                kPool,                   "Clients sent away because a time was over."},
    {QueueRefusals,   Counter,   "pgweir_queue_refusals_total",          kPool,                   "Clients sent away because the queue was full."},
    {ClientParses,    Counter,   "pgweir_client_parses_total",           kPool,                   "Parse messages from clients."},
    {ServerParses,    Counter,   "pgweir_server_parses_total",           kPool,                   "Parse messages to servers."},
    {Binds,           Counter,   "pgweir_binds_total",                   kPool,                   "Bind messages passed on."},
    {SharedChannels,  Gauge,     "pgweir_shared_channels",               "database",              "Channels on which the shared connection listens, or is about to."},
    {Listeners,       Gauge,     "pgweir_listeners",                     "database",              "Clients that listen on them."},
    {ListenerLosses,  Counter,   "pgweir_listener_losses_total",         "database",              "Times the shared connection was lost while clients needed it; they were told."},
    {ClusterEpoch,    Gauge,     "pgweir_cluster_epoch",                 "cluster",              "How often it was found, since the start, that writes go elsewhere than before."},
    {NodeState,       Gauge,     "pgweir_node_state",                    "cluster, node, state", "1 for the state that the node is in, 0 for the others; see SHOW NODES."},
    {NodeLag,         Gauge,     "pgweir_node_lag_seconds",              "cluster, node",        "How far a standby's replay is behind the primary at most; none while it is not known."},
    {NodeLagBytes,    Gauge,     "pgweir_node_lag_bytes",                "cluster, node",        "Log that a standby has not replayed yet."},
    {ProbeFailures,   Counter,   "pgweir_probe_failures_total",          "cluster, node",        "Questions to a node, and connections for them, that failed."},
    {CatalogueFacts,  Gauge,     "pgweir_catalogue_facts",               "cluster, database",    "Facts that are known of a database's functions, views and tables; 0: none, and its reads stay on the primary."},
    {CatalogueAge,    Gauge,     "pgweir_catalogue_age_seconds",         "cluster, database",    "How long ago they were read."},
    {CataloguesRefused, Counter, "pgweir_catalogues_refused_total",      "cluster",              "How often a worker missed the catalogue of a database behind \"*\" that is not read because of limits.catalogues; its reads stay on the primary."},
    {Routed,          Counter,   "pgweir_routed_total",                  "database, user, reason", "Requests by where they went and why: read (to a standby), write, behind (no standby shows what the session wrote), current (a transaction that no standby can keep up to date), no_standby, balanced, asked, retried, refused (no standby was fit, and no_standby is error), undecided."},
    {StandbyRequests, Counter,   "pgweir_standby_requests_total",        "database, user, node", "Requests and read-only transactions that a standby got."},
    {Classified,      Counter,   "pgweir_statements_classified_total",   "cluster, database",    "Statements that were looked into, once for each shape."},
    {Unclassified,    Counter,   "pgweir_statements_unclassified_total", "cluster, database",    "Statements that went to the primary because too many new shapes came at once."},
    {WaitTime,        Histogram, "pgweir_wait_seconds",                  kPool,                   "Time a client waited for a server."},
    {QueryTime,       Histogram, "pgweir_query_seconds",                 kPool,                   "Time from a request to its ReadyForQuery."},
    {TransactionTime, Histogram, "pgweir_transaction_seconds",           kPool,                   "Time a client held a server."},
}};

// clang-format on

constexpr bool in_order() {
    for (size_t i = 0; i < kMetrics; ++i) {
        if (static_cast<size_t>(kCatalogue[i].id) != i) return false;
    }
    return true;
}

static_assert(in_order(), "the catalogue's rows stand in the order of the enum");

std::string_view to_text(Kind kind) {
    switch (kind) {
        case Counter: return "counter";
        case Gauge: return "gauge";
        case Histogram: return "histogram";
    }
    return "";
}

}  // namespace

const std::array<MetricRow, kMetrics>& catalogue() {
    return kCatalogue;
}

const MetricRow& row_of(Metric metric) {
    return kCatalogue[static_cast<size_t>(metric)];
}

std::string metrics_markdown() {
    std::string text =
        "# Metrics\n\nPrinted from `src/metrics/catalogue.cc` by `scripts/docs`. Served at "
        "`/metrics` in Prometheus's text format.\n\n| metric | kind | labels | meaning |\n"
        "|---|---|---|---|\n";
    for (const auto& row : kCatalogue) {
        text += fmt::format("| `{}` | {} | {} | {} |\n", row.name, to_text(row.kind), row.labels,
                            row.help);
    }
    return text;
}

}  // namespace pgweir::metrics
