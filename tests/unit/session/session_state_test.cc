#include "unit/session/rig.h"

#include <string>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

/// One client and one server, idle, censuses answered by the test.
struct Scene {
    template <class Change>
    explicit Scene(Change&& change)
        : rig([&](Rig& fresh) {
              fresh.config.pool.pool_size = 1;
              change(fresh);
          }),
          client(rig.log_in()),
          server(rig.idle_server()) {
        server.take();
        rig.hold_censuses = true;
    }

    Scene() : Scene([](Rig&) {}) {}

    /// The client runs it, and the server is asked what is left.
    void run(std::string_view sql, std::string_view reply) {
        rig.say(client, query(sql));
        CHECK(server.take() == query(sql));
        rig.say(server, std::string(reply) + ready());
        CHECK(count(rig, ServerState::Asking) == 1);
        census = body_of(server.take(), 'Q');
        CHECK(census.find("WITH c AS MATERIALIZED") == 0);
    }

    void answer_census(std::string_view rows = {}) {
        rig.say(server, std::string(rows) + complete("SELECT 1") + ready());
    }

    Rig rig;
    FakeStream& client;
    FakeStream& server;
    std::string census;
};

}  // namespace

TEST_CASE("session state: a transaction that changes nothing is not looked at") {
    Scene scene;
    for (const auto sql :
         {"SELECT lower('A')", "UPDATE t SET a = 1", "SET LOCAL work_mem = '1MB'"}) {
        scene.rig.say(scene.client, query(sql));
        CHECK(scene.server.take() == query(sql));
        scene.rig.answer(scene.server);
        CHECK(count(scene.rig, ServerState::Idle) == 1);
        CHECK(scene.server.sent.empty());
    }
    CHECK(scene.rig.pool().stats.censuses == 0);
}

TEST_CASE("session state: a setting that nobody reports moves with its client") {
    Scene scene;
    scene.run("SET work_mem = '7MB'", complete("SET"));
    CHECK(types(scene.client.take()) == "CZ");
    scene.answer_census(census_row("s", "work_mem", "7168"));
    CHECK(count(scene.rig, ServerState::Idle) == 1);
    CHECK(scene.client.sent.empty());
    CHECK(scene.rig.pool().stats.censuses == 1);

    scene.rig.hold_censuses = false;
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, query("SELECT 1"));
    CHECK(scene.server.take() == query("RESET \"work_mem\""));
    scene.rig.answer(scene.server, "RESET");
    scene.rig.answer(scene.server);
    scene.server.take();
    scene.rig.say(scene.client, query("SELECT 2"));
    CHECK(scene.server.take() == query("SELECT pg_catalog.set_config(E'work_mem',E'7168',false)"));
}

TEST_CASE("session state: the client's next transaction is free if its server still is") {
    Scene scene;
    scene.run("SET work_mem = '7MB'", complete("SET"));
    scene.answer_census(census_row("s", "work_mem", "7168"));
    scene.rig.say(scene.client, query("SELECT 2"));
    CHECK(scene.server.take() == query("SELECT 2"));
}

TEST_CASE("session state: a request that comes during the census waits for its end") {
    Scene scene;
    scene.run("SET work_mem = '7MB'", complete("SET"));
    scene.rig.say(scene.client, query("SELECT 2"));
    CHECK(scene.server.sent.empty());
    scene.answer_census(census_row("s", "work_mem", "7168"));
    CHECK(scene.server.take() == query("SELECT 2"));
}

