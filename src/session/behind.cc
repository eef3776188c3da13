#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"
#include "session/parts.h"

#include <algorithm>

/// Reads for which no standby is fit: they wait until one shows what their session was told of, go
/// to the primary, or are refused, as routing.causal_wait and routing.no_standby have it.
namespace pgweir::session {
namespace {

bool some_standby_shows(const ClientSession& client, const Routes& routes) {
    const uint64_t wanted = must_show(client, routes);
    const Topology& topology = *routes.topology;
    for (size_t i = 0; i < topology.nodes.size(); ++i) {
        const bool reads = topology.nodes[i].reading == Reading::Takes && routes.weights[i] > 0;
        if (reads && topology.progress->shown(i) >= wanted) return true;
    }
    return false;
}

/// Nothing more can come of it.
bool none_catches_up(const Routes& routes) {
    return std::none_of(routes.topology->nodes.begin(), routes.topology->nodes.end(),
                        [](const Topology::Node& node) { return node.reading == Reading::Takes; });
}

void end_wait(Engine& engine, ClientSession& client) {
    client.deadline = kNever;
    client.has_waited = true;
    const Duration waited = engine.now() - client.state_since;
    client.pool->stats.wait_us += static_cast<uint64_t>(to_microseconds(waited));
    engine.move(client, ClientEvent::WaitCancelled);
    resume_client(engine, client);
}

}  // namespace

bool wait_for_standby(Engine& engine, ClientSession& client) {
    const Duration patience = client.pool->routes->routing->causal_wait;
    if (patience == Duration::zero() || client.has_waited) return false;
    ++client.pool->stats.causal_waits;
    client.deadline = deadline_after(engine.now(), patience);
    client.query_started = engine.now();
    engine.move(client, ClientEvent::StandbyAwaited);
    return true;
}

void wake_behind(Engine& engine) {
    if (planted(Bug::BehindForgotten)) return;
    engine.in(ClientState::Behind).for_each([&](ClientSession& client) {
        const Routes* routes = client.pool->routes.get();
        const bool over = engine.now() >= client.deadline;
        const bool in_vain = routes == nullptr || none_catches_up(*routes);
        if (!over && !in_vain && !some_standby_shows(client, *routes)) return;
        if (over) ++client.pool->stats.causal_timeouts;
        end_wait(engine, client);
    });
}

bool refuses_without_standby(const ClientSession& client, bool asked) {
    const Routes& routes = *client.pool->routes;
    const bool belongs_there = asked || reads_of(client) == config::Reads::Standby;
    return belongs_there && routes.routing->no_standby == config::NoStandby::Error;
}

void refuse_read(Engine& engine, ClientSession& client, RouteReason reason) {
    ++client.pool->stats.routed[static_cast<size_t>(RouteReason::Refused)];
    wire::Writer out;
    wire::encode_error(out, no_standby(client.pool->database, reason == RouteReason::Behind));
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    engine.send(client, out.bytes());
}

}  // namespace pgweir::session
