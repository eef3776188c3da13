#include "pgweir/base/planted.h"
#include "pgweir/route/token.h"
#include "session/parts.h"

#include <algorithm>

/// What a session has to be shown: the sample of the primary's log that its reads wait for, and how
/// applications carry it from one connection to another.
namespace pgweir::session {
namespace {

config::Consistency consistency_of(const ClientSession& client, const Routes& routes) {
    return client.settings.consistency().value_or(routes.routing->consistency);
}

// Of a token: whatever was told until it is taken.
constexpr uint64_t kEverything = UINT64_MAX;

/// True exactly when it was set, or may have been, since somebody looked what that left.
bool was_named(const ClientSession& client) {
    const auto* names = client.custom_settings.get();
    return names != nullptr && std::binary_search(names->begin(), names->end(), kTokenSetting);
}

void raise(std::atomic<uint64_t>& number, uint64_t least) {
    uint64_t known = number.load();
    while (known < least && !number.compare_exchange_weak(known, least)) continue;
}

}  // namespace

uint64_t must_show(const ClientSession& client, const Routes& routes) {
    switch (consistency_of(client, routes)) {
        case config::Consistency::Eventual: return 0;
        case config::Consistency::Session: return client.must_show;
        case config::Consistency::Database:
            return std::max(client.must_show, routes.written->load());
    }
    return UINT64_MAX;
}

bool shows_what_all_were_told(const ClientSession& client) {
    const Routes* routes = client.pool->routes.get();
    return routes != nullptr && consistency_of(client, *routes) == config::Consistency::Database;
}

void note_write(ServerConn& server) {
    const Pool& pool = server.pool;
    if (!server.wrote || pool.routes == nullptr) return;
    const Routes& routes = *pool.routes;
    const uint64_t sample =
        routes.topology->progress->next_sample() - (planted(Bug::TokenTooOld) ? 1 : 0);
    server.client->must_show = sample;
    raise(*routes.written, sample);  // also where nobody asks now: any session may, from then on
}

/// What was written before is not known, or was counted in another way: all of it has to be shown.
void Engine::forget_tokens(const Pool& pool, Routes& routes, uint64_t sample) {
    raise(*routes.written, sample);
    clients_.for_each([&](ClientSession& client) {
        if (client.pool == &pool) client.must_show = std::max(client.must_show, sample);
    });
}

std::string token_to_tell(const ClientSession& client, const ServerConn& server) {
    const Routes* routes = client.pool->routes.get();
    if (routes == nullptr) return {};
    uint64_t sample = std::max(client.must_show, must_show(client, *routes));
    // What was sent, and is not answered, may have written; and one that was set is not taken yet.
    if (server.wrote || was_named(client)) sample = kEverything;
    return route::to_text({routes->topology->progress->process(), routes->topology->epoch, sample});
}

void note_token_told(Engine& engine, ServerConn& server, std::string_view token) {
    // Where a session keeps its server nobody else finds it there.
    if (server.pool.limits.mode == config::PoolMode::Session) return;
    server.settings = engine.settings().with(server.settings, kTokenSetting, token);
}

void tell_token(Engine& engine, ServerConn& server) {
    // Hexadecimal digits and dashes need no quoting. A SET, for a SELECT would be a query.
    const std::string token = token_to_tell(*server.client, server);
    send_internal_query(engine, server, "SET pgweir.token = '" + token + "'", MayFail::Yes);
    note_token_told(engine, server, token);
}

void take_token(ClientSession& client, std::string_view text) {
    const Routes* routes = client.pool->routes.get();
    if (routes == nullptr || text.empty()) return;
    const cluster::Progress& progress = *routes->topology->progress;
    const auto token = route::token_of(text);
    const bool counts_here =
        token && token->process == progress.process() && token->epoch == routes->topology->epoch;
    // Whatever it is of, that was told before it came here, and now everything told is asked for.
    // Also if it says it is of the future, where none can be.
    const uint64_t everything = progress.next_sample();
    const uint64_t sample = counts_here ? std::min(token->sample, everything) : everything;
    client.must_show = std::max(client.must_show, sample);
}

}  // namespace pgweir::session
