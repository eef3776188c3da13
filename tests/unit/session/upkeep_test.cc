#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

void one_server(Rig& rig) {
    rig.config.pool.pool_size = 1;
}

}  // namespace

TEST_CASE("upkeep: a client that waits too long is refused with 53300") {
    Rig rig([](Rig& made) {
        one_server(made);
        made.config.timeouts.query_wait = 10s;
    });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    rig.say(first, query("SELECT 1"));
    rig.say(second, query("SELECT 2"));
    rig.pass(9s);
    CHECK_FALSE(second.closed);
    rig.pass(1s);
    CHECK(second.closed);
    CHECK(types(second.sent) == "NE");  // the notice that it waits came first
    CHECK(sqlstate_of(second.sent) == "53300");
    CHECK(rig.pool().stats.timeouts == 1);
    CHECK_FALSE(first.closed);
}

TEST_CASE("upkeep: a client that waits is told so once") {
    Rig rig([](Rig& made) {
        one_server(made);
        made.config.timeouts.wait_notice = 5s;
    });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    rig.say(first, query("SELECT 1"));
    rig.say(second, query("SELECT 2"));
    rig.pass(5s);
    CHECK(second.sent.empty());
    rig.pass(1s);
    CHECK(types(second.sent) == "N");
    CHECK(field_of(second.sent, 'S', 'N') == "NOTICE");
    CHECK(field_of(second.sent, 'C', 'N') == "00000");
    rig.pass(6s);
    CHECK(types(second.sent) == "N");
}

TEST_CASE("upkeep: a client that logs in hears no notice before its welcome") {
    Rig rig([](Rig& made) { made.config.timeouts.wait_notice = 5s; });
    FakeStream& client = rig.begin_login();
    rig.pass(10s);
    CHECK(client.sent.empty());
}

TEST_CASE("upkeep: an idle client is ended when client_idle is over") {
    Rig rig([](Rig& made) { made.config.timeouts.client_idle = 60s; });
    FakeStream& lazy = rig.log_in();
    rig.pass(40s);
    FakeStream& fresh = rig.log_in();
    rig.pass(21s);
    CHECK(sqlstate_of(lazy.sent) == "57P05");
    CHECK(lazy.closed);
    CHECK_FALSE(fresh.closed);
}

TEST_CASE("upkeep: a transaction that idles for long is ended with its server") {
    Rig rig([](Rig& made) { made.config.timeouts.idle_transaction = 10s; });
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("BEGIN"));
    rig.answer(server, "BEGIN", 'T');
    client.take();
    rig.pass(10s);
    CHECK_FALSE(client.closed);
    rig.pass(1s);
    CHECK(sqlstate_of(client.sent) == "25P03");
    CHECK(client.closed);
    CHECK(server.closed);
}

TEST_CASE("upkeep: a transaction whose query runs for long does not idle") {
    Rig rig([](Rig& made) { made.config.timeouts.idle_transaction = 10s; });
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("BEGIN"));
    rig.answer(server, "BEGIN", 'T');
    rig.say(client, query("SELECT pg_sleep(60)"));
    rig.pass(60s);
    CHECK_FALSE(client.closed);
    rig.answer(server, "SELECT 1", 'T');
    rig.pass(9s);
    CHECK_FALSE(client.closed);
}

TEST_CASE("upkeep: a batch that goes on behind a Flush idles from when it is answered") {
    Rig rig([](Rig& made) { made.config.timeouts.idle_transaction = 10s; });
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("BEGIN"));
    rig.answer(server, "BEGIN", 'T');
    rig.say(client, parse("", "SELECT pg_sleep(60)") + bind_to("") + execute() + flush());
    rig.pass(60s);
    const std::string answer = message('1') + message('2') + complete("SELECT 1");
    rig.say(server, answer.substr(0, answer.size() - 3));
    rig.pass(9s);
    CHECK_FALSE(client.closed);
    rig.say(server, answer.substr(answer.size() - 3));
    rig.pass(9s);
    CHECK_FALSE(client.closed);
    rig.pass(2s);
    CHECK(client.closed);
}

