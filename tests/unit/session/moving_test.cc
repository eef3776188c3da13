#include "rig.h"
#include "session/parts.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

uint32_t give_all(Rig& rig, uint32_t from, uint32_t to) {
    const uint32_t moved = rig.engine(from).give_clients(to, 1000, Instant{});
    rig.turn();
    return moved;
}

struct Pair {
    Pair() : Pair([](Rig&) {}) {}

    template <class Change>
    explicit Pair(Change&& change)
        : rig(2,
              [&](Rig& made) {
                  made.config.pool.pool_size = 1;
                  change(made);
              }),
          client(rig.log_in()),
          server(rig.process.streams.back()) {
        // In session mode it is wiped once it has said what the client's settings become.
        if (server.take().find("DISCARD ALL") != std::string::npos) rig.answer(server, "DISCARD");
    }

    Rig rig;
    FakeStream& client;
    FakeStream& server;
};

void in_session_mode(Rig& made) {
    made.config.pool.pool_mode = config::PoolMode::Session;
}

}  // namespace

TEST_CASE("moving: a client that rests goes on in another worker") {
    Pair scene;
    Rig& rig = scene.rig;
    CHECK(give_all(rig, 0, 1) == 1);
    CHECK(rig.engine(0).client_count() == 0);
    CHECK(rig.pool(0).clients == 0);
    CHECK(rig.engine(1).client_count() == 1);
    CHECK(rig.pool(1).clients == 1);
    CHECK(rig.process.share.clients.load() == 1);
    CHECK(rig.process.share.logins.load() == 0);
    CHECK(rig.process.share.clients_under_way.load() == 0);
    CHECK(rig.process.databases["app"].clients.load() == 1);
    CHECK(rig.engine(0).stats().clients_moved == 1);

    rig.say(scene.client, query("SELECT 1"));
    CHECK(scene.server.take() == query("SELECT 1"));  // lent to the other worker
    rig.answer(scene.server);
    CHECK(scene.client.take() == complete("SELECT 1") + ready());

    rig.lose(scene.client);
    CHECK(rig.process.share.clients.load() == 0);
    CHECK(rig.process.databases["app"].clients.load() == 0);
    CHECK(rig.process.share.directory.size() == 0);
}

TEST_CASE("moving: it takes its settings with it") {
    Pair scene;
    Rig& rig = scene.rig;
    rig.say(scene.client, query("SET TimeZone = 'Asia/Tokyo'"));
    rig.say(scene.server, complete("SET") + parameter("TimeZone", "Asia/Tokyo") + ready());
    rig.turn();
    scene.client.take();
    scene.server.take();
    REQUIRE(give_all(rig, 0, 1) == 1);
    // A server that somebody else had meanwhile is told of them.
    FakeStream& other = rig.log_in({}, 0);
    rig.say(other, query("SELECT 0"));
    CHECK(scene.server.take().find("Etc/UTC") != std::string::npos);
    rig.say(scene.server, message('I') + parameter("TimeZone", "Etc/UTC") + ready());
    rig.answer(scene.server);
    scene.server.take();
    rig.say(scene.client, query("SELECT 1"));
    CHECK(scene.server.take().find("Asia/Tokyo") != std::string::npos);
}

TEST_CASE("moving: it takes its prepared statements with it, and their epoch") {
    Pair scene;
    Rig& rig = scene.rig;
    const std::string text("SELECT $1\0\0\0", 12);
    rig.say(scene.client, parse("mine", "SELECT $1") + sync());
    rig.say(scene.server, message('1') + ready());
    scene.client.take();
    const std::string named = server_statement_name(auth::digest128({as_bytes(text)}));
    CHECK(scene.server.take().find(named) != std::string::npos);
    rig.process.share.outdate_statements(0);
    REQUIRE(give_all(rig, 0, 1) == 1);
    CHECK(rig.engine(0).statements().size() == 0);
    CHECK(rig.engine(1).statements().size() == 1);

    rig.say(scene.client, bind_to("mine") + execute() + sync());
    const std::string sent = scene.server.take();
    CHECK(sent.find(named) != std::string::npos);  // the same statement at the same server
    CHECK(types(sent) == "BES");
}

TEST_CASE("moving: the unnamed statement is parsed again where it is bound") {
    Pair scene;
    Rig& rig = scene.rig;
    rig.say(scene.client, parse("", "SELECT 7") + sync());
    rig.say(scene.server, message('1') + ready());
    scene.client.take();
    scene.server.take();
    REQUIRE(give_all(rig, 0, 1) == 1);
    rig.say(scene.client, bind_to("") + execute() + sync());
    const std::string sent = scene.server.take();
    CHECK(types(sent) == "PBES");
    CHECK(sent.find("SELECT 7") != std::string::npos);
}

