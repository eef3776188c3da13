#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// The only place where a metric is named; docs/metrics.md is printed from it.
namespace pgweir::metrics {

enum class Kind : uint8_t { Counter, Gauge, Histogram };

enum class Metric : uint8_t {
    Info,
    Workers,
    WorkerBusy,
    ClientsMoved,
    ClientsAccepted,
    ClientsRefused,
    LoginFailures,
    ProtocolErrors,
    CancelsReceived,
    CancelsUnknown,
    AddressesPassed,
    BufferBytes,
    StatementBytes,
    Clients,
    Servers,
    Pinned,
    PoolSize,
    OldestWait,
    Logins,
    Transactions,
    Queries,
    BytesReceived,
    BytesSent,
    ServersOpened,
    ServersFailed,
    ServersLent,
    SettingsApplied,
    Censuses,
    PinRefusals,
    BeginsDeferred,
    Untouched,
    CausalWaits,
    CausalTimeouts,
    StalePlans,
    Notifications,
    SlowListeners,
    Cancels,
    Timeouts,
    QueueRefusals,
    ClientParses,
    ServerParses,
    Binds,
    SharedChannels,
    Listeners,
    ListenerLosses,
    ClusterEpoch,
    NodeState,
    NodeLag,
    NodeLagBytes,
    ProbeFailures,
    CatalogueFacts,
    CatalogueAge,
    CataloguesRefused,
    Routed,
    StandbyRequests,
    Classified,
    Unclassified,
    WaitTime,
    QueryTime,
    TransactionTime,
};

inline constexpr size_t kMetrics = 60;

struct MetricRow {
    Metric id;
    Kind kind;
    std::string_view name;
    std::string_view labels;  // what it is told apart by
    std::string_view help;
};

const std::array<MetricRow, kMetrics>& catalogue();
const MetricRow& row_of(Metric metric);

/// docs/metrics.md, wholly.
std::string metrics_markdown();

}  // namespace pgweir::metrics
