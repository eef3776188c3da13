#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/sql/hints.h"
#include "pgweir/wire/backend.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "session/parts.h"

#include <algorithm>

/// Which node a request goes to, and what becomes of a read that its standby does not answer.
///
/// A request is what ends with a ReadyForQuery: a simple query, or messages up to a Sync. It is
/// judged as a whole before it gets a server, and a read on a standby is kept until something of
/// its answer went to the client: until then it can be asked at another node.
namespace pgweir::session {
namespace {

// A longer request is for the primary: it would have to be kept.
constexpr size_t kRequestBytesMax = 16384;

// A node that warms up has some of these for each of its weight.
constexpr uint32_t kPartsOfWeight = 64;

// PostgreSQL's own types have smaller numbers.
constexpr uint32_t kFirstOwnType = 16384;

/// "…\0", a count, and the numbers of types.
bool names_own_types(Bytes query_and_types) {
    const size_t text_bytes = std::min(as_text(query_and_types).find('\0'), query_and_types.size());
    constexpr size_t kCountBytes = 2;
    if (query_and_types.size() < text_bytes + 1 + kCountBytes) return true;
    Bytes types = query_and_types.subspan(text_bytes + 1 + kCountBytes);
    for (; types.size() >= sizeof(uint32_t); types = types.subspan(sizeof(uint32_t))) {
        if (load_be32(types.data()) >= kFirstOwnType) return true;
    }
    return false;
}

/// Whoever names things in another encoding, or has other strings, is read by PostgreSQL only; and
/// no standby can be serializable.
bool is_readable(const ClientSession& client, std::string_view text) {
    return client.settings.plain_strings() && !client.settings.serializable() &&
           (client.settings.utf8() || is_ascii(text));
}

/// What is found out about a request.
class Judge {
public:
    Judge(ClientSession& client, Routes& routes)
        : client_(client), routes_(routes), wish_(client.settings.wish()) {}

    enum class Verdict : uint8_t { Primary, Undecided, Read, ReadTransaction, Wanted };

    /// nullopt: more of it has to come first.
    std::optional<Verdict> look(Bytes input) {
        wire::FrameHeader header;
        while (true) {
            const Bytes rest = input.subspan(bytes_);
            const auto framing = wire::read_header(rest, kRequestBytesMax, header);
            if (framing == wire::Framing::Invalid) return Verdict::Primary;
            const bool whole =
                framing == wire::Framing::Complete && rest.size() >= header.total_bytes();
            if (!whole) {
                const bool too_long = bytes_ + rest.size() >= kRequestBytesMax ||
                                      (framing == wire::Framing::Complete &&
                                       bytes_ + header.total_bytes() > kRequestBytesMax);
                return too_long ? std::optional(Verdict::Primary) : std::nullopt;
            }
            bytes_ += header.total_bytes();
            if (bytes_ > kRequestBytesMax) return Verdict::Primary;
            const Bytes body = rest.subspan(wire::kHeaderBytes, header.body_bytes);
            if (!take(header.type, body)) return undecided_ ? Verdict::Undecided : Verdict::Primary;
            if (header.type == 'Q' || header.type == 'S') return verdict();
        }
    }

    size_t bytes() const { return bytes_; }

    /// About its one statement; of several none is to blame alone.
    route::Decisions::Ref decision() const {
        return statements_ == 1 ? decision_ : route::Decisions::Ref{};
    }

    /// True exactly when it calls what somebody made, who may have said too much of it.
    bool may_write() const { return may_write_; }

    /// True exactly when nothing of it stands in front of the transaction that it begins.
    bool begins_first() const { return begins_first_; }

    /// True exactly when something in it is run, and not only prepared.
    bool runs() const { return runs_; }

    /// True exactly when where it goes is what somebody asked for.
    bool asked() const { return asked_; }

    /// True exactly when it was looked at whether a standby may have it.
    bool routed() const { return routed_; }

