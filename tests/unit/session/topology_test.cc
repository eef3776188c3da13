#include "rig.h"
#include "session/parts.h"

/// Clusters of several nodes: where servers are opened, and what becomes of them when the primary
/// is another one.
namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

const config::Node kFirst{"pg1", "10.0.0.9", 5432};
const config::Node kSecond{"pg2", "10.0.0.10", 5432};

void two_nodes(Rig& made) {
    made.config.clusters["main"].nodes = {kFirst, kSecond};
    made.config.pool.pool_size = 1;
}

struct Scene : Rig {
    explicit Scene(uint32_t count = 1) : Rig(count, two_nodes) {}

    void tell(const Topology& primary, uint32_t worker) {
        engine(worker).follow_cluster("main", primary);
        turn();
    }

    void tell_all(const Topology& primary) {
        for (uint32_t worker = 0; worker < process.workers; ++worker) tell(primary, worker);
    }

    std::string last_node() { return shell().nodes.back().name; }
};

struct Served : Scene {
    Served() {
        tell({kFirst, 1}, 0);
        client = &log_in();
        server = &idle_server();
    }

    FakeStream* client;
    FakeStream* server;
};

}  // namespace

TEST_CASE("topology: of several nodes none is opened before one is known") {
    Scene scene;
    FakeStream& client = scene.begin_login();
    CHECK(scene.next_connect() == nullptr);
    scene.pass(1s);
    CHECK(scene.next_connect() == nullptr);
    CHECK_FALSE(client.closed);
    scene.tell({kSecond, 1}, 0);
    scene.open();
    CHECK(scene.last_node() == "pg2");
}

TEST_CASE("topology: a cluster of another name changes nothing") {
    Served scene;
    scene.engine().follow_cluster("other", {kSecond, 2});
    scene.turn();
    CHECK_FALSE(scene.server->finished);
    CHECK(scene.pool().has_node);
}

TEST_CASE("topology: in another epoch idle servers go, and clients between transactions stay") {
    Served scene;
    scene.tell({kSecond, 2}, 0);
    CHECK(scene.server->closed);
    CHECK_FALSE(scene.client->closed);
    scene.say(*scene.client, query("INSERT INTO t VALUES (1)"));
    FakeStream& fresh = scene.open();
    CHECK(scene.last_node() == "pg2");
    CHECK(fresh.take() == query("INSERT INTO t VALUES (1)"));
}

TEST_CASE("topology: who is in a transaction at an old one is told 08006 and cut off at once") {
    Served scene;
    scene.say(*scene.client, query("BEGIN"));
    scene.answer(*scene.server, "BEGIN", 'T');
    scene.client->take();
    scene.server->take();
    SUBCASE("between two statements") {}
    SUBCASE("with a statement under way") {
        scene.say(*scene.client, query("COMMIT"));
    }
    scene.server->take();
    scene.tell({kSecond, 2}, 0);
    CHECK(scene.server->closed);
    CHECK(scene.server->take().empty());
    CHECK(sqlstate_of(scene.client->take()) == "08006");
    CHECK(scene.client->closed);
    CHECK(scene.process.pools.begin()->second->open.load() == 0);
}

TEST_CASE("topology: who is in a database that has gone is cut off all the same") {
    Served scene;
    scene.say(*scene.client, query("BEGIN"));
    scene.answer(*scene.server, "BEGIN", 'T');
    scene.config.databases.erase("app");
    scene.config.databases["other"].cluster = "main";
    scene.engine().reload(scene.setup());
    scene.turn();
    CHECK_FALSE(scene.server->closed);
    scene.client->take();
    scene.tell({kSecond, 2}, 0);
    CHECK(scene.server->closed);
    CHECK(sqlstate_of(scene.client->take()) == "08006");
}

TEST_CASE("topology: a server of a newer epoch than is known here stays") {
    Served scene;
    scene.tell({kSecond, 2}, 0);
    scene.say(*scene.client, query("SELECT 1"));
    FakeStream& fresh = scene.open();
    scene.answer(fresh);
    scene.tell({kSecond, 1}, 0);  // an order of before
    CHECK_FALSE(fresh.closed);
}

TEST_CASE("topology: the same node in another epoch is another primary") {
    Served scene;
    scene.tell({kFirst, 2}, 0);
    CHECK(scene.server->closed);
}