TEST_CASE("upkeep: spare servers go when server_idle is over, but not below min_size") {
    Rig rig([](Rig& made) {
        made.config.pool.min_size = 1;
        made.config.timeouts.server_idle = 60s;
        made.config.timeouts.server_check = Duration::zero();
    });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& one = rig.idle_server();
    rig.say(first, query("SELECT 1"));
    rig.say(second, query("SELECT 1"));
    FakeStream& two = rig.open();
    rig.answer(one);
    rig.answer(two);
    rig.pass(61s);
    CHECK(rig.pool().share.open.load() == 1);
    CHECK(one.closed != two.closed);
    CHECK(split((one.closed ? one : two).sent).back().type == 'X');
    rig.pass(600s);
    CHECK(rig.pool().share.open.load() == 1);
}

TEST_CASE("upkeep: servers are opened up to min_size while the pool has clients") {
    Rig rig([](Rig& made) { made.config.pool.min_size = 3; });
    FakeStream& client = rig.log_in();
    while (!rig.shell().connects.empty()) rig.open();
    rig.pass(1s);
    while (!rig.shell().connects.empty()) rig.open();
    CHECK(count(rig, ServerState::Idle) == 3);
    rig.lose(client);
    rig.engine().reconnect("");
    rig.turn();
    rig.pass(1s);
    CHECK(rig.pool().share.open.load() == 0);
}

TEST_CASE("upkeep: a server is not used beyond its lifetime") {
    Rig rig([](Rig& made) {
        made.config.timeouts.server_lifetime = 1h;
        made.config.timeouts.server_idle = Duration::zero();
        made.config.timeouts.server_check = Duration::zero();
    });
    SUBCASE("idle: it goes with the next tick") {
        rig.log_in();
        FakeStream& server = rig.idle_server();
        rig.pass(1h + 1s);
        CHECK(server.closed);
    }
    SUBCASE("busy: it goes at the end of its transaction") {
        FakeStream& client = rig.log_in();
        FakeStream& server = rig.idle_server();
        rig.say(client, query("SELECT 1"));
        rig.pass(1h + 1s);
        CHECK_FALSE(server.closed);
        rig.answer(server);
        CHECK(server.closed);
        CHECK_FALSE(client.closed);
    }
}

TEST_CASE("upkeep: a pool that was made smaller gives only what is too much back") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 2;
        made.config.timeouts.server_check = Duration::zero();
    });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& one = rig.idle_server();
    rig.say(first, query("SELECT 1"));
    rig.say(second, query("SELECT 1"));
    FakeStream& two = rig.open();
    rig.answer(one);
    rig.answer(two);
    rig.config.pool.pool_size = 1;
    rig.engine().reload(rig.setup());
    rig.pass(1s);
    CHECK(rig.pool().share.open.load() == 1);
    CHECK_FALSE(first.closed);
}

TEST_CASE("upkeep: PAUSE closes idle servers, lets transactions end, and holds what comes") {
    Rig rig(one_server);
    FakeStream& busy = rig.log_in();
    FakeStream& other = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(busy, query("BEGIN"));
    rig.answer(server, "BEGIN", 'T');
    rig.engine().pause("");
    CHECK(rig.engine().servers_left("") == 1);
    rig.say(other, query("SELECT 1"));
    rig.say(busy, query("COMMIT"));
    CHECK_FALSE(server.closed);
    rig.answer(server, "COMMIT");
    CHECK(server.closed);
    CHECK(rig.engine().servers_left("") == 0);
    CHECK(count(rig, ClientState::Waiting) == 1);
    rig.pass(1s);
    CHECK(rig.shell().connects.empty());

    CHECK(rig.engine().resume(""));
    CHECK_FALSE(rig.engine().resume(""));
    FakeStream& fresh = rig.open();
    CHECK(fresh.take() == query("SELECT 1"));
}

TEST_CASE("upkeep: PAUSE of one database leaves the others alone") {
    Rig rig([](Rig& made) {
        made.config.databases["second"].name = "second";
        made.config.databases["second"].cluster = "main";
    });
    rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.engine().pause("second");
    CHECK_FALSE(server.closed);
    rig.engine().pause("app");
    rig.turn();
    CHECK(server.closed);
    CHECK(rig.pool().state == PoolState::Paused);
    CHECK(rig.engine().resume("app"));
    CHECK(rig.pool().state == PoolState::Open);
    CHECK_FALSE(rig.engine().resume("app"));
}