TEST_CASE("moving: who waits, works, or has said half a request stays") {
    Pair scene;
    Rig& rig = scene.rig;
    FakeStream& waiting = rig.log_in();
    FakeStream& half = rig.log_in();
    FakeStream& slow = rig.log_in();
    rig.say(scene.client, query("BEGIN"));
    rig.answer(scene.server, "BEGIN", 'T');
    rig.say(waiting, query("SELECT 1"));
    rig.say(half, query("SELECT 2").substr(0, 7));
    slow.backlog_bytes = 1;
    FakeStream& startup = rig.connect();
    CHECK(give_all(rig, 0, 1) == 0);
    CHECK(rig.engine(0).client_count() == 5);
    CHECK_FALSE(startup.closed);
    rig.drain(slow);
    CHECK(give_all(rig, 0, 1) == 1);
}

TEST_CASE("moving: those that were active last go first, and only the share that is wanted") {
    Rig rig(2, [](Rig&) {});
    for (int i = 0; i < 8; ++i) rig.log_in();
    rig.process.now += 10s;
    const Instant since = rig.process.now;
    std::vector<FakeStream*> active;
    for (int i = 0; i < 4; ++i) active.push_back(&rig.log_in());
    CHECK(rig.engine(0).active_clients(since) == 4);
    CHECK(rig.engine(0).active_clients(Instant{}) == 12);
    CHECK(rig.engine(0).give_clients(1, 2, since) == 2);
    rig.turn();
    CHECK(rig.engine(0).client_count() == 10);
    CHECK(rig.engine(1).client_count() == 2);
    rig.lose(*active[3]);
    rig.lose(*active[2]);
    CHECK(rig.engine(1).client_count() == 0);
}

TEST_CASE("moving: a cancel request finds a client wherever it went") {
    Pair scene;
    Rig& rig = scene.rig;
    const std::string key = body_of(rig.welcome, 'K');
    const std::string request = cancel_request(load_be32(as_bytes(key).data()), key.substr(4));
    REQUIRE(give_all(rig, 0, 1) == 1);
    rig.say(scene.client, query("SELECT pg_sleep(60)"));
    for (const uint32_t worker : {0u, 1u}) {
        FakeStream& asking = rig.connect(worker);
        rig.say(asking, request);
        CHECK(asking.closed);
        CHECK(rig.shell(0).connects.empty());
        CHECK(rig.shell(1).connects.size() == worker + 1);
    }
    CHECK(rig.engine(0).stats().cancels_unknown == 0);
}

TEST_CASE("moving: a cancel request for a client that is under way comes behind it") {
    Pair scene;
    Rig& rig = scene.rig;
    const std::string key = body_of(rig.welcome, 'K');
    rig.hold_posts = true;
    REQUIRE(give_all(rig, 0, 1) == 1);
    FakeStream& asking = rig.connect(0);
    const std::string request = cancel_request(load_be32(as_bytes(key).data()), key.substr(4));
    rig.say(asking, request);
    REQUIRE(rig.shell(0).posts.size() == 2);
    CHECK(std::holds_alternative<MovedClient>(rig.shell(0).posts.front().second));
    CHECK(std::holds_alternative<CancelQuery>(rig.shell(0).posts.back().second));
    // Where it goes, it is in the mailbox already, and the request is put behind it.
    FakeStream& asking_there = rig.connect(1);
    rig.say(asking_there, request);
    REQUIRE(rig.shell(1).posts.size() == 1);
    CHECK(rig.shell(1).posts.front().first == 1);
    rig.hold_posts = false;
    rig.turn();
    CHECK(rig.engine(1).stats().cancels_unknown == 0);
}

TEST_CASE("moving: a client that arrives after an order is treated by it") {
    Pair scene;
    Rig& rig = scene.rig;
    rig.hold_posts = true;
    REQUIRE(give_all(rig, 0, 1) == 1);
    CHECK(rig.process.share.clients_under_way.load() == 1);
    std::string sqlstate;
    SUBCASE("drain") {
        rig.engine(1).drain();
        sqlstate = "57P03";
    }
    SUBCASE("kill") {
        rig.engine(1).kill("app");
        sqlstate = "57P01";
    }
    rig.hold_posts = false;
    rig.turn();
    CHECK(sqlstate_of(scene.client.take()) == sqlstate);
    CHECK(scene.client.closed);
}