    /// That is none, within the bytes looked at; empty: there is none such.
    std::string_view unknown_hint() const { return unknown_hint_; }

private:
    /// False: nothing more has to be known, it is for the primary.
    bool take(char type, Bytes body) {
        runs_ = runs_ || type == 'Q' || type == 'E';
        switch (type) {
            case 'Q': {
                const bool alone = bytes_ == wire::kHeaderBytes + body.size();
                const auto text = wire::decode_text(body);
                return alone && text && judge(*text);
            }
            case 'P': {
                const auto parse = wire::decode_parse(body);
                // A name is taken or not: that is found out once.
                if (!parse || !parse->statement.empty()) return false;
                parsed_unnamed_ = true;
                return !names_own_types(parse->query_and_types) && judge(parse->query);
            }
            case 'B': {
                const auto bind = wire::decode_bind(body);
                return bind && (bind->statement.empty() ? bound_unnamed() : bound(bind->statement));
            }
            case 'C':
            case 'D': {
                const auto message = wire::decode_describe(body);
                return message && (type == 'D' || message->target == wire::Target::Portal);
            }
            case 'E':
            case 'S': return true;
        }
        return false;
    }

    bool bound_unnamed() {
        return parsed_unnamed_ || judge_prepared(as_bytes(client_.unnamed_statement));
    }

    bool bound(std::string_view name) {
        if (client_.statements == nullptr) return false;
        const StatementRef* statement = client_.statements->find(name);
        return statement != nullptr && judge_prepared(as_bytes((*statement)->query_and_types));
    }

    bool judge_prepared(Bytes query_and_types) {
        const std::string_view all = as_text(query_and_types);
        return !names_own_types(query_and_types) && judge(all.substr(0, all.find('\0')));
    }

    bool judge(std::string_view text) {
        const sql::Hint hint = sql::hint_of(text);
        const sql::Wish wish = hint.wish == sql::Wish::Auto ? wish_ : hint.wish;
        if (!hint.unknown.empty()) unknown_hint_ = hint.unknown;
        asked_ = wish != sql::Wish::Auto;
        if (wish == sql::Wish::Primary) return false;
        const bool routed = reads_of(client_) != config::Reads::Primary;
        if (!routed && !asked_ && !routes_.decisions->has_rules()) return false;
        const bool readable = is_readable(client_, text) &&
                              !routes_.decisions->is_serializable(client_.pool->address.user);
        const route::Decision* decision =
            readable ? routes_.decisions->about(text, decision_) : nullptr;
        ++statements_;
        const bool ruled = !asked_ && decision != nullptr && decision->by_rule;
        asked_ = asked_ || ruled;
        if (!routed && !asked_) return false;
        routed_ = true;
        if (decision != nullptr && decision->its == route::Class::Read) {
            may_write_ = may_write_ || decision->writes;
            return true;
        }
        if (decision != nullptr && decision->its == route::Class::BeginsReadOnly) {
            begins_ = true;
            begins_first_ = begins_first_ || statements_ == 1;
            return true;
        }
        if (planted(Bug::WriteAtStandby) && decision != nullptr && decision->writes) return true;
        const bool refused = decision != nullptr && decision->refused;
        const bool wanted = wish == sql::Wish::Standby && !refused &&
                            !sql::effects_of(text).has(sql::Effect::MayPin);
        wanted_ = wanted_ || wanted;
        undecided_ = decision == nullptr && !wanted;
        return wanted;
    }

    Verdict verdict() const {
        if (statements_ == 0) return Verdict::Primary;  // a Sync that nothing stands in front of
        if (wanted_) return Verdict::Wanted;
        return begins_ ? Verdict::ReadTransaction : Verdict::Read;
    }

