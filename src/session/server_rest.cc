#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "session/parts.h"

#include <optional>
#include <string>
#include <utility>

/// What happens when a server has answered all that it was asked, or is lost.
namespace pgweir::session {
namespace {

/// One statement sets all or nothing: the server is as it was, and only the client is at fault; or
/// somebody has used temporary objects on it, which no text has told.
void settings_were_refused(Engine& engine, ServerConn& server, const Error& cause) {
    ClientSession& waiting = *server.client;
    const bool fixed = cause.message.find(kTempBuffers) != std::string::npos;
    if (fixed && waiting.login == nullptr && !waiting.sets_temp_buffers) {
        exchange_server(engine, waiting);
        resume_client(engine, waiting);
        return;
    }
    ClientSession* client = std::exchange(server.client, nullptr);
    client->server = nullptr;
    --server.pool.attached;
    engine.move(server, ServerEvent::SettingsApplied);
    release(engine, server);
    const Error error = settings_refused(cause);
    engine.close(*client, &error, "a server refused its settings");
}

/// The server has, or has not, taken the settings of its client.
void settings_answered(Engine& engine, ServerConn& server, const std::optional<Error>& failure) {
    if (failure && server.pool.of_standby()) {
        lost_standby(engine, server, failure->message);  // it may lack what others made
    } else if (failure && server.preparing) {
        prepared_in_sql_failed(engine, server, *failure);
        settings_applied(engine, server);
    } else if (failure && server.client != nullptr && is_returning(*server.client)) {
        break_up(engine, server, settings_refused(*failure), "it did not LISTEN");
    } else if (failure) {
        settings_were_refused(engine, server, *failure);
    } else {
        settings_applied(engine, server);
    }
}

/// All that its client has asked is answered, outside of a transaction.
void request_answered(Engine& engine, ServerConn& server) {
    if (server.client->passing > 0) return;
    if (server.kept.state == KeptBatch::State::Due) {
        send_again(engine, server);
    } else if (census_due(server)) {
        begin_census(engine, server);
    } else {
        transaction_over(engine, server);
    }
}

/// The next step of a server that has answered its client, or pgweir's own query in front of that.
void client_goes_on(Engine& engine, ServerConn& server, const std::optional<Error>& failure) {
    const bool outside = server.status == wire::TransactionStatus::Idle;
    if (server.began.state == Begun::State::Failed) {
        failed_at_server(engine, server);
    } else if (server.retry_due && !outside) {
        send_internal_query(engine, server, "ROLLBACK");  // what began with its request
    } else if (server.retry_due) {
        retry_elsewhere(engine, server);
    } else if (failure) {
        break_up(engine, server, settings_refused(*failure), "it refused a client's settings");
    } else if (server.client != nullptr && (outside || planted(Bug::LentInTransaction))) {
        request_answered(engine, server);
    } else if (server.pool.limits.mode == config::PoolMode::Statement) {
        break_up(engine, server, no_transaction_blocks(), "a transaction block in statement mode");
    } else if (server.pool.of_standby()) {
        server.errand = Errand::ReadTransaction;
    }
}

/// The next step of a server at rest. `failure`: what pgweir's own query was told.
void go_on(Engine& engine, ServerConn& server, const std::optional<Error>& failure) {
    switch (server.state) {
        case ServerState::Active: client_goes_on(engine, server, failure); break;
        case ServerState::Syncing: settings_answered(engine, server, failure); break;
        case ServerState::Checking:
            engine.move(server, ServerEvent::CheckAnswered);
            offer(engine, server);
            break;
        case ServerState::Asking:
            server.failure = failure;
            census_taken(engine, server);
            break;
        case ServerState::Parting: parting_rested(engine, server, failure); break;
        case ServerState::Listening: listener_rested(engine, server, failure); break;
        case ServerState::Resetting:
            if (failure) {
                engine.retire(server, "it could not be reset");
            } else {
                server.effects = {};
                server.sole_client = 0;
                server.doubtful = false;
                engine.move(server, ServerEvent::ResetDone);
                offer(engine, server);
            }
            break;
        case ServerState::Idle: offer(engine, server); break;  // it may not have been fit before
        case ServerState::Connecting:
        case ServerState::Authenticating:
        case ServerState::Cancelling:
        case ServerState::Closing:
        case ServerState::Closed: break;
    }
}

}  // namespace

void break_up(Engine& engine, ServerConn& server, const Error& error, std::string_view reason) {
    ClientSession* client = std::exchange(server.client, nullptr);
    const bool streams = server.raw && server.state == ServerState::Active;
    const bool told =
        streams || server.said_farewell || (server.passing > 0 && server.passing_forward);
    engine.close(server, reason);
    if (client == nullptr) return;
    client->server = nullptr;
    --server.pool.attached;
    engine.close(*client, told ? nullptr : &error, "its server was lost");
}

void transaction_over(Engine& engine, ServerConn& server) {
    const ClientSession& client = *server.client;
    if (server.pool.of_standby()) {
        leave_standby(engine, server);
        return;
    }
    if (server.effects.any()) keep_for_what_is_known(engine, server);
    const bool leaving = client.killed || engine.admission() == Admission::Draining;
    server.effects = {};
    if (std::exchange(server.changes_catalogue, false)) {
        if (server.pool.routes != nullptr) server.pool.routes->decisions->distrust();
        engine.shell().catalogue_changed(server.pool.cluster, server.pool.address.database);
    }
    const bool stays = server.pool.limits.mode == config::PoolMode::Session || server.pins.any();
    if (!stays || leaving) {
        release(engine, server);
    } else if (server.pins.yields()) {
        yield_if_wanted(engine, server);
    }
}

void rested(Engine& engine, ServerConn& server) {
    if (server.said_farewell) return;  // it is about to be lost
    std::optional<Error> failure;
    if (server.failure) failure.swap(server.failure);
    if (server.ending) {
        // It is no answer to what was asked last, and nobody gets this server any more.
        server_gone(engine, server, failure ? failure->message : "it said FATAL");
    } else {
        go_on(engine, server, failure);
    }
}

void rest(Engine& engine, ServerConn& server) {
    if (server.state != ServerState::Closed && server.passing == 0 && server.inbox.empty() &&
        server.pipeline.at_rest()) {
        rested(engine, server);
    }
}

void server_gone(Engine& engine, ServerConn& server, std::string_view reason) {
    if (server.state == ServerState::Closed) return;
    const bool opening =
        server.state == ServerState::Connecting || server.state == ServerState::Authenticating;
    if (opening) {
        server_login_failed(engine, server, cannot_reach(server.node.name, reason));
        return;
    }
    if (server.pool.of_standby() && lost_standby(engine, server, reason)) return;
    ClientSession* client = server.client;
    if (part_at_rest(engine, server)) {
        engine.close(server, reason);
        go_on_without_server(engine, *client);
    } else {
        break_up(engine, server, server_lost(reason), reason);
    }
}

}  // namespace pgweir::session