TEST_CASE("moving: a worker that does not know the database yet can take its client and lose it") {
    Pair scene;
    Rig& rig = scene.rig;
    rig.config.databases.clear();
    rig.engine(1).reload(rig.setup());
    REQUIRE(give_all(rig, 0, 1) == 1);
    CHECK_FALSE(scene.client.closed);
    rig.lose(scene.client);
    CHECK(rig.process.databases["app"].clients.load() == 0);
}

TEST_CASE("moving: in session mode a client takes its server with it") {
    Pair scene(in_session_mode);
    Rig& rig = scene.rig;
    rig.say(scene.client, query("SELECT 1"));
    CHECK(give_all(rig, 0, 1) == 0);  // its answer is not there yet
    rig.answer(scene.server);
    scene.server.take();
    scene.client.take();
    REQUIRE(give_all(rig, 0, 1) == 1);
    CHECK(rig.pool(0).server_count() == 0);
    CHECK(rig.pool(0).attached == 0);
    CHECK(count(rig, ServerState::Active, 1) == 1);
    CHECK(count(rig, ClientState::Attached, 1) == 1);
    CHECK(rig.pool(1).attached == 1);
    CHECK(rig.pool(1).share.open.load() == 1);

    // Nobody notices: not the server, and not the client.
    rig.say(scene.client, parse("", "SELECT 3") + bind_to("") + execute() + sync());
    CHECK(types(scene.server.take()) == "PBES");
    rig.say(scene.server, message('1') + message('2') + complete("SELECT 1") + ready());
    scene.client.take();
    REQUIRE(give_all(rig, 1, 0) == 1);
    REQUIRE(give_all(rig, 0, 1) == 1);
    CHECK(scene.server.sent.empty());
    rig.say(scene.client, query("SELECT 2"));
    CHECK(scene.server.take() == query("SELECT 2"));
    rig.answer(scene.server);
    CHECK(scene.client.take() == complete("SELECT 1") + ready());
    rig.lose(scene.client);
    CHECK(scene.server.take() == query("DISCARD ALL"));
}

TEST_CASE("moving: in session mode even an unnamed statement that is not kept here stays there") {
    Pair scene(in_session_mode);
    Rig& rig = scene.rig;
    const std::string text = "SELECT '" + std::string(40'000, 'x') + "'";
    rig.say(scene.client, parse("", text) + sync());
    rig.say(scene.server, message('1') + ready());
    scene.client.take();
    scene.server.take();
    REQUIRE(give_all(rig, 0, 1) == 1);
    rig.say(scene.client, bind_to("") + execute() + sync());
    CHECK(types(scene.server.take()) == "BES");
}

TEST_CASE("moving: nobody leaves a pool that is stopped, whose servers are counted") {
    Pair scene;
    Rig& rig = scene.rig;
    rig.engine(0).pause("app");
    CHECK(give_all(rig, 0, 1) == 0);
    rig.engine(0).resume("app");
    rig.engine(0).pause("");
    CHECK(give_all(rig, 0, 1) == 0);
    rig.engine(0).resume("");
    CHECK(give_all(rig, 0, 1) == 1);
}

TEST_CASE("moving: a pool that begins with a client takes servers as old as where it comes from") {
    Pair scene;
    Rig& rig = scene.rig;
    for (uint32_t worker : {0u, 1u}) rig.engine(worker).reload(rig.setup());
    REQUIRE(give_all(rig, 0, 1) == 1);
    rig.say(scene.client, query("SELECT 1"));
    CHECK(scene.server.take() == query("SELECT 1"));  // it was opened before the reload
}

TEST_CASE("moving: a session whose database a reload has just taken away is told so") {
    Pair scene(in_session_mode);
    Rig& rig = scene.rig;
    rig.say(scene.client, query("SELECT 1"));
    rig.answer(scene.server);
    scene.client.take();
    rig.hold_posts = true;
    REQUIRE(give_all(rig, 0, 1) == 1);
    rig.config.databases.clear();
    rig.engine(1).reload(rig.setup());
    rig.hold_posts = false;
    rig.turn();
    CHECK(sqlstate_of(scene.client.take()) == "3D000");
    CHECK(rig.pool(1).server_count() == 0);
    CHECK(rig.pool(1).share.open.load() == 0);
}

TEST_CASE("moving: in session mode a transaction stays where it began") {
    Pair scene(in_session_mode);
    scene.rig.say(scene.client, query("BEGIN"));
    scene.rig.answer(scene.server, "BEGIN", 'T');
    CHECK(give_all(scene.rig, 0, 1) == 0);
    scene.rig.say(scene.client, query("COMMIT"));
    scene.rig.answer(scene.server, "COMMIT");
    CHECK(give_all(scene.rig, 0, 1) == 1);
}

}  // namespace pgweir::session
