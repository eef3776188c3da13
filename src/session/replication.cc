#include "pgweir/base/log.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"
#include "session/parts.h"

/// Replication connections. They cannot be pooled: each client gets a walsender of its own, which
/// counts in its pool, and after the login nothing is looked into.
/// See: protocol-replication.html
namespace pgweir::session {

void open_walsender(Engine& engine, ClientSession& client) {
    Pool& pool = *client.pool;
    if (!pool.has_node) {
        const Error error = no_primary(pool.database, Duration::zero());
        engine.close(client, &error, "no primary is known for replication");
        return;
    }
    if (pool.state != PoolState::Open || engine.globally_paused() ||
        take_permits(pool, pool.limits.size) != Permit::Taken) {
        const Error error = no_place_for_walsender(pool.database, pool.limits.size);
        engine.close(client, &error, "no server is free for replication");
        return;
    }
    ServerConn& server = engine.make_server(pool);
    server.permitted = true;
    server.raw = true;
    engine.move(client, ClientEvent::ServerLent);
    server.client = &client;
    client.server = &server;
    ++pool.attached;
    server.node = pool.address.node;
    server.stream = &engine.shell().connect(server.node, server);
}

void walsender_ready(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    if (engine.admission() == Admission::Draining) {
        const Error error = shutting_down();
        engine.close(client, &error, "draining");
        return;
    }
    engine.move(server, ServerEvent::ClientAttached);
    wire::Writer out;
    wire::encode_authentication(out, wire::AuthenticationKind::Ok);
    for (const auto& [name, value] : server.base.values()) {
        wire::encode_parameter_status(out, name, value);
    }
    wire::encode_backend_key(out, client.pid, Bytes(client.key.bytes).first(client.key.size));
    wire::encode_ready(out, wire::TransactionStatus::Idle);
    client.settings = server.base;
    client.login.reset();
    engine.send(client, out.bytes());
    log::info("client {} {}@{} replicates from backend pid {}", client.id, client.user,
              server.pool.database, server.key.pid);
    resume_client(engine, client);
}

void pass_to_walsender(Engine& engine, ClientSession& client, Bytes bytes) {
    ServerConn& server = *client.server;
    server.stream->send(bytes);
    if (server.stream->backlog() > engine.config().limits.output_buffer) client.stream->pause();
}

void pass_from_walsender(Engine& engine, ServerConn& server, Bytes bytes) {
    ClientSession& client = *server.client;
    engine.send(client, bytes);
    if (client.stream->backlog() > engine.config().limits.output_buffer) server.stream->pause();
}

}  // namespace pgweir::session
