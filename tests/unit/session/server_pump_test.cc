#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

struct Scene {
    template <class Change>
    explicit Scene(Change&& change)
        : rig(std::forward<Change>(change)), client(rig.log_in()), server(settled_server()) {
        server.take();
    }

    Scene() : Scene([](Rig&) {}) {}

    void ask(std::string_view sql = "SELECT 1") {
        rig.say(client, query(sql));
        server.take();
    }

    void reply(std::string_view bytes) { rig.say(server, bytes); }

    Rig rig;
    FakeStream& client;
    FakeStream& server;

private:
    FakeStream& settled_server() {
        if (count(rig, ServerState::Resetting) == 1) {
            auto& stream = *static_cast<FakeStream*>(server_in(rig, ServerState::Resetting).stream);
            rig.answer(stream, "DISCARD ALL");
        }
        return rig.idle_server();
    }
};

std::string row(std::string_view value) {
    return message('D', be16(1) + be32(static_cast<uint32_t>(value.size())) + std::string(value));
}

}  // namespace

TEST_CASE("server pump: replies pass byte for byte, however they are cut") {
    const std::string replies = message('T', be16(0)) + row("one") + row("two") +
                                message('N', std::string(1, '\0')) + complete("SELECT 2") + ready();
    for (size_t cut = 0; cut < replies.size(); ++cut) {
        Scene scene;
        scene.ask();
        scene.reply(replies.substr(0, cut));
        scene.reply(replies.substr(cut));
        REQUIRE(scene.client.take() == replies);
        REQUIRE(count(scene.rig, ServerState::Idle) == 1);
    }
}

TEST_CASE("server pump: a row of any size passes while it arrives, and holds no memory") {
    Scene scene;
    scene.ask();
    const std::string long_row = row(std::string(1000000, 'x'));
    for (size_t at = 0; at < long_row.size(); at += 60000) {
        scene.reply(long_row.substr(at, 60000));
        CHECK(scene.client.take() == long_row.substr(at, 60000));
        CHECK(scene.rig.engine().buffers().bytes_in_use() == 0);
    }
}

TEST_CASE("server pump: a ReadyForQuery in two halves ends the transaction only once") {
    Scene scene;
    scene.ask();
    scene.reply(complete("SELECT 1") + ready().substr(0, 5));
    CHECK(count(scene.rig, ServerState::Active) == 1);
    scene.reply(ready().substr(5));
    CHECK(count(scene.rig, ServerState::Idle) == 1);
    CHECK(scene.client.take() == complete("SELECT 1") + ready());
    CHECK(scene.rig.pool().stats.transactions == 1);
}

TEST_CASE("server pump: a reply that does not fit closes the server and tells the client") {
    for (const std::string& bytes :
         {message('1'), ready() + complete("x"), message('?'), 'C' + be32(2)}) {
        CAPTURE(bytes);
        Scene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Session; });
        scene.ask();
        scene.reply(bytes);
        CHECK(scene.server.closed);
        CHECK(scene.client.closed);
        CHECK(sqlstate_of(scene.client.sent) == "08006");
        CHECK(scene.rig.pool().attached == 0);
    }
}