TEST_CASE("session state: what cannot move keeps the server, until it is gone") {
    Scene scene;
    scene.run("CREATE TEMP TABLE t (a int)", complete("CREATE TABLE"));
    scene.answer_census(census_row("t"));
    CHECK(count(scene.rig, ServerState::Active) == 1);
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() == "temporary table");
    CHECK(count(scene.rig, ClientState::Attached) == 1);

    // Nothing in it frees anything: no question.
    scene.rig.say(scene.client, query("SELECT 1"));
    CHECK(scene.server.take() == query("SELECT 1"));
    scene.rig.answer(scene.server);
    CHECK(count(scene.rig, ServerState::Active) == 1);
    CHECK(scene.server.sent.empty());

    scene.run("DROP TABLE t", complete("DROP TABLE"));
    scene.answer_census();
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("session state: DROP is no reason to ask when nothing is kept") {
    Scene scene;
    scene.rig.say(scene.client, query("DROP TABLE t"));
    scene.rig.answer(scene.server, "DROP TABLE");
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("session state: a client that leaves what can be wiped leaves a clean server") {
    Scene scene;
    scene.run("SELECT pg_advisory_lock(1)", complete("SELECT 1"));
    scene.answer_census(census_row("a"));
    scene.rig.lose(scene.client);
    CHECK(scene.server.take() == query("DISCARD ALL"));
    scene.rig.answer(scene.server, "DISCARD ALL");
    CHECK(count(scene.rig, ServerState::Idle) == 1);
    CHECK_FALSE(server_in(scene.rig, ServerState::Idle).pins.any());
}

TEST_CASE("session state: a schema for temporary objects goes with its client") {
    Scene scene;
    scene.run("CREATE TEMP TABLE t (a int)", complete("CREATE TABLE"));
    scene.answer_census(census_row("t"));
    scene.rig.lose(scene.client);
    CHECK(scene.server.closed);
}

TEST_CASE("session state: LOAD and setseed() end the server with their client") {
    Scene scene;
    scene.run("LOAD 'auto_explain'", complete("LOAD"));
    CHECK(scene.census.find("'loaded module'") != std::string::npos);
    scene.answer_census();
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() == "loaded module");
    scene.rig.lose(scene.client);
    CHECK(scene.server.closed);
}

TEST_CASE("session state: a client that leaves during the census leaves a clean server") {
    Scene scene;
    scene.run("LISTEN a", complete("LISTEN"));
    scene.rig.lose(scene.client);
    CHECK(count(scene.rig, ServerState::Asking) == 1);
    scene.answer_census(census_row("l", "", "ch"));
    CHECK(scene.server.take() == query("DISCARD ALL"));
    scene.rig.answer(scene.server, "DISCARD ALL");
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("session state: a census that fails keeps the client, and is asked for again") {
    Scene scene;
    scene.run("SET statement_timeout = 1", complete("SET"));
    const std::string cancelled = failure("57014", "canceling statement") + ready();
    scene.rig.say(scene.server, cancelled);
    // Again, without the session's own limit of time.
    CHECK(body_of(scene.server.take(), 'Q').find("SET LOCAL statement_timeout=0;") !=
          std::string::npos);
    scene.rig.say(scene.server, cancelled);
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() == "unknown state");
    CHECK(types(scene.client.take()) == "CZ");
    scene.run("SELECT 1", complete("SELECT 1"));
    scene.answer_census(census_row("s", "statement_timeout", "1"));
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("session state: a row too large to carry keeps the client") {
    Scene scene;
    scene.run("SELECT set_config('a.b', f(), false)", complete("SELECT 1"));
    CHECK(scene.census.find("'a.b'") != std::string::npos);
    scene.answer_census(census_row("s", "a.b", std::string(kCensusRowMax, 'x')));
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() == "unknown state");
}

TEST_CASE("session state: an answer of another shape ends the server") {
    Scene scene;
    scene.run("SET work_mem = '7MB'", complete("SET"));
    scene.answer_census(census_row("?"));
    CHECK(scene.server.closed);
    CHECK(scene.client.closed);
}

TEST_CASE("session state: what functions may have set is wiped before a stranger comes") {
    Scene scene;
    scene.run("SELECT my_function()", complete("SELECT 1"));
    CHECK(scene.census.find("prosrc") != std::string::npos);
    scene.answer_census();
    scene.rig.hold_censuses = false;
    scene.rig.say(scene.client, query("SELECT 1"));  // its own does not disturb it
    CHECK(scene.server.take() == query("SELECT 1"));
    scene.rig.answer(scene.server);

    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, query("SELECT 2"));
    CHECK(scene.server.take() == query("RESET ALL"));
    scene.rig.answer(scene.server, "RESET");
    CHECK(scene.server.take() == query("SELECT 2"));
    scene.rig.answer(scene.server);
    FakeStream& third = scene.rig.log_in();
    scene.rig.say(third, query("SELECT 3"));
    CHECK(scene.server.take() == query("SELECT 3"));
}

