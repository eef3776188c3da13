#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/census.h"
#include "pgweir/wire/backend.h"
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

// Settings of pgweir's own never move.
constexpr std::string_view kOwnPrefix = "pgweir.";

void add_custom_setting(ClientSession& client, std::string_view name) {
    if (name.substr(0, kOwnPrefix.size()) == kOwnPrefix) return;
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

/// As the census found it: what the server reports it has told by itself.
SettingsRef settings_now(Engine& engine, const ServerConn& server, const Census& census) {
    SettingList values = server.settings.values();
    std::erase_if(values,
                  [&](const Setting& setting) { return !server.base.holds(setting.first); });
    for (const auto& [name, value] : census.settings) {
        if (!server.base.holds(name)) values.emplace_back(name, value);
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
    for (const auto& [name, value] : client.login_settings.values()) {
        const bool asked_for = !server.base.holds(name) || server.base.find(name) != value;
        if (asked_for && !report_only(name) && !census.holds(name))
            values.emplace_back(name, value);
    }
    return engine.settings().intern(std::move(values));
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
    const bool reads_sequences = effects.has(sql::Effect::ReadsSequenceState);
    const bool bound = effects.has(sql::Effect::BindsForGood);
    if (server.pins.has(Pin::Sequence) || reads_sequences) pins.add(Pin::Sequence);
    if (server.pins.has(Pin::Module) || bound) pins.add(Pin::Module);
    return pins;
}

Pins pins_found(const ServerConn& server, const ClientSession* client) {
    Pins pins = server.census->pins;
    pins.add(pins_known(server));
    const bool lost = client != nullptr && client->settings_lost;
    if (!server.census->complete || server.failure || lost) pins.add(Pin::Unknown);
    return pins;
}

void note_pins(ServerConn& server, Pins pins) {
    if (server.pins == pins) return;
    log::debug("server {} is kept by client {} for: {}", server.id,
               server.client != nullptr ? server.client->id : 0, pins.to_text());
    server.pins = pins;
}

}  // namespace

void note_effects(ClientSession& client,
                  ServerConn& server,
                  sql::Effects effects,
                  std::string_view text) {
    server.effects.add(effects);
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
    const bool may_see_a_strangers =
        effects.has(sql::Effect::ReadsSequenceState) && server.inherited && !server.pins.any();
    if (!may_see_a_strangers || !server.pipeline.at_rest() ||
        server.status != wire::TransactionStatus::Idle) {
        return;
    }
    send_internal_query(engine, server, "DISCARD SEQUENCES");
}

bool census_due(const ServerConn& server) {
    const sql::Effects effects = server.effects;
    if (server.pool.limits.mode == config::PoolMode::Session) {
        return effects.has(sql::Effect::MayReset);
    }
    return effects.has(sql::Effect::MayChangeSession) || effects.has(sql::Effect::BindsForGood) ||
           effects.has(sql::Effect::ReadsSequenceState) || server.pins.has(Pin::Unknown) ||
           (server.pins.any() && effects.has(sql::Effect::MayFree));
}

void begin_census(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    add_custom_settings_of_startup(client);
    const auto names = client.custom_settings != nullptr
                           ? std::span<const std::string>(*client.custom_settings)
                           : std::span<const std::string>();
    const bool hides = server.effects.has(sql::Effect::MayHideSettings);
    const auto bodies = hides ? FunctionBodies::Search : FunctionBodies::Ignore;
    server.census = std::make_unique<Census>();
    ++server.pool.stats.censuses;
    engine.move(server, ServerEvent::CensusDue);
    send_internal_query(engine, server, census_query(names, bodies, pins_known(server)));
}

bool census_row(ServerConn& server, Bytes body, bool whole) {
    if (server.census == nullptr) return false;
    if (!whole) {
        server.census->complete = false;
        return true;
    }
    return take_census_row(*server.census, body);
}

void census_taken(Engine& engine, ServerConn& server) {
    ClientSession* client = server.client;
    const Pins pins = pins_found(server, client);
    if (server.failure) {
        log::warning("server {} did not say what its session holds: {}", server.id,
                     server.failure->message);
    }
    const bool known = !server.failure;
    server.failure.reset();
    const std::unique_ptr<Census> census = std::move(server.census);
    engine.move(server, ServerEvent::CensusAnswered);
    note_pins(server, pins);
    server.doubtful = server.doubtful || server.effects.has(sql::Effect::MayHideSettings);
    server.had_temporary = server.had_temporary || pins.has(Pin::TemporaryTable);
    if (known) server.effects = {};
    if (client == nullptr) {
        // What the session of a client that left held is wiped, if it held anything.
        server.effects.add(sql::Effect::MayChangeSession);
        release(engine, server);
        return;
    }
    if (!known) {
        server.effects = {};
        transaction_over(engine, server);
        return;
    }
    server.settings = settings_now(engine, server, *census);
    client->settings = with_startup_values(engine, server, *client, *census);
    const bool stays = server.pins.any() || server.pool.limits.mode == config::PoolMode::Session;
    if (!stays || client->settings == server.settings) {
        tell_difference(engine, *client, server);
        transaction_over(engine, server);
        return;
    }
    // The replies are the client's as far as they tell of parameters; when they are there, the
    // transaction is over at last.
    send_internal_query(engine, server,
                        settings_query(server.settings.values(), client->settings.values(),
                                       server.base.find("session_authorization")));
    server.settings = client->settings;
}

}  // namespace pgweir::session
