#include "pgweir/base/log.h"
#include "pgweir/session/errors.h"
#include "pgweir/session/listening.h"
#include "pgweir/wire/backend.h"
#include "pgweir/wire/frame.h"
#include "session/parts.h"

#include <charconv>

#include <fmt/format.h>

/// The connection that listens for all clients of a database.
namespace pgweir::session {
namespace {

// Without a channel it is kept this long: whoever comes next finds it open.
constexpr Duration kUnusedMax = std::chrono::seconds(10);

// A connection that only hears would not notice that its peer has gone silently.
constexpr Duration kHeartbeat = std::chrono::seconds(10);

SharedListener* find_listener(Engine& engine, std::string_view database) {
    auto& listeners = engine.listening().listeners;
    const auto it = listeners.find(database);
    return it == listeners.end() ? nullptr : it->second.get();
}

SharedListener& listener_of(Engine& engine, const PoolShare& share) {
    auto& slot = engine.listening().listeners[share.name().database];
    if (slot == nullptr) slot = std::make_unique<SharedListener>(share, share.workers());
    return *slot;
}

bool is_up(const SharedListener& listener) {
    return listener.connection != nullptr && listener.connection->state == ServerState::Listening;
}

/// True exactly when an administrator wants no connection to its database.
bool is_stopped(Engine& engine, const SharedListener& listener) {
    const Pool* pool = engine.find_pool(listener.pool.database, listener.pool.user);
    return pool == nullptr || pool->state != PoolState::Open || engine.globally_paused();
}

void open(Engine& engine, SharedListener& listener) {
    if (listener.connection != nullptr || listener.channels.empty() ||
        engine.now() < listener.pool.retry_at || is_stopped(engine, listener)) {
        return;
    }
    const Pool& pool = *engine.find_pool(listener.pool.database, listener.pool.user);
    if (!pool.has_node) return;
    listener.pool.address = pool.address;
    if (const auto keys = pool.share.passed_keys()) listener.share.pass_keys(*keys);
    ServerConn& server = engine.make_server(listener.pool);
    server.shared = &listener;
    listener.connection = &server;
    server.node = listener.pool.address.node;
    server.stream = &engine.shell().connect(server.node, server);
}

/// Listens on what is wanted, and not on what is wanted no more.
void catch_up(Engine& engine, SharedListener& listener) {
    if (!is_up(listener) || !listener.connection->pipeline.at_rest()) return;
    std::string text;
    for (auto it = listener.channels.begin(); it != listener.channels.end();) {
        auto& [name, channel] = *it;
        const bool wanted = !channel.wishes.empty();
        if (wanted && !channel.listening) {
            text += fmt::format("LISTEN {};", quoted_channel(name));
            listener.asked.push_back(name);
        } else if (!wanted && channel.listening) {
            text += fmt::format("UNLISTEN {};", quoted_channel(name));
        }
        it = wanted ? std::next(it) : listener.channels.erase(it);
    }
    if (!text.empty()) send_internal_query(engine, *listener.connection, text);
}

/// Tells each worker which of its channels are listened on.
void confirm(Engine& engine,
             const SharedListener& listener,
             const std::vector<std::string>& names) {
    std::map<uint32_t, ChannelsShared> answers;
    for (const std::string& name : names) {
        const auto it = listener.channels.find(name);
        if (it == listener.channels.end() || !it->second.listening) continue;
        for (const auto& [worker, serial] : it->second.wishes) {
            answers[worker].channels.emplace_back(name, serial);
        }
    }
    for (auto& [worker, answer] : answers) {
        answer.database = listener.pool.database;
        engine.shell().post(worker, std::move(answer));
    }
}

/// The worker at whose front of a mark's token stands.
std::optional<uint32_t> worker_of(std::string_view token) {
    uint32_t worker = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), worker);
    if (error != std::errc() || end == token.data() + token.size() || *end != '.') return {};
    return worker;
}

void watch(Engine& engine, SharedListener& listener) {
    const Instant now = engine.now();
    if (!listener.channels.empty()) listener.needed_at = now;
    if (!is_up(listener)) {
        open(engine, listener);
        return;
    }
    ServerConn& server = *listener.connection;
    const Pool* pool = engine.find_pool(listener.pool.database, listener.pool.user);
    if (is_stopped(engine, listener)) {
        // Servers whose clients listen need it to be let go.
        if (pool == nullptr || pool->database_group->servers.load() == 0) {
            engine.retire(server, "its pool is paused");
        }
    } else if (!(pool->address == listener.pool.address) || server.epoch < pool->epoch) {
        engine.retire(server, "its pool has moved, or RECONNECT asked for it");
    } else if (now - listener.needed_at > kUnusedMax) {
        engine.retire(server, "nobody listens");
    } else if (now - listener.heard_at <= kHeartbeat) {
        return;
    } else if (server.pipeline.at_rest()) {
        send_internal_query(engine, server, "");
    } else if (now - listener.heard_at > kHeartbeat + engine.config().timeouts.server_connect) {
        engine.close(server, "it does not answer");
    }
}

}  // namespace