    ClientSession& client_;
    Routes& routes_;
    sql::Wish wish_;
    size_t bytes_ = 0;
    size_t statements_ = 0;
    route::Decisions::Ref decision_{};  // of its last statement
    bool may_write_ = false;
    bool runs_ = false;
    bool parsed_unnamed_ = false;
    bool begins_ = false;
    bool begins_first_ = false;
    bool wanted_ = false;
    bool asked_ = false;
    bool routed_ = false;
    std::string_view unknown_hint_;
    bool undecided_ = false;
};

bool has_room(Pool& pool) {
    return !pool.in(ServerState::Idle).empty() ||
           pool.share.open.load(std::memory_order_relaxed) < pool.limits.size;
}

uint32_t load_of(const Pool& pool) {
    return pool.attached + static_cast<uint32_t>(pool.waiting.size());
}

Pool& standby_pool(Engine& engine, Pool& home, size_t number) {
    Pool*& known = home.routes->standbys[number];
    if (known == nullptr) {
        const std::string& node = home.routes->topology->nodes[number].name;
        known = &engine.pool(PoolName{home.database, home.user, node});
    }
    return *known;
}

/// Its share of reads, in parts of its weight: less while it warms up.
uint32_t share_of(const Engine& engine, const Routes& routes, size_t number) {
    const Duration warm_up = routes.routing->warm_up;
    const uint32_t full = routes.weights[number] * kPartsOfWeight;
    if (warm_up == Duration::zero()) return full;
    const Duration served = engine.now() - routes.topology->nodes[number].since;
    if (served >= warm_up) return full;
    const int64_t part = full * std::max<int64_t>(served.count(), 0) / warm_up.count();
    return std::max(static_cast<uint32_t>(part), 1u);
}

struct Chosen {
    Pool* pool = nullptr;  // nullptr: the primary's
    RouteReason reason = RouteReason::NoStandby;
};

Chosen choose_node(Engine& engine, ClientSession& client, bool standby_only) {
    Pool& home = *client.pool;
    Routes& routes = *home.routes;
    const Topology& topology = *routes.topology;
    const uint64_t wanted = must_show(client, routes);
    const config::Reads reads = reads_of(client);
    route::Choice choice;
    bool behind = false;
    for (size_t i = 0; i < topology.nodes.size(); ++i) {
        Pool* const taking = pool_for_reads(engine, home, i);
        if (taking == nullptr) continue;
        Pool& pool = *taking;
        const bool shows = topology.progress->shown(i) >= wanted;
        behind = behind || !shows;
        choice.offer(i, {.fit = shows,
                         .near = routes.near[i],
                         .room = has_room(pool),
                         .weight = share_of(engine, routes, i),
                         .busy = load_of(pool),
                         .turn = routes.turns.of(pool.turn)});
    }
    const size_t primary = topology.nodes.size();
    if (!standby_only && reads == config::Reads::Any && home.has_node) {
        choice.offer(primary, {.fit = true,
                               .near = routes.primary_near,
                               .room = has_room(home),
                               .weight = routes.primary_weight * kPartsOfWeight,
                               .busy = load_of(home),
                               .turn = routes.turns.of(routes.primary_turn)});
    }
    if (!choice.number()) return {nullptr, behind ? RouteReason::Behind : RouteReason::NoStandby};
    if (choice.number() == primary) {
        routes.primary_turn = routes.turns.take(routes.primary_turn, choice.best().weight);
        return {nullptr, RouteReason::Balanced};
    }
    const bool fills_up = reads == config::Reads::PreferStandby && !standby_only;
    if (fills_up && !choice.best().room && home.has_node && has_room(home)) {
        return {nullptr, RouteReason::Balanced};
    }
    Pool& pool = *routes.standbys[*choice.number()];
    pool.turn = routes.turns.take(pool.turn, choice.best().weight);
    return {&pool, RouteReason::Read};
}

void go(ClientSession& client, Pool& pool, RouteReason reason, Errand errand, size_t bytes) {
    client.queue = &pool;
    client.route_reason = reason;
    client.errand = errand;
    client.request_left = static_cast<uint32_t>(bytes);
    ++client.pool->stats.routed[static_cast<size_t>(reason)];
}

void note_use(Routes& routes, route::Decisions::Ref ref, bool on_standby) {
    route::Decision* decision = routes.decisions->find(ref);
    if (decision == nullptr) return;
    ++decision->seen;
    if (on_standby) ++decision->on_standbys;
}

/// The shape of a statement that is for the primary from now on.
std::string refuse(Pool& home, route::Decisions::Ref ref) {
    if (home.routes == nullptr) return "";
    home.routes->decisions->refuse(ref);
    const route::Decision* decision = home.routes->decisions->find(ref);
    return decision != nullptr ? decision->shape : "";
}

/// The client is free of its server, which sent it nothing, and wanted its request to end: it has.
void tell_cancelled(Engine& engine, ClientSession& client) {
    fail_request(engine, client, cancelled_at_standby());
}

/// The client is free of its server, which sent it nothing; it asks the primary.
void ask_primary(Engine& engine, ClientSession& client, std::string_view request) {
    if (!request.empty()) {
        const std::string behind(as_text(client.inbox.view()));
        client.inbox.clear(engine.buffers());
        client.inbox.append(engine.buffers(), as_bytes(request));
        client.inbox.append(engine.buffers(), as_bytes(behind));
    }
    client.asks_primary = true;
    client.request_left = 0;
    client.errand = Errand::Any;
}

/// A transaction that waits for its first statement, and can be anywhere.
bool begins_at_standby(const ClientSession& client) {
    const Begun& begun = client.begun;
    return begun.state == Begun::State::Deferred && begun.modes.read_only == sql::Said::Yes &&
           begun.modes.isolation != sql::Isolation::Serializable;
}

/// A transaction whose later statements show no more than the first one does, and that one is about
/// to be sent. BEGIN takes no snapshot, nor does what is only prepared.
bool takes_its_snapshot(const Begun& begun, const Judge& judge, Judge::Verdict verdict) {
    return begun.state == Begun::State::Deferred &&
           begun.modes.isolation == sql::Isolation::RepeatableRead &&
           verdict == Judge::Verdict::Read && judge.runs();
}

/// A request that a standby may serve.
Aim aim_read(Engine& engine, ClientSession& client, const Judge& judge, Judge::Verdict verdict) {
    Pool& home = *client.pool;
    const bool wanted = verdict == Judge::Verdict::Wanted;
    const bool transaction =
        verdict == Judge::Verdict::ReadTransaction || (client.begun.any() && !wanted);
    const bool follows = transaction && !judge.asked() && shows_what_all_were_told(client);
    if (follows && !takes_its_snapshot(client.begun, judge, verdict)) {
        const bool begins_first = client.begun.any() || judge.begins_first();
        go(client, home, RouteReason::Current, begins_first ? Errand::ReadOnly : Errand::Any, 0);
        return Aim::Found;
    }
    const Chosen chosen = choose_node(engine, client, judge.asked());
    const RouteReason reason =
        judge.asked() && chosen.pool != nullptr ? RouteReason::Asked : chosen.reason;
    if (reason == RouteReason::Behind && wait_for_standby(engine, client)) return Aim::Waits;
    const bool none = reason == RouteReason::Behind || reason == RouteReason::NoStandby;
    if (none && refuses_without_standby(client, judge.asked())) {
        refuse_read(engine, client, reason);
        client.has_waited = false;
        client.request_left = static_cast<uint32_t>(judge.bytes());
        return Aim::Refused;
    }
    Errand errand = wanted ? Errand::Forced : Errand::Read;
    if (transaction) errand = Errand::ReadTransaction;
    const bool stays_read =
        chosen.pool != nullptr || (errand == Errand::Read && !judge.may_write());
    go(client, chosen.pool != nullptr ? *chosen.pool : home, reason,
       stays_read ? errand : Errand::Any, stays_read ? judge.bytes() : 0);
    return Aim::Found;
}

}  // namespace

Pool* pool_for_reads(Engine& engine, Pool& home, size_t number) {
    const Routes& routes = *home.routes;
    if (routes.topology->nodes[number].reading != Reading::Takes || routes.weights[number] == 0) {
        return nullptr;
    }
    Pool& pool = standby_pool(engine, home, number);
    const bool out_of_reach =
        pool.share.open.load(std::memory_order_relaxed) == 0 && engine.now() < pool.retry_at;
    return pool.has_node && !out_of_reach ? &pool : nullptr;
}

config::Reads reads_of(const ClientSession& client) {
    if (client.reads) return *client.reads;
    if (const auto said = client.settings.reads()) return *said;
    return client.pool->limits.reads;
}

/// Its requests would be routed if more were known of its database.
void miss_catalogue(Engine& engine, const Pool& home) {
    // A name that no server has let in may be none.
    if (!home.base || !home.routes->decisions->asks_for_catalogue(engine.now())) return;
    engine.shell().catalogue_missed(home.cluster, home.address.database);
}

Aim aim(Engine& engine, ClientSession& client, Bytes input) {
    Pool& home = *client.pool;
    client.queue = &home;
    client.route_reason.reset();
    client.errand = Errand::Any;
    client.request_left = 0;
    if (home.routes == nullptr || home.limits.mode == config::PoolMode::Session) {
        return Aim::Found;
    }
    const bool retries = std::exchange(client.asks_primary, false);
    if (client.begun.any() && !begins_at_standby(client)) {
        client.decision = {};
        go(client, home, retries ? RouteReason::Retried : RouteReason::Write, Errand::Any, 0);
        return Aim::Found;
    }
    // Who listens is told by the server that it has, or is about to be.
    if (client.subscription != nullptr) {
        go(client, home, RouteReason::Undecided, Errand::Any, 0);
        return Aim::Found;
    }
    Judge judge(client, *home.routes);
    const auto verdict = judge.look(input);
    if (!verdict) {
        client.asks_primary = retries;
        return Aim::Incomplete;
    }
    if (!judge.unknown_hint().empty()) tell_unknown_hint(engine, client, judge.unknown_hint());
    if (judge.routed() && !home.routes->decisions->has_catalogue()) miss_catalogue(engine, home);
    client.decision = judge.decision();
    RouteReason reason = RouteReason::Write;
    if (*verdict == Judge::Verdict::Primary || *verdict == Judge::Verdict::Undecided) {
        if (*verdict == Judge::Verdict::Undecided) reason = RouteReason::Undecided;
        if (judge.asked()) reason = RouteReason::Asked;
        if (retries) reason = RouteReason::Retried;
        go(client, home, reason, Errand::Any, 0);
    } else if (retries) {
        go(client, home, RouteReason::Retried, Errand::Any, 0);
    } else if (const Aim found = aim_read(engine, client, judge, *verdict); found != Aim::Found) {
        return found;
    }
    note_use(*home.routes, client.decision, client.queue->of_standby());
    return Aim::Found;
}

/// What is declared to read can write no more than a READ ONLY transaction lets it; unless SET has
/// made it another one.
bool is_refused(ServerConn& server, const route::Decision& decision) {
    const bool of_session = decision.its == route::Class::Write && !decision.writes;
    if (of_session && server.errand == Errand::ReadOnly) server.errand = Errand::Any;
    return server.errand == Errand::ReadOnly && decision.its == route::Class::Read;
}

void note_text(ClientSession& client, ServerConn& server, std::string_view text) {
    const Pool& pool = server.pool;
    if (pool.routes == nullptr || server.errand == Errand::Read) return;
    if (server.wrote) {
        server.changes_catalogue = server.changes_catalogue || sql::changes_catalogue(text);
        return;
    }
    const bool readable = !text.empty() && is_readable(client, text);
    route::Decisions::Ref ref;
    const route::Decision* decision = readable ? pool.routes->decisions->about(text, ref) : nullptr;
    const bool refused = decision != nullptr && is_refused(server, *decision);
    server.wrote = decision == nullptr || (decision->writes && !refused);
    const bool changes =
        decision != nullptr ? decision->changes_catalogue : sql::changes_catalogue(text);
    server.changes_catalogue = server.changes_catalogue || changes;
}

void note_answer(ClientSession& client, int64_t took) {
    if (client.pool->routes == nullptr) return;
    route::Decision* decision =
        client.pool->routes->decisions->find(std::exchange(client.decision, {}));
    if (decision != nullptr) decision->microseconds += static_cast<uint64_t>(took);
}

bool can_ask_elsewhere(const ServerConn& server, const wire::ErrorFields& error) {
    if (server.request.empty() || server.client == nullptr || planted(Bug::RefusalShown)) {
        return false;
    }
    // Somebody wanted it to end, or it took too long: once more would take as long again.
    return error.sqlstate != sqlstate::kQueryCanceled.text();
}

void retry_elsewhere(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    const std::string request = std::exchange(server.request, {});
    server.retry_due = false;
    if (!planted(Bug::BeginNotTakenBack)) client.begun = std::exchange(server.began, {});
    if (std::exchange(server.refused, false)) {
        log::warning(
            "a statement that seemed to read is none: {}; it goes to the primary from now on",
            refuse(*client.pool, client.decision));
    }
    if (std::exchange(server.cancelled, false) || server.cancels > 0) {
        tell_cancelled(engine, client);
    } else {
        ask_primary(engine, client, request);
    }
    if (server.effects.any()) {
        server.effects = {};
        server.client = nullptr;
        client.server = nullptr;
        --server.pool.attached;
        engine.move(client, ClientEvent::ServerReleased);
        engine.retire(server, "it refused what may have changed its session");
        go_on_without_server(engine, client);
        return;
    }
    release(engine, server);
}

bool lost_standby(Engine& engine, ServerConn& server, std::string_view reason) {
    ClientSession* client = server.client;
    if (client == nullptr) return false;
    const bool unanswered = !server.request.empty();
    const bool cancelled = unanswered && (server.cancels > 0 || server.cancelled);
    const bool unsent = server.state == ServerState::Syncing;
    const bool answered = server.state == ServerState::Active && server.request.empty() &&
                          server.status == wire::TransactionStatus::Idle &&
                          server.pipeline.at_rest() && server.passing == 0 && !server.repeats();
    // One that was asked what its session holds now takes the answer along.
    if ((!unanswered && !unsent && !answered) || planted(Bug::StandbyLossTold)) return false;
    log::info("server {} at {} is lost, and its client {} goes on elsewhere: {}", server.id,
              server.node.name, client->id, reason);
    const std::string request = std::exchange(server.request, {});
    server.retry_due = false;
    const SettingsRef settings = client->settings;
    if (unanswered) client->begun = std::exchange(server.began, {});
    part_client(engine, server);
    if (unsent && !planted(Bug::SettingsOfLostStandby))
        client->settings = settings;  // the server never had them
    engine.close(server, reason);
    if (cancelled) {
        tell_cancelled(engine, *client);
    } else if (unanswered || unsent) {
        ask_primary(engine, *client, request);
    }
    go_on_without_server(engine, *client);
    return true;
}

void leave_standby(Engine& engine, ServerConn& server) {
    server.effects = {};
    if (!server.pins.any()) {
        release(engine, server);
        return;
    }
    // Nothing of a session stays where no write can follow.
    ClientSession& client = *server.client;
    const bool bound = server.pins.has(Pin::AdvisoryLock) || server.pins.has(Pin::HoldableCursor);
    const std::string why = "its session left at a standby: " + server.pins.to_text();
    part_client(engine, server);
    engine.retire(server, why);
    if (bound) {
        const Error error = bound_to_standby(server.node.name);
        engine.close(client, &error, why);
        return;
    }
    go_on_without_server(engine, client);
}

void send_elsewhere(Engine& engine, Pool& pool) {
    for (size_t left = pool.waiting.size(); left > 0 && !pool.waiting.empty(); --left) {
        ClientSession& client = pool.waiting.front();
        engine.move(client, ClientEvent::WaitCancelled);
        resume_client(engine, client);
    }
    publish_waiting(engine, pool);
}

void abandon_standby(Engine& engine, Pool& pool) {
    constexpr const char* kReason = "its node is no standby that answers";
    for (auto& list : pool.servers) {
        list.for_each([&](ServerConn& server) {
            if (server.state == ServerState::Closed || lost_standby(engine, server, kReason))
                return;
            // Nobody waits for what its session holds: what it may have set is lost with it.
            if (server.state == ServerState::Asking && server.client != nullptr) {
                break_up(engine, server, server_lost(kReason), kReason);
                return;
            }
            // What is under way may still end: a long read shall not die of a short silence.
            if (server.client == nullptr) engine.close(server, kReason);
        });
    }
}

}  // namespace pgweir::session
