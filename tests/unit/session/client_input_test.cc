#include "pump_scene.h"

namespace pgweir::session {

TEST_CASE("client input: an idle client that breaks the protocol costs no server") {
    Rig rig;
    FakeStream& client = rig.log_in();
    rig.say(client, message('z'));
    CHECK(sqlstate_of(client.sent) == "08P01");
    CHECK(client.closed);
    CHECK(count(rig, ServerState::Idle) == 1);
}

TEST_CASE("client input: a client that says goodbye gives a clean server back") {
    Rig rig([](Rig& made) { made.config.pool.pool_mode = config::PoolMode::Session; });
    FakeStream& client = rig.log_in();
    FakeStream& server = *static_cast<FakeStream*>(server_in(rig, ServerState::Resetting).stream);
    rig.answer(server, "DISCARD ALL");
    rig.say(client, query("SELECT 1"));
    rig.answer(server);
    CHECK(count(rig, ServerState::Active) == 1);
    server.take();
    rig.say(client, message('X'));
    CHECK(client.closed);
    CHECK_FALSE(server.closed);
    CHECK(server.take() == query("DISCARD ALL"));
    CHECK(count(rig, ServerState::Resetting) == 1);
}

TEST_CASE("client input: a client that vanishes in a transaction takes its server with it") {
    Rig rig;
    AttachedPair pair(rig);
    rig.lose(pair.client);
    CHECK(pair.server.closed);
    CHECK(rig.pool().server_count() == 0);
    CHECK(rig.pool().share.open.load() == 0);
}

TEST_CASE("client input: a client that vanishes while its query runs takes its server with it") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("SELECT 1"));
    rig.lose(client);
    CHECK(server.closed);
}

TEST_CASE(
    "client input: the query of a client that vanished is cancelled, and its server still counts") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 1; });
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    FakeStream& next = rig.log_in();
    rig.say(client, query("SELECT pg_sleep(60)"));
    rig.say(next, query("SELECT 2"));
    rig.hold_finished = true;
    server.take();
    rig.lose(client);
    CHECK(count(rig, ServerState::Closing) == 1);
    CHECK(server.take() == message('X'));
    CHECK(rig.pool().share.open.load() == 1);
    FakeStream& cancel = *rig.next_connect();
    cancel.owner->on_connected();
    CHECK(cancel.take() == cancel_request(4711, "key!"));
    CHECK(rig.shell().connects.empty());
    rig.lose(cancel);

    rig.say(server, failure("57014", "canceling statement") + ready());  // nobody hears it
    rig.lose(server);
    CHECK(rig.open().take() == query("SELECT 2"));
    CHECK(rig.pool().share.open.load() == 1);
}

TEST_CASE("client input: an idle client that vanishes costs no server") {
    Rig rig;
    FakeStream& client = rig.log_in();
    rig.lose(client);
    CHECK(count(rig, ServerState::Idle) == 1);
    CHECK(rig.pool().clients == 0);
    CHECK(rig.engine().client_count() == 0);
}

TEST_CASE("client input: an idle client keeps no memory for bytes") {
    Rig rig;
    FakeStream& client = rig.log_in();
    rig.say(client, query("SELECT 1").substr(0, 3));
    CHECK(rig.engine().buffers().bytes_in_use() > 0);
    rig.say(client, query("SELECT 1").substr(3));
    rig.answer(rig.server_of(client));
    CHECK(rig.engine().buffers().bytes_in_use() == 0);
}

TEST_CASE("client input: what PostgreSQL ignores outside of a query needs no server") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    server.take();
    rig.dribble(client, flush() + copy_data("abc") + message('c') + message('f', text("no")));
    CHECK(count(rig, ServerState::Idle) == 1);
    CHECK(server.sent.empty());
    rig.say(client, copy_data("abc").substr(0, 6));
    rig.say(client, copy_data("abc").substr(6) + query("SELECT 1"));
    CHECK(server.take() == query("SELECT 1"));
}