TEST_CASE("session state: a stranger's sequences are forgotten before currval()") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    scene.rig.answer(scene.server);
    scene.server.take();
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, query("SELECT currval('s')"));
    CHECK(scene.server.take() == query("DISCARD SEQUENCES") + query("SELECT currval('s')"));
    scene.rig.answer(scene.server, "DISCARD SEQUENCES");
    CHECK(other.sent.empty());
    scene.rig.say(scene.server, failure("55000", "currval is not yet defined") + ready());
    CHECK(sqlstate_of(other.take()) == "55000");
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() == "sequence");
    scene.server.take();
    scene.rig.say(other, query("SELECT lastval()"));  // now they are its own
    CHECK(scene.server.take() == query("SELECT lastval()"));
}

TEST_CASE("session state: a stranger's sequences are forgotten also in a later transaction") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    scene.rig.answer(scene.server);
    FakeStream& other = scene.rig.log_in();
    for (int i = 0; i < 2; ++i) {
        scene.rig.say(other, query("SELECT 2"));
        scene.rig.answer(scene.server);
    }
    scene.server.take();
    scene.rig.say(other, query("SELECT lastval()"));
    CHECK(scene.server.take() == query("DISCARD SEQUENCES") + query("SELECT lastval()"));
}

TEST_CASE("session state: what a client moved itself is not forgotten on a shared server") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT 1"));
    scene.rig.answer(scene.server);
    scene.server.take();
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, query("SELECT nextval('s')"));
    CHECK(scene.server.take() == query("DISCARD SEQUENCES") + query("SELECT nextval('s')"));
    scene.rig.answer(scene.server, "DISCARD SEQUENCES");
    scene.rig.answer(scene.server);
    scene.rig.say(other, query("SELECT currval('s')"));
    CHECK(scene.server.take() == query("SELECT currval('s')"));
}

TEST_CASE("session state: after nextval() the server stays while nobody waits") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT nextval('s')"));
    scene.rig.answer(scene.server);  // that needs no question
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() == "sequence");
    scene.rig.say(scene.client, query("SELECT nextval('s')"));  // no second question
    scene.rig.answer(scene.server);
    CHECK(count(scene.rig, ServerState::Active) == 1);
    scene.server.take();

    FakeStream& other = scene.rig.log_in();
    SUBCASE("whoever waits gets it") {
        scene.rig.pass(std::chrono::milliseconds(60));
        scene.rig.say(other, query("SELECT 1"));
        CHECK(scene.server.take() == query("SELECT 1"));
        CHECK(count(scene.rig, ClientState::Idle) == 1);
    }
    SUBCASE("whoever waits gets it, and is read once although its request came in two pieces") {
        scene.rig.pass(std::chrono::milliseconds(60));
        const std::string request = query("INSERT INTO t VALUES (1)");
        scene.rig.say(other, request.substr(0, 3));
        scene.rig.say(other, request.substr(3));
        CHECK(scene.server.take() == request);
        scene.rig.answer(scene.server);
        CHECK(types(other.take()) == "CZ");
    }
    SUBCASE("but for a moment after its last use, which one client can wait") {
        scene.rig.pass(std::chrono::milliseconds(40));
        scene.rig.say(other, query("SELECT 1"));
        CHECK(scene.server.take().empty());
        scene.rig.say(scene.client, query("SELECT currval('s')"));
        scene.rig.answer(scene.server);
        CHECK(scene.server.take() == query("SELECT currval('s')"));
        SUBCASE("and no longer, although it goes on") {
            scene.rig.pass(std::chrono::milliseconds(30));
            scene.rig.say(scene.client, query("SELECT currval('s')"));
            scene.rig.answer(scene.server);
            CHECK(scene.server.take() == query("SELECT currval('s')"));
            scene.rig.pass(std::chrono::milliseconds(30));
            CHECK(scene.server.take() == query("SELECT 1"));
        }
        SUBCASE("and two cannot") {
            FakeStream& third = scene.rig.log_in();
            scene.rig.say(third, query("SELECT 3"));
            CHECK(scene.server.take() == query("SELECT 1"));
        }
    }
}

