#include "unit/session/listening_scene.h"

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

Audience& audience(ListeningScene& scene) {
    return scene.rig.engine().listening().audiences["app"];
}

}  // namespace

TEST_CASE("audience: what a census finds is what the client listens on") {
    ListeningScene scene;
    scene.listen();
    CHECK(audience(scene).channels.size() == 1);
    scene.rig.say(scene.client, query("LISTEN b"));
    scene.server.take();
    scene.rig.say(scene.server, complete("LISTEN") + ready());
    scene.answer_census("b");
    CHECK(audience(scene).channels.size() == 1);
    CHECK(audience(scene).channels.contains("b"));
    scene.rig.say(scene.client, query("UNLISTEN *"));
    scene.server.take();
    scene.rig.say(scene.server, complete("UNLISTEN") + ready());
    scene.answer_census("");
    CHECK(audience(scene).channels.empty());
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("audience: another encoding than the database's is not shared") {
    ListeningScene scene;
    scene.rig.say(scene.client, query("SET client_encoding = 'LATIN1'"));
    scene.server.take();
    scene.rig.say(scene.server, parameter("client_encoding", "LATIN1") + complete("SET") + ready());
    scene.server.take();
    scene.rig.say(scene.server, complete("SELECT 0") + ready());
    scene.client.take();
    scene.listen();
    CHECK(audience(scene).channels.empty());
    CHECK(server_in(scene.rig, ServerState::Active).pins.has(Pin::Channel));
    scene.rig.say(scene.server, notification("news", "1"));
    CHECK(scene.client.take() == notification("news", "1"));
}

TEST_CASE("audience: the loss of the shared connection is told, and its end") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.rig.lose(*scene.shared);
    CHECK(field_of(scene.client.take(), 'V', 'N') == "WARNING");
    scene.rig.pass(std::chrono::seconds(1));
    scene.open_shared();
    CHECK(field_of(scene.client.take(), 'V', 'N') == "NOTICE");
    scene.rig.say(*scene.shared, notification("news", "1"));
    CHECK(scene.client.take() == notification("news", "1"));
}

TEST_CASE("audience: who comes back meanwhile is told that something may be missing") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.rig.lose(*scene.shared);
    scene.client.take();
    scene.rig.say(scene.client, query("SELECT 1"));
    scene.rig.say(scene.server, message('I') + ready());
    const std::string mark =
        notification("pgweir.mark", ListeningScene::token_in(scene.server.take()));
    scene.rig.say(scene.server,
                  mark + complete("NOTIFY") + ready() + complete("UNLISTEN") + ready());
    CHECK(field_of(scene.client.take(), 'V', 'N') == "NOTICE");
    CHECK(scene.server.take() == query("SELECT 1"));
    CHECK(server_in(scene.rig, ServerState::Active).pins.has(Pin::Channel));
}

TEST_CASE("audience: a client that does not read is ended, and the others are told") {
    ListeningScene scene([](Rig& rig) { rig.config.limits.notifications = 100; });
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.client.backlog_bytes = 101;
    scene.rig.say(*scene.shared, notification("news", "1"));
    CHECK(scene.client.closed);
    CHECK(sqlstate_of(scene.client.sent.substr(notification("news", "1").size())) == "53200");
    CHECK(scene.rig.pool().stats.slow_listeners == 1);
    CHECK(audience(scene).channels.empty());
}

TEST_CASE("audience: messages of several channels keep their order") {
    ListeningScene scene;
    scene.rig.say(scene.client, query("LISTEN news; LISTEN more"));
    scene.server.take();
    scene.rig.say(scene.server, complete("LISTEN") + complete("LISTEN") + ready());
    scene.server.take();
    scene.rig.say(scene.server, census_row("l", "", "news") + census_row("l", "", "more") +
                                    complete("SELECT 2") + ready());
    scene.client.take();
    scene.open_shared();
    scene.hand_over();
    const std::string all = notification("news", "1") + notification("news", "2") +
                            notification("more", "3") + notification("other", "x") +
                            notification("news", "4");
    scene.rig.say(*scene.shared, all);
    CHECK(scene.client.take() == notification("news", "1") + notification("news", "2") +
                                     notification("more", "3") + notification("news", "4"));
}

}  // namespace pgweir::session