TEST_CASE("upkeep: RECONNECT replaces servers at the end of their transactions") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& busy = rig.idle_server();
    rig.say(client, query("BEGIN"));
    rig.answer(busy, "BEGIN", 'T');
    rig.say(second, query("SELECT 1"));
    FakeStream& idle = rig.open();
    rig.answer(idle);
    rig.engine().reconnect("app");
    rig.turn();
    CHECK(idle.closed);
    CHECK_FALSE(busy.closed);
    rig.say(client, query("COMMIT"));
    rig.answer(busy, "COMMIT");
    CHECK(busy.closed);
    CHECK_FALSE(client.closed);
    rig.say(client, query("SELECT 2"));
    FakeStream& fresh = rig.open();
    rig.answer(fresh);
    CHECK_FALSE(fresh.closed);
}

TEST_CASE("upkeep: RECONNECT also outdates a server that is just being opened") {
    Rig rig;
    FakeStream& client = rig.begin_login();
    rig.engine().reconnect("");
    FakeStream& old = rig.open();
    CHECK(old.closed);
    CHECK_FALSE(client.closed);
    CHECK(rig.shell().connects.size() == 1);
}

TEST_CASE("upkeep: KILL ends everybody in the database and refuses who comes") {
    Rig rig(one_server);
    FakeStream& idle = rig.log_in();
    FakeStream& busy = rig.log_in();
    FakeStream& waiting = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(busy, query("SELECT 1"));
    rig.say(waiting, query("SELECT 1"));
    rig.engine().kill("app");
    rig.turn();
    for (const FakeStream* client : {&idle, &busy, &waiting}) {
        CHECK(sqlstate_of(client->sent) == "57P01");
        CHECK(client->closed);
    }
    CHECK(server.closed);
    CHECK(rig.pool().share.open.load() == 0);

    FakeStream& late = rig.begin_login();
    CHECK(sqlstate_of(late.sent) == "57P03");
    CHECK(late.closed);
    CHECK(rig.engine().resume("app"));
    CHECK_FALSE(rig.begin_login().closed);
}

TEST_CASE("upkeep: PAUSE and KILL of a database hold for pools that are made later") {
    Rig rig;
    rig.engine().kill("app");
    FakeStream& refused = rig.begin_login();
    CHECK(sqlstate_of(refused.sent) == "57P03");
    CHECK(rig.engine().resume("app"));
    CHECK_FALSE(rig.engine().resume("app"));

    Rig another;
    another.engine().pause("app");
    CHECK(another.pool().state == PoolState::Paused);
    CHECK(another.engine().resume("app"));
    CHECK(another.pool().state == PoolState::Open);
}

TEST_CASE("upkeep: RESUME of all undoes KILL of all") {
    Rig rig;
    rig.engine().kill("");
    CHECK(sqlstate_of(rig.begin_login().sent) == "57P03");
    CHECK(rig.engine().resume(""));
    CHECK_FALSE(rig.begin_login().closed);
}

TEST_CASE("upkeep: KILL_CLIENT ends one client by its number") {
    Rig rig;
    FakeStream& victim = rig.log_in();
    FakeStream& other = rig.log_in();
    uint64_t id = 0;
    rig.engine().in(ClientState::Idle).for_each([&](ClientSession& client) {
        if (client.stream == &victim) id = client.id;
    });
    CHECK(rig.engine().kill_client(id));
    rig.turn();
    CHECK(sqlstate_of(victim.sent) == "57P01");
    CHECK(victim.closed);
    CHECK_FALSE(other.closed);
    CHECK_FALSE(rig.engine().kill_client(id));
}

TEST_CASE("upkeep: a drain ends idle clients at once and the others with their transactions") {
    Rig rig(one_server);
    FakeStream& idle = rig.log_in();
    FakeStream& busy = rig.log_in();
    FakeStream& waiting = rig.log_in();
    FakeStream& greeting = rig.connect();
    FakeStream& server = rig.idle_server();
    rig.say(busy, query("BEGIN"));
    rig.answer(server, "BEGIN", 'T');
    busy.take();
    rig.say(waiting, query("SELECT 1"));
    rig.engine().drain();
    rig.turn();
    for (const FakeStream* client : {&idle, &waiting, &greeting}) {
        CHECK(sqlstate_of(client->sent) == "57P03");
        CHECK(client->closed);
    }
    CHECK_FALSE(busy.closed);
    rig.say(busy, query("COMMIT"));
    rig.answer(server, "COMMIT");
    CHECK(types(busy.sent) == "CZE");
    CHECK(busy.closed);

    FakeStream& late = rig.begin_login();
    CHECK(sqlstate_of(late.sent) == "57P03");
    CHECK(rig.engine().client_count() == 0);
}

