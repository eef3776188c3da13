#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

/// A client that asks for a walsender, and the server that is opened for it.
struct Scene {
    template <class Change>
    explicit Scene(Change&& change)
        : rig(std::forward<Change>(change)),
          client(rig.begin_login({
              {"replication",      "database"},
              {"application_name", "standby1"}
    })) {
        server = rig.next_connect();
        REQUIRE(server != nullptr);
    }

    Scene() : Scene([](Rig& made) { made.config.pool.pool_size = 2; }) {}

    void log_in() {
        server->owner->on_connected();
        greeting = server->take();
        rig.say(*server, Rig::server_login());
    }

    Rig rig;
    FakeStream& client;
    FakeStream* server = nullptr;
    std::string greeting;
};

}  // namespace

TEST_CASE("replication: each client gets a walsender of its own, asked for in its words") {
    Scene scene;
    CHECK(scene.client.sent.empty());
    scene.log_in();
    CHECK(scene.greeting == startup({
                                {"user",             "ann"     },
                                {"database",         "app"     },
                                {"replication",      "database"},
                                {"application_name", "standby1"}
    }));
    const auto told = split(scene.client.take());
    CHECK(told.front().type == 'R');
    CHECK(told.back().type == 'Z');
    CHECK(scene.rig.pool().share.open.load() == 1);
    CHECK(count(scene.rig, ServerState::Active) == 1);
}

TEST_CASE("replication: after the login bytes pass both ways without a look") {
    Scene scene;
    scene.log_in();
    scene.client.take();
    scene.rig.say(scene.client, query("START_REPLICATION 0/0"));
    CHECK(scene.server->take() == query("START_REPLICATION 0/0"));
    const std::string copy_both = message('W', std::string(3, '\0')) + message('d', "w...");
    scene.rig.say(*scene.server, copy_both.substr(0, 7));
    scene.rig.say(*scene.server, copy_both.substr(7));
    CHECK(scene.client.take() == copy_both);
    scene.rig.say(scene.client, "anything at all");
    CHECK(scene.server->take() == "anything at all");
}

TEST_CASE("replication: what the client sent ahead follows once the walsender is there") {
    Scene scene;
    scene.rig.say(scene.client, query("IDENTIFY_SYSTEM"));
    scene.log_in();
    CHECK(scene.server->take() == query("IDENTIFY_SYSTEM"));
}

TEST_CASE("replication: false is no replication") {
    Rig rig;
    rig.log_in();
    for (const char* wish : {"false", "off", "no", "0"}) {
        CHECK(types(rig.begin_login({
                                        {"replication", wish}
        })
                        .sent)
                  .back() == 'Z');
    }
    CHECK(rig.shell().connects.empty());
}

TEST_CASE("replication: a walsender takes one of the pool's servers; without one it is refused") {
    Scene scene([](Rig& made) { made.config.pool.pool_size = 1; });
    scene.log_in();
    FakeStream& second = scene.rig.begin_login({
        {"replication", "true"}
    });
    CHECK(sqlstate_of(second.sent) == "53300");
    CHECK(second.closed);
    CHECK(scene.rig.pool().share.open.load() == 1);
}

TEST_CASE("replication: a walsender ends with its client, and is lent to nobody") {
    Scene scene;
    scene.log_in();
    scene.rig.lose(scene.client);
    CHECK(scene.server->closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
}

TEST_CASE("replication: a client that leaves before its walsender is there leaves nothing behind") {
    Scene scene;
    scene.rig.lose(scene.client);
    CHECK(scene.server->closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
    CHECK(scene.rig.engine().client_count() == 0);
}

TEST_CASE("replication: a client whose walsender is lost is told") {
    Scene scene;
    scene.log_in();
    scene.client.take();
    scene.rig.lose(*scene.server);
    CHECK(scene.client.closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
}

TEST_CASE("replication: a refusal of the server reaches the client") {
    Scene scene;
    scene.server->owner->on_connected();
    scene.server->take();
    scene.rig.say(*scene.server, failure("28000", "no pg_hba.conf entry for replication", "FATAL"));
    CHECK(sqlstate_of(scene.client.sent) == "28000");
    CHECK(scene.client.closed);
    CHECK(scene.rig.pool().server_count() == 0);
}

TEST_CASE("replication: a slow reader stops its walsender, and the other way round") {
    Scene scene([](Rig& made) { made.config.limits.output_buffer = 1000; });
    scene.log_in();
    scene.client.backlog_bytes = 2000;
    scene.rig.say(*scene.server, message('d', "wal"));
    CHECK(scene.server->paused);
    scene.rig.drain(scene.client);
    CHECK_FALSE(scene.server->paused);
    scene.server->backlog_bytes = 2000;
    scene.rig.say(scene.client, message('d', "status"));
    CHECK(scene.client.paused);
    scene.rig.drain(*scene.server);
    CHECK_FALSE(scene.client.paused);
}

TEST_CASE("replication: a walsender that is lost in its login gives its permit back at once") {
    Scene scene;
    scene.server->owner->on_connected();
    scene.rig.lose(*scene.server);
    CHECK(scene.client.closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
}

}  // namespace pgweir::session
