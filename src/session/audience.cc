#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/session/listening.h"
#include "pgweir/wire/backend.h"
#include "pgweir/wire/frame.h"
#include "session/parts.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

/// Clients that listen, and what the shared connection of their database tells them.
namespace pgweir::session {
namespace {

// A client whose channels could not be handed over keeps its server this long before the next try.
constexpr Duration kNextTry = std::chrono::seconds(5);

Audience* find_audience(Engine& engine, std::string_view database) {
    auto& audiences = engine.listening().audiences;
    const auto it = audiences.find(database);
    return it == audiences.end() ? nullptr : &it->second;
}

/// Texts of channels and notifications are the same for whoever else listens.
bool same_encoding(const ServerConn& server) {
    const std::string_view of_database = server.base.find("server_encoding");
    return !of_database.empty() && server.settings.find("client_encoding") == of_database;
}

std::vector<std::string> without(const std::vector<std::string>& names,
                                 const std::vector<std::string>& others) {
    std::vector<std::string> rest;
    std::set_difference(names.begin(), names.end(), others.begin(), others.end(),
                        std::back_inserter(rest));
    return rest;
}

void leave(Engine& engine, const ClientSession& client, const std::vector<std::string>& names) {
    const Pool& pool = *client.pool;
    Audience* audience = find_audience(engine, pool.database);
    if (audience == nullptr) return;
    LeaveChannels left{pool.database, engine.worker(), {}};
    for (const std::string& name : names) {
        const auto it = audience->channels.find(name);
        if (it == audience->channels.end()) continue;
        it->second.clients.erase(client.handle.index);
        if (!it->second.clients.empty()) continue;
        audience->channels.erase(it);
        left.channels.push_back(name);
    }
    if (left.channels.empty()) return;
    engine.shell().post(owner_of(pool.database, pool.share.workers()), std::move(left));
}

void join(Engine& engine,
          const ServerConn& server,
          const ClientSession& client,
          const std::vector<std::string>& names) {
    Pool& pool = *client.pool;
    Audience& audience = engine.listening().audiences[pool.database];
    ShareChannels wish{
        &pool.share, engine.worker(), {}, std::string(server.base.find("server_encoding"))};
    for (const std::string& name : names) {
        const bool known = audience.channels.contains(name);
        if (!known && audience.channels.size() >= Audience::kChannelsMax) {
            log::warning("database {}: there are {} channels; who listens on others keeps a server",
                         pool.database, Audience::kChannelsMax);
            break;
        }
        Audience::Channel& channel = audience.channels[name];
        channel.clients.insert(client.handle.index);
        if (known) continue;
        channel.serial = ++audience.last_serial;
        wish.channels.emplace_back(name, channel.serial);
    }
    if (wish.channels.empty()) return;
    engine.shell().post(owner_of(pool.database, pool.share.workers()), std::move(wish));
}

void send_notice(Engine& engine,
                 ClientSession& client,
                 std::string_view severity,
                 const Error& notice) {
    wire::Writer out;
    wire::encode_notice(out, severity, notice);
    engine.send(client, out.bytes());
}

/// Messages of one channel in a row, as they came.
struct Run {
    std::string_view channel;
    size_t begin = 0;
    size_t end = 0;
    uint64_t count = 0;
};

/// False: it reads too slowly, and has to go.
bool tell(Engine& engine, ClientSession& client, Bytes messages, uint64_t count) {
    Hearing& hearing = client.subscription->hearing;
    const Told told = hearing.on_notifications(Teller::Shared, messages);
    if (told != Told::Never) client.pool->stats.notifications += count;
    if (told == Told::Now) engine.send(client, messages);
    return client.stream->backlog() + hearing.kept() <= engine.config().limits.notifications;
}

void tell_all(Engine& engine, const Audience& audience, const Run& run, Bytes all) {
    const auto it = audience.channels.find(run.channel);
    if (run.count == 0 || it == audience.channels.end()) return;
    std::vector<ClientSession*> slow;
    for (const uint32_t place : it->second.clients) {
        ClientSession* client = engine.find_client_at(place);
        PGW_CHECK(client != nullptr && client->subscription != nullptr);
        const Bytes messages = all.subspan(run.begin, run.end - run.begin);
        if (!tell(engine, *client, messages, run.count)) slow.push_back(client);
    }
    for (ClientSession* client : slow) {
        ++client->pool->stats.slow_listeners;
        const Error error = slow_listener(engine.config().limits.notifications);
        engine.close(*client, &error, "limits.notifications is reached");
    }
}

/// A mark came out of the shared connection: whoever waits for it goes on.
void mark_heard(Engine& engine, std::string_view token) {
    const size_t dot = token.find('.');
    if (dot == std::string_view::npos) return;
    uint32_t place = UINT32_MAX;
    std::from_chars(token.data() + dot + 1, token.data() + token.size(), place);
    ClientSession* client = engine.find_client_at(place);
    if (client == nullptr || client->subscription == nullptr) return;
    Hearing& hearing = client->subscription->hearing;
    if (!hearing.changing() || hearing.token() != token) return;
    hearing.on_mark(Teller::Shared);
    change_goes_on(engine, *client);
}

/// Each client once, although it may listen on several.
template <class Visitor>
void for_each_of(Engine& engine, const std::set<uint32_t>& places, Visitor&& visit) {
    for (const uint32_t place : places) {
        ClientSession* client = engine.find_client_at(place);
        if (client != nullptr && client->subscription != nullptr) visit(*client);
    }
}

bool all_shared(Engine& engine, const ClientSession& client) {
    const Audience* audience = find_audience(engine, client.pool->database);
    if (audience == nullptr) return false;
    const auto& names = client.subscription->channels;
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
        const auto it = audience->channels.find(name);
        return it != audience->channels.end() && it->second.shared;
    });
}