TEST_CASE("session state: statements of PREPARE that may name a temporary table do not move") {
    Scene scene;
    scene.run("CREATE TEMP TABLE t(); PREPARE a AS TABLE t", complete("PREPARE"));
    const std::string prepared = census_row("p", "a", "PREPARE a AS TABLE t");
    scene.answer_census(census_row("t", "t", "") + prepared);
    scene.run("DROP TABLE t", complete("DROP TABLE"));
    scene.answer_census(prepared);
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() ==
          "prepared statement, temporary statement");
    scene.run("DEALLOCATE a", complete("DEALLOCATE"));
    scene.answer_census("");
    CHECK(count(scene.rig, ServerState::Idle) == 1);
    scene.run("PREPARE a AS SELECT 1", complete("PREPARE"));
    scene.answer_census(census_row("p", "a", "PREPARE a AS SELECT 1"));
    CHECK(server_in(scene.rig, ServerState::Active).pins.yields());
}

TEST_CASE("session state: statements of PREPARE move once somebody waits") {
    Scene scene;
    const std::string prepare = "PREPARE a AS SELECT 1 -- one";
    scene.run(prepare, complete("PREPARE"));
    scene.answer_census(census_row("p", "a", prepare));
    CHECK(server_in(scene.rig, ServerState::Active).pins.to_text() == "prepared statement");

    scene.rig.hold_censuses = false;
    FakeStream& other = scene.rig.log_in();
    scene.rig.pass(std::chrono::milliseconds(60));
    scene.rig.say(other, query("SELECT 1"));
    CHECK(scene.server.take() == query("RESET \"pgweir.pinned\";DEALLOCATE \"a\""));
    scene.rig.answer(scene.server, "DEALLOCATE");
    scene.rig.answer(scene.server);
    scene.server.take();
    scene.client.take();

    scene.rig.say(scene.client, query("EXECUTE a"));
    CHECK(scene.server.take() == query(""));
    scene.rig.answer(scene.server);
    CHECK(scene.server.take() == query(prepare));
    SUBCASE("and are there again") {
        scene.rig.answer(scene.server, "PREPARE");
        CHECK(scene.server.take() == query("EXECUTE a"));
        CHECK(scene.client.sent.empty());
    }
    SUBCASE("unless what they use is gone") {
        scene.rig.say(scene.server, failure("42P01", "relation does not exist") + ready());
        CHECK(field_of(scene.client.take(), 'M', 'N').find("PREPARE") != std::string::npos);
        CHECK(scene.server.take() == query("EXECUTE a"));
    }
}

TEST_CASE("session state: a text that cannot be sent alone keeps the server for good") {
    Scene scene;
    for (const auto text :
         {"PREPARE a AS SELECT 1; SELECT 2", "PREPARE a AS SELECT 'gr\xc3\xbc'"}) {
        scene.run(text, complete("PREPARE"));
        std::string escaped(text);
        if (const size_t at = escaped.find('\xc3'); at != std::string::npos) {
            escaped.replace(at, 2, "\\303\\274");
        }
        scene.answer_census(census_row("p", "a", escaped));
        CHECK_FALSE(server_in(scene.rig, ServerState::Active).pins.yields());
    }
}

TEST_CASE("session state: RESET returns to the values of the startup packet") {
    Rig rig;
    FakeStream& client = rig.log_in({
        {"work_mem", "9MB"}
    });
    FakeStream& server = rig.idle_server();
    server.take();
    rig.say(client, query("RESET ALL") + query("SHOW work_mem"));
    CHECK(server.take() == query("RESET ALL"));
    rig.answer(server, "RESET");
    CHECK(server.take() == query("SELECT pg_catalog.set_config(E'work_mem',E'9MB',false)"));
    rig.answer(server);
    CHECK(server.take() == query("SHOW work_mem"));
}

TEST_CASE("session state: in session mode only RESET is looked at") {
    Rig rig([](Rig& fresh) { fresh.config.pool.pool_mode = config::PoolMode::Session; });
    FakeStream& client = rig.log_in();
    rig.answer(*static_cast<FakeStream*>(server_in(rig, ServerState::Resetting).stream));
    FakeStream& server = rig.idle_server();
    rig.hold_censuses = true;
    rig.say(client, query("SET work_mem = '7MB'"));
    rig.answer(server, "SET");
    CHECK(count(rig, ServerState::Active) == 1);
    rig.say(client, query("RESET work_mem"));
    rig.answer(server, "RESET");
    CHECK(count(rig, ServerState::Asking) == 1);
    rig.answer(server);
    CHECK(count(rig, ServerState::Active) == 1);
}

