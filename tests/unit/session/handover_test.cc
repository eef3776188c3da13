#include "unit/session/listening_scene.h"

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

Pins pins_of(ListeningScene& scene) {
    return server_in(scene.rig, ServerState::Active).pins;
}

}  // namespace

TEST_CASE(
    "handover: channels go to the shared connection once it listens, and the server is free") {
    ListeningScene scene;
    scene.listen();
    CHECK(pins_of(scene).has(Pin::Channel));
    scene.open_shared();
    CHECK(pins_of(scene).has(Pin::SharedChannel));
    CHECK(pins_of(scene).yields());
    scene.hand_over();
    CHECK(scene.client.sent.empty());
    CHECK(count(scene.rig, ClientState::Idle) == 1);
}

TEST_CASE("handover: each notification is told once, by whoever tells it") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    const std::string one = notification("news", "1");
    scene.rig.say(scene.server, one);
    scene.rig.say(*scene.shared, one);
    scene.rig.pass(std::chrono::seconds(2));
    const std::string mark =
        notification("pgweir.mark", ListeningScene::token_in(scene.server.take()));
    // The shared connection is ahead.
    const std::string two = notification("news", "2");
    const std::string three = notification("news", "3");
    scene.rig.say(*scene.shared, two + mark + three);
    CHECK(scene.client.take() == one);
    scene.rig.say(scene.server,
                  complete("LISTEN") + complete("NOTIFY") + two + mark + three + ready());
    CHECK(scene.client.take() == two + three);
    scene.rig.answer(scene.server, "UNLISTEN");
    scene.rig.say(*scene.shared, notification("news", "4"));
    CHECK(scene.client.take() == notification("news", "4"));
    CHECK(scene.rig.pool().stats.notifications == 2);
}

TEST_CASE("handover: whoever waits gets the server of one that only listens") {
    ListeningScene scene;
    FakeStream& other = scene.rig.begin_login();
    scene.listen();
    scene.open_shared();
    scene.rig.pass(std::chrono::milliseconds(60));
    scene.rig.say(other, query("SELECT 1"));
    CHECK(count(scene.rig, ServerState::Parting) == 1);
    const std::string mark =
        notification("pgweir.mark", ListeningScene::token_in(scene.server.take()));
    scene.rig.say(*scene.shared, mark);
    scene.rig.say(scene.server, mark + complete("NOTIFY") + ready());
    CHECK(scene.server.take().find(";UNLISTEN *") != std::string::npos);
    scene.rig.answer(scene.server, "UNLISTEN");
    CHECK(scene.server.take().find("pgweir.pinned") != std::string::npos);
    scene.rig.answer(scene.server, "RESET");
    CHECK(scene.server.take() == query("SELECT 1"));
}

TEST_CASE("handover: before its next transaction a client listens on its server again") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.rig.say(scene.client, query("SELECT 2"));
    scene.server.take();
    scene.rig.say(scene.server, message('I') + ready());
    const std::string sent = scene.server.take();
    CHECK(sent.find("LISTEN \"news\";LISTEN \"pgweir.mark\"") != std::string::npos);
    CHECK(sent.find("UNLISTEN \"pgweir.mark\"") != std::string::npos);
    const std::string mark = notification("pgweir.mark", ListeningScene::token_in(sent));
    const std::string early = notification("news", "early");
    const std::string late = notification("news", "late");
    scene.rig.say(scene.server, early + complete("NOTIFY") + mark + late + ready() +
                                    complete("UNLISTEN") + ready());
    CHECK(scene.server.sent.empty());  // the shared connection has not told the mark
    scene.rig.say(*scene.shared, early + mark + late);
    CHECK(scene.client.take() == early + late);
    CHECK(scene.server.take() == query("SELECT 2"));
    CHECK(pins_of(scene).has(Pin::SharedChannel));
}

TEST_CASE("handover: what PostgreSQL refuses is not tried again at once") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.pass(std::chrono::seconds(2));
    CHECK(count(scene.rig, ServerState::Parting) == 1);
    scene.server.take();
    scene.rig.say(scene.server, failure("57014", "canceling statement") + ready());
    CHECK(pins_of(scene).has(Pin::Channel));
    scene.rig.pass(std::chrono::seconds(2));
    CHECK(count(scene.rig, ServerState::Active) == 1);
    scene.rig.say(scene.server, notification("news", "1"));
    CHECK(scene.client.take() == notification("news", "1"));
    scene.rig.pass(std::chrono::seconds(4));
    scene.rig.pass(std::chrono::seconds(1));
    CHECK(count(scene.rig, ServerState::Parting) == 1);
}

