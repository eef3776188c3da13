#include "unit/session/listening_scene.h"

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

SharedListener& listener(ListeningScene& scene) {
    return *scene.rig.engine().listening().listeners.at("app");
}

}  // namespace

TEST_CASE("shared listener: it stands beside the pool and takes no permit") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    CHECK(scene.rig.pool().share.open.load() == 1);
    CHECK(listener(scene).connection != nullptr);
    CHECK(listener(scene).channels.size() == 1);
}

TEST_CASE(
    "shared listener: a login that fails is tried again later, and the client keeps its server") {
    ListeningScene scene;
    scene.listen();
    FakeStream* first = scene.rig.next_connect();
    REQUIRE(first != nullptr);
    scene.rig.lose(*first, "connection refused");
    CHECK(scene.rig.next_connect() == nullptr);
    CHECK_FALSE(scene.client.closed);
    CHECK(server_in(scene.rig, ServerState::Active).pins.has(Pin::Channel));
    CHECK(listener(scene).losses == 0);
    scene.rig.pass(std::chrono::seconds(1));
    scene.open_shared();
    CHECK(server_in(scene.rig, ServerState::Active).pins.has(Pin::SharedChannel));
}

TEST_CASE("shared listener: a standby that cannot LISTEN is left alone for a while") {
    ListeningScene scene;
    scene.listen();
    scene.shared = &scene.rig.open(0, kUtf8);
    scene.rig.say(*scene.shared,
                  failure("25006", "cannot execute LISTEN during recovery") + ready());
    CHECK(scene.shared->finished);
    CHECK(scene.rig.next_connect() == nullptr);
    scene.rig.pass(std::chrono::seconds(1));
    CHECK(scene.rig.next_connect() != nullptr);
}

TEST_CASE("shared listener: without listeners it is closed after a while") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.rig.lose(scene.client);
    CHECK(scene.shared->take() == query("UNLISTEN \"news\";"));
    scene.rig.answer(*scene.shared, "UNLISTEN");
    scene.rig.pass(std::chrono::seconds(5));
    CHECK_FALSE(scene.shared->finished);
    scene.rig.pass(std::chrono::seconds(6));
    CHECK(scene.shared->finished);
    CHECK(listener(scene).losses == 0);
}

TEST_CASE("shared listener: a silent one is asked, and closed if it does not answer") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.shared->take();
    scene.rig.pass(std::chrono::seconds(11));
    CHECK(scene.shared->take() == query(""));
    scene.rig.say(*scene.shared, message('I') + ready());
    scene.rig.pass(std::chrono::seconds(11));
    CHECK(scene.shared->take() == query(""));
    scene.rig.pass(std::chrono::seconds(20));
    CHECK(scene.shared->closed);
    CHECK(field_of(scene.client.take(), 'V', 'N') == "WARNING");
    CHECK(listener(scene).losses == 1);
}

TEST_CASE("shared listener: PAUSE closes it, RESUME opens it again") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.hand_over();
    scene.rig.engine().pause("app");
    CHECK(scene.rig.engine().servers_left("app") == 2);
    scene.rig.pass(std::chrono::milliseconds(100));
    scene.rig.pass(std::chrono::seconds(1));
    CHECK(scene.shared->finished);
    CHECK(scene.rig.engine().servers_left("app") == 0);
    scene.rig.pass(std::chrono::seconds(1));
    CHECK(scene.rig.next_connect() == nullptr);
    scene.rig.engine().resume("app");
    scene.rig.pass(std::chrono::seconds(1));
    CHECK(scene.rig.next_connect() != nullptr);
}

TEST_CASE("shared listener: a wish that is taken back and made again is answered for the new one") {
    ListeningScene scene;
    scene.listen();
    scene.shared = &scene.rig.open(0, kUtf8);
    scene.rig.answer(*scene.shared, "LISTEN");
    Engine& engine = scene.rig.engine();
    auto& channel = engine.listening().audiences.at("app").channels.at("news");
    channel.serial = 7;  // as if it were a later wish
    scene.rig.answer(*scene.shared, "LISTEN");
    CHECK_FALSE(channel.shared);
}

TEST_CASE("shared listener: a message that is none of PostgreSQL's closes it") {
    ListeningScene scene;
    scene.listen();
    scene.open_shared();
    scene.rig.say(*scene.shared, message('A', be32(1) + "no end"));
    CHECK(scene.shared->closed);
}

TEST_CASE("shared listener: each database has one worker that owns it") {
    CHECK(owner_of("app", 1) == 0);
    CHECK(owner_of("app", 4) == owner_of("app", 4));
    CHECK(owner_of("app", 4) < 4);
}

}  // namespace pgweir::session
