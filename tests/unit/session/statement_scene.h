#pragma once

#include "rig.h"
#include "session/statement_pump.h"

#include <string>
#include <string_view>
#include <utility>

/// Statements of one client and one server, for tests of what becomes of them.
namespace pgweir::session {

inline void one_server(Rig& rig) {
    rig.config.pool.pool_size = 1;
}

inline std::string query_and_types(std::string_view sql) {
    return text(sql) + be16(0);
}

inline std::string name_of(std::string_view sql) {
    return server_statement_name(auth::digest128({as_bytes(query_and_types(sql))}));
}

/// What is prepared after a table has changed under a statement.
inline std::string next_name_of(std::string_view sql) {
    const std::string epoch = be32(1);
    return server_statement_name(
        auth::digest128({as_bytes(query_and_types(sql)), as_bytes(epoch)}));
}

inline std::string parsed() {
    return message('1');
}

inline std::string bound() {
    return message('2');
}

inline std::string closed() {
    return message('3');
}

inline std::string run(std::string_view statement) {
    return bind_to(statement) + execute() + sync();
}

inline std::string ran() {
    return bound() + complete("SELECT 1") + ready();
}

/// A pool of one server and a client that is logged in.
struct StatementScene {
    StatementScene() : StatementScene(one_server) {}

    template <class Change>
    explicit StatementScene(Change&& change)
        : rig(std::forward<Change>(change)), client(rig.log_in()), server(rig.idle_server()) {
        server.take();
    }

    void say(std::string_view bytes) { rig.say(client, bytes); }

    void reply(std::string_view bytes) { rig.say(server, bytes); }

    /// The client prepares, the server agrees.
    void prepare(std::string_view name, std::string_view sql) {
        say(parse(name, sql) + sync());
        if (!server.take().empty()) reply(parsed() + ready());
        client.take();
    }

    /// The pool's server is replaced by one that knows no statement.
    void renew_server() {
        rig.engine().reconnect("");
        rig.turn();
    }

    ServerStatements& known() { return server_in(rig, ServerState::Idle).statements; }

    Rig rig;
    FakeStream& client;
    FakeStream& server;
};

}  // namespace pgweir::session
