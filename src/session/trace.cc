#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"
#include "session/parts.h"

#include <utility>

/// What clients are told of where they read. pgweir.trace_route: a NOTICE in front of each request
/// says where it goes, and why there.
namespace pgweir::session {
namespace {

std::string_view reason_of(const ClientSession& client, const ServerConn& server, bool fresh) {
    if (client.route_reason) return kRouteReasonNames[static_cast<size_t>(*client.route_reason)];
    const bool open = server.status != wire::TransactionStatus::Idle || server.began.any();
    if (open) return "transaction";
    return fresh ? "no_routing" : "kept";
}

}  // namespace

void tell_route(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    // In the middle of a message there is no place for another.
    if (client.told_route || server.passing > 0) return;
    client.told_route = true;
    const bool fresh = std::exchange(client.just_lent, false);
    const Duration waited = fresh ? engine.now() - client.query_started : Duration::zero();
    const Error notice = routed_notice(server.node.name, reason_of(client, server, fresh), waited,
                                       server.pins.to_text());
    client.route_reason.reset();
    wire::Writer out;
    wire::encode_notice(out, "NOTICE", notice);
    engine.send(client, out.bytes());
}

void put_not_understood(wire::Writer& out, const SettingsRef& now, const SettingsRef& before) {
    for (const auto& [setting, values] : kKnownValues) {
        const std::string_view value = now.find(setting);
        if (is_understood(setting, value) || (before && before.find(setting) == value)) continue;
        wire::encode_notice(out, "WARNING", not_understood(setting, value, values));
    }
}

void tell_unknown_hint(Engine& engine, ClientSession& client, std::string_view hint) {
    if (std::exchange(client.hint_told, true)) return;
    // PostgreSQL has not looked at it: what is no text in the client's encoding is not sent back.
    if (!is_ascii(hint)) hint = "...";
    wire::Writer out;
    wire::encode_notice(out, "WARNING", unknown_hint(hint, kRouteValues));
    engine.send(client, out.bytes());
}

}  // namespace pgweir::session