TEST_CASE("handover: a shared connection that is lost in between takes nothing away") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.pass(std::chrono::seconds(2));
    const std::string mark =
        notification("pgweir.mark", ListeningScene::token_in(scene.server.take()));
    scene.rig.say(scene.server, mark + notification("news", "1") + complete("NOTIFY") + ready());
    CHECK(scene.client.sent.empty());
    scene.rig.lose(*scene.shared);
    CHECK(scene.client.take() == notification("news", "1"));
    CHECK(scene.server.take().find("UNLISTEN \"pgweir.mark\"") != std::string::npos);
    scene.rig.answer(scene.server, "UNLISTEN");
    CHECK(pins_of(scene).has(Pin::Channel));
}

TEST_CASE("handover: a mark that does not come out ends the shared connection") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.pass(std::chrono::seconds(2));
    const std::string mark =
        notification("pgweir.mark", ListeningScene::token_in(scene.server.take()));
    scene.rig.pass(std::chrono::seconds(6));
    CHECK_FALSE(scene.shared->closed);  // it is the server that is slow
    scene.rig.say(scene.server, complete("LISTEN") + complete("NOTIFY") + mark + ready());
    scene.rig.pass(std::chrono::seconds(6));
    CHECK(scene.shared->closed);
}

TEST_CASE("handover: a mark of somebody else's making changes nothing") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.pass(std::chrono::seconds(2));
    scene.server.take();
    for (const auto payload : {"0.0.00", "0", "", "7.0.x", "0.99999999999.x", "0.1."}) {
        scene.rig.say(*scene.shared, notification("pgweir.mark", payload));
        scene.rig.say(scene.server, notification("pgweir.mark", payload));
    }
    CHECK(scene.client.sent.empty());
    CHECK(count(scene.rig, ServerState::Parting) == 1);
    CHECK(scene.server.sent.empty());
}

TEST_CASE("handover: a client that leaves while its channels move leaves a server that is closed") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.pass(std::chrono::seconds(2));
    scene.rig.lose(scene.client);
    CHECK(scene.server.finished);
    CHECK(scene.rig.engine().listening().audiences.at("app").channels.empty());
}

TEST_CASE("handover: a server that is lost at rest costs its listener a warning, no more") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.lose(scene.server);
    CHECK_FALSE(scene.client.closed);
    CHECK(field_of(scene.client.take(), 'V', 'N') == "WARNING");
    scene.rig.say(*scene.shared, notification("news", "1"));
    CHECK(scene.client.take() == notification("news", "1"));
}

TEST_CASE("handover: a server that does not LISTEN for its client goes, and its client is told") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.rig.say(scene.client, query("SELECT 2"));
    scene.rig.say(scene.server, message('I') + ready());
    scene.rig.say(scene.server, failure("25006", "cannot execute LISTEN during recovery") +
                                    ready() + complete("UNLISTEN") + ready());
    CHECK(scene.server.closed);
    CHECK(scene.client.closed);
}

TEST_CASE("handover: after RECONNECT no mark is awaited from the old server") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.engine().reconnect("app");
    scene.rig.pass(std::chrono::seconds(1));
    CHECK(scene.server.finished);
    CHECK_FALSE(scene.client.closed);
    CHECK(field_of(scene.client.take(), 'V', 'N') == "WARNING");
}

TEST_CASE(
    "handover: a server that is lost while its channels move does not take its client along") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.pass(std::chrono::seconds(2));
    scene.rig.lose(scene.server);
    CHECK_FALSE(scene.client.closed);
    scene.client.take();
    scene.rig.say(*scene.shared, notification("news", "1"));
    CHECK(scene.client.take() == notification("news", "1"));
}

TEST_CASE("handover: names of channels are quoted") {
    CHECK(quoted_channel("news") == "\"news\"");
    CHECK(quoted_channel("a\"b;") == "\"a\"\"b;\"");
}

}  // namespace pgweir::session
