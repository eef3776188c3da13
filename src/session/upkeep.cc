#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"
#include "session/parts.h"

#include <algorithm>

/// What time brings, and what administrators order.
namespace pgweir::session {
namespace {

void end_slow_logins(Engine& engine, ClientState state) {
    engine.in(state).for_each([&](ClientSession& client) {
        if (engine.now() < client.deadline) return;
        ++engine.stats().login_failures;
        const Error error = login_timeout();
        engine.close(client, &error, "timeouts.login is over");
    });
}

void end_idle_clients(Engine& engine) {
    const Duration limit = engine.config().timeouts.client_idle;
    if (limit == Duration::zero()) return;
    auto& idle = engine.in(ClientState::Idle);
    // The list is in the order of becoming idle.
    ClientSession* next = idle.empty() ? nullptr : &idle.front();
    while (next != nullptr && engine.now() - next->state_since > limit) {
        ClientSession& client = *next;
        next = idle.after(client);
        if (client.begun.any()) continue;  // it is in a transaction
        const Error error = idle_too_long();
        engine.close(client, &error, "timeouts.client_idle is over");
    }
}

void end_idle_transactions(Engine& engine) {
    const Duration limit = engine.config().timeouts.idle_transaction;
    if (limit == Duration::zero()) return;
    const auto end_if_over = [&](ClientSession& client, bool idle, Instant since) {
        if (!idle || engine.now() - since <= limit) return;
        ++client.pool->stats.timeouts;
        const Error error = idle_in_transaction_too_long();
        engine.close(client, &error, "timeouts.idle_transaction is over");
    };
    engine.in(ClientState::Attached).for_each([&](ClientSession& client) {
        const ServerConn& server = *client.server;
        const bool open = client.mid_transaction || server.began.any() || client.begun.any();
        const bool idle = server.pipeline.empty() && server.passing == 0;
        end_if_over(client, open && idle, std::max(client.query_started, server.flushed));
    });
    engine.in(ClientState::Idle).for_each([&](ClientSession& client) {
        end_if_over(client, client.begun.any() && !client.awaits_place, client.query_started);
    });
}

/// Sessions that keep a server and do not use it.
void end_idle_pins(Engine& engine) {
    const Duration limit = engine.config().timeouts.pinned_idle;
    if (limit == Duration::zero()) return;
    engine.in(ClientState::Attached).for_each([&](ClientSession& client) {
        const ServerConn& server = *client.server;
        const bool idle = !client.mid_transaction && server.state == ServerState::Active &&
                          server.pins.any() && server.pipeline.empty();
        if (!idle || engine.now() - client.query_started <= limit) return;
        ++client.pool->stats.timeouts;
        const Error error = pinned_idle_too_long(server.pins.to_text());
        engine.close(client, &error, "timeouts.pinned_idle is over");
    });
}

void tell_that_it_waits(Engine& engine, ClientSession& client, Duration waited) {
    const Duration notice_after = engine.config().timeouts.wait_notice;
    const bool due = notice_after != Duration::zero() && !client.notified &&
                     client.login == nullptr && waited > notice_after;
    if (!due) return;
    client.notified = true;
    wire::Writer out;
    wire::encode_notice(out, "NOTICE", waits_notice(client.pool->database, client.pool->user));
    engine.send(client, out.bytes());
}

/// Clients that wait until fewer servers are kept.
void watch_places(Engine& engine, Pool& pool) {
    retry_places(engine, pool);
    if (pool.place_waiters == 0) return;
    engine.in(ClientState::Idle).for_each([&](ClientSession& client) {
        if (client.pool != &pool || !client.awaits_place) return;
        // What it waits for began with its request.
        const Duration patience = pool.limits.query_wait;
        const bool unlimited = client.deadline == kNever || patience == Duration::zero();
        const Duration waited = unlimited ? engine.now() - client.state_since
                                          : engine.now() - (client.deadline - patience);
        tell_that_it_waits(engine, client, waited);
        if (engine.now() < client.deadline) return;
        ++pool.stats.timeouts;
        Error error = no_place_to_pin(pool.database, pool.limits.pinned_max);
        engine.close(client, &error, "it waited too long for a server that it may keep");
    });
}

void watch_queue(Engine& engine, Pool& pool) {
    pool.waiting.for_each([&](ClientSession& client) {
        if (engine.now() >= client.deadline) {
            ++pool.stats.timeouts;
            const Duration waited = engine.now() - client.state_since;
            const Error error = !pool.has_node ? no_primary(pool.database, waited)
                                : pool.last_failure
                                    ? no_server(pool.database, *pool.last_failure)
                                    : wait_timeout(pool.database, pool.user, waited);
            engine.close(client, &error, "it waited too long for a server");
            return;
        }
        tell_that_it_waits(engine, client, engine.now() - client.state_since);
    });
}

void retire_idle_servers(Engine& engine, Pool& pool) {
    const auto& timeouts = engine.config().timeouts;
    auto& idle = pool.in(ServerState::Idle);
    // Those that are told to go keep their permit until they are gone.
    const auto staying = [&] {
        return pool.share.open.load() - static_cast<uint32_t>(pool.in(ServerState::Closing).size());
    };
    idle.for_each([&](ServerConn& server) {
        const bool outlived =
            server.epoch < pool.epoch || (timeouts.server_lifetime != Duration::zero() &&
                                          engine.now() - server.opened > timeouts.server_lifetime);
        const bool spare = timeouts.server_idle != Duration::zero() &&
                           staying() > pool.limits.min_size &&
                           engine.now() - server.state_since > timeouts.server_idle;
        if (outlived) {
            engine.retire(server, "timeouts.server_lifetime is over, or RECONNECT asked for it");
        } else if (spare) {
            engine.retire(server, "timeouts.server_idle is over");
        } else if (staying() > pool.limits.size + pool.limits.reserve_size) {
            engine.retire(server, "the pool is larger than it should be");
        }
    });
}

/// Who was told that its transaction began may end it.
bool is_promised(const ClientSession& client) {
    return client.begun.any() && !planted(Bug::DrainCutsTransactions);
}

void close_unpromised(Engine& engine, IntrusiveList<ClientSession>& clients) {
    // Closing one may let another one in: only those that stand there now are closed.
    std::vector<std::pair<ClientSession*, ClientState>> leaving;
    clients.for_each([&](ClientSession& client) {
        if (!is_promised(client)) leaving.emplace_back(&client, client.state);
    });
    const Error error = shutting_down();
    for (const auto& [client, state] : leaving) {
        if (client->state == state) engine.close(*client, &error, "draining");
    }
}

}  // namespace

void offer_again(Engine& engine, Pool& pool) {
    auto& idle = pool.in(ServerState::Idle);
    for (size_t left = idle.size(); left > 0 && !idle.empty(); --left) {
        if (!others_wait(engine, pool)) break;
        offer(engine, idle.front());
    }
    serve_waiting(engine, pool);
    const bool wanted = !pool.waiting.empty() || others_wait(engine, pool);
    if (wanted && pool.in(ServerState::Idle).empty()) yield_to_waiting(engine, pool);
}

namespace {

void end_slow_cancels(Engine& engine) {
    engine.cancels().for_each([&](CancelConn& cancel) {
        if (engine.now() < cancel.deadline) return;
        log::warning("a cancel request did not end within timeouts.cancel");
        // PostgreSQL may take it any time later: whoever has the server now is the last to have it.
        ServerConn* target = engine.find_server(cancel.target);
        if (target != nullptr && cancel.sent) target->cancel_lost = true;
        engine.finish(cancel);
    });
}

bool names(std::string_view wanted, const Pool& pool) {
    return wanted.empty() || wanted == pool.database;
}

void close_idle_servers(Engine& engine, Pool& pool, std::string_view reason) {
    auto& idle = pool.in(ServerState::Idle);
    while (!idle.empty()) engine.retire(idle.front(), reason);
}

}  // namespace

void end_slow_servers(Engine& engine, Pool& pool, ServerState state) {
    const Duration limit = engine.config().timeouts.server_connect;
    pool.in(state).for_each([&](ServerConn& server) {
        if (limit == Duration::zero() || engine.now() - server.state_since <= limit) return;
        server_gone(engine, server, "timeout expired");
    });
}

void leave_databases(Engine& engine, std::string_view text) {
    constexpr Duration kPatience = std::chrono::seconds(5);  // PostgreSQL's
    for (auto& [key, pool] : engine.pools()) {
        if (text.find(pool->address.database) == std::string_view::npos) continue;
        pool->leaves_until = engine.now() + kPatience;
        close_idle_servers(engine, *pool, "a statement wants its database alone");
    }
    close_unused_listeners(engine, text);
}

void leave_databases_everywhere(Engine& engine, const Pool& pool, std::string_view text) {
    leave_databases(engine, text);
    for (uint32_t worker = 0; worker < pool.share.workers(); ++worker) {
        if (worker != engine.worker())
            engine.shell().post(worker, LeaveDatabases{std::string(text)});
    }
}

void upkeep(Engine& engine) {
    end_slow_logins(engine, ClientState::Greeting);
    end_slow_logins(engine, ClientState::Authenticating);
    end_idle_clients(engine);
    end_idle_transactions(engine);
    end_idle_pins(engine);
    end_slow_cancels(engine);
    for (auto& [key, pool] : engine.pools()) {
        watch_queue(engine, *pool);
        watch_places(engine, *pool);
        for (const auto state :
             {ServerState::Connecting, ServerState::Authenticating, ServerState::Checking,
              ServerState::Syncing, ServerState::Asking, ServerState::Parting,
              ServerState::Resetting, ServerState::Closing}) {
            end_slow_servers(engine, *pool, state);
        }
        watch_handovers(engine, *pool);
        let_go_of_unused(engine, *pool);
        retire_idle_servers(engine, *pool);
        if (engine.now() < pool->leaves_until) {
            close_idle_servers(engine, *pool, "a statement wants its database alone");
        }
        if (blocks_others(*pool) && !pool->in(ServerState::Idle).empty()) {
            engine.retire(pool->in(ServerState::Idle).back(),
                          "another pool waits for its place within max_servers");
        }
        offer_again(engine, *pool);
        ask_others(engine, *pool);
        open_servers(engine, *pool);
    }
    wake_behind(engine);
    watch_listeners(engine);
    for (auto& [key, decisions] : engine.decisions()) decisions.tick();
}

void Engine::reload(std::unique_ptr<const Setup> setup) {
    ++generation_;
    setup_ = std::move(setup);
    ++setups_;
    settings_.use_applications(config().applications);
    for (auto& [key, pool] : pools_) {
        apply_setup(*pool);
        if (pool->state == PoolState::Gone) {
            refuse_waiting(*this, *pool, unknown_database(pool->database));
        }
    }
    for (auto& [key, pool] : pools_) {
        if (pool->of_standby() && !pool->has_node) send_elsewhere(*this, *pool);
    }
}

void Engine::drain() {
    admission_ = Admission::Draining;
    const Error error = shutting_down();
    for (const auto state : {ClientState::Idle, ClientState::Behind, ClientState::Greeting}) {
        if (!planted(Bug::DrainForgetsIdle)) close_unpromised(*this, in(state));
    }
    // Those that wait were promised nothing yet; those that hold a server end with their
    // transaction.
    for (auto& [key, pool] : pools_) close_unpromised(*this, pool->waiting);
    in(ClientState::Attached).for_each([&](ClientSession& client) {
        if (client.server->raw && client.server->state == ServerState::Active) {
            close(client, &error, "draining");  // a stream without end: its receiver comes again
            return;
        }
        const bool between = client.server->state == ServerState::Active &&
                             client.server->pipeline.at_rest() &&
                             (!client.mid_transaction || planted(Bug::DrainCutsTransactions));
        if (between) close(client, &error, "draining");
    });
}

void Engine::pause(std::string_view database) {
    if (database.empty()) paused_ = true;
    if (!database.empty()) stop_orders_.pause(database);
    for (auto& [key, pool] : pools_) {
        if (!names(database, *pool)) continue;
        if (!database.empty() && pool->state == PoolState::Open) pool->state = PoolState::Paused;
        close_idle_servers(*this, *pool, "PAUSE");
    }
}

bool Engine::resume(std::string_view database) {
    bool changed = stop_orders_.resume(database);
    if (database.empty() && std::exchange(paused_, false)) changed = true;
    for (auto& [key, pool] : pools_) {
        if (!names(database, *pool)) continue;
        if (pool->state != PoolState::Gone) pool->state = stop_orders_.state_of(pool->database);
        serve_waiting(*this, *pool);  // with what came in the pause, and could not go at once
        ask_others(*this, *pool);
        open_servers(*this, *pool);
    }
    return changed;
}

void Engine::reconnect(std::string_view database) {
    ++generation_;
    for (auto& [key, pool] : pools_) {
        if (!names(database, *pool)) continue;
        pool->epoch = generation_;
        close_idle_servers(*this, *pool, "RECONNECT");
    }
}

void Engine::kill(std::string_view database) {
    const Error error = killed_by_administrator();
    stop_orders_.kill(database);
    for (auto& [key, pool] : pools_) {
        if (!names(database, *pool)) continue;
        const Pool* killed = pool.get();
        pool->state = PoolState::Disabled;
        refuse_waiting(*this, *pool, error);
        for (const auto state : {ClientState::Idle, ClientState::Behind, ClientState::Attached}) {
            in(state).for_each([&](ClientSession& client) {
                if (client.pool == killed) close(client, &error, "KILL");
            });
        }
        for (auto& list : pool->servers) {
            list.for_each([&](ServerConn& server) { retire(server, "KILL"); });
        }
    }
}

bool Engine::kill_client(uint64_t id) {
    bool found = false;
    const Error error = killed_by_administrator();
    clients_.for_each([&](ClientSession& client) {
        if (client.id != id || client.state == ClientState::Closed) return;
        found = true;
        close(client, &error, "KILL_CLIENT");
    });
    return found;
}

void Engine::close_everything() {
    admission_ = Admission::Draining;
    const Error error = shutting_down();
    clients_.for_each([&](ClientSession& client) { close(client, &error, "stopping"); });
    for (auto& [key, pool] : pools_) {
        for (auto& list : pool->servers) {
            list.for_each([&](ServerConn& server) { close(server, "stopping"); });
        }
    }
    for (auto& [database, listener] : listening_->listeners) {
        for (auto& list : listener->pool.servers) {
            list.for_each([&](ServerConn& server) { close(server, "stopping"); });
        }
    }
    cancels_under_way_.for_each([&](CancelConn& cancel) { finish(cancel); });
}

uint32_t Engine::servers_left(std::string_view database) {
    uint32_t left = 0;
    for (auto& [key, pool] : pools_) {
        if (names(database, *pool)) left += pool->server_count();
    }
    for (auto& [name, listener] : listening_->listeners) {
        if (names(database, listener->pool)) left += listener->pool.server_count();
    }
    return left;
}

}  // namespace pgweir::session
