#include "pgweir/base/log.h"
#include "pgweir/session/errors.h"
#include "pgweir/session/listening.h"
#include "session/parts.h"

#include <array>

#include <fmt/format.h>

/// A client's channels go from its server to the shared connection, so that the server is free for
/// others, and come back before the client's next transaction. See session/hearing.h.
namespace pgweir::session {
namespace {

// The shared connection tells a mark within milliseconds, or it is given up.
constexpr Duration kMarkPatience = std::chrono::seconds(5);

// Whoever listens and does nothing else hands its server over.
constexpr Duration kIdleBeforeParting = std::chrono::seconds(1);

// What the session may have limited its own statements to is not meant for these.
constexpr std::string_view kUnlimited = "SET LOCAL statement_timeout=0;SET LOCAL lock_timeout=0;";

/// Its worker and place, and a part that nobody can guess.
std::string make_token(Engine& engine, const ClientSession& client) {
    std::array<uint8_t, 16> random{};
    engine.shell().fill_random(random);
    std::string token = fmt::format("{}.{}.", engine.worker(), client.handle.index);
    for (const uint8_t byte : random) token += fmt::format("{:02x}", byte);
    return token;
}

/// In one transaction with `listens`: from its commit on, the server tells the mark too.
std::string mark_query(std::string_view listens, std::string_view token) {
    return fmt::format("{0}{1}LISTEN \"{2}\";NOTIFY \"{2}\",'{3}'", kUnlimited, listens,
                       Hearing::kChannel, token);
}

void tell_held(Engine& engine, ClientSession& client) {
    const std::string held = client.subscription->hearing.finish();
    if (!held.empty()) engine.send(client, as_bytes(held));
}

/// The server stays with its client after all.
void stay(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    client.subscription->failed_at = engine.now();
    engine.move(server, ServerEvent::Parted);
    judge_listening(engine, server);
    if (client.killed || engine.admission() == Admission::Draining) {
        release(engine, server);
        return;
    }
    resume_client(engine, client);
}

/// The server ends its LISTEN, of all channels, or of the marks'.
void unlisten(Engine& engine, ServerConn& server, std::string_view what) {
    server.unlistening = true;
    send_internal_query(engine, server, fmt::format("{}UNLISTEN {}", kUnlimited, what));
}

/// The last step: whoever is told by the shared connection does not need the server any more.
void unlistened(Engine& engine, ServerConn& server, bool failed) {
    server.unlistening = false;
    ClientSession& client = *server.client;
    if (failed) {
        part_client(engine, server);
        engine.retire(server, "it did not end its LISTEN");
        resume_client(engine, client);
    } else if (is_told_by_shared(client)) {
        engine.move(server, ServerEvent::Parted);
        let_go(engine, server);
    } else {
        stay(engine, server);
    }
}

}  // namespace

std::string quoted_channel(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

bool is_told_by_shared(const ClientSession& client) {
    return client.subscription != nullptr &&
           client.subscription->hearing.teller() == Teller::Shared;
}

void begin_parting(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    Hearing& hearing = client.subscription->hearing;
    engine.move(server, ServerEvent::PartingDue);
    server.stream->resume();  // it may have been stopped for a client that reads slowly
    hearing.begin(Teller::Shared, make_token(engine, client));
    send_internal_query(engine, server, mark_query({}, hearing.token()));
}

void parting_rested(Engine& engine, ServerConn& server, const std::optional<Error>& failure) {
    if (server.unlistening) {
        unlistened(engine, server, failure.has_value());
        return;
    }
    Hearing& hearing = server.client->subscription->hearing;
    if (failure) {
        log::info("client {} goes on listening on its server: {}", server.client->id,
                  failure->message);
        hearing.take_back();
    }
    if (!hearing.taken_back() && !hearing.marked()) return;
    tell_held(engine, *server.client);
    if (failure) {
        stay(engine, server);
    } else if (is_told_by_shared(*server.client)) {
        unlisten(engine, server, "*");
    } else {
        unlisten(engine, server, quoted_channel(Hearing::kChannel));
    }
}

void bring_back(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    Subscription& subscription = *client.subscription;
    std::string listens;
    for (const std::string& name : subscription.channels) {
        listens += fmt::format("LISTEN {};", quoted_channel(name));
    }
    subscription.hearing.begin(Teller::Server, make_token(engine, client));
    // Nobody tells it anything now, and no mark will come.
    if (subscription.missed) subscription.hearing.on_shared_lost();
    send_internal_query(engine, server, mark_query(listens, subscription.hearing.token()));
    send_internal_query(engine, server, fmt::format("UNLISTEN \"{}\"", Hearing::kChannel));
}

bool is_returning(const ClientSession& client) {
    return is_told_by_shared(client) && client.subscription->hearing.changing();
}

bool awaits_mark(const ClientSession& client) {
    const Subscription* subscription = client.subscription.get();
    return subscription != nullptr && subscription->hearing.changing() &&
           !subscription->hearing.marked();
}

void brought_back(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    if (client.subscription == nullptr || !client.subscription->hearing.changing()) return;
    tell_held(engine, client);
    Pins pins = server.pins;
    pins.add(listening_pin(engine, client));
    set_pins(engine, server, pins);
    tell_if_missed(engine, client);
}

void change_goes_on(Engine& engine, ClientSession& client) {
    ServerConn* server = client.server;
    const bool changes = server != nullptr && (server->state == ServerState::Parting ||
                                               server->state == ServerState::Syncing);
    if (changes) rest(engine, *server);
}

bool is_idle_listener(const Engine& engine, const ServerConn& server) {
    return server.pins.has(Pin::SharedChannel) &&
           engine.now() - server.client->query_started > kIdleBeforeParting;
}

void watch_handovers(Engine& engine, Pool& pool) {
    bool stuck = false;
    for (const auto state : {ServerState::Parting, ServerState::Syncing}) {
        pool.in(state).for_each([&](ServerConn& server) {
            const Subscription* subscription =
                server.client != nullptr ? server.client->subscription.get() : nullptr;
            const bool waits = subscription != nullptr && subscription->hearing.awaits_shared();
            stuck = stuck || (waits && engine.now() - server.state_since > kMarkPatience);
        });
    }
    // What could not be handed over may be tried again by now.
    pool.in(ServerState::Active).for_each([&](ServerConn& server) {
        const bool waits = server.pins.has(Pin::Channel) && server.client->subscription != nullptr;
        if (waits) judge_listening(engine, server);
    });
    if (!stuck) return;
    engine.shell().post(owner_of(pool.database, pool.share.workers()),
                        ListenerStuck{pool.database});
}

}  // namespace pgweir::session
