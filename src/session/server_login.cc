#include "pgweir/auth/md5.h"
#include "pgweir/base/log.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "pgweir/wire/reader.h"
#include "pgweir/wire/startup.h"
#include "session/parts.h"

#include <fmt/format.h>

/// pgweir as a client: from connect to the first ReadyForQuery. The server is untrusted input.
/// See: protocol-flow.html#id-1.10.6.7.3
namespace pgweir::session {
namespace {

// Nothing that a server says while it logs us in is longer.
constexpr uint32_t kLoginMessageMax = 65536;

void send(ServerConn& server, wire::Writer& out) {
    server.stream->send(out.bytes());
}

/// The secret as what MD5 needs: a plain one is turned into it.
std::string md5_secret(const ServerAddress& address) {
    const std::string_view secret = address.password.reveal();
    if (auth::is_md5_verifier(secret)) return std::string(secret);
    return auth::md5_verifier(secret, address.user);
}

bool has_plain_password(const ServerAddress& address) {
    return !address.password.empty() &&
           auth::kind_of_secret(address.password.reveal()) == auth::SecretKind::Plain;
}

Result<void> begin_sasl(Engine& engine, ServerConn& server, Bytes mechanisms) {
    const ServerAddress& address = server.pool.address;
    wire::Reader reader(mechanisms);
    bool offered = false;
    while (reader.ok() && !reader.at_end()) {
        if (reader.text() == auth::kScramMechanism) offered = true;
    }
    if (!offered) return fail(cannot_log_in(server.node.name, "it does not offer SCRAM-SHA-256"));
    if (has_plain_password(address)) {
        server.scram.emplace(address.password, auth::random_nonce(), &engine.scram_keys());
    } else if (const auto keys = server.pool.its_home().share.passed_keys()) {
        server.scram.emplace(*keys, auth::random_nonce());
    } else {
        return fail(cannot_log_in(
            server.node.name,
            fmt::format("it wants SCRAM, and no password is known for user \"{}\"", address.user)));
    }
    wire::Writer out;
    wire::encode_sasl_initial(out, auth::kScramMechanism, server.scram->client_first());
    send(server, out);
    return {};
}

Result<void> answer_challenge(Engine& engine,
                              ServerConn& server,
                              const wire::AuthenticationMessage& message) {
    const ServerAddress& address = server.pool.address;
    wire::Writer out;
    switch (static_cast<wire::AuthenticationKind>(message.kind)) {
        case wire::AuthenticationKind::Ok:
            if (server.scram && !server.scram->server_proved()) {
                return fail(
                    cannot_log_in(server.node.name, "it did not prove that it knows the password"));
            }
            server.scram.reset();
            return {};
        case wire::AuthenticationKind::CleartextPassword:
            if (!has_plain_password(address)) {
                return fail(cannot_log_in(server.node.name,
                                          "it wants a password in clear text, and none is known"));
            }
            wire::encode_password(out, address.password.reveal());
            send(server, out);
            return {};
        case wire::AuthenticationKind::Md5Password: {
            if (message.data.size() != 4 || address.password.empty()) {
                return fail(
                    cannot_log_in(server.node.name, "it wants an MD5 password, and none is known"));
            }
            wire::encode_password(out,
                                  auth::md5_response(md5_secret(address), message.data.first<4>()));
            send(server, out);
            return {};
        }
        case wire::AuthenticationKind::Sasl: return begin_sasl(engine, server, message.data);
        case wire::AuthenticationKind::SaslContinue: {
            if (!server.scram) break;
            PGW_TRY(proof, server.scram->on_server_first(as_text(message.data)));
            wire::encode_sasl_response(out, proof);
            send(server, out);
            return {};
        }
        case wire::AuthenticationKind::SaslFinal:
            if (!server.scram) break;
            return server.scram->on_server_final(as_text(message.data));
    }
    return fail(cannot_log_in(
        server.node.name,
        fmt::format("it asks for authentication method {}, which pgweir does not know",
                    message.kind)));
}

void logged_in(Engine& engine, ServerConn& server, bool all_taken) {
    Pool& pool = server.pool;
    server.base = engine.settings().intern(std::move(server.reported));
    server.reported = {};
    server.settings = server.base;
    if (server.raw) {
        engine.move(server, ServerEvent::LoggedIn);
        walsender_ready(engine, server);
        return;
    }
    if (server.shared != nullptr) {
        engine.move(server, ServerEvent::LoggedIn);
        listener_ready(engine, server);
        return;
    }
    if (!(pool.base == server.base)) {
        if (pool.base)
            log::info("pool {}/{}: the server's own settings have changed", pool.database,
                      pool.user);
        pool.welcomes.clear();
        pool.base = server.base;
    }
    if (pool.back_off.failures() > 0) {
        log::info("{} can be reached again for {}/{}", server.node.name, pool.database, pool.user);
    }
    pool.back_off.succeeded();
    pool.last_failure.reset();
    ++pool.stats.servers_opened;
    log::info("server {} of {}/{} opened at {}, backend pid {}", server.id, pool.database,
              pool.user, server.node.name, server.key.pid);
    engine.move(server, ServerEvent::LoggedIn);
    // What else it said in the same breath has to be handled here: it cannot change workers yet.
    if (all_taken) {
        offer(engine, server);
    } else {
        serve_waiting(engine, pool);
    }
    open_servers(engine, pool);
}

/// What a server at the primary says of this setting, which is off as a rule.
std::string as_at_home(const ServerConn& server, std::string_view name) {
    const SettingsRef& base = server.pool.its_home().base;
    const bool known = server.pool.of_standby() && base.holds(name);
    return std::string(known ? base.find(name) : "off");
}

/// A node that changed its role since somebody looked does not get what the other role may do.
/// Clients see the same on each node: to them there is one database, and it takes writes.
Result<bool> note_reported(ServerConn& server, const wire::ParameterStatus& status) {
    const bool tells_role = status.name == kInHotStandby && server.shared == nullptr;
    const bool watched = server.engine.topology_of(server.cluster) != nullptr && !server.raw;
    if (tells_role && watched && (status.value == "on") != server.pool.of_standby()) {
        return fail(cannot_reach(server.node.name, server.pool.of_standby()
                                                       ? "it is no standby any more"
                                                       : "it is a standby"));
    }
    const bool made_read_only = status.name == kReadOnlyByDefault && server.pool.of_standby();
    const bool is_ours = made_read_only || (tells_role && watched);
    server.reported.emplace_back(status.name,
                                 is_ours ? as_at_home(server, status.name) : status.value);
    return true;
}

Result<bool> take(Engine& engine, ServerConn& server, char type, Bytes body) {
    const auto malformed = [&] {
        return fail(cannot_log_in(server.node.name, "it does not speak PostgreSQL's protocol"));
    };
    switch (type) {
        case 'R': {
            const auto message = wire::decode_authentication(body);
            if (!message) return malformed();
            auto answered = answer_challenge(engine, server, *message);
            if (!answered) return fail(std::move(answered.error()));
            return true;
        }
        case 'S': {
            const auto status = wire::decode_parameter_status(body);
            if (!status) return malformed();
            if (server.reported.size() >= kReportedMax) return malformed();
            return note_reported(server, *status);
        }
        case 'K': {
            const auto key = wire::decode_backend_key(body);
            if (!key) return malformed();
            server.key = {key->pid, std::string(as_text(key->key))};
            return true;
        }
        case 'E': {
            const auto fields = wire::decode_error(body);
            if (!fields) return malformed();
            return fail(wire::to_error(*fields, Severity::Fatal));
        }
        case 'N':
        case 'v': return true;
        case 'Z':
            if (wire::decode_ready(body) != wire::TransactionStatus::Idle) return malformed();
            return false;
    }
    return malformed();
}

/// True for errors that waiting does not mend: wrong password, no such role or database.
bool is_hopeless(const SqlState& sqlstate) {
    const std::string_view code = sqlstate.text();
    return code.substr(0, 2) == "28" || code == "3D000" || code == "42501" || code == "0A000";
}

}  // namespace

void begin_server_login(Engine& engine, ServerConn& server) {
    engine.move(server, ServerEvent::Connected);
    const ServerAddress& address = server.pool.address;
    wire::Writer out;
    wire::Parameters parameters{
        {"user",     address.user    },
        {"database", address.database}
    };
    if (server.raw) {
        const Login& login = *server.client->login;
        parameters.emplace_back("replication", login.replication);
        for (const auto& [name, value] : login.settings) parameters.emplace_back(name, value);
    } else if (server.shared != nullptr) {
        parameters.emplace_back("application_name", "pgweir: shared LISTEN");
        parameters.emplace_back("client_encoding", server.shared->encoding);
    } else {
        // What SHOW says of them until something is written there.
        parameters.emplace_back("pgweir.pinned", "");
        parameters.emplace_back(kTokenSetting, "");
        // It may be promoted before anybody knows: what is no read after all shall not write there.
        if (server.pool.of_standby()) parameters.emplace_back(kReadOnlyByDefault, "on");
    }
    wire::encode_startup(out, 0, parameters);
    send(server, out);
}

size_t server_login_step(Engine& engine, ServerConn& server, Bytes input) {
    wire::FrameHeader header;
    const auto framing = wire::read_header(input, kLoginMessageMax, header);
    if (framing == wire::Framing::Short) return 0;
    if (framing == wire::Framing::Invalid) {
        server_login_failed(
            engine, server,
            cannot_log_in(server.node.name, "it does not speak PostgreSQL's protocol"));
        return input.size();
    }
    if (input.size() < header.total_bytes()) return 0;
    const Bytes body = input.subspan(wire::kHeaderBytes, header.body_bytes);
    auto more = take(engine, server, header.type, body);
    if (!more) {
        server_login_failed(engine, server, std::move(more.error()));
        return input.size();
    }
    const size_t taken = header.total_bytes();
    if (*more) return taken;
    const bool all_taken = taken == input.size();
    if (all_taken) server.inbox.clear(engine.buffers());
    logged_in(engine, server, all_taken);
    return taken;
}

void server_login_failed(Engine& engine, ServerConn& server, Error error) {
    Pool& pool = server.pool;
    if (server.raw && server.client != nullptr) {
        break_up(engine, server, error, "its walsender could not be opened");
        return;
    }
    // Servers that were opened together fail together, and count once.
    if (engine.now() >= pool.retry_at) {
        pool.retry_at =
            engine.now() +
            pool.back_off.failed(engine.config().timeouts.server_retry_max, engine.prng());
    }
    ++pool.stats.servers_failed;
    log::warning("no server for {}/{}: {} ({}); next try in {} ms, {} clients wait", pool.database,
                 pool.user, error.message, error.sqlstate.text(),
                 to_microseconds(pool.retry_at - engine.now()) / 1000, pool.waiting.size());
    engine.close(server, "it could not be opened");
    const bool hopeless = is_hopeless(error.sqlstate);
    pool.last_failure = error;
    // With servers open the pool still serves; without any, waiting would not help.
    if (pool.of_standby()) {
        if (pool.share.open.load() == 0) send_elsewhere(engine, pool);
        return;
    }
    if (hopeless && pool.share.open.load() == 0) refuse_waiting(engine, pool, error);
}

}  // namespace pgweir::session
