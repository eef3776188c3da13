#include "pump_scene.h"

namespace pgweir::session {

TEST_CASE("server rest: a server that is lost in a query is told as 08006") {
    PumpScene scene;
    scene.ask();
    scene.rig.lose(scene.server);
    CHECK(sqlstate_of(scene.client.sent) == "08006");
    CHECK(field_of(scene.client.sent, 'S') == "FATAL");
    CHECK(field_of(scene.client.sent, 'D').find("unknown") != std::string::npos);
    CHECK(scene.client.closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
    CHECK(scene.rig.pool().clients == 0);
}

TEST_CASE("server rest: in the middle of a row there is no place for an error") {
    PumpScene scene;
    scene.ask();
    const std::string half = row("value").substr(0, 8);
    scene.reply(half);
    scene.rig.lose(scene.server);
    CHECK(scene.client.sent == half);
    CHECK(scene.client.closed);
}

TEST_CASE("server rest: a FATAL error of the server is passed on, and no second one is sent") {
    PumpScene scene;
    scene.ask();
    const std::string farewell =
        failure("57P01", "terminating connection due to administrator command", "FATAL");
    scene.reply(farewell);
    scene.rig.lose(scene.server, "end of file");
    CHECK(scene.client.sent == farewell);
    CHECK(scene.client.closed);
}

TEST_CASE("server rest: an ordinary error is no farewell") {
    PumpScene scene;
    scene.ask();
    const std::string error = failure("42601", "syntax error");
    scene.reply(error);
    scene.rig.lose(scene.server);
    CHECK(types(scene.client.sent) == "EE");
}

TEST_CASE("server rest: a farewell behind the end of a transaction reaches nobody") {
    Rig rig([](Rig& fresh) { fresh.config.pool.pool_size = 1; });
    FakeStream& client = rig.log_in();
    FakeStream& other = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("SELECT 1"));
    rig.say(other, query("SELECT 2"));
    client.take();
    server.take();
    const std::string answer = complete("SELECT 1") + ready();
    rig.say(server, answer + failure("57P01", "terminating connection", "FATAL"));
    CHECK(client.take() == answer);
    CHECK_FALSE(client.closed);
    CHECK(server.closed);
    CHECK(server.take().find("SELECT 2") == std::string::npos);
    FakeStream& fresh = rig.open();
    CHECK(fresh.take().find("SELECT 2") != std::string::npos);
}

TEST_CASE("server rest: a farewell behind the answer to settings is no answer") {
    Rig rig([](Rig& fresh) { fresh.config.pool.pool_size = 1; });
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.hold_censuses = true;
    const std::string prepare = "PREPARE a AS SELECT 1";
    rig.say(client, query(prepare));
    rig.say(server, complete("PREPARE") + ready());
    rig.say(server, census_row("p", "a", prepare) + complete("SELECT 1") + ready());
    rig.lose(server, "end of file");
    client.take();
    rig.say(client, query("EXECUTE a"));
    FakeStream& fresh = rig.open();
    CHECK(fresh.take() == query(""));
    rig.say(fresh,
            complete("SELECT") + ready() + failure("57P01", "terminating connection", "FATAL"));
    CHECK(sqlstate_of(client.take()) == "08006");
    CHECK(fresh.closed);
}

TEST_CASE("server rest: an idle server's farewell reaches nobody") {
    PumpScene scene;
    scene.reply(failure("57P01", "terminating connection", "FATAL"));
    CHECK(scene.server.closed);
    CHECK(scene.client.sent.empty());
    CHECK_FALSE(scene.client.closed);
    CHECK(scene.rig.pool().server_count() == 0);
    CHECK(scene.rig.pool().share.open.load() == 0);
}

TEST_CASE("server rest: in session mode a server is the client's until it leaves") {
    PumpScene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Session; });
    scene.ask();
    scene.rig.answer(scene.server);
    CHECK(count(scene.rig, ServerState::Active) == 1);
    scene.rig.say(scene.client, query("SELECT 2"));
    CHECK(scene.server.take() == query("SELECT 2"));
    scene.rig.answer(scene.server);
    scene.rig.lose(scene.client);
    CHECK(scene.server.take() == query("DISCARD ALL"));
    SUBCASE("clean again") {
        scene.rig.answer(scene.server, "DISCARD ALL");
        CHECK(count(scene.rig, ServerState::Idle) == 1);
    }
    SUBCASE("not to be cleaned") {
        scene.reply(failure("XX000", "no") + ready());
        CHECK(scene.server.closed);
    }
}

TEST_CASE("server rest: a server in the middle of a message for a client that left is not lent") {
    PumpScene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Session; });
    scene.ask();
    scene.rig.answer(scene.server);
    scene.reply(message('N', std::string(100, 'x')).substr(0, 50));
    scene.rig.lose(scene.client);
    CHECK(scene.server.closed);
}

TEST_CASE("server rest: in statement mode a transaction block ends the connection") {
    PumpScene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Statement; });
    scene.ask("SELECT 1");
    scene.rig.answer(scene.server);
    CHECK_FALSE(scene.client.closed);
    scene.ask("BEGIN");
    scene.rig.answer(scene.server, "BEGIN", 'T');
    CHECK(sqlstate_of(scene.client.sent.substr(scene.client.sent.rfind(ready('T')) + 6)) ==
          "0A000");
    CHECK(scene.client.closed);
    CHECK(scene.server.closed);
}

TEST_CASE("server rest: a parameter that changes while nobody listens is set back for the next") {
    PumpScene scene;
    scene.reply(parameter("TimeZone", "UTC"));
    CHECK(scene.client.sent.empty());
    scene.rig.say(scene.client, query("SELECT 1"));
    CHECK(scene.server.take() ==
          query("SELECT pg_catalog.set_config(E'TimeZone',E'Etc/UTC',false)"));
}

TEST_CASE("server rest: after DISCARD ALL a session is as it was at its login") {
    Rig rig;
    FakeStream& client = rig.log_in({
        {"application_name", "job"}
    });
    FakeStream& server = rig.idle_server();
    rig.say(client, query("DISCARD ALL"));
    server.take();
    rig.say(server, complete("DISCARD ALL") + parameter("application_name", "") + ready());
    CHECK(count(rig, ServerState::Idle) == 1);
    const std::string told = client.take();
    CHECK(types(told) == "CSZS");
    CHECK(told.substr(told.size() - parameter("application_name", "job").size()) ==
          parameter("application_name", "job"));
    rig.say(client, query("SELECT 1"));
    CHECK(server.take() == query("SELECT pg_catalog.set_config(E'application_name',E'job',false)"));
}

TEST_CASE("server rest: DISCARD ALL counts as one transaction") {
    Rig rig;
    FakeStream& client = rig.log_in({
        {"application_name", "job"}
    });
    FakeStream& server = rig.idle_server();
    rig.say(client, query("DISCARD ALL"));
    rig.say(server, complete("DISCARD ALL") + parameter("application_name", "") + ready());
    rig.say(server, complete("SELECT 1") + parameter("application_name", "job") + ready());
    CHECK(rig.pool().stats.transactions == 1);
}

}  // namespace pgweir::session