TEST_CASE("topology: a server that is being opened at an old one is not used") {
    Scene scene;
    scene.tell({kFirst, 1}, 0);
    FakeStream& client = scene.begin_login();
    FakeStream* old = scene.next_connect();
    REQUIRE(old != nullptr);
    scene.tell({kSecond, 2}, 0);
    CHECK(old->closed);
    CHECK_FALSE(client.closed);
    scene.open();
    CHECK(scene.last_node() == "pg2");
}

TEST_CASE("topology: while it is away nobody is lent a server, and open transactions go on") {
    Served scene;
    scene.say(*scene.client, query("BEGIN"));
    scene.answer(*scene.server, "BEGIN", 'T');
    scene.tell({std::nullopt, 1}, 0);
    scene.say(*scene.client, query("COMMIT"));
    scene.answer(*scene.server, "COMMIT");
    scene.client->take();
    scene.server->take();
    CHECK_FALSE(scene.server->finished);
    scene.say(*scene.client, query("SELECT 1"));
    CHECK(scene.server->take().empty());
    scene.tell({kFirst, 1}, 0);
    CHECK(scene.server->take() == query("SELECT 1"));
}

TEST_CASE("topology: who waits for one too long is told 25006") {
    Served scene;
    scene.tell({std::nullopt, 1}, 0);
    scene.say(*scene.client, query("SELECT 1"));
    scene.pass(scene.config.timeouts.query_wait + 1s);
    CHECK(sqlstate_of(scene.client->take()) == "25006");
    CHECK(scene.client->closed);
}

TEST_CASE("topology: replication does not wait for one") {
    Scene scene;
    FakeStream& client = scene.begin_login({
        {"replication", "true"}
    });
    CHECK(sqlstate_of(client.take()) == "25006");
}

TEST_CASE("topology: a server that is lent when it changes is not used by the other worker") {
    Scene scene(2);
    scene.tell_all({kFirst, 1});
    FakeStream& client = scene.log_in({}, 1);
    FakeStream& server = scene.idle_server(1);
    scene.hold_posts = true;
    FakeStream& other = scene.begin_login({}, 0);  // asks for the other worker's server
    scene.tell({kSecond, 2}, 0);
    scene.hold_posts = false;
    scene.turn();  // it arrives behind the order
    scene.tell({kSecond, 2}, 1);
    CHECK(server.closed);
    CHECK_FALSE(client.closed);
    CHECK_FALSE(other.closed);
}

TEST_CASE("topology: a session that arrives with its server behind the order is cut off") {
    Rig rig(2, [](Rig& made) {
        two_nodes(made);
        made.config.pool.pool_mode = config::PoolMode::Session;
    });
    for (uint32_t worker : {0u, 1u}) rig.engine(worker).follow_cluster("main", {kFirst, 1});
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.process.streams.back();
    rig.answer(server, "DISCARD");  // the settings of the login are wiped
    rig.say(client, query("SELECT 1"));
    rig.answer(server);
    client.take();
    server.take();
    rig.hold_posts = true;
    REQUIRE(rig.engine(0).give_clients(1, 1, Instant{}) == 1);
    rig.engine(1).follow_cluster("main", {kSecond, 2});
    rig.hold_posts = false;
    rig.turn();
    CHECK(server.closed);
    CHECK(sqlstate_of(client.take()) == "08006");
    CHECK(rig.process.share.clients_under_way.load() == 0);
}

TEST_CASE("topology: a cancel request goes to the node where the server is") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 1; });
    FakeStream& client = rig.log_in();
    const std::string key = body_of(rig.welcome, 'K');
    rig.say(client, query("SELECT pg_sleep(60)"));
    rig.config.clusters["main"].nodes = {kSecond};
    rig.engine().reload(rig.setup());
    FakeStream& canceller = rig.connect();
    rig.say(canceller, packet(be16(1234) + be16(5678) + key));
    CHECK(rig.shell().nodes.back().name == "pg1");
}

TEST_CASE("topology: a cluster that is watched no more keeps its only node") {
    Served scene;
    scene.config.clusters["main"].nodes = {kFirst};
    scene.engine().reload(scene.setup());
    scene.engine().forget_cluster("main");
    scene.turn();
    CHECK(scene.pool().has_node);
    CHECK(scene.pool().address.node == kFirst);
}

}  // namespace pgweir::session