void tell_again(Engine& engine, ClientSession& client) {
    Subscription& subscription = *client.subscription;
    const Hearing& hearing = subscription.hearing;
    const bool told = hearing.teller() == Teller::Shared && !hearing.changing();
    if (!subscription.missed || !told || !all_shared(engine, client)) return;
    tell_if_missed(engine, client);
}

}  // namespace

Pin listening_pin(Engine& engine, const ClientSession& client) {
    const bool can_move = client.subscription != nullptr && all_shared(engine, client) &&
                          engine.now() - client.subscription->failed_at >= kNextTry;
    return can_move ? Pin::SharedChannel : Pin::Channel;
}

void judge_listening(Engine& engine, ServerConn& server) {
    Pins pins = server.pins;
    if (!pins.listens()) return;
    pins.remove(Pin::Channel);
    pins.remove(Pin::SharedChannel);
    pins.add(listening_pin(engine, *server.client));
    set_pins(engine, server, pins);
}

void take_channels(Engine& engine, ServerConn& server, std::vector<std::string> channels) {
    ClientSession& client = *server.client;
    if (channels.empty() || !same_encoding(server)) {
        end_subscription(engine, client);
        return;
    }
    std::sort(channels.begin(), channels.end());
    if (client.subscription == nullptr) client.subscription = std::make_unique<Subscription>();
    std::vector<std::string>& before = client.subscription->channels;
    leave(engine, client, without(before, channels));
    join(engine, server, client, without(channels, before));
    before = std::move(channels);
}

void end_subscription(Engine& engine, ClientSession& client) {
    if (client.subscription == nullptr) return;
    leave(engine, client, client.subscription->channels);
    client.subscription.reset();
}

void tell_if_missed(Engine& engine, ClientSession& client) {
    Subscription& subscription = *client.subscription;
    if (!std::exchange(subscription.missed, false)) return;
    send_notice(engine, client, "NOTICE", listening_again());
}

void server_of_listener_lost(Engine& engine, ClientSession& client) {
    Subscription& subscription = *client.subscription;
    subscription.hearing.lose_server();
    subscription.missed = true;
    send_notice(engine, client, "WARNING", listening_interrupted());
    tell_again(engine, client);
}

void channels_shared(Engine& engine, const ChannelsShared& shared) {
    Audience* audience = find_audience(engine, shared.database);
    if (audience == nullptr) return;
    std::set<uint32_t> places;
    for (const auto& [name, serial] : shared.channels) {
        const auto it = audience->channels.find(name);
        if (it == audience->channels.end() || it->second.serial != serial) continue;
        it->second.shared = true;
        places.insert(it->second.clients.begin(), it->second.clients.end());
    }
    for_each_of(engine, places, [&](ClientSession& client) {
        tell_again(engine, client);
        if (client.server == nullptr || client.server->state != ServerState::Active) return;
        judge_listening(engine, *client.server);
        if (client.server->pins.yields()) yield_if_wanted(engine, *client.server);
    });
}

void listener_lost(Engine& engine, const ListenerLost& lost) {
    Audience* audience = find_audience(engine, lost.database);
    if (audience == nullptr) return;
    std::set<uint32_t> places;
    for (auto& [name, channel] : audience->channels) {
        channel.shared = false;
        places.insert(channel.clients.begin(), channel.clients.end());
    }
    for_each_of(engine, places, [&](ClientSession& client) {
        Hearing& hearing = client.subscription->hearing;
        hearing.on_shared_lost();
        if (planted(Bug::ListenerLossSilent)) return;
        const bool misses =
            hearing.teller() == Teller::Shared || (hearing.changing() && !hearing.taken_back());
        if (misses && !std::exchange(client.subscription->missed, true)) {
            send_notice(engine, client, "WARNING", listening_interrupted());
        }
        if (client.server != nullptr && client.server->state == ServerState::Active) {
            judge_listening(engine, *client.server);
        }
        change_goes_on(engine, client);
    });
}

void notifications_heard(Engine& engine, const Notifications& heard) {
    const Audience* audience = find_audience(engine, heard.database);
    if (audience == nullptr) return;
    const Bytes all = as_bytes(heard.messages);
    Run run;
    size_t at = 0;
    wire::FrameHeader header;
    while (wire::read_header(all.subspan(at), wire::kMessageBytesMax, header) ==
           wire::Framing::Complete) {
        const Bytes body = all.subspan(at + wire::kHeaderBytes, header.body_bytes);
        const auto notification = wire::decode_notification(body);
        PGW_CHECK(notification.has_value());  // its worker has read it already
        const bool is_mark = notification->channel == Hearing::kChannel;
        if (is_mark || notification->channel != run.channel) {
            tell_all(engine, *audience, run, all);
            run = {notification->channel, at, at, 0};
        }
        at += header.total_bytes();
        if (is_mark) {
            run = {};
            mark_heard(engine, notification->payload);
        } else {
            run.end = at;
            ++run.count;
        }
    }
    tell_all(engine, *audience, run, all);
}

}  // namespace pgweir::session
