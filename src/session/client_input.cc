#include "pgweir/base/check.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "session/parts.h"

#include <utility>

/// What a client sends, by the state that it is in: whoever has a server is pumped there, and
/// whoever has none is looked at message by message.
namespace pgweir::session {
namespace {

// A client that waits may send ahead this much before it is not read any more.
constexpr size_t kWaitingInboxMax = 65536;

size_t discard(ClientSession& client, Bytes input) {
    const size_t count = std::min<size_t>(client.discarding, input.size());
    client.discarding -= static_cast<uint32_t>(count);
    return count;
}

bool awaits_rest(const wire::FrameHeader& header, Bytes input, uint64_t statement_bytes_max) {
    if (input.size() >= header.total_bytes()) return false;
    if (header.total_bytes() <= kHeldBackMax) return true;
    // A named statement is needed whole in any case.
    const bool named = input.size() > wire::kHeaderBytes && input[wire::kHeaderBytes] != 0;
    return header.type == 'P' && named && header.body_bytes <= statement_bytes_max;
}

/// The first message of a client that holds no server.
size_t idle_step(Engine& engine, ClientSession& client, Bytes input) {
    if (client.discarding > 0) return discard(client, input);
    const char type = static_cast<char>(input[0]);
    if (wire::client_message(type) == wire::Handling::Reject) {
        violate(engine, client, unknown_message_type(type));
        return 0;
    }
    wire::FrameHeader header;
    const auto framing = wire::read_header(input, message_bytes_max(engine), header);
    if (framing == wire::Framing::Short) return 0;
    if (framing == wire::Framing::Invalid) {
        violate(engine, client, wire::bad_length(input, message_bytes_max(engine)));
        return 0;
    }
    switch (header.type) {
        case 'X': leave(engine, client); return 0;
        case 'H':
        case 'd':
        case 'c':
        case 'f':  // what PostgreSQL ignores outside of a query needs no server
            client.discarding = static_cast<uint32_t>(header.total_bytes());
            return discard(client, input);
    }
    if (awaits_rest(header, input, engine.config().limits.statement_size)) return 0;
    if (client.stream->backlog() > engine.config().limits.output_buffer) {
        // Whoever sends requests and reads no answers gets no more of them.
        client.stream->pause();
        return 0;
    }
    send_away_if_due(engine, client);
    if (client.state == ClientState::Closed) return 0;
    if (const size_t answered = answer_begun(engine, client, input); answered > 0) return answered;
    if (header.type == 'P') {
        const size_t answered = answer_known_parse(engine, client, input);
        if (answered > 0) return answered;
    }
    size_t refused = 0;
    const bool has_failed = client.begun.state == Begun::State::Failed;
    if (!has_failed && no_place_for_pin(engine, client, input, refused)) return refused;
    switch (aim(engine, client, input)) {
        case Aim::Incomplete:
        case Aim::Waits: return 0;
        case Aim::Refused: return std::exchange(client.request_left, 0);
        case Aim::Found: break;
    }
    if (!client.has_waited) client.query_started = engine.now();
    acquire(engine, client);
    return 0;  // whoever is attached now looks at the message again
}

/// One error for the batch, at its Parse, and ReadyForQuery at its Sync.
void refuse_extended(Engine& engine, ClientSession& client, char type) {
    wire::Writer out;
    if (type == 'P' || type == 'Q') wire::encode_error(out, console_wants_simple_queries());
    if (type == 'S' || type == 'Q') wire::encode_ready(out, wire::TransactionStatus::Idle);
    if (!out.empty()) engine.send(client, out.bytes());
}

/// One statement at a time: the next is looked at when the answer is given.
size_t console_step(Engine& engine, ClientSession& client, Bytes input) {
    if (client.discarding > 0) return discard(client, input);
    if (client.console_busy) return 0;
    if (client.stream->backlog() > engine.config().limits.output_buffer) {
        client.stream->pause();
        return 0;
    }
    wire::FrameHeader header;
    const auto framing = wire::read_header(input, kSmallMessageMax, header);
    if (framing == wire::Framing::Short) return 0;
    if (framing == wire::Framing::Invalid) {
        violate(engine, client, wire::bad_length(input, kSmallMessageMax));
        return 0;
    }
    if (header.type == 'X') {
        leave(engine, client);
        return 0;
    }
    if (input.size() < header.total_bytes()) return 0;
    const auto sql = wire::decode_text(input.subspan(wire::kHeaderBytes, header.body_bytes));
    if (header.type != 'Q' || !sql) {
        refuse_extended(engine, client, header.type);
        return header.total_bytes();
    }
    client.stream->pause();
    client.console_busy = true;
    engine.shell().console(client.handle, client.role, std::string(*sql));
    return header.total_bytes();
}

size_t consume_all(Engine& engine, ClientSession& client, Bytes input) {
    size_t used = 0;
    while (used < input.size()) {
        const ClientState before = client.state;
        const Bytes rest = input.subspan(used);
        size_t taken = 0;
        switch (before) {
            case ClientState::Greeting:
            case ClientState::Authenticating: taken = login_step(engine, client, rest); break;
            case ClientState::Idle: taken = idle_step(engine, client, rest); break;
            case ClientState::Waiting:
            case ClientState::Behind: break;
            case ClientState::Attached:
                if (client.server->state != ServerState::Active) break;
                if (client.server->said_farewell) return input.size();  // nobody reads it any more
                if (client.server->raw) {
                    pass_to_walsender(engine, client, rest);
                    taken = rest.size();
                } else {
                    taken = pump_client(engine, client, rest);
                }
                break;
            case ClientState::Console: taken = console_step(engine, client, rest); break;
            case ClientState::Closed: return input.size();
        }
        used += taken;
        const bool again = std::exchange(client.read_again, false);
        if (taken == 0 && client.state == before && !again) break;
    }
    return used;
}

/// Handles what it can; the rest stays with the caller. Whoever comes by a server while its request
/// is looked at, or gives one back, is resumed from within: it goes on here, with what is left.
size_t consume(Engine& engine, ClientSession& client, Bytes input) {
    if (planted(Bug::ReadFromWithin)) return consume_all(engine, client, input);
    PGW_CHECK(!client.being_read);
    client.being_read = true;
    const size_t used = consume_all(engine, client, input);
    client.being_read = false;
    return used;
}

}  // namespace

void client_bytes(Engine& engine, ClientSession& client, Bytes input) {
    if (client.state == ClientState::Closed) return;
    if (client.pool != nullptr) client.pool->stats.bytes_received += input.size();
    if (!client.inbox.empty()) {
        client.inbox.append(engine.buffers(), input);
        resume_client(engine, client);
    } else {
        const size_t used = consume(engine, client, input);
        if (client.state == ClientState::Closed) return;
        client.inbox.append(engine.buffers(), input.subspan(used));
    }
    const uint64_t limit = engine.config().limits.input_buffers;
    const bool beyond = engine.buffers().bytes_in_use() > limit;
    if (beyond && client.state == ClientState::Idle && client.inbox.size() > kSmallMessageMax) {
        ++engine.stats().refused;
        const Error error = too_much_held_back(limit);
        engine.close(client, &error, "limits.input_buffers is reached");
        return;
    }
    const bool held = client.state == ClientState::Waiting || client.state == ClientState::Behind ||
                      client.state == ClientState::Attached;
    const bool serves_itself =
        client.server != nullptr && client.server->state == ServerState::Active;
    const bool waits = !serves_itself || client.holding || client.server->begin_undecided() ||
                       client.server->repeats();
    // Whose inbox is empty waits for nothing, and nobody would resume it.
    if (held && waits && !client.inbox.empty() &&
        (beyond || client.inbox.size() > kWaitingInboxMax)) {
        client.stream->pause();
    }
}

void resume_client(Engine& engine, ClientSession& client) {
    if (client.state == ClientState::Closed) return;
    client.stream->resume();
    client.read_again = client.being_read;
    if (client.being_read || client.inbox.empty()) return;
    const size_t used = consume(engine, client, client.inbox.view());
    if (client.state != ClientState::Closed) client.inbox.consume(engine.buffers(), used);
}

}  // namespace pgweir::session
