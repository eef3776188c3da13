#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

/// A client's key as it was told at its login.
struct Key {
    explicit Key(std::string_view welcome) : body(body_of(welcome, 'K')) {}

    uint32_t pid() const { return load_be32(as_bytes(body).data()); }

    std::string secret() const { return body.substr(4); }

    std::string request() const { return cancel_request(pid(), secret()); }

    std::string body;
};

struct Scene {
    Scene() : Scene([](Rig& made) { made.config.pool.pool_size = 1; }) {}

    template <class Change>
    explicit Scene(Change&& change)
        : rig(std::forward<Change>(change)),
          client(rig.log_in()),
          key(rig.welcome),
          server(rig.idle_server()) {
        server.take();
    }

    /// Somebody sends a cancel request to this worker.
    void cancel(const std::string& request) {
        FakeStream& stream = rig.connect();
        rig.say(stream, request);
        CHECK(stream.sent.empty());
        CHECK(stream.closed);
    }

    Rig rig;
    FakeStream& client;
    Key key;
    FakeStream& server;
};

}  // namespace

TEST_CASE("cancel: a running query is cancelled with the server's own key") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT pg_sleep(60)"));
    scene.cancel(scene.key.request());
    FakeStream* request = scene.rig.next_connect();
    REQUIRE(request != nullptr);
    CHECK(request->sent.empty());
    request->owner->on_connected();
    CHECK(request->take() == cancel_request(4711, "key!"));
    CHECK(scene.rig.pool().stats.cancels == 1);
    CHECK(scene.rig.engine().stats().cancels_received == 1);
}

TEST_CASE("cancel: a server is not lent again before the cancel that is under way has ended") {
    Scene scene;
    FakeStream& next = scene.rig.log_in();
    scene.rig.say(scene.client, query("SELECT pg_sleep(60)"));
    scene.rig.say(next, query("SELECT 2"));
    scene.cancel(scene.key.request());
    FakeStream& request = *scene.rig.next_connect();
    request.owner->on_connected();
    scene.server.take();

    scene.rig.say(scene.server,
                  failure("57014", "canceling statement due to user request") + ready());
    CHECK(sqlstate_of(scene.client.take()) == "57014");
    CHECK(count(scene.rig, ServerState::Cancelling) == 1);
    CHECK(count(scene.rig, ClientState::Waiting) == 1);
    CHECK(scene.server.sent.empty());

    scene.rig.lose(request, "end of file");
    CHECK(request.closed);
    CHECK(scene.server.take() == query("SELECT 2"));
    CHECK(scene.rig.engine().cancels_in_flight() == 0);
}

TEST_CASE("cancel: a cancel that cannot be delivered blocks its server for a bounded time only") {
    Scene scene([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.timeouts.cancel = 10s;
    });
    scene.rig.say(scene.client, query("SELECT 1"));
    scene.cancel(scene.key.request());
    FakeStream& request = *scene.rig.next_connect();
    scene.rig.answer(scene.server);
    CHECK(count(scene.rig, ServerState::Cancelling) == 1);
    scene.rig.pass(9s);
    CHECK(count(scene.rig, ServerState::Cancelling) == 1);
    scene.rig.pass(1s);
    CHECK(request.closed);
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("cancel: a request that went out and was given up keeps its server from others") {
    Scene scene([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.timeouts.cancel = 10s;
    });
    scene.rig.say(scene.client, query("SELECT pg_sleep(60)"));
    scene.cancel(scene.key.request());
    scene.rig.next_connect()->owner->on_connected();
    SUBCASE("that was given back before") {
        scene.rig.answer(scene.server);
        scene.rig.pass(11s);
    }
    SUBCASE("that is given back later") {
        scene.rig.pass(11s);
        scene.rig.answer(scene.server);
    }
    CHECK(scene.server.finished);
    CHECK(count(scene.rig, ServerState::Idle) == 0);
    CHECK_FALSE(scene.client.closed);
}

TEST_CASE("cancel: every cancel under way has to end") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    scene.cancel(scene.key.request());
    scene.cancel(scene.key.request());
    FakeStream& first = *scene.rig.next_connect();
    FakeStream& second = *scene.rig.next_connect();
    scene.rig.answer(scene.server);
    scene.rig.lose(first);
    CHECK(count(scene.rig, ServerState::Cancelling) == 1);
    scene.rig.lose(second);
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("cancel: in session mode the session is wiped after the cancel") {
    Rig rig([](Rig& made) { made.config.pool.pool_mode = config::PoolMode::Session; });
    FakeStream& client = rig.log_in();
    const Key key(rig.welcome);
    FakeStream& server = *static_cast<FakeStream*>(server_in(rig, ServerState::Resetting).stream);
    rig.answer(server, "DISCARD ALL");
    rig.say(client, query("SELECT 1"));
    FakeStream& asking = rig.connect();
    rig.say(asking, key.request());
    rig.answer(server);
    rig.lose(client);
    server.take();
    CHECK(count(rig, ServerState::Cancelling) == 1);
    rig.lose(*rig.next_connect());
    CHECK(server.take() == query("DISCARD ALL"));
    CHECK(count(rig, ServerState::Resetting) == 1);
}

TEST_CASE("cancel: a server that is lost before its cancel ends is forgotten by it") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    scene.cancel(scene.key.request());
    FakeStream& request = *scene.rig.next_connect();
    scene.rig.lose(scene.server);
    scene.rig.lose(request);
    CHECK(scene.rig.engine().cancels_in_flight() == 0);
}

