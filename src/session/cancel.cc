#include "pgweir/base/log.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/startup.h"
#include "session/parts.h"

/// Cancel requests: found by number, checked by key, and aimed so that no other client is hit. A
/// server that a cancel is on its way to is not lent before that cancel has ended.
/// See: protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
namespace pgweir::session {
namespace {

/// Units: bytes of the whole request at the front: a simple query alone, or all of an extended
/// batch with its Sync; zero when its end has not arrived.
size_t request_bytes(Bytes waiting) {
    size_t taken = 0;
    wire::FrameHeader header;
    while (wire::read_header(waiting.subspan(taken), wire::kMessageBytesMax, header) ==
               wire::Framing::Complete &&
           waiting.size() - taken >= header.total_bytes()) {
        taken += header.total_bytes();
        if (header.type == 'Q' || header.type == 'F' || header.type == 'S') return taken;
    }
    return 0;
}

void answer_cancelled(Engine& engine, ClientSession& client, size_t taken) {
    client.inbox.consume(engine.buffers(), taken);
    client.has_waited = false;
    fail_request(engine, client, cancelled_while_waiting());
    resume_client(engine, client);
}

/// Takes back the request that waits in the inbox, as if it had failed at the server.
void cancel_waiting(Engine& engine, ClientSession& client) {
    const size_t taken = request_bytes(client.inbox.view());
    if (taken == 0) return;
    Pool& pool = *client.queue;
    engine.move(client, ClientEvent::WaitCancelled);
    publish_waiting(engine, pool);
    answer_cancelled(engine, client, taken);
}

/// The same for a request that waits until fewer servers are kept.
void cancel_place_waiter(Engine& engine, ClientSession& client) {
    const size_t taken = request_bytes(client.inbox.view());
    if (taken == 0) return;
    client.awaits_place = false;
    --client.pool->place_waiters;
    answer_cancelled(engine, client, taken);
}

/// The same for a read that waits for a standby.
void cancel_behind(Engine& engine, ClientSession& client) {
    const size_t taken = request_bytes(client.inbox.view());
    if (taken == 0) return;
    client.deadline = kNever;
    engine.move(client, ClientEvent::WaitCancelled);
    answer_cancelled(engine, client, taken);
}

}  // namespace

void cancel_at_server(Engine& engine, ServerConn& server) {
    if (engine.cancels_in_flight() >= engine.config().limits.cancels_in_flight) {
        log::warning("a cancel request is dropped: limits.cancels_in_flight, {}, is reached",
                     engine.config().limits.cancels_in_flight);
        return;
    }
    CancelConn& cancel = engine.make_cancel(server.handle);
    cancel.key = server.key;
    cancel.deadline = deadline_after(engine.now(), engine.config().timeouts.cancel);
    ++server.cancels;
    ++server.pool.stats.cancels;
    cancel.stream = &engine.shell().connect(server.node, cancel);
}

void cancel_requested(Engine& engine, uint32_t pid, Bytes key) {
    ++engine.stats().cancels_received;
    route_cancel(engine, pid, as_text(key));
}

void route_cancel(Engine& engine, uint32_t pid, std::string_view key) {
    const auto place = engine.process().directory.find(pid);
    // If the client is on its way, even to this worker, it is in that worker's mailbox already.
    const bool under_way = place && place->index == ClientDirectory::kUnderWay;
    if (place && (place->worker != engine.worker() || under_way)) {
        engine.shell().post(place->worker, CancelQuery{pid, std::string(key)});
        return;
    }
    ClientSession* client = place ? engine.find_client_at(place->index) : nullptr;
    const bool known =
        client != nullptr &&
        equal_in_constant_time(as_text(Bytes(client->key.bytes).first(client->key.size)), key);
    if (!known) {
        ++engine.stats().cancels_unknown;
        return;
    }
    if (client->state == ClientState::Waiting && client->login == nullptr) {
        cancel_waiting(engine, *client);
    } else if (client->state == ClientState::Behind) {
        cancel_behind(engine, *client);
    } else if (client->state == ClientState::Idle && client->awaits_place) {
        cancel_place_waiter(engine, *client);
    } else if (client->server != nullptr && client->server->state == ServerState::Active) {
        // Only a query under way: one that ended must not cost the next one its life.
        if (!client->server->pipeline.empty()) cancel_at_server(engine, *client->server);
    }
}

void CancelConn::on_connected() {
    wire::Writer out;
    wire::encode_cancel_request(out, key.pid, as_bytes(key.key));
    stream->send(out.bytes());
    sent = true;
}

void CancelConn::on_lost(std::string_view) {
    // PostgreSQL closes once the signal is sent; an error too means that none will come later.
    engine.finish(*this);
}

}  // namespace pgweir::session
