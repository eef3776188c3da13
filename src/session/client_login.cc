#include "pgweir/auth/client_auth.h"
#include "pgweir/auth/digest.h"
#include "pgweir/base/log.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "session/parts.h"

#include <algorithm>

/// From a client's first byte to its first ReadyForQuery.
/// See: protocol-flow.html#id-1.10.6.7.3
namespace pgweir::session {
namespace {

// PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH: nothing that proves an identity is longer.
constexpr uint32_t kProofBytesMax = 65535;

// Kept for each pool, so that only the first client with some set of parameters asks a server.
constexpr size_t kWelcomesMax = 1024;

auth::AuthMethod to_auth(config::AuthMethod method) {
    switch (method) {
        case config::AuthMethod::Trust: return auth::AuthMethod::Trust;
        case config::AuthMethod::Md5: return auth::AuthMethod::Md5;
        case config::AuthMethod::ScramSha256: return auth::AuthMethod::ScramSha256;
    }
    return auth::AuthMethod::ScramSha256;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// PostgreSQL's words for no; "database" is a logical walsender, any other yes a physical one.
bool wants_replication(std::string_view value) {
    return !value.empty() && value != "false" && value != "off" && value != "no" && value != "0";
}

bool is_console(std::string_view database) {
    return database == "pgweir" || database == "pgbouncer";
}

void reject(Engine& engine, ClientSession& client, const Error& error) {
    ++engine.stats().login_failures;
    engine.close(client, &error, "its login failed");
}

void negotiate(Engine& engine, ClientSession& client, const wire::StartupMessage& startup) {
    std::vector<std::string_view> unknown;
    for (const auto& [name, value] : startup.parameters) {
        if (name.substr(0, 5) == "_pq_.") unknown.push_back(name);
    }
    const bool newer = startup.minor > wire::kProtocolMinorMax;
    client.login->minor = std::min(startup.minor, wire::kProtocolMinorMax);
    client.key.size = client.login->minor >= 2 ? 32 : 4;
    if (!newer && unknown.empty()) return;
    wire::Writer out;
    wire::encode_negotiate_version(out, client.login->minor, unknown);
    engine.send(client, out.bytes());
}

void enter_console(Engine& engine, ClientSession& client) {
    const auto& admin = engine.config().admin;
    const bool may_admin = contains(admin.users, client.user);
    if (!may_admin && !contains(admin.viewers, client.user)) {
        reject(engine, client, not_admitted_to_console(client.user));
        return;
    }
    client.role = may_admin ? ConsoleRole::Admin : ConsoleRole::Viewer;
    client.login.reset();
    engine.move(client, ClientEvent::ConsoleOpened);
    wire::Writer out;
    wire::encode_authentication(out, wire::AuthenticationKind::Ok);
    wire::encode_parameter_status(out, "server_version", "15.0 (pgweir " PGWEIR_VERSION ")");
    wire::encode_parameter_status(out, "client_encoding", "UTF8");
    wire::encode_parameter_status(out, "server_encoding", "UTF8");
    wire::encode_parameter_status(out, "DateStyle", "ISO");
    wire::encode_parameter_status(out, "TimeZone", "GMT");
    wire::encode_parameter_status(out, "integer_datetimes", "on");
    wire::encode_parameter_status(out, "standard_conforming_strings", "on");
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    engine.send(client, out.bytes());
}

/// Counts the client in its database and user; false when one of them is full.
bool admit(Engine& engine, ClientSession& client, Pool& pool) {
    const config::Database* database = config::find_database(engine.config(), pool.database);
    const uint32_t database_max = database->pool.max_clients.value_or(0);
    if (!try_take(pool.database_group->clients, database_max)) {
        reject(engine, client, too_many_clients_of("database", pool.database, database_max));
        return false;
    }
    const auto user = engine.config().users.find(client.user);
    const uint32_t user_max =
        user == engine.config().users.end() ? 0 : user->second.pool.max_clients.value_or(0);
    if (!try_take(pool.user_group->clients, user_max)) {
        give_back(pool.database_group->clients);
        reject(engine, client, too_many_clients_of("user", client.user, user_max));
        return false;
    }
    client.pool = &pool;
    client.queue = &pool;
    client.pid = engine.process().directory.add({engine.worker(), client.handle.index});
    ++pool.clients;
    return true;
}

/// `proven`: the keys that the client showed to have, where it logged in by SCRAM.
void authenticated(Engine& engine, ClientSession& client, const auth::ScramKeys* proven = nullptr) {
    if (engine.admission() == Admission::Draining) {
        reject(engine, client, shutting_down());
        return;
    }
    if (is_console(client.login->database)) {
        enter_console(engine, client);
        return;
    }
    if (config::find_database(engine.config(), client.login->database) == nullptr) {
        reject(engine, client, unknown_database(client.login->database));
        return;
    }
    const uint32_t pools_max = engine.config().limits.pools;
    if (engine.process().pools.load(std::memory_order_relaxed) >= pools_max &&
        engine.find_pool(client.login->database, client.user) == nullptr) {
        ++engine.stats().refused;
        reject(engine, client, too_many_pools(pools_max));
        return;
    }
    Pool& pool = engine.pool(client.login->database, client.user);
    if (pool.state == PoolState::Disabled) {
        reject(engine, client, pool_disabled(pool.database));
        return;
    }
    if (!admit(engine, client, pool)) return;
    ++pool.stats.logins;
    if (!client.login->replication.empty()) {
        open_walsender(engine, client);
        return;
    }
    // Only as this user: a forced user of the database has a password of its own.
    if (proven != nullptr && pool.address.user == client.user) pool.share.pass_keys(*proven);
    const auto known = pool.welcomes.find(welcome_key(client.login->settings));
    if (known != pool.welcomes.end()) {
        client.settings = first_settings(engine, client, known->second);
        engine.move(client, ClientEvent::LoggedIn);
        welcome(engine, client);
        return;
    }
    acquire(engine, client);
}

void begin_scram(Engine& engine, ClientSession& client, const auth::UserEntry* user) {
    client.login->scram.emplace(engine.verifiers().verifier_for(client.user, user),
                                auth::random_nonce());
    wire::Writer out;
    wire::encode_sasl_mechanisms(out, auth::kScramMechanism);
    engine.send(client, out.bytes());
}

void begin_md5(Engine& engine, ClientSession& client) {
    engine.shell().fill_random(client.login->md5_salt);
    wire::Writer out;
    wire::encode_authentication(out, wire::AuthenticationKind::Md5Password,
                                as_text(client.login->md5_salt));
    engine.send(client, out.bytes());
}

void startup_received(Engine& engine, ClientSession& client, const wire::StartupMessage& startup) {
    client.login = std::make_unique<Login>();
    client.user = wire::find_parameter(startup.parameters, "user");
    client.login->database = wire::find_parameter(startup.parameters, "database");
    if (client.login->database.empty()) client.login->database = client.user;
    const std::string_view replication = wire::find_parameter(startup.parameters, "replication");
    if (wants_replication(replication)) client.login->replication = replication;
    engine.move(client, ClientEvent::StartupReceived);
    negotiate(engine, client, startup);
    if (engine.admission() == Admission::Draining) {
        reject(engine, client, shutting_down());
        return;
    }
    const auto& limits = engine.config().limits;
    if (engine.process().clients.load() > limits.clients) {
        ++engine.stats().refused;
        reject(engine, client, too_many_clients(limits.clients));
        return;
    }
    if (engine.process().logins.load() > limits.logins_in_flight) {
        ++engine.stats().refused;
        reject(engine, client, too_many_logins(limits.logins_in_flight));
        return;
    }
    if (client.user.empty()) {
        reject(engine, client, no_user_name());
        return;
    }
    auto settings = startup_settings(startup.parameters);
    if (!settings) {
        reject(engine, client, settings.error());
        return;
    }
    client.login->settings = std::move(*settings);
    std::erase_if(client.login->settings, [&](Setting& setting) {
        const bool is_token = setting.first == kTokenSetting;
        if (is_token) client.login->token = std::move(setting.second);
        return is_token;
    });

    const auth::UserEntry* user = engine.setup().users.find(client.user);
    client.login->plan = auth::plan_login(to_auth(engine.config().auth.method), user);
    // Without a users file, trust means everybody.
    const bool everybody = engine.config().auth.method == config::AuthMethod::Trust &&
                           engine.config().auth.users_file.empty();
    if (everybody) client.login->plan = {auth::Exchange::None, true, {}};
    switch (client.login->plan.exchange) {
        case auth::Exchange::None:
            if (client.login->plan.can_succeed) {
                authenticated(engine, client);
            } else {
                reject(engine, client, auth::password_authentication_failed(client.user));
            }
            break;
        case auth::Exchange::Md5: begin_md5(engine, client); break;
        case auth::Exchange::Scram: begin_scram(engine, client, user); break;
    }
}

void answer_encryption_request(Engine& engine, ClientSession& client, bool more_follows) {
    constexpr uint8_t kNo = 'N';
    engine.send(client, {&kNo, 1});
    if (!more_follows) return;
    ++engine.stats().protocol_errors;
    const Error error = encryption_request_not_alone();
    engine.close(client, &error, "protocol violation");
}

size_t greeting_step(Engine& engine, ClientSession& client, Bytes input) {
    auto scan = wire::decode_first_packet(input);
    if (!scan) {
        ++engine.stats().protocol_errors;
        engine.close(client, &scan.error(), "protocol violation");
        return input.size();
    }
    if (!scan->has_value()) return 0;
    const auto& [packet, bytes] = **scan;
    if (const auto* cancel = std::get_if<wire::CancelRequest>(&packet)) {
        cancel_requested(engine, cancel->pid, cancel->key);
        engine.close(client, nullptr, "it was a cancel request");
    } else if (const auto* startup = std::get_if<wire::StartupMessage>(&packet)) {
        startup_received(engine, client, *startup);
    } else {
        answer_encryption_request(engine, client, input.size() > bytes);
    }
    return bytes;
}

void check_password(Engine& engine, ClientSession& client, Bytes body) {
    const auto response = wire::decode_text(body);
    const auth::UserEntry* user = engine.setup().users.find(client.user);
    const bool right = response && auth::check_md5(user, client.login->md5_salt, *response);
    if (right && client.login->plan.can_succeed) {
        authenticated(engine, client);
    } else {
        reject(engine, client, auth::password_authentication_failed(client.user));
    }
}

void check_scram(Engine& engine, ClientSession& client, Bytes body) {
    Login& login = *client.login;
    wire::Writer out;
    if (!std::exchange(login.mechanism_chosen, true)) {
        const auto initial = wire::decode_sasl_initial(body);
        if (!initial || initial->mechanism != auth::kScramMechanism) {
            reject(engine, client, bad_message("SASLInitialResponse"));
            return;
        }
        auto challenge = login.scram->on_client_first(initial->data);
        if (!challenge) {
            reject(engine, client, challenge.error());
            return;
        }
        wire::encode_authentication(out, wire::AuthenticationKind::SaslContinue, *challenge);
        engine.send(client, out.bytes());
        return;
    }
    auto signature = login.scram->on_client_final(as_text(body));
    if (!signature || !login.plan.can_succeed) {
        const bool malformed =
            !signature && signature.error().sqlstate == sqlstate::kProtocolViolation;
        reject(engine, client,
               malformed ? signature.error() : auth::password_authentication_failed(client.user));
        return;
    }
    wire::encode_authentication(out, wire::AuthenticationKind::SaslFinal, *signature);
    engine.send(client, out.bytes());
    const auth::ScramKeys proven = *login.scram->proven_keys();
    authenticated(engine, client, &proven);
}

size_t authenticating_step(Engine& engine, ClientSession& client, Bytes input) {
    wire::FrameHeader header;
    const auto framing = wire::read_header(input, kProofBytesMax, header);
    if (framing == wire::Framing::Short) return 0;
    if (framing == wire::Framing::Invalid || header.type != 'p') {
        if (header.type != 'X') {
            ++engine.stats().protocol_errors;
            reject(engine, client, bad_message("password"));
        } else {
            engine.close(client, nullptr, "it left during its login");
        }
        return input.size();
    }
    if (input.size() < header.total_bytes()) return 0;
    const Bytes body = input.subspan(wire::kHeaderBytes, header.body_bytes);
    if (client.login->plan.exchange == auth::Exchange::Md5) {
        check_password(engine, client, body);
    } else {
        check_scram(engine, client, body);
    }
    return header.total_bytes();
}

}  // namespace

size_t login_step(Engine& engine, ClientSession& client, Bytes input) {
    return client.state == ClientState::Greeting ? greeting_step(engine, client, input)
                                                 : authenticating_step(engine, client, input);
}

std::string welcome_key(const SettingList& asked) {
    std::string key;
    for (const auto& [name, value] : asked) {
        if (name == "application_name") continue;  // known without asking, and often unique
        key.append(name).push_back('\0');
        key.append(value).push_back('\0');
    }
    return key;
}

SettingsRef first_settings(Engine& engine, const ClientSession& client, const SettingsRef& base) {
    SettingList values = base.values();
    std::erase_if(values,
                  [](const Setting& setting) { return setting.first == "application_name"; });
    values.emplace_back("application_name", "");
    const bool from_welcomes = client.state == ClientState::Authenticating;
    for (const auto& setting : client.login->settings) {
        // What a server was asked once is remembered in its own spelling.
        if (!from_welcomes || setting.first == "application_name") values.push_back(setting);
    }
    return engine.settings().intern(std::move(values));
}

void welcome(Engine& engine, ClientSession& client) {
    Pool& pool = *client.pool;
    if (pool.welcomes.size() > kWelcomesMax) pool.welcomes.clear();
    client.login_settings = client.settings;
    wire::Writer out;
    wire::encode_authentication(out, wire::AuthenticationKind::Ok);
    for (const auto& [name, value] : client.settings.values()) {
        if (pool.base.holds(name)) wire::encode_parameter_status(out, name, value);
    }
    wire::encode_backend_key(out, client.pid, Bytes(client.key.bytes).first(client.key.size));
    put_not_understood(out, client.settings, {});  // whoever is not yet let in takes no notice
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    take_token(client, client.login->token);
    client.login.reset();
    client.deadline = kNever;
    engine.send(client, out.bytes());
    if (engine.config().log.connections) {
        log::info("client {} {}@{} from {} logged in, application_name \"{}\"", client.id,
                  client.user, pool.database, client.stream->peer_name(),
                  client.settings.find("application_name"));
    }
}

}  // namespace pgweir::session