void share_channels(Engine& engine, const ShareChannels& wish) {
    SharedListener& listener = listener_of(engine, *wish.pool);
    Pool& pool = engine.pool(wish.pool->name());
    if (listener.connection == nullptr) {
        listener.pool.user = pool.user;
        listener.encoding = wish.encoding;
    }
    listener.needed_at = engine.now();
    std::vector<std::string> known;
    for (const auto& [name, serial] : wish.channels) {
        SharedListener::Channel& channel = listener.channels[name];
        channel.wishes[wish.from] = serial;
        if (channel.listening) known.push_back(name);
    }
    confirm(engine, listener, known);
    open(engine, listener);
    catch_up(engine, listener);
}

void leave_channels(Engine& engine, const LeaveChannels& left) {
    SharedListener* listener = find_listener(engine, left.database);
    if (listener == nullptr) return;
    for (const std::string& name : left.channels) {
        const auto it = listener->channels.find(name);
        if (it != listener->channels.end()) it->second.wishes.erase(left.from);
    }
    catch_up(engine, *listener);
}

void listener_ready(Engine& engine, ServerConn& server) {
    SharedListener& listener = *server.shared;
    engine.move(server, ServerEvent::ListenerReady);
    listener.pool.back_off.succeeded();
    listener.heard_at = engine.now();
    log::info("server {} listens for all clients of {}, backend pid {}", server.id,
              listener.pool.database, server.key.pid);
    send_internal_query(engine, server, fmt::format("LISTEN \"{}\"", Hearing::kChannel));
}

void listener_rested(Engine& engine, ServerConn& server, const std::optional<Error>& failure) {
    SharedListener& listener = *server.shared;
    listener.heard_at = engine.now();
    if (failure) {
        log::warning("server {} cannot listen for the clients of {}: {}", server.id,
                     listener.pool.database, failure->message);
        const Duration longest = engine.config().timeouts.server_retry_max;
        listener.pool.retry_at =
            engine.now() + listener.pool.back_off.failed(longest, engine.prng());
        engine.retire(server, "it cannot listen");
        return;
    }
    const std::vector<std::string> names = std::exchange(listener.asked, {});
    for (const std::string& name : names) {
        const auto it = listener.channels.find(name);
        if (it != listener.channels.end()) it->second.listening = true;
    }
    confirm(engine, listener, names);
    catch_up(engine, listener);
}

void listener_heard(ServerConn& server, Bytes message) {
    SharedListener& listener = *server.shared;
    const auto notification = wire::decode_notification(message.subspan(wire::kHeaderBytes));
    if (!notification) return;
    if (notification->channel == Hearing::kChannel) {
        const auto worker = worker_of(notification->payload);
        if (worker && *worker < listener.outgoing.size()) {
            listener.outgoing[*worker] += as_text(message);
        }
        return;
    }
    const auto it = listener.channels.find(notification->channel);
    if (it == listener.channels.end()) return;
    for (const auto& [worker, serial] : it->second.wishes) {
        listener.outgoing[worker] += as_text(message);
    }
}

void pass_on_heard(Engine& engine, ServerConn& server) {
    SharedListener& listener = *server.shared;
    for (uint32_t worker = 0; worker < listener.outgoing.size(); ++worker) {
        if (listener.outgoing[worker].empty()) continue;
        engine.shell().post(worker, Notifications{listener.pool.database,
                                                  std::exchange(listener.outgoing[worker], {})});
    }
}

void listener_over(Engine& engine, ServerConn& server, bool listened) {
    SharedListener& listener = *std::exchange(server.shared, nullptr);
    listener.connection = nullptr;
    listener.asked.clear();
    std::set<uint32_t> workers;
    for (auto it = listener.channels.begin(); it != listener.channels.end();) {
        it->second.listening = false;
        for (const auto& [worker, serial] : it->second.wishes) workers.insert(worker);
        it = it->second.wishes.empty() ? listener.channels.erase(it) : std::next(it);
    }
    if (!listened || workers.empty()) return;
    ++listener.losses;
    for (const uint32_t worker : workers) {
        engine.shell().post(worker, ListenerLost{listener.pool.database});
    }
}

void listener_stuck(Engine& engine, const ListenerStuck& stuck) {
    SharedListener* listener = find_listener(engine, stuck.database);
    if (listener == nullptr || !is_up(*listener)) return;
    engine.close(*listener->connection, "it does not tell what it is sent");
}

void close_unused_listeners(Engine& engine, std::string_view text) {
    for (auto& [database, listener] : engine.listening().listeners) {
        const bool named = text.find(listener->pool.address.database) != std::string_view::npos;
        if (named && is_up(*listener) && listener->channels.empty()) {
            engine.retire(*listener->connection, "a statement wants its database alone");
        }
    }
}

void watch_listeners(Engine& engine) {
    for (auto& [database, listener] : engine.listening().listeners) {
        for (const auto state :
             {ServerState::Connecting, ServerState::Authenticating, ServerState::Closing}) {
            end_slow_servers(engine, listener->pool, state);
        }
        watch(engine, *listener);
    }
}

}  // namespace pgweir::session