TEST_CASE("server pump: an idle server that speaks out of turn is closed") {
    Scene scene;
    scene.reply(complete("SELECT 1"));
    CHECK(scene.server.closed);
    CHECK_FALSE(scene.client.closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
}

TEST_CASE("server pump: a server that is lost in a query is told as 08006") {
    Scene scene;
    scene.ask();
    scene.rig.lose(scene.server);
    CHECK(sqlstate_of(scene.client.sent) == "08006");
    CHECK(field_of(scene.client.sent, 'S') == "FATAL");
    CHECK(field_of(scene.client.sent, 'D').find("unknown") != std::string::npos);
    CHECK(scene.client.closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
    CHECK(scene.rig.pool().clients == 0);
}

TEST_CASE("server pump: in the middle of a row there is no place for an error") {
    Scene scene;
    scene.ask();
    const std::string half = row("value").substr(0, 8);
    scene.reply(half);
    scene.rig.lose(scene.server);
    CHECK(scene.client.sent == half);
    CHECK(scene.client.closed);
}

TEST_CASE("server pump: a FATAL error of the server is passed on, and no second one is sent") {
    Scene scene;
    scene.ask();
    const std::string farewell =
        failure("57P01", "terminating connection due to administrator command", "FATAL");
    scene.reply(farewell);
    scene.rig.lose(scene.server, "end of file");
    CHECK(scene.client.sent == farewell);
    CHECK(scene.client.closed);
}

TEST_CASE("server pump: an ordinary error is no farewell") {
    Scene scene;
    scene.ask();
    const std::string error = failure("42601", "syntax error");
    scene.reply(error);
    scene.rig.lose(scene.server);
    CHECK(types(scene.client.sent) == "EE");
}

TEST_CASE("server pump: a farewell behind the end of a transaction reaches nobody") {
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

TEST_CASE("server pump: a farewell behind the answer to settings is no answer") {
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

TEST_CASE("server pump: an idle server's farewell reaches nobody") {
    Scene scene;
    scene.reply(failure("57P01", "terminating connection", "FATAL"));
    CHECK(scene.server.closed);
    CHECK(scene.client.sent.empty());
    CHECK_FALSE(scene.client.closed);
    CHECK(scene.rig.pool().server_count() == 0);
    CHECK(scene.rig.pool().share.open.load() == 0);
}

TEST_CASE("server pump: notices and parameters reach the client that is attached, nobody else") {
    Scene scene;
    const std::string notice = message('N', std::string(1, '\0'));
    scene.reply(notice);
    CHECK(scene.client.sent.empty());
    scene.ask();
    scene.client.take();
    scene.reply(notice + parameter("application_name", "x"));
    CHECK(scene.client.take() == notice + parameter("application_name", "x"));
}

TEST_CASE("server pump: notifications reach whoever listens, and nobody after") {
    const std::string notification = message('A', be32(1) + text("channel") + text("payload"));
    Scene scene;
    scene.ask("BEGIN");
    scene.rig.answer(scene.server, "BEGIN", 'T');
    scene.client.take();
    scene.reply(notification);
    CHECK(scene.client.sent.empty());

    scene.ask("LISTEN channel");
    scene.reply(complete("LISTEN") + notification + ready('T'));
    CHECK(types(scene.client.take()) == "CAZ");
    scene.ask("COMMIT");
    scene.rig.hold_censuses = true;
    scene.rig.answer(scene.server, "COMMIT");
    CHECK(count(scene.rig, ServerState::Asking) == 1);
    scene.client.take();
    scene.server.take();
    scene.reply(notification + census_row("l", "", "ch") + complete("SELECT 1") + ready());
    CHECK(types(scene.client.take()) == "A");
    CHECK(count(scene.rig, ServerState::Active) == 1);
    scene.reply(notification);
    CHECK(types(scene.client.take()) == "A");

    scene.rig.lose(scene.client);
    CHECK(scene.server.take() == query("DISCARD ALL"));
    CHECK(count(scene.rig, ServerState::Resetting) == 1);
    scene.reply(notification + complete("DISCARD ALL") + ready());
    CHECK(count(scene.rig, ServerState::Idle) == 1);
    scene.reply(notification);
    CHECK_FALSE(scene.server.closed);
}

TEST_CASE("server pump: what a session tells itself comes from the process that it was told") {
    Scene scene;
    const uint32_t own = load_be32(as_bytes(body_of(scene.rig.welcome, 'K')).data());
    const std::string heard = text("channel") + text("payload");
    scene.ask("LISTEN channel");
    scene.reply(complete("LISTEN") + message('A', be32(4711) + heard) +
                message('A', be32(4712) + heard) + ready());
    const auto told = split(scene.client.take());
    REQUIRE(told.size() == 4);
    CHECK(told[1].body == be32(own) + heard);
    CHECK(told[2].body == be32(4712) + heard);
}

TEST_CASE("server pump: a client's backlog stops its server until it is drained") {
    Scene scene([](Rig& rig) { rig.config.limits.output_buffer = 1000; });
    scene.ask();
    scene.client.backlog_bytes = 1000;
    scene.reply(row("a"));
    CHECK_FALSE(scene.server.paused);
    scene.client.backlog_bytes = 1001;
    scene.reply(row("b"));
    CHECK(scene.server.paused);
    scene.rig.drain(scene.client);
    CHECK_FALSE(scene.server.paused);
}

TEST_CASE("server pump: in session mode a server is the client's until it leaves") {
    Scene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Session; });
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

TEST_CASE("server pump: a server in the middle of a message for a client that left is not lent") {
    Scene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Session; });
    scene.ask();
    scene.rig.answer(scene.server);
    scene.reply(message('N', std::string(100, 'x')).substr(0, 50));
    scene.rig.lose(scene.client);
    CHECK(scene.server.closed);
}

TEST_CASE("server pump: in statement mode a transaction block ends the connection") {
    Scene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Statement; });
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

TEST_CASE("server pump: a parameter that changes while nobody listens is set back for the next") {
    Scene scene;
    scene.reply(parameter("TimeZone", "UTC"));
    CHECK(scene.client.sent.empty());
    scene.rig.say(scene.client, query("SELECT 1"));
    CHECK(scene.server.take() ==
          query("SELECT pg_catalog.set_config(E'TimeZone',E'Etc/UTC',false)"));
}

TEST_CASE("server pump: after DISCARD ALL a session is as it was at its login") {
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

TEST_CASE("server pump: queries and transactions are timed") {
    Scene scene;
    scene.ask();
    scene.rig.process.now += 3ms;
    scene.rig.answer(scene.server);
    const PoolStats& stats = scene.rig.pool().stats;
    CHECK(stats.query_us == 3000);
    CHECK(stats.transaction_us == 3000);
    CHECK(stats.queries == 1);
    CHECK(stats.transactions == 1);
    CHECK(stats.bytes_received > 0);
    CHECK(stats.bytes_sent >= (complete("SELECT 1") + ready()).size());
}

TEST_CASE("server pump: a server that was stopped for a slow client reads again for the next") {
    Scene scene([](Rig& rig) { rig.config.limits.output_buffer = 1000; });
    scene.ask();
    scene.client.backlog_bytes = 2000;
    scene.rig.answer(scene.server);
    REQUIRE(count(scene.rig, ServerState::Idle) == 1);
    scene.rig.drain(scene.client);
    scene.ask();
    CHECK_FALSE(scene.server.paused);
}

TEST_CASE("server pump: DISCARD ALL counts as one transaction") {
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