TEST_CASE("session state: the values of a Bind may name a setting") {
    Scene scene;
    const std::string values =
        be16(0) + be16(3) + be32(11) + "MyApp.Owner" + be32(UINT32_MAX) + be32(2) + "42" + be16(0);
    const std::string bind = message('B', text("") + text("") + values);
    scene.rig.say(scene.client,
                  parse("", "SELECT set_config($1, $2, false)") + bind + execute() + sync());
    scene.server.take();
    scene.rig.say(scene.server, message('1') + message('2') + complete("SELECT 1") + ready());
    CHECK(body_of(scene.server.take(), 'Q').find("ARRAY['myapp.owner']") != std::string::npos);
}

TEST_CASE("session state: parameters and notifications reach the client during the census") {
    Scene scene;
    scene.run("SET work_mem = '7MB'", complete("SET"));
    scene.client.take();
    const std::string told =
        parameter("TimeZone", "UTC") + message('A', be32(1) + text("channel") + text("payload"));
    scene.rig.say(scene.server, told + message('N', std::string(1, '\0')));
    CHECK(scene.client.take() == told);
}

TEST_CASE("session state: pinned_max bounds the servers that sessions keep") {
    Rig rig([](Rig& fresh) { fresh.config.pool.pool_size = 2; });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& server = rig.idle_server();
    server.take();
    rig.hold_censuses = true;
    const auto pin = [&](FakeStream& client, FakeStream& its_server, std::string_view sql) {
        rig.say(client, query(sql));
        rig.answer(its_server);
        its_server.take();
        rig.say(its_server, census_row("a") + complete("SELECT 1") + ready());
    };
    pin(first, server, "SELECT pg_advisory_lock(1)");
    CHECK(rig.pool().share.pinned == 1);

    SUBCASE("a statement that may need one more waits") {
        rig.say(second, query("SELECT pg_advisory_lock(2)"));
        CHECK(rig.shell().connects.empty());
        CHECK(second.paused);
        CHECK(rig.pool().place_waiters == 1);
        SUBCASE("until one is free") {
            rig.say(first, query("SELECT pg_advisory_unlock(1)"));
            rig.answer(server);
            server.take();
            rig.say(server, complete("SELECT 0") + ready());
            CHECK(rig.pool().place_waiters == 0);
            CHECK(server.take() == query("SELECT pg_advisory_lock(2)"));
        }
        SUBCASE("or its time is over") {
            rig.pass(std::chrono::minutes(3));
            CHECK(sqlstate_of(second.sent) == "53300");
            CHECK(second.closed);
            CHECK(rig.pool().place_waiters == 0);
        }
        SUBCASE("or its client leaves") {
            rig.lose(second);
            CHECK(rig.pool().place_waiters == 0);
        }
    }
    SUBCASE("one that pins without saying so has its server") {
        rig.say(second, query("SELECT my_lock()"));
        FakeStream& other = rig.open();
        other.take();
        rig.answer(other);
        other.take();
        rig.say(other, census_row("a") + complete("SELECT 1") + ready());
        CHECK_FALSE(second.closed);
        CHECK(rig.pool().share.pinned == 2);
    }
}

TEST_CASE("session state: with pinned_full error, one that pins without saying so is ended") {
    Rig rig([](Rig& fresh) {
        fresh.config.pool.pool_size = 2;
        fresh.config.pool.pinned_full = config::PinnedFull::Error;
    });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& server = rig.idle_server();
    server.take();
    rig.hold_censuses = true;
    const auto pin = [&](FakeStream& its_server) {
        rig.answer(its_server);
        its_server.take();
        rig.say(its_server, census_row("a") + complete("SELECT 1") + ready());
    };
    rig.say(first, query("SELECT pg_advisory_lock(1)"));
    pin(server);
    rig.say(second, query("SELECT my_lock()"));
    FakeStream& other = rig.open();
    other.take();
    pin(other);
    CHECK(sqlstate_of(second.sent) == "53300");
    CHECK(second.closed);
    CHECK(other.take() == query("DISCARD ALL"));
    rig.answer(other, "DISCARD ALL");
    CHECK(rig.pool().share.pinned == 1);
    CHECK(rig.pool().stats.pin_refusals == 1);
}