TEST_CASE("cancel: a client that waits gets 57014 at once and leaves the queue") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    FakeStream& waiting = scene.rig.log_in();
    const Key key(scene.rig.welcome);
    scene.rig.say(waiting, query("SELECT 2"));
    REQUIRE(count(scene.rig, ClientState::Waiting) == 1);

    scene.cancel(key.request());
    CHECK(types(waiting.sent) == "EZ");
    CHECK(sqlstate_of(waiting.take()) == "57014");
    CHECK(count(scene.rig, ClientState::Waiting) == 0);
    CHECK(scene.rig.pool().share.oldest_wait(0) == PoolShare::kNobodyWaits);
    CHECK(scene.rig.shell().connects.empty());  // no server was bothered

    scene.server.take();
    scene.rig.answer(scene.server);
    CHECK(scene.server.sent.empty());
    scene.rig.say(waiting, query("SELECT 3"));
    CHECK(scene.server.take() == query("SELECT 3"));
}

TEST_CASE("cancel: a batch that waits is taken back up to its Sync, what follows is not") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    FakeStream& waiting = scene.rig.log_in();
    const Key key(scene.rig.welcome);
    scene.rig.say(waiting,
                  parse("", "SELECT 2") + bind_to("") + execute() + sync() + query("SELECT 3"));
    scene.cancel(key.request());
    CHECK(types(waiting.take()) == "EZ");
    CHECK(count(scene.rig, ClientState::Waiting) == 1);
    scene.server.take();
    scene.rig.answer(scene.server);
    CHECK(scene.server.take() == query("SELECT 3"));
}

TEST_CASE("cancel: a request that has not arrived wholly is not taken back") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    FakeStream& waiting = scene.rig.log_in();
    const Key key(scene.rig.welcome);
    scene.rig.say(waiting, parse("", "SELECT 2") + bind_to(""));
    scene.cancel(key.request());
    CHECK(waiting.sent.empty());
    CHECK(count(scene.rig, ClientState::Waiting) == 1);
}

TEST_CASE("cancel: a wrong key does nothing, and is counted") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    std::string wrong = scene.key.secret();
    wrong[0] = static_cast<char>(wrong[0] ^ 1);
    scene.cancel(cancel_request(scene.key.pid(), wrong));
    scene.cancel(cancel_request(scene.key.pid(), scene.key.secret() + "more"));
    scene.cancel(cancel_request(scene.key.pid() + 1000, scene.key.secret()));
    scene.cancel(cancel_request(0, scene.key.secret()));
    scene.cancel(cancel_request(0x00ffffff, scene.key.secret()));
    CHECK(scene.rig.shell().connects.empty());
    CHECK(scene.rig.engine().stats().cancels_unknown == 5);
}

TEST_CASE("cancel: a client that runs nothing is left alone, and so is its server") {
    Scene scene;
    scene.cancel(scene.key.request());
    CHECK(scene.rig.shell().connects.empty());

    scene.rig.say(scene.client, query("BEGIN"));
    scene.rig.answer(scene.server, "BEGIN", 'T');
    scene.cancel(scene.key.request());
    CHECK(scene.rig.shell().connects.empty());
}

TEST_CASE("cancel: the key of a client that is gone fits nobody") {
    Scene scene;
    const std::string request = scene.key.request();
    scene.rig.lose(scene.client);
    FakeStream& successor = scene.rig.log_in();
    CHECK(Key(scene.rig.welcome).pid() != scene.key.pid());  // although it has the same slot
    scene.rig.say(successor, query("SELECT 1"));
    scene.cancel(request);
    CHECK(scene.rig.shell().connects.empty());
}

TEST_CASE("cancel: a request that reaches another worker is handed over") {
    Rig rig(2, [](Rig&) {});
    FakeStream& client = rig.log_in({}, 1);
    const Key key(rig.welcome);
    rig.say(client, query("SELECT 1"));
    FakeStream& asking = rig.connect(0);
    rig.say(asking, key.request());
    CHECK(asking.closed);
    CHECK(rig.shell(0).connects.empty());
    CHECK(rig.shell(1).connects.size() == 1);
}

TEST_CASE("cancel: keys of 32 bytes work as well") {
    Scene scene;
    FakeStream& modern = scene.rig.connect();
    scene.rig.say(modern, startup(
                              {
                                  {"user",     "ann"},
                                  {"database", "app"}
    },
                              2));
    const Key key(modern.take());
    CHECK(key.secret().size() == 32);
    scene.rig.say(modern, query("SELECT 1"));
    scene.cancel(cancel_request(key.pid(), key.secret().substr(0, 4)));
    CHECK(scene.rig.shell().connects.empty());
    scene.cancel(key.request());
    CHECK(scene.rig.shell().connects.size() == 1);
}

TEST_CASE("cancel: only so many cancels are under way at once") {
    Scene scene([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.limits.cancels_in_flight = 2;
    });
    scene.rig.say(scene.client, query("SELECT 1"));
    for (int i = 0; i < 5; ++i) scene.cancel(scene.key.request());
    CHECK(scene.rig.shell().connects.size() == 2);
}

}  // namespace pgweir::session