TEST_CASE("upkeep: a reload that changes where servers are replaces them") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("SELECT 1"));

    SUBCASE("the same address: nothing happens") {
        rig.engine().reload(rig.setup());
        rig.answer(server);
        CHECK_FALSE(server.closed);
    }
    SUBCASE("another host") {
        rig.config.clusters["main"].nodes[0].host = "10.0.0.10";
        rig.engine().reload(rig.setup());
        rig.answer(server);
        CHECK(server.closed);
        rig.say(client, query("SELECT 1"));
        CHECK(rig.shell().nodes.back().host == "10.0.0.10");
    }
    SUBCASE("another password") {
        rig.config.databases["app"].password = Secret("new");
        rig.engine().reload(rig.setup());
        rig.answer(server);
        CHECK(server.closed);
    }
    SUBCASE("the database is gone") {
        rig.config.databases.clear();
        rig.engine().reload(rig.setup());
        rig.answer(server);
        CHECK(server.closed);
        FakeStream& late = rig.begin_login();
        CHECK(sqlstate_of(late.sent) == "3D000");
    }
}

TEST_CASE("upkeep: a server that does not go when it is told to is cut off") {
    Rig rig([](Rig& made) { made.config.timeouts.server_connect = 5s; });
    rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.hold_finished = true;
    rig.engine().reconnect("");
    rig.turn();
    CHECK(count(rig, ServerState::Closing) == 1);
    CHECK(rig.pool().share.open.load() == 1);
    rig.pass(6s);
    CHECK(server.closed);
    CHECK(rig.pool().share.open.load() == 0);
}

TEST_CASE("upkeep: a database that a reload takes away and another brings back is served again") {
    Rig rig;
    rig.log_in();
    const auto databases = rig.config.databases;
    rig.config.databases.clear();
    rig.engine().reload(rig.setup());
    rig.config.databases = databases;
    rig.engine().reload(rig.setup());
    CHECK_FALSE(rig.begin_login().closed);
}

TEST_CASE("upkeep: who waits for a database that a reload takes away is told so") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 1; });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    rig.idle_server();
    rig.say(first, query("SELECT 1"));
    rig.say(second, query("SELECT 1"));
    rig.config.databases.clear();
    rig.engine().reload(rig.setup());
    CHECK(sqlstate_of(second.sent) == "3D000");
    CHECK(second.closed);
    CHECK_FALSE(first.closed);
}

TEST_CASE("upkeep: a drain does not wait for the console") {
    Rig rig([](Rig& made) { made.config.admin.users = {"ann"}; });
    FakeStream& console = rig.connect();
    rig.say(console, startup({
                         {"user",     "ann"   },
                         {"database", "pgweir"}
    }));
    rig.engine().drain();
    rig.turn();
    CHECK_FALSE(console.closed);
    CHECK(rig.engine().client_count() == 1);
    CHECK(rig.engine().clients_to_drain() == 0);
}

TEST_CASE("upkeep: a server that came in the pause serves whoever waited through it") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 1; });
    FakeStream& client = rig.log_in();
    rig.engine().reconnect("");
    rig.turn();
    rig.say(client, query("SELECT 1"));
    rig.engine().pause("");
    FakeStream* server = rig.next_connect();
    REQUIRE(server != nullptr);
    server->owner->on_connected();
    server->take();
    // Half a notice behind the login keeps it from being closed at once.
    const std::string notice = message('N', std::string(1, '\0'));
    rig.say(*server, Rig::server_login() + notice.substr(0, 3));
    REQUIRE(count(rig, ServerState::Idle) == 1);
    CHECK(server->take().empty());
    rig.engine().resume("");
    rig.turn();
    CHECK(server->take() == query("SELECT 1"));
}

}  // namespace pgweir::session