TEST_CASE("client input: a client that waits may send ahead only so much") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 1; });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(first, query("SELECT 1"));
    const std::string flood = query(std::string(40000, 'x'));
    rig.say(second, flood);
    CHECK_FALSE(second.paused);
    rig.say(second, flood);
    CHECK(second.paused);
    server.take();
    rig.answer(server);
    CHECK_FALSE(second.paused);
    CHECK(server.take() == flood + flood);
}

TEST_CASE("client input: the console takes one statement at a time") {
    Rig rig(with_operator);
    FakeStream& client = rig.open_console();
    rig.dribble(client, query("SHOW POOLS") + query("SHOW STATS"));
    REQUIRE(rig.shell().console_asked.size() == 1);
    const auto asked = rig.shell().console_asked[0];
    rig.engine().console_reply(asked.client, as_bytes(complete("SHOW") + ready()), false);
    rig.turn();
    CHECK(client.take() == complete("SHOW") + ready());
    REQUIRE(rig.shell().console_asked.size() == 2);
    CHECK(rig.shell().console_asked[1].sql == "SHOW STATS");

    rig.engine().console_reply(asked.client, as_bytes(complete("SHUTDOWN") + ready()), true);
    rig.turn();
    CHECK(client.closed);
    rig.engine().console_reply(asked.client, as_bytes(ready()), false);  // nobody hears it
}

TEST_CASE("client input: the console says goodbye, and refuses the extended protocol") {
    Rig rig(with_operator);
    FakeStream& client = rig.open_console();
    rig.say(client, parse("", "SHOW POOLS") + bind_to("") + execute());
    CHECK(types(client.take()) == "E");
    rig.say(client, sync());
    CHECK(types(client.take()).back() == 'Z');
    CHECK(rig.shell().console_asked.empty());
    rig.say(client, message('X'));
    CHECK(client.closed);
}

TEST_CASE("client input: the console's Sync is answered by ReadyForQuery alone") {
    Rig rig(with_operator);
    FakeStream& client = rig.open_console();
    rig.say(client, parse("", "SHOW POOLS") + sync());
    CHECK(types(client.take()) == "EZ");
}

TEST_CASE("client input: a console that is busy is not read") {
    Rig rig(with_operator);
    FakeStream& client = rig.open_console();
    rig.say(client, query("PAUSE") + query("SHOW POOLS"));
    CHECK(client.paused);
    rig.engine().console_reply(rig.shell().console_asked[0].client,
                               as_bytes(complete("PAUSE") + ready()), false);
    CHECK(rig.shell().console_asked.size() == 2);
    CHECK(client.paused);
    rig.engine().console_reply(rig.shell().console_asked[1].client,
                               as_bytes(complete("SHOW") + ready()), false);
    CHECK_FALSE(client.paused);
}

TEST_CASE("client input: who sends requests and reads no answers gets no more of them") {
    Rig rig([](Rig& made) { made.config.limits.output_buffer = 1000; });
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    server.take();
    client.backlog_bytes = 1001;
    rig.say(client, query("SELECT 1"));
    CHECK(client.paused);
    CHECK(server.take().empty());
    rig.drain(client);
    CHECK_FALSE(client.paused);
    CHECK(server.take() == query("SELECT 1"));
}

TEST_CASE("client input: who does not read what the console says is told no more") {
    Rig rig([](Rig& made) {
        with_operator(made);
        made.config.limits.output_buffer = 1000;
    });
    FakeStream& client = rig.open_console();
    rig.say(client, query("SHOW POOLS") + query("SHOW STATS"));
    client.backlog_bytes = 1001;
    const auto asked = rig.shell().console_asked[0];
    rig.engine().console_reply(asked.client, as_bytes(complete("SHOW") + ready()), false);
    rig.turn();
    CHECK(rig.shell().console_asked.size() == 1);
    CHECK(client.paused);
    rig.drain(client);
    CHECK(rig.shell().console_asked.size() == 2);
}

}  // namespace pgweir::session
