#include "pgweir/session/engine.h"

#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/session/listening.h"
#include "pgweir/wire/backend.h"
#include "pgweir/wire/frontend.h"
#include "session/parts.h"

#include <algorithm>

namespace pgweir::session {
namespace {

bool is_login(ClientState state) {
    return state == ClientState::Greeting || state == ClientState::Authenticating;
}

}  // namespace

Duration BackOff::failed(Duration longest, Prng& prng) {
    constexpr Duration kFirst = std::chrono::milliseconds(100);
    constexpr uint32_t kDoublingsMax = 16;
    const Duration pause = std::min(longest, kFirst * (1 << std::min(failures_, kDoublingsMax)));
    ++failures_;
    const auto jitter = prng.below(static_cast<uint64_t>(pause.count()) / 4 + 1);
    return pause - Duration(static_cast<int64_t>(jitter));
}

Engine::Engine(uint32_t worker,
               Shell& shell,
               ProcessShare& process,
               std::unique_ptr<const Setup> setup,
               Secret process_secret)
    : worker_(worker),
      shell_(shell),
      process_(process),
      setup_(std::move(setup)),
      verifiers_(std::move(process_secret)),
      prng_(worker + 1),
      listening_(std::make_unique<Listening>()) {
    settings_.use_applications(config().applications);
}

Engine::~Engine() {
    close_everything();
    reap();
}

void Engine::accept(Stream& stream, std::optional<config::Reads> reads) {
    ClientSession* client = &make_client();
    client->reads = reads;
    client->stream = &stream;
    stream.set_owner(*client);
    client->id = process_.next_id.fetch_add(1, std::memory_order_relaxed);
    client->connected_at = now();
    client->deadline = deadline_after(now(), config().timeouts.login);
    const uint32_t random_bytes = static_cast<uint32_t>(client->key.bytes.size());
    shell_.fill_random({client->key.bytes.data(), random_bytes});
    ++stats_.accepted;

    process_.clients.fetch_add(1);
    process_.logins.fetch_add(1);
    // Whoever is one too many is told after its startup packet: libpq does not show what it is told
    // in place of an answer to its SSLRequest. Beyond that, even the startup packet is not awaited.
    const uint64_t ceiling = uint64_t{config().limits.clients} + config().limits.logins_in_flight;
    if (process_.clients.load() > ceiling) {
        ++stats_.refused;
        const Error error = too_many_clients(config().limits.clients);
        close(*client, &error, "limits.clients is reached");
    }
}

ClientSession& Engine::make_client() {
    auto [handle, client] = clients_.make(*this);
    client->handle = handle;
    client->state_since = now();
    enter_list(*client);
    return *client;
}

void Engine::tick() {
    upkeep(*this);
}

void Engine::move(ClientSession& client, ClientEvent event) {
    const ClientRow* row = find_row(client.state, event);
    if (row == nullptr) {
        log::error("client {}: event {} cannot happen in state {}", client.id, to_text(event),
                   to_text(client.state));
        PGW_CHECK(row != nullptr);
    }
    if (log::enabled(log::Level::Debug)) {
        log::debug("client {}: from {} to {}, {}", client.id, to_text(row->from), to_text(row->to),
                   row->why);
    }
    leave_list(client);
    const bool logs_in = is_login(row->from) && event != ClientEvent::Arrived;
    if (logs_in && !is_login(row->to)) process_.logins.fetch_sub(1);
    client.state = row->to;
    client.state_since = now();
    enter_list(client);
}

void Engine::rest_anew(ClientSession& client) {
    PGW_CHECK(client.state == ClientState::Idle);
    leave_list(client);
    client.state_since = now();
    enter_list(client);  // which is in the order of this
}

void Engine::leave_list(ClientSession& client) {
    if (!client.linked()) return;
    if (client.state == ClientState::Waiting) {
        client.queue->waiting.erase(client);
        client.queue->share.waiting.fetch_sub(1, std::memory_order_relaxed);
    } else {
        in(client.state).erase(client);
    }
    if (client.state == ClientState::Behind) {
        --client.pool->behind;
        process_.clients_behind.fetch_sub(1, std::memory_order_relaxed);
    }
}

void Engine::enter_list(ClientSession& client) {
    if (client.state == ClientState::Waiting) {
        client.queue->waiting.push_back(client);
        client.queue->share.waiting.fetch_add(1, std::memory_order_relaxed);
    } else {
        in(client.state).push_back(client);
    }
    if (client.state == ClientState::Behind) {
        ++client.pool->behind;
        process_.clients_behind.fetch_add(1, std::memory_order_relaxed);
    }
}

void Engine::move(ServerConn& server, ServerEvent event) {
    const ServerRow* row = find_row(server.state, event);
    if (row == nullptr) {
        log::error("server {}: event {} cannot happen in state {}", server.id, to_text(event),
                   to_text(server.state));
        PGW_CHECK(row != nullptr);
    }
    if (log::enabled(log::Level::Debug)) {
        log::debug("server {}: from {} to {}, {}", server.id, to_text(row->from), to_text(row->to),
                   row->why);
    }
    Pool& pool = server.pool;
    const bool idle_changes = server.state == ServerState::Idle || row->to == ServerState::Idle;
    pool.in(server.state).erase(server);
    server.state = row->to;
    server.state_since = now();
    if (server.state == ServerState::Closed) {
        closed_servers_.push_back(server);
    } else if (server.state == ServerState::Idle) {
        pool.in(ServerState::Idle).push_front(server);  // the warmest serves next
    } else {
        pool.in(server.state).push_back(server);
    }
    if (idle_changes) publish_idle(pool);
    const bool over = row->to == ServerState::Idle || row->to == ServerState::Closing ||
                      row->to == ServerState::Closed;
    if (over && server.pins.any()) set_pins(*this, server, {});
    if (over && server.shared != nullptr && row->to != ServerState::Idle) {
        listener_over(*this, server, row->from == ServerState::Listening);
    }
}

void Engine::publish_idle(Pool& pool) {
    pool.share.publish_idle(worker_, !pool.in(ServerState::Idle).empty() || pool.yielding > 0);
}

Pool& Engine::pool(const PoolName& name) {
    auto& slot = pools_[name];
    if (slot == nullptr) {
        slot = std::make_unique<Pool>(shell_.pool_share(name));
        if (!name.node.empty()) slot->home = &pool(name.database, name.user);
        slot->state = stop_orders_.state_of(name.database);
        apply_setup(*slot);
    }
    return *slot;
}

Pool* Engine::find_pool(const PoolShare& share) {
    return find_pool(share.name());
}

Pool* Engine::find_pool(const PoolName& name) {
    const auto it = pools_.find(name);
    return it == pools_.end() ? nullptr : it->second.get();
}

ServerConn& Engine::make_server(Pool& pool) {
    auto [handle, server] = servers_.make(*this, pool);
    server->handle = handle;
    server->id = process_.next_id.fetch_add(1, std::memory_order_relaxed);
    server->epoch = generation_;
    server->cluster = pool.cluster;
    server->primary_epoch = pool.primary_epoch;
    server->opened = now();
    server->state_since = now();
    pool.in(server->state).push_back(*server);
    return *server;
}

CancelConn& Engine::make_cancel(Handle target) {
    auto [handle, cancel] = cancels_.make(*this, target);
    cancel->handle = handle;
    cancels_under_way_.push_back(*cancel);
    return *cancel;
}

ClientSession* Engine::find_client_at(uint32_t index) {
    return clients_.find_at(index);
}

const std::string& Engine::begin_messages(const sql::TransactionModes& modes) {
    constexpr size_t kSaid = 3;
    const size_t number =
        (static_cast<size_t>(modes.isolation) * kSaid + static_cast<size_t>(modes.read_only)) *
            kSaid +
        static_cast<size_t>(modes.deferrable);
    std::string& known = begins_.at(number);
    if (!known.empty()) return known;
    constexpr uint16_t kNone = 0;
    wire::Writer out;
    out.begin('P').text("").text(sql::begin_text(modes)).u16(kNone).end();
    out.begin('B').text("").text("").u16(kNone).u16(kNone).u16(kNone).end();
    wire::encode_execute(out, "");
    known = out.take();
    return known;
}

StatementChange* Engine::make_change(StatementChange change) {
    // Changes are few and short-lived: one for each statement that is prepared or closed.
    return new StatementChange(std::move(change));
}

void Engine::drop_change(StatementChange* change) {
    delete change;
}

void Engine::send(ClientSession& client, Bytes bytes) {
    if (client.state == ClientState::Closed) return;
    if (client.pool != nullptr) client.pool->stats.bytes_sent += bytes.size();
    client.stream->send(bytes);
}

void Engine::close(ClientSession& client, const Error* error, std::string_view reason) {
    if (client.state == ClientState::Closed) return;
    const bool logged_in = client.login == nullptr && client.state != ClientState::Greeting;
    // In the middle of a server's message an error cannot be told without damage to the stream.
    const ServerConn* held = client.server;
    const bool mid_message = held != nullptr && held->passing > 0 && held->passing_forward;
    const bool told = held != nullptr && held->said_farewell;
    // Where a walsender's messages begin and end is not known here.
    const bool streams = held != nullptr && held->raw && held->state == ServerState::Active;
    const bool can_tell = !mid_message && !told && !streams;
    if (error != nullptr && can_tell) {
        wire::Writer out;
        Error fatal = *error;
        fatal.severity = Severity::Fatal;
        wire::encode_error(out, fatal);
        send(client, out.bytes());
    }
    const bool wanted = logged_in ? config().log.disconnections : error != nullptr;
    if (wanted) {
        log::info("client {} {}@{} from {} ended: {}{}{}", client.id, client.user,
                  client.pool != nullptr ? client.pool->database : "-", client.stream->peer_name(),
                  reason, error != nullptr ? ": " : "", error != nullptr ? error->message : "");
    }
    Pool* pool = client.pool;
    end_subscription(*this, client);
    if (std::exchange(client.awaits_place, false)) --pool->place_waiters;
    const bool waited = client.state == ClientState::Waiting;
    process_.clients.fetch_sub(1);
    if (client.pid != 0) process_.directory.remove(std::exchange(client.pid, 0));
    move(client, ClientEvent::Ended);
    if (client.left) {
        client.stream->drop();
    } else {
        client.stream->close();
    }
    client.stream = nullptr;
    if (pool != nullptr) {
        --pool->clients;
        give_back(pool->database_group->clients);
        give_back(pool->user_group->clients);
        if (waited) publish_waiting(*this, *client.queue);
    }
    if (ServerConn* server = std::exchange(client.server, nullptr)) {
        --server->pool.attached;
        server->client = nullptr;
        const bool clean = server->state == ServerState::Active &&
                           (!server->raw || planted(Bug::WalsenderPooled)) &&
                           server->pipeline.at_rest() &&
                           server->status == wire::TransactionStatus::Idle &&
                           server->passing == 0 && client.passing == 0 && !server->repeats();
        if (clean) {
            release(*this, *server);
        } else if (server->state == ServerState::Asking && !server->raw) {
            // What it left is being asked for; then it is wiped.
            server->stream->resume();
        } else {
            retire(*server, "its client left while it was not clean",
                   client.passing > 0 ? Upstream::Broken : Upstream::Whole);
        }
    }
    shell_.reap_soon();
}

void Engine::forget(ClientSession& client) {
    move(client, ClientEvent::Departed);
    client.stream = nullptr;
    --client.pool->clients;
    shell_.reap_soon();
}

void Engine::part_from_client(ServerConn& server) {
    ClientSession* client = std::exchange(server.client, nullptr);
    if (client == nullptr) return;
    client->server = nullptr;
    --server.pool.attached;
    close(*client, nullptr, "its server was closed");
}

void Engine::close(ServerConn& server, std::string_view reason) {
    if (server.state == ServerState::Closed) return;
    if (server.state != ServerState::Closing) {
        log::info("server {} of {}/{} at {} closed: {}", server.id, server.pool.database,
                  server.pool.user, server.node.name, reason);
    }
    move(server, ServerEvent::Ended);
    if (server.stream != nullptr) server.stream->close();
    server.stream = nullptr;
    if (std::exchange(server.permitted, false) && !planted(Bug::PermitLost)) {
        give_back(server.pool.share.open);
        give_back(server.pool.database_group->servers);
        give_back(server.pool.user_group->servers);
    }
    part_from_client(server);
    shell_.reap_soon();
}

void Engine::retire(ServerConn& server, std::string_view reason, Upstream upstream) {
    if (server.state == ServerState::Closed || server.state == ServerState::Closing) return;
    if (server.state == ServerState::Connecting) {
        close(server, reason);
        return;
    }
    log::info("server {} of {}/{} at {} is closed: {}", server.id, server.pool.database,
              server.pool.user, server.node.name, reason);
    // PostgreSQL notices that nobody is there only when it next writes: a long query would go on.
    if (!server.pipeline.empty() && !server.key.key.empty()) cancel_at_server(*this, server);
    move(server, ServerEvent::Retired);
    if (upstream == Upstream::Whole) {
        wire::Writer out;
        wire::encode_terminate(out);
        server.stream->send(out.bytes());
    }
    server.stream->finish();
    server.stream->resume();  // to see it go
    part_from_client(server);
}

void Engine::finish(CancelConn& cancel) {
    if (std::exchange(cancel.over, true)) return;
    cancels_under_way_.erase(cancel);
    finished_cancels_.push_back(cancel);
    cancel.stream->close();
    cancel.stream = nullptr;
    shell_.reap_soon();
    ServerConn* server = find_server(cancel.target);
    if (server == nullptr || server->state == ServerState::Closed) return;
    --server->cancels;
    if (server->state == ServerState::Cancelling && server->cancels == 0) {
        if (server->cancel_lost) {
            retire(*server, "a cancel that was given up may still hit it");
        } else if (next_use(*server) == NextUse::AfterReset) {
            reset(*this, *server);
        } else {
            move(*server, ServerEvent::CancelsDone);
            offer(*this, *server);
        }
    }
}

void Engine::reap() {
    while (!in(ClientState::Closed).empty()) {
        ClientSession& client = in(ClientState::Closed).pop_front();
        client.inbox.clear(buffers_);
        clients_.destroy(client.handle);
    }
    while (!finished_cancels_.empty()) {
        CancelConn& cancel = finished_cancels_.pop_front();
        cancels_.destroy(cancel.handle);
    }
    while (!closed_servers_.empty()) {
        ServerConn& server = closed_servers_.pop_front();
        Pool& pool = server.pool;
        server.inbox.clear(buffers_);
        server.pipeline.clear([this](const Expected& entry) { drop_change(entry.change); });
        server.statements.clear();
        servers_.destroy(server.handle);
        after_server_closed(*this, pool);
    }
    if (!std::exchange(places_freed_, false)) return;
    for (auto& [key, pool] : pools_) retry_places(*this, *pool);
}

void Engine::receive(PeerMessage message) {
    if (auto* want = std::get_if<WantServer>(&message)) {
        Pool* pool = find_pool(*want->pool);
        if (pool == nullptr || want->pool->oldest_wait(want->from) == PoolShare::kNobodyWaits)
            return;
        if (!pool->waiting.empty()) return;
        ServerConn* movable = nullptr;
        pool->in(ServerState::Idle).for_each([&](ServerConn& server) {
            if (movable == nullptr && server.can_move()) movable = &server;
        });
        if (movable != nullptr) {
            lend_away(*this, *movable, want->from);
        } else {
            yield_to_waiting(*this, *pool);
        }
    } else if (auto* lent = std::get_if<LentServer>(&message)) {
        Pool* pool = find_pool(*lent->pool);
        PGW_CHECK(pool != nullptr);  // only a worker with a waiting client is lent to
        adopt_server(*this, *pool, *lent->server);
    } else if (auto* moved = std::get_if<MovedClient>(&message)) {
        adopt_client(*this, *moved->pool, *moved->client);
    } else if (auto* freed = std::get_if<PermitFreed>(&message)) {
        if (Pool* pool = find_pool(*freed->pool)) open_servers(*this, *pool);
    } else if (auto* leave = std::get_if<LeaveDatabases>(&message)) {
        leave_databases(*this, leave->text);
    } else if (auto* wish = std::get_if<ShareChannels>(&message)) {
        share_channels(*this, *wish);
    } else if (auto* shared = std::get_if<ChannelsShared>(&message)) {
        channels_shared(*this, *shared);
    } else if (auto* left = std::get_if<LeaveChannels>(&message)) {
        leave_channels(*this, *left);
    } else if (auto* heard = std::get_if<Notifications>(&message)) {
        notifications_heard(*this, *heard);
    } else if (auto* lost = std::get_if<ListenerLost>(&message)) {
        listener_lost(*this, *lost);
    } else if (auto* stuck = std::get_if<ListenerStuck>(&message)) {
        listener_stuck(*this, *stuck);
    } else if (auto* cancel = std::get_if<CancelQuery>(&message)) {
        route_cancel(*this, cancel->pid, cancel->key);
    }
}

void Engine::console_reply(Handle handle, Bytes reply, bool close_after) {
    ClientSession* client = clients_.find(handle);
    if (client == nullptr || client->state != ClientState::Console) return;
    send(*client, reply);
    client->stream->resume();
    if (close_after) {
        close(*client, nullptr, "the console's last answer is given");
        return;
    }
    client->console_busy = false;
    resume_client(*this, *client);
}

ClientSession::ClientSession(Engine& its_engine) : engine(its_engine) {}

ClientSession::~ClientSession() = default;

void ClientSession::on_bytes(Bytes bytes) {
    client_bytes(engine, *this, bytes);
}

void ClientSession::on_drained() {
    if (state == ClientState::Idle || state == ClientState::Console) {
        resume_client(engine, *this);
    } else if (server != nullptr && server->stream != nullptr) {
        server->stream->resume();
    }
}

void ClientSession::on_lost(std::string_view reason) {
    engine.close(*this, nullptr, reason);
}

void ServerConn::on_bytes(Bytes bytes) {
    server_bytes(engine, *this, bytes);
}

void ServerConn::on_connected() {
    begin_server_login(engine, *this);
}

void ServerConn::on_drained() {
    if (client != nullptr && client->stream != nullptr) resume_client(engine, *client);
}

void ServerConn::on_lost(std::string_view reason) {
    server_gone(engine, *this, reason);
}

}  // namespace pgweir::session
