#include "pump_scene.h"

namespace pgweir::session {

using namespace std::chrono_literals;

TEST_CASE("server pump: replies pass byte for byte, however they are cut") {
    const std::string replies = message('T', be16(0)) + row("one") + row("two") +
                                message('N', std::string(1, '\0')) + complete("SELECT 2") + ready();
    for (size_t cut = 0; cut < replies.size(); ++cut) {
        PumpScene scene;
        scene.ask();
        scene.reply(replies.substr(0, cut));
        scene.reply(replies.substr(cut));
        REQUIRE(scene.client.take() == replies);
        REQUIRE(count(scene.rig, ServerState::Idle) == 1);
    }
}

TEST_CASE("server pump: a row of any size passes while it arrives, and holds no memory") {
    PumpScene scene;
    scene.ask();
    const std::string long_row = row(std::string(1000000, 'x'));
    for (size_t at = 0; at < long_row.size(); at += 60000) {
        scene.reply(long_row.substr(at, 60000));
        CHECK(scene.client.take() == long_row.substr(at, 60000));
        CHECK(scene.rig.engine().buffers().bytes_in_use() == 0);
    }
}

TEST_CASE("server pump: a ReadyForQuery in two halves ends the transaction only once") {
    PumpScene scene;
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
        PumpScene scene([](Rig& rig) { rig.config.pool.pool_mode = config::PoolMode::Session; });
        scene.ask();
        scene.reply(bytes);
        CHECK(scene.server.closed);
        CHECK(scene.client.closed);
        CHECK(sqlstate_of(scene.client.sent) == "08006");
        CHECK(scene.rig.pool().attached == 0);
    }
}

TEST_CASE("server pump: an idle server that speaks out of turn is closed") {
    PumpScene scene;
    scene.reply(complete("SELECT 1"));
    CHECK(scene.server.closed);
    CHECK_FALSE(scene.client.closed);
    CHECK(scene.rig.pool().share.open.load() == 0);
}

TEST_CASE("server pump: notices and parameters reach the client that is attached, nobody else") {
    PumpScene scene;
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
    PumpScene scene;
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
    PumpScene scene;
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
    PumpScene scene([](Rig& rig) { rig.config.limits.output_buffer = 1000; });
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

TEST_CASE("server pump: queries and transactions are timed") {
    PumpScene scene;
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
    PumpScene scene([](Rig& rig) { rig.config.limits.output_buffer = 1000; });
    scene.ask();
    scene.client.backlog_bytes = 2000;
    scene.rig.answer(scene.server);
    REQUIRE(count(scene.rig, ServerState::Idle) == 1);
    scene.rig.drain(scene.client);
    scene.ask();
    CHECK_FALSE(scene.server.paused);
}

}  // namespace pgweir::session
