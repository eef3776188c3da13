#pragma once

#include "rig.h"

#include <string>
#include <string_view>
#include <utility>

/// One client and one server, for tests of what passes between them.
namespace pgweir::session {

/// They are in a transaction.
struct AttachedPair {
    explicit AttachedPair(Rig& rig) : client(rig.log_in()), server(rig.idle_server()) {
        rig.say(client, query("BEGIN"));
        rig.answer(server, "BEGIN", 'T');
        client.take();
        server.take();
    }

    FakeStream& client;
    FakeStream& server;
};

/// The server is idle. `change`: of the configuration, before anybody is there.
struct PumpScene {
    template <class Change>
    explicit PumpScene(Change&& change)
        : rig(std::forward<Change>(change)), client(rig.log_in()), server(settled_server()) {
        server.take();
    }

    PumpScene() : PumpScene([](Rig&) {}) {}

    void ask(std::string_view sql = "SELECT 1") {
        rig.say(client, query(sql));
        server.take();
    }

    void reply(std::string_view bytes) { rig.say(server, bytes); }

    Rig rig;
    FakeStream& client;
    FakeStream& server;

private:
    FakeStream& settled_server() {
        if (count(rig, ServerState::Resetting) == 1) {
            auto& stream = *static_cast<FakeStream*>(server_in(rig, ServerState::Resetting).stream);
            rig.answer(stream, "DISCARD ALL");
        }
        return rig.idle_server();
    }
};

inline std::string copy_data(std::string_view data) {
    return message('d', data);
}

inline std::string row(std::string_view value) {
    return message('D', be16(1) + be32(static_cast<uint32_t>(value.size())) + std::string(value));
}

}  // namespace pgweir::session