TEST_CASE("session state: with pinned_full error the statement is refused, and nothing is sent") {
    Scene scene([](Rig& rig) { rig.config.pool.pinned_full = config::PinnedFull::Error; });
    FakeStream& other = scene.rig.log_in();
    scene.run("SELECT pg_advisory_lock(1)", complete("SELECT 1"));
    scene.answer_census(census_row("a"));
    scene.rig.say(other, query("SELECT pg_advisory_lock(2)"));
    CHECK(sqlstate_of(other.sent) == "53300");
    CHECK(types(other.take()) == "EZ");
    CHECK_FALSE(other.closed);
    CHECK(scene.server.sent.empty());
}

TEST_CASE("session state: a session that keeps a server and sleeps is ended") {
    Scene scene([](Rig& rig) { rig.config.timeouts.pinned_idle = std::chrono::seconds(5); });
    scene.run("SELECT pg_advisory_lock(1)", complete("SELECT 1"));
    scene.answer_census(census_row("a"));
    scene.client.take();
    scene.rig.pass(std::chrono::seconds(4));
    CHECK_FALSE(scene.client.closed);
    scene.rig.pass(std::chrono::seconds(2));
    CHECK(sqlstate_of(scene.client.sent) == "57P05");
    CHECK(scene.client.closed);
    CHECK(scene.server.take() == query("DISCARD ALL"));
}

TEST_CASE("session state: names that turn out to be no settings are forgotten") {
    Scene scene;
    for (int turn = 0; turn < 3; ++turn) {
        std::string sql = "SELECT f(";
        for (int i = 0; i < 60; ++i) {
            sql += "'host" + std::to_string(turn * 60 + i) + ".example.net',";
        }
        scene.run(sql + "1)", complete("SELECT 1"));
        scene.answer_census(census_row("s", "app.kept", "1"));
    }
    CHECK(count(scene.rig, ServerState::Idle) == 1);
    scene.run("SELECT f()", complete("SELECT 1"));
    CHECK(scene.census.find("ARRAY['app.kept']") != std::string::npos);
}

TEST_CASE("session state: a kept server yields also to a pool that shares max_servers with it") {
    Rig rig([](Rig& fresh) {
        fresh.config.pool.pool_size = 5;
        fresh.config.databases["app"].pool.max_servers = 1;
    });
    FakeStream& keeper = rig.log_in();
    FakeStream& other = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(keeper, query("SELECT nextval('s')"));
    rig.answer(server);
    CHECK(server_in(rig, ServerState::Active).pins.yields());
    server.take();
    rig.pass(std::chrono::milliseconds(60));
    rig.say(other, query("SELECT 1"));
    CHECK(server.take() == query("SELECT 1"));
}

TEST_CASE("session state: what LOAD left in session mode ends the server too") {
    Rig rig([](Rig& fresh) { fresh.config.pool.pool_mode = config::PoolMode::Session; });
    FakeStream& client = rig.log_in();
    rig.answer(*static_cast<FakeStream*>(server_in(rig, ServerState::Resetting).stream));
    FakeStream& server = rig.idle_server();
    rig.say(client, query("LOAD 'auto_explain'"));
    rig.answer(server, "LOAD");
    rig.lose(client);
    CHECK(server.closed);
}

TEST_CASE("session state: a session that yields does not notice that its server is gone") {
    Scene scene;
    scene.rig.say(scene.client, query("SELECT pg_backend_pid()"));
    scene.rig.answer(scene.server);
    scene.client.take();
    SUBCASE("which said so") {
        scene.rig.say(scene.server, failure("57P01", "terminating connection", "FATAL"));
    }
    SUBCASE("without a word") {
        scene.rig.lose(scene.server);
    }
    CHECK(scene.client.sent.empty());
    CHECK_FALSE(scene.client.closed);
    CHECK(count(scene.rig, ClientState::Idle) == 1);
}

TEST_CASE("session state: a server that was stopped for a slow reader is asked all the same") {
    Scene scene([](Rig& made) { made.config.limits.output_buffer = 1000; });
    scene.rig.say(scene.client, query("SELECT f()"));
    scene.rig.say(scene.server, message('T', be16(0)));
    scene.client.backlog_bytes = 1001;
    scene.rig.say(scene.server, complete("SELECT 0") + ready());
    CHECK(count(scene.rig, ServerState::Asking) == 1);
    CHECK_FALSE(scene.server.paused);
    scene.rig.say(scene.server, census_row("s", "work_mem", "64"));
    CHECK_FALSE(scene.server.paused);
    scene.answer_census();
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

}  // namespace pgweir::session
