#pragma once

#include "pgweir/session/listening.h"
#include "unit/session/rig.h"

#include <string>

namespace pgweir::session {

inline const Pairs kUtf8{
    {"server_encoding", "UTF8"}
};

inline std::string notification(std::string_view channel,
                                std::string_view payload,
                                uint32_t pid = 99) {
    return message('A', be32(pid) + text(channel) + text(payload));
}

/// A client and its server, a pool of one unless told otherwise; censuses are answered by the test.
struct ListeningScene {
    template <class Change>
    explicit ListeningScene(Change&& change)
        : rig([&](Rig& fresh) {
              fresh.config.pool.pool_size = 1;
              change(fresh);
          }),
          client(rig.begin_login()),
          server(rig.open(0, kUtf8)) {
        rig.answer(server);
        client.take();
        server.take();
        rig.hold_censuses = true;
    }

    ListeningScene() : ListeningScene([](Rig&) {}) {}

    /// The client listens on "news", and the census finds it.
    void listen() {
        rig.say(client, query("LISTEN news"));
        CHECK(server.take() == query("LISTEN news"));
        rig.say(server, complete("LISTEN") + ready());
        answer_census();
        client.take();
    }

    void answer_census(std::string_view channel = "news") {
        CHECK(server.take().find("WITH c AS MATERIALIZED") != std::string::npos);
        const std::string row = channel.empty() ? "" : census_row("l", "", channel);
        rig.say(server, row + complete("SELECT 1") + ready());
    }

    /// The shared connection is opened and listens.
    void open_shared() {
        shared = &rig.open(0, kUtf8);
        rig.answer(*shared, "LISTEN");  // on the marks
        CHECK(shared->take().find("LISTEN \"news\";") != std::string::npos);
        rig.answer(*shared, "LISTEN");
    }

    /// What the query of a change says in its mark.
    static std::string token_in(std::string_view bytes) {
        const std::string_view begin = "NOTIFY \"pgweir.mark\",'";
        const size_t at = bytes.find(begin);
        REQUIRE(at != std::string_view::npos);
        const std::string_view rest = bytes.substr(at + begin.size());
        return std::string(rest.substr(0, rest.find('\'')));
    }

    /// Up to where the client is told by the shared connection and its server is free.
    void hand_over() {
        rig.pass(std::chrono::seconds(2));
        const std::string mark = notification("pgweir.mark", token_in(server.take()));
        rig.say(server, complete("LISTEN") + complete("NOTIFY") + mark + ready());
        rig.say(*shared, mark);
        CHECK(server.take().find(";UNLISTEN *") != std::string::npos);
        rig.answer(server, "UNLISTEN");
        CHECK(count(rig, ServerState::Idle) == 1);
    }

    Rig rig;
    FakeStream& client;
    FakeStream& server;
    FakeStream* shared = nullptr;
};

}  // namespace pgweir::session
