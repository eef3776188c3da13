#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/census.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "pgweir/wire/reader.h"
#include "session/parts.h"

#include <algorithm>

/// What a session holds beyond its transactions, and where it lives. Most transactions change
/// nothing and pass by here. After one that may have, PostgreSQL is asked what the session holds
/// now: settings move with the client, and what cannot move keeps the server with it.
namespace pgweir::session {
namespace {

// Names of custom settings that one client is asked about.
constexpr size_t kCustomSettingsMax = 256;

// Settings of pgweir's own never move, but for those that say what a client wants.
constexpr std::string_view kOwnPrefix = "pgweir.";
constexpr std::string_view kPinnedSetting = "pgweir.pinned";

void add_custom_setting(ClientSession& client, std::string_view name) {
    const bool own = name.substr(0, kOwnPrefix.size()) == kOwnPrefix;
    const bool followed = name == kRouteSetting || name == kTraceSetting ||
                          name == kConsistencySetting || name == kTokenSetting;
    if (own && !followed) return;
    if (client.custom_settings == nullptr) {
        client.custom_settings = std::make_unique<std::vector<std::string>>();
    }
    auto& names = *client.custom_settings;
    const auto at = std::lower_bound(names.begin(), names.end(), name);
    if (at != names.end() && *at == name) return;
    if (names.size() >= kCustomSettingsMax) {
        client.settings_lost = true;
        return;
    }
    names.emplace(at, name);
}

/// What it was asked for at the start counts as named too.
void add_custom_settings_of_startup(ClientSession& client) {
    for (const auto& [name, value] : client.login_settings.values()) {
        if (sql::is_custom_setting_name(name)) add_custom_setting(client, name);
    }
}

bool is_custom(std::string_view name) {
    return name.find('.') != std::string_view::npos;
}

/// A custom setting that is reset stays, and is empty.
bool is_set(const Census& census, std::string_view name) {
    for (const auto& [key, value] : census.settings) {
        if (key == name) return !value.empty() || !is_custom(name);
    }
    return false;
}

bool asked_for(const ServerConn& server, const Setting& of_login) {
    const auto& [name, value] = of_login;
    return !report_only(name) && (!server.base.holds(name) || server.base.find(name) != value);
}

/// With the rights of another, settings that only its own may see are hidden.
bool acts_for_another(const ServerConn& server, const Census& census) {
    const auto owner = server.base.find("session_authorization");
    return census.holds("role") || server.settings.find("session_authorization") != owner;
}

/// As the census found it; what the server reports it has told by itself.
SettingsRef settings_now(Engine& engine,
                         const ServerConn& server,
                         const ClientSession& client,
                         const Census& census) {
    SettingList values = server.settings.values();
    std::erase_if(values,
                  [&](const Setting& setting) { return !server.base.holds(setting.first); });
    for (const auto& [name, value] : census.settings) {
        if (!server.base.holds(name)) values.emplace_back(name, value);
    }
    // It is on there anyway, so that what a client sets need not be reported.
    if (server.pool.of_standby() && census.holds(kReadOnlyByDefault)) {
        for (const auto& [name, value] : census.settings) {
            if (name == kReadOnlyByDefault) values.emplace_back(name, value);
        }
    }
    // One that was told is in no view, and may not have been asked for.
    if (server.settings.holds(kTokenSetting) && !census.holds(kTokenSetting)) {
        values.emplace_back(kTokenSetting, server.settings.find(kTokenSetting));
    }
    for (const Setting& setting : client.login_settings.values()) {
        const std::string& name = setting.first;
        if (!asked_for(server, setting) || !server.base.holds(name) || !is_set(census, name))
            continue;
        const std::string_view value = server.settings.find(name);
        if (value == server.base.find(name)) values.emplace_back(kSetMark + name, value);
    }
    return engine.settings().intern(std::move(values));
}

/// RESET and DISCARD return to what a session began with, and this one began with its own: what
/// was asked for at its start and is not set any more is set again.
SettingsRef with_startup_values(Engine& engine,
                                const ServerConn& server,
                                const ClientSession& client,
                                const Census& census) {
    SettingList values = server.settings.values();
    for (const Setting& setting : client.login_settings.values()) {
        if (planted(Bug::StartupValuesLost)) continue;
        if (asked_for(server, setting) && !is_set(census, setting.first)) values.push_back(setting);
    }
    return engine.settings().intern(std::move(values));
}

/// Custom settings that are set, by whomever, are asked for by name from now on; names that were
/// only thought to be some are forgotten.
void remember_custom_settings(ClientSession& client, const Census& census) {
    if (client.custom_settings != nullptr) client.custom_settings->clear();
    client.settings_lost = false;
    for (const auto& [name, value] : census.settings) {
        if (is_custom(name) && name != kTokenSetting) add_custom_setting(client, name);
    }
}

/// The client was told what the server has; from now on it has other values again.
void tell_difference(Engine& engine, ClientSession& client, const ServerConn& server) {
    wire::Writer out;
    for (const auto& [name, value] : client.settings.values()) {
        if (!server.base.holds(name) || server.settings.find(name) == value) continue;
        wire::encode_parameter_status(out, name, value);
    }
    if (!out.empty()) engine.send(client, out.bytes());
}

/// What no view of PostgreSQL shows.
Pins pins_known(const ServerConn& server) {
    Pins pins;
    const sql::Effects effects = server.effects;
    const bool bound = effects.has(sql::Effect::BindsForGood);
    if (server.pins.has(Pin::Module) || bound) pins.add(Pin::Module);
    const bool sequences = effects.any_of(sql::kOfSequences);
    if (server.pins.has(Pin::Sequence) || sequences) pins.add(Pin::Sequence);
    const bool asks_process = effects.has(sql::Effect::AsksProcess);
    if (server.pins.has(Pin::Process) || asks_process) pins.add(Pin::Process);
    return pins;
}

/// Texts that mean the same wherever they are sent, alone and in any encoding.
bool can_move(const SettingList& prepared) {
    return std::all_of(prepared.begin(), prepared.end(), [](const Setting& statement) {
        const std::string& text = statement.second;
        const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
        return plain && sql::is_single_statement(text);
    });
}

/// A statement that names a temporary table cannot be prepared elsewhere, also not once that table
/// is dropped: the session may make another of the name.
void judge_prepared(ClientSession& client, Pins& pins) {
    const bool prepared = pins.has(Pin::PreparedStatement);
    client.used_temporary = pins.has(Pin::TemporaryTable) || (client.used_temporary && prepared);
    if (prepared && client.used_temporary) pins.add(Pin::TemporaryStatement);
}

Pins pins_found(const ServerConn& server, ClientSession* client) {
    Pins pins = server.census->pins;
    if (client != nullptr) judge_prepared(*client, pins);
    if (planted(Bug::PinForgotten)) return {};
    pins.add(pins_known(server));
    const bool lost = client != nullptr && client->settings_lost;
    const bool fixed = !can_move(server.census->prepared);
    if (!server.census->complete || server.failure || lost || fixed) pins.add(Pin::Unknown);
    return pins;
}

bool kept(Pins pins) {
    return pins.any() && !pins.yields();
}

/// No server can be opened for whoever waits; the pool's reserve is not for this.
bool full(const Pool& pool) {
    return pool.share.open.load(std::memory_order_relaxed) >= pool.limits.size ||
           pool.starves_for != nullptr ||
           pool.database_group->starving.load(std::memory_order_relaxed) > 0 ||
           pool.user_group->starving.load(std::memory_order_relaxed) > 0;
}

/// How long the client that waits longest has waited, at whichever worker.
Duration longest_wait(const Engine& engine, const Pool& pool) {
    Instant since = engine.now();
    for (uint32_t worker = 0; worker < pool.share.workers(); ++worker) {
        const int64_t told = pool.share.oldest_wait(worker);
        if (told != PoolShare::kNobodyWaits) since = std::min(since, Instant(Duration(told)));
    }
    return engine.now() - since;
}

/// True exactly when its client may be in the middle of something, and the few that wait can do so
/// for a moment: others come free meanwhile.
bool is_spared(const Engine& engine, const ServerConn& server) {
    constexpr Duration kMoment = std::chrono::milliseconds(50);
    constexpr uint32_t kServersForOne = 10;
    const Pool& pool = server.pool;
    const uint32_t few = std::max(pool.limits.size / kServersForOne, uint32_t{1});
    return engine.now() - server.client->query_started < kMoment &&
           pool.share.waiting.load(std::memory_order_relaxed) <= few &&
           longest_wait(engine, pool) < kMoment;
}

bool no_place(const Pool& pool) {
    return pool.share.pinned.load(std::memory_order_relaxed) >= pool.limits.pinned_max;
}

/// What the client takes along of what its server has.
SettingsRef with_prepared(Engine& engine, const ServerConn& server) {
    SettingList values = engine.settings().without(server.settings, kTokenSetting).values();
    for (const auto& [name, text] : server.prepared_in_sql) {
        values.emplace_back(kPreparedMark + name, text);
    }
    return engine.settings().intern(std::move(values));
}

bool at_rest(const ServerConn& server) {
    const ClientSession* client = server.client;
    return client != nullptr && server.pool.limits.mode != config::PoolMode::Session &&
           client->passing == 0 && client->inbox.empty() && server.pipeline.at_rest() &&
           server.passing == 0 && server.inbox.empty() && !server.repeats() &&
           server.status == wire::TransactionStatus::Idle && !server.effects.any() &&
           !server.said_farewell;
}

/// True exactly when it is kept for channels that the shared connection cannot take.
bool only_channels_keep(const ServerConn& server) {
    Pins others = server.pins;
    others.remove(Pin::Channel);
    return server.client->subscription != nullptr && (!others.any() || others.yields());
}

/// What the first message of a transaction may do.
sql::Effects effects_of_request(const ClientSession& client, Bytes input) {
    wire::FrameHeader header;
    if (wire::read_header(input, wire::kMessageBytesMax, header) != wire::Framing::Complete ||
        input.size() < header.total_bytes()) {
        return {};
    }
    const Bytes body = input.subspan(wire::kHeaderBytes, header.body_bytes);
    if (header.type == 'Q') {
        const auto text = wire::decode_text(body);
        return text ? sql::effects_of(*text) : sql::Effects{};
    }
    if (header.type == 'P') {
        const auto parse = wire::decode_parse(body);
        return parse ? sql::effects_of(parse->query) : sql::Effects{};
    }
    const auto bind = header.type == 'B' ? wire::decode_bind(body) : std::nullopt;
    if (!bind) return {};
    if (bind->statement.empty()) return client.unnamed_effects;
    const StatementRef* known =
        client.statements != nullptr ? client.statements->find(bind->statement) : nullptr;
    return known != nullptr ? (*known)->effects : sql::Effects{};
}

}  // namespace

void let_go(Engine& engine, ServerConn& server) {
    const bool listens = server.pins.has(Pin::SharedChannel) && !is_told_by_shared(*server.client);
    if (listens && server.epoch < server.pool.epoch) {
        // The shared connection may be at another node by now, where no mark of this one comes out.
        part_client(engine, server);
        engine.retire(server, "its pool has moved, or RECONNECT asked for it");
        return;
    }
    if (listens) {
        begin_parting(engine, server);
        return;
    }
    const bool told = server.settings.holds(kTokenSetting);
    server.client->settings = with_prepared(engine, server);
    server.settings = server.client->settings;
    if (told) server.settings = engine.settings().with(server.settings, kTokenSetting, "told");
    // A census wrote down why it was kept; the next client resets that.
    if (server.pins.has(Pin::PreparedStatement) || server.pins.has(Pin::SharedChannel)) {
        server.settings = engine.settings().with(server.settings, kPinnedSetting, "kept");
    }
    set_pins(engine, server, {});
    release(engine, server);
}

void set_pins(Engine& engine, ServerConn& server, Pins pins) {
    const Pins before = server.pins;
    if (before == pins) return;
    Pool& pool = server.pool;
    log::debug("server {} is kept by client {} for: {}", server.id,
               server.client != nullptr ? server.client->id : 0, pins.to_text());
    server.pins = pins;
    if (before.yields()) --pool.yielding;
    if (pins.yields()) ++pool.yielding;
    if (before.yields() != pins.yields()) engine.publish_idle(pool);
    if (!pins.any()) server.prepared_in_sql.clear();
    if (kept(pins) && !kept(before)) pool.share.pinned.fetch_add(1, std::memory_order_relaxed);
    if (!kept(pins) && kept(before)) {
        pool.share.pinned.fetch_sub(1, std::memory_order_relaxed);
        // Not from here: whoever changes the pins has not done with the server.
        if (pool.place_waiters > 0) engine.retry_places_soon();
    }
}

bool yield_to_waiting(Engine& engine, Pool& pool) {
    if (pool.yielding == 0 || !full(pool)) return false;
    ServerConn* found = nullptr;  // whose client has done nothing for longest
    pool.in(ServerState::Active).for_each([&](ServerConn& server) {
        if (!server.pins.yields() || !at_rest(server)) return;
        const bool older =
            found == nullptr || server.client->query_started < found->client->query_started;
        if (older) found = &server;
    });
    if (found == nullptr || is_spared(engine, *found)) return false;
    let_go(engine, *found);
    return true;
}

bool no_place_for_pin(Engine& engine, ClientSession& client, Bytes input, size_t& refused) {
    Pool& pool = *client.pool;
    if (pool.limits.mode == config::PoolMode::Session || !no_place(pool)) return false;
    if (!effects_of_request(client, input).has(sql::Effect::MayPin)) return false;
    const bool simple = static_cast<char>(input[0]) == 'Q';
    if (pool.limits.pinned_full == config::PinnedFull::Error) {
        if (!simple) return false;  // it is judged when it has pinned
        ++pool.stats.pin_refusals;
        wire::FrameHeader header;
        wire::read_header(input, wire::kMessageBytesMax, header);
        refused = header.total_bytes();
        fail_request(engine, client, no_place_to_pin(pool.database, pool.limits.pinned_max));
        return true;
    }
    client.stream->pause();
    if (std::exchange(client.awaits_place, true)) return true;
    client.deadline = deadline_after(engine.now(), pool.limits.query_wait);
    ++pool.place_waiters;
    return true;
}

void retry_places(Engine& engine, Pool& pool) {
    if (pool.place_waiters == 0 || no_place(pool)) return;
    // Whoever finds no place again counts again.
    engine.in(ClientState::Idle).for_each([&](ClientSession& client) {
        if (client.pool != &pool || !client.awaits_place || no_place(pool)) return;
        client.awaits_place = false;
        --pool.place_waiters;
        resume_client(engine, client);
    });
}

void part_client(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    client.settings = with_prepared(engine, server);
    if (client.subscription != nullptr && !is_told_by_shared(client)) {
        server_of_listener_lost(engine, client);
    }
    server.client = nullptr;
    client.server = nullptr;
    --server.pool.attached;
    engine.move(client, ClientEvent::ServerReleased);
}

bool part_at_rest(Engine& engine, ServerConn& server) {
    const bool rests = server.state == ServerState::Active && at_rest(server);
    const bool parts = server.state == ServerState::Parting && server.client != nullptr;
    const bool free = !server.raw && (!server.pins.any() || server.pins.yields());
    if (!free || (!rests && !parts)) return false;
    part_client(engine, server);
    return true;
}

void let_go_of_unused(Engine& engine, Pool& pool) {
    const bool all = pool.state != PoolState::Open || engine.globally_paused();
    if (pool.yielding == 0 && !all) return;
    const Duration limit = engine.config().timeouts.server_idle;
    std::vector<Handle> unused;  // others may be let go meanwhile
    pool.in(ServerState::Active).for_each([&](ServerConn& server) {
        if (!server.pins.any() || !at_rest(server)) return;
        const Duration idle = engine.now() - server.client->query_started;
        const bool idles = limit != Duration::zero() && idle > limit;
        const bool wanted = all || idles || is_idle_listener(engine, server);
        if (wanted || outlived(engine, server)) unused.push_back(server.handle);
    });
    for (const Handle handle : unused) {
        ServerConn* server = engine.find_server(handle);
        if (server == nullptr || server->state != ServerState::Active || !at_rest(*server)) {
            continue;
        }
        if (server->pins.yields()) {
            let_go(engine, *server);
        } else if (all && only_channels_keep(*server)) {
            part_client(engine, *server);
            engine.retire(*server, "its pool is paused");
        }
    }
}

void yield_if_wanted(Engine& engine, ServerConn& server) {
    const Pool& pool = server.pool;
    const bool wanted = !pool.waiting.empty() || others_wait(engine, pool);
    const bool closing =
        pool.state != PoolState::Open || engine.globally_paused() || outlived(engine, server);
    if (!at_rest(server)) return;
    if (closing || (wanted && full(pool) && !is_spared(engine, server))) let_go(engine, server);
}

void prepared_in_sql_failed(Engine& engine, ServerConn& server, const Error& cause) {
    ClientSession& client = *server.client;
    log::info("client {}: a statement of PREPARE could not be prepared again: {}", client.id,
              cause.message);
    SettingList values = client.settings.values();
    std::erase_if(values, [](const Setting& setting) {
        return !setting.first.empty() && setting.first.front() == kPreparedMark;
    });
    client.settings = engine.settings().intern(std::move(values));
    // Others may be there all the same: that is asked when the transaction is over.
    server.effects.add(sql::Effect::MayChangeSession);
    wire::Writer out;
    wire::encode_notice(out, "WARNING", prepared_in_sql_lost());
    engine.send(client, out.bytes());
}

void note_effects(ClientSession& client,
                  ServerConn& server,
                  sql::Effects effects,
                  std::string_view text) {
    server.effects.add(effects);
    // A transaction that rolls back leaves buffers for temporary tables, which no view shows.
    const bool temporary =
        effects.has(sql::Effect::MayPin) || effects.has(sql::Effect::MayHideSettings);
    if (temporary) ServerConn::note_client(server.temporary_of, client.id);
    if (!effects.has(sql::Effect::MayChangeSession)) return;
    const bool all = sql::for_each_custom_setting(
        text, [&](std::string_view name) { add_custom_setting(client, name); });
    client.settings_lost = client.settings_lost || !all;
}

void note_bind_values(ClientSession& client, Bytes rest) {
    wire::Reader reader(rest);
    for (uint32_t left = reader.u16(); left > 0; --left) reader.u16();
    for (uint32_t left = reader.u16(); left > 0 && reader.ok(); --left) {
        const uint32_t length = reader.u32();
        if (length == UINT32_MAX) continue;
        const std::string_view value = as_text(reader.bytes(length));
        if (!sql::is_custom_setting_name(value)) continue;
        std::string name(value);
        for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        add_custom_setting(client, name);
    }
}

void guard_sequences(Engine& engine, ServerConn& server, sql::Effects effects) {
    // Also before it moves one: then all is its own when it asks.
    const bool strangers =
        server.sole_client != server.client->id && !server.pins.has(Pin::Sequence);
    const bool first = server.pipeline.at_rest() || server.pipeline.ends_with_begin();
    if (!effects.any_of(sql::kOfSequences) || !strangers || !first ||
        server.status != wire::TransactionStatus::Idle) {
        return;
    }
    send_internal_query(engine, server, "DISCARD SEQUENCES");
    server.sole_client = server.client->id;
}

bool census_due(const ServerConn& server) {
    const sql::Effects effects = server.effects;
    if (planted(Bug::CensusSkipped)) return false;
    if (server.pool.limits.mode == config::PoolMode::Session) {
        return effects.has(sql::Effect::MayReset);
    }
    return effects.has(sql::Effect::MayChangeSession) || effects.has(sql::Effect::BindsForGood) ||
           server.pins.has(Pin::Unknown) ||
           (server.pins.any() && effects.has(sql::Effect::MayFree));
}

/// Functions seldom change: what they name is looked for in their bodies now and then.
FunctionBodies bodies_to_search(Engine& engine, const ServerConn& server) {
    constexpr Duration kRemembered = std::chrono::seconds(10);
    const bool hides = server.effects.has(sql::Effect::MayHideSettings);
    const bool known = engine.now() - server.pool.functions_searched < kRemembered;
    return hides && !known ? FunctionBodies::Search : FunctionBodies::Ignore;
}

void ask_census(Engine& engine, ServerConn& server) {
    CensusQuestion question;
    question.patience = server.impatient ? Patience::Unlimited : Patience::OfSession;
    question.rights = server.as_login ? Rights::OfLogin : Rights::OfSession;
    question.known = pins_known(server);
    const ClientSession* client = server.client;
    if (client != nullptr && client->custom_settings != nullptr) {
        question.custom = *client->custom_settings;
    }
    if (server.effects.has(sql::Effect::MayHideSettings)) {
        question.of_functions = server.pool.custom_of_functions;
        question.bodies = bodies_to_search(engine, server);
    }
    server.census = std::make_unique<Census>();
    server.census->searched = question.bodies == FunctionBodies::Search;
    ++server.pool.stats.censuses;
    send_internal_query(engine, server, census_query(question));
}

void keep_for_what_is_known(Engine& engine, ServerConn& server) {
    if (server.pool.limits.mode == config::PoolMode::Session) {
        const bool bound = server.effects.has(sql::Effect::BindsForGood);
        server.bound_for_good = server.bound_for_good || bound;
        return;
    }
    Pins pins = server.pins;
    pins.add(pins_known(server));
    set_pins(engine, server, pins);
}

void begin_census(Engine& engine, ServerConn& server) {
    add_custom_settings_of_startup(*server.client);
    engine.move(server, ServerEvent::CensusDue);
    server.stream->resume();  // it may have been stopped for a client that reads slowly
    ask_census(engine, server);
}

bool census_row(ServerConn& server, Bytes body, bool whole) {
    if (server.census == nullptr) return false;
    if (!whole) {
        server.census->complete = false;
        return true;
    }
    return take_census_row(*server.census, body);
}

namespace {

/// The first answer was none, or not all of it.
bool asks_again(ServerConn& server) {
    const bool cancelled = server.failure && server.failure->sqlstate == sqlstate::kQueryCanceled;
    if (cancelled) return !std::exchange(server.impatient, true);
    const bool hidden = !server.failure && acts_for_another(server, *server.census) &&
                        server.base.find("is_superuser") == "on";
    return hidden && !std::exchange(server.as_login, true);
}

/// What the session of a client that left held is wiped, if it held anything.
void wipe_what_was_left(Engine& engine, ServerConn& server) {
    server.effects.add(sql::Effect::MayChangeSession);
    release(engine, server);
}

/// Sets what the session holds, for whoever asks later. False: its client had to go.
bool take_pins(Engine& engine, ServerConn& server, Pins pins) {
    // For what it listens on, it stays only until somebody else listens.
    Pins hard = pins;
    hard.remove(Pin::Channel);
    const bool one_more = kept(hard) && !kept(server.pins);
    // Where statements wait, one that did not say so has its server: others wait a little longer.
    const bool too_many = one_more && !server.pool.of_standby() && no_place(server.pool) &&
                          server.pool.limits.pinned_full == config::PinnedFull::Error;
    set_pins(engine, server, pins);
    if (!too_many || server.client == nullptr) return true;
    ++server.pool.stats.pin_refusals;
    const Error error =
        too_many_pinned(server.pool.database, server.pool.limits.pinned_max, pins.to_text());
    engine.close(*server.client, &error, "pinned_max is reached");
    return false;
}

/// The client takes its settings along, and gets those back that a RESET took from it.
void take_settings(Engine& engine, ServerConn& server, const Census& census) {
    ClientSession& client = *server.client;
    server.settings = settings_now(engine, server, client, census);
    server.doubtful = server.doubtful || acts_for_another(server, census);
    remember_custom_settings(client, census);
    server.effects = {};
    const SettingsRef before = client.settings;
    client.settings = with_startup_values(engine, server, client, census);
    wire::Writer warnings;
    put_not_understood(warnings, client.settings, before);
    if (!warnings.empty()) engine.send(client, warnings.bytes());
    if (server.settings.holds(kTokenSetting)) {
        take_token(client, server.settings.find(kTokenSetting));
        client.settings = engine.settings().without(client.settings, kTokenSetting);
    }
    const bool keeps = server.pins.any() || server.pool.limits.mode == config::PoolMode::Session;
    const bool stays = keeps && !server.pool.of_standby();
    if (!stays || client.settings == server.settings) {
        tell_difference(engine, client, server);
        transaction_over(engine, server);
        return;
    }
    // The replies are the client's as far as they tell of parameters; when they are there, the
    // transaction is over at last.
    send_internal_query(engine, server,
                        settings_query(server.settings.values(), client.settings.values(),
                                       server.base.find("session_authorization")));
    server.settings = client.settings;
}

}  // namespace

void census_taken(Engine& engine, ServerConn& server) {
    ClientSession* client = server.client;
    if (asks_again(server)) {
        ask_census(engine, server);
        return;
    }
    server.impatient = false;
    server.as_login = false;
    Pins pins = pins_found(server, client);
    if (server.failure) {
        log::warning("server {} did not say what its session holds: {}", server.id,
                     server.failure->message);
    }
    const bool known = !server.failure;
    server.failure.reset();
    const std::unique_ptr<Census> census = std::move(server.census);
    engine.move(server, ServerEvent::CensusAnswered);
    if (client != nullptr && known && server.pool.limits.mode != config::PoolMode::Session) {
        take_channels(engine, server, std::move(census->channels));
        if (pins.has(Pin::Channel)) {
            pins.remove(Pin::Channel);
            pins.add(listening_pin(engine, *client));
        }
    }
    if (census->temporary_schema) {
        const uint64_t whose = client != nullptr ? client->id : ServerConn::kSeveral;
        ServerConn::note_client(server.temporary_of, whose);
    }
    server.doubtful = server.doubtful || server.effects.has(sql::Effect::MayHideSettings);
    if (census->searched && known) {
        // Only now: whoever asks meanwhile has to search as well.
        server.pool.functions_searched = engine.now();
        server.pool.custom_of_functions = std::move(census->of_functions);
    }
    server.prepared_in_sql = std::move(census->prepared);
    if (!take_pins(engine, server, pins)) return;
    if (client == nullptr) {
        wipe_what_was_left(engine, server);
    } else if (known) {
        take_settings(engine, server, *census);
    } else {
        transaction_over(engine, server);
    }
}

}  // namespace pgweir::session
