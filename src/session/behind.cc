#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "session/parts.h"

/// Reads for which no standby is fit: they wait until one shows what their session was told of, go
/// to the primary, or are refused, as routing.causal_wait and routing.no_standby have it.
namespace pgweir::session {
namespace {

enum class Outlook : uint8_t { Shown, MayCome, Hopeless };

/// Whether some standby shows what the client has to see, or may do so later.
Outlook look_out(Engine& engine, ClientSession& client) {
    Pool& home = *client.pool;
    if (home.routes == nullptr) return Outlook::Hopeless;
    const Topology& topology = *home.routes->topology;
    const uint64_t wanted = must_show(client, *home.routes);
    Outlook outlook = Outlook::Hopeless;
    for (size_t i = 0; i < topology.nodes.size(); ++i) {
        if (pool_for_reads(engine, home, i) == nullptr) continue;
        if (topology.progress->shown(i) >= wanted) return Outlook::Shown;
        outlook = Outlook::MayCome;
    }
    return outlook;
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
        const bool over = engine.now() >= client.deadline;
        if (!over && look_out(engine, client) == Outlook::MayCome) return;
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
    const bool behind = reason == RouteReason::Behind;
    fail_request(engine, client, no_standby(client.pool->database, behind));
}

}  // namespace pgweir::session
