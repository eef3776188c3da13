#include "routing_scene.h"
#include "session/parts.h"

/// Reads for which no standby is fit.
namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

/// The client has written what the second standby does not show; its reads may wait or be refused.
struct BehindScene : Scene {
    explicit BehindScene(Duration causal_wait, config::NoStandby no_standby = {}) {
        auto& routing = config.clusters["main"].routing;
        routing.causal_wait = causal_wait;
        routing.no_standby = no_standby;
        engine().reload(setup());
        say(*client, kWrite);
        primary->take();
        answer(*primary, "DELETE 1");
        client->take();
        progress->publish(1, 1);
    }

    void catch_up() {
        progress->publish(1, progress->begin_question());
        engine().progress_made();
        turn();
    }
};

}  // namespace

TEST_CASE("behind: a read waits for a standby, and goes there when it shows what was written") {
    BehindScene scene(500ms);
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->sent.empty());
    CHECK(scene.engine().in(ClientState::Behind).size() == 1);
    CHECK(scene.process.share.clients_behind == 1);
    CHECK(scene.pool().behind == 1);
    scene.engine().progress_made();  // of another node
    scene.turn();
    CHECK(scene.engine().in(ClientState::Behind).size() == 1);
    scene.catch_up();
    CHECK(scene.open_standby().take() == kRead);
    CHECK(scene.primary->sent.empty());
    CHECK(scene.process.share.clients_behind == 0);
    CHECK(scene.pool().behind == 0);
    CHECK(scene.pool().stats.causal_waits == 1);
    CHECK(scene.pool().stats.causal_timeouts == 0);
}

TEST_CASE("behind: after causal_wait the primary is read, and the next read may wait again") {
    BehindScene scene(500ms);
    for (uint64_t waits = 1; waits <= 2; ++waits) {
        scene.say(*scene.client, kRead);
        scene.pass(400ms);
        CHECK(scene.primary->sent.empty());
        scene.pass(200ms);
        CHECK(scene.primary->take() == kRead);
        scene.answer(*scene.primary);
        CHECK(scene.pool().stats.causal_waits == waits);
        CHECK(scene.pool().stats.causal_timeouts == waits);
    }
}

TEST_CASE("behind: whoever waits goes on at the primary when no standby can catch up any more") {
    BehindScene scene(1h);
    scene.say(*scene.client, kRead);
    SUBCASE("no standby takes reads") {
        scene.tell(Reading::Drains, Reading::Lost);
    }
    SUBCASE("nobody watches them") {
        scene.engine().forget_cluster("main");
        scene.turn();
        CHECK(scene.engine().in(ClientState::Behind).empty());
        return;
    }
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("behind: a standby that nobody can log in to is none that shows it") {
    BehindScene scene(1h);
    scene.tell(Reading::Takes, Reading::Takes);
    scene.progress->publish(2, scene.progress->begin_question());
    // The third shows all, but refuses this user: the second is waited for.
    scene.say(*scene.client, kRead);
    scene.lose(*scene.next_connect());
    CHECK(scene.engine().in(ClientState::Behind).size() == 1);
    scene.engine().progress_made();
    scene.turn();
    CHECK(scene.engine().in(ClientState::Behind).size() == 1);
    scene.catch_up();
    CHECK(scene.open_standby().take() == kRead);
}

TEST_CASE("behind: a cancel, a loss, a stop and a KILL find it") {
    BehindScene scene(1h);
    const std::string welcome = scene.welcome;
    scene.say(*scene.client, kRead);
    REQUIRE(scene.engine().in(ClientState::Behind).size() == 1);
    SUBCASE("a cancel") {
        ClientSession& session = scene.engine().in(ClientState::Behind).front();
        FakeStream& canceller = scene.connect();
        const std::string key(as_text(Bytes(session.key.bytes).first(session.key.size)));
        scene.say(canceller, cancel_request(session.pid, key));
        const std::string told = scene.client->take();
        CHECK(types(told) == "EZ");
        CHECK(sqlstate_of(told) == "57014");
        CHECK(count(scene, ClientState::Idle) == 1);
    }
    SUBCASE("it goes") {
        scene.lose(*scene.client);
    }
    SUBCASE("a stop") {
        scene.engine().drain();
        CHECK(sqlstate_of(scene.client->take()) == "57P03");
    }
    SUBCASE("KILL") {
        scene.engine().kill("app");
        CHECK(scene.client->closed);
    }
    CHECK(scene.engine().in(ClientState::Behind).empty());
    CHECK(scene.process.share.clients_behind == 0);
    CHECK(scene.pool().behind == 0);
}

TEST_CASE("behind: what comes behind a read that waits is kept") {
    BehindScene scene(1h);
    scene.say(*scene.client, kRead);
    scene.say(*scene.client, kWrite);
    CHECK(scene.primary->sent.empty());
    scene.catch_up();
    FakeStream& standby = scene.open_standby();
    CHECK(standby.take() == kRead);
    scene.say(standby, kRow + complete("SELECT 1") + ready());
    CHECK(scene.primary->take() == kWrite);
}

TEST_CASE("behind: with no_standby: error a read is refused, and the session goes on") {
    BehindScene scene(0ms, config::NoStandby::Error);
    const auto refused = [&](const std::string& request) {
        scene.say(*scene.client, request);
        const std::string told = scene.client->take();
        CHECK(types(told) == "EZ");
        return sqlstate_of(told) == "57P03" && scene.primary->sent.empty();
    };
    CHECK(refused(kRead));
    CHECK(refused(parse("", "SELECT v FROM t") + bind_to("") + execute() + sync()));
    CHECK(scene.pool().stats.routed[static_cast<size_t>(RouteReason::Refused)] == 2);
    scene.say(*scene.client, kWrite);
    CHECK(scene.primary->take() == kWrite);
    scene.answer(*scene.primary);
    scene.client->take();
    scene.say(*scene.client, query("/* pgweir: primary */ SELECT v FROM t"));
    CHECK(types(scene.primary->take()) == "Q");
}

TEST_CASE("behind: a read that may be at the primary anyway is not refused") {
    BehindScene scene(0ms, config::NoStandby::Error);
    scene.config.clusters["main"].routing.reads = config::Reads::PreferStandby;
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("behind: it waits first, and is refused then") {
    BehindScene scene(500ms, config::NoStandby::Error);
    scene.say(*scene.client, kRead);
    CHECK(scene.client->sent.empty());
    scene.pass(600ms);
    CHECK(sqlstate_of(scene.client->take()) == "57P03");
    CHECK(scene.pool().stats.causal_timeouts == 1);
}

}  // namespace pgweir::session
