#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

struct Attached {
    explicit Attached(Rig& rig) : client(rig.log_in()), server(rig.idle_server()) {
        rig.say(client, query("BEGIN"));
        rig.answer(server, "BEGIN", 'T');
        client.take();
        server.take();
    }

    FakeStream& client;
    FakeStream& server;
};

std::string copy_data(std::string_view data) {
    return message('d', data);
}

}  // namespace

TEST_CASE("client pump: messages pass byte for byte, however they are cut") {
    const std::string bytes = query("SELECT 'x'") + parse("", "SELECT $1") + bind_to("") +
                              message('E', text("") + be32(0)) + flush() + sync() +
                              message('F', be32(1) + be16(0) + be16(0) + be16(0));
    SUBCASE("whole") {
        Rig rig;
        Attached pair(rig);
        rig.say(pair.client, bytes);
        CHECK(pair.server.take() == bytes);
        CHECK(pair.server.sends == 4);  // the login, its check, BEGIN, and all of this at once
    }
    SUBCASE("byte by byte") {
        Rig rig;
        Attached pair(rig);
        rig.dribble(pair.client, bytes);
        CHECK(pair.server.take() == bytes);
    }
    SUBCASE("in two pieces, at every place") {
        for (size_t cut = 1; cut < bytes.size(); ++cut) {
            Rig rig;
            Attached pair(rig);
            rig.say(pair.client, bytes.substr(0, cut));
            rig.say(pair.client, bytes.substr(cut));
            REQUIRE(pair.server.take() == bytes);
        }
    }
}

TEST_CASE("client pump: a long message passes before its end is there") {
    Rig rig;
    Attached pair(rig);
    const std::string bytes = query(std::string(100000, 'x'));
    rig.say(pair.client, bytes.substr(0, 50000));
    CHECK(pair.server.take() == bytes.substr(0, 50000));
    rig.say(pair.client, bytes.substr(50000));
    CHECK(pair.server.take() == bytes.substr(50000));
    CHECK(rig.engine().buffers().bytes_in_use() == 0);
}

TEST_CASE("client pump: a message of a type that no client sends ends the connection") {
    Rig rig;
    Attached pair(rig);
    rig.say(pair.client, message('z', "?"));
    CHECK(sqlstate_of(pair.client.sent) == "08P01");
    CHECK(pair.client.closed);
    CHECK(pair.server.closed);  // it was in a transaction
    CHECK(rig.engine().stats().protocol_errors == 1);
}

TEST_CASE("client pump: an idle client that breaks the protocol costs no server") {
    Rig rig;
    FakeStream& client = rig.log_in();
    rig.say(client, message('z'));
    CHECK(sqlstate_of(client.sent) == "08P01");
    CHECK(client.closed);
    CHECK(count(rig, ServerState::Idle) == 1);
}

TEST_CASE("client pump: a length that cannot be ends the connection") {
    for (const uint32_t length : {0u, 3u, 1u << 31}) {
        CAPTURE(length);
        Rig rig;
        FakeStream& idle = rig.log_in();
        rig.say(idle, 'Q' + be32(length));
        CHECK(sqlstate_of(idle.sent) == "08P01");
        Attached pair(rig);
        rig.say(pair.client, 'Q' + be32(length));
        CHECK(sqlstate_of(pair.client.sent) == "08P01");
        CHECK(pair.client.closed);
    }
}

TEST_CASE("client pump: limits.message_size bounds a message, not what it is part of") {
    Rig rig([](Rig& made) { made.config.limits.message_size = 100; });
    Attached pair(rig);
    rig.say(pair.client, query(std::string(99, 'x')));
    CHECK_FALSE(pair.client.closed);
    rig.say(pair.client, query(std::string(100, 'x')));
    CHECK(sqlstate_of(pair.client.sent) == "08P01");
}

TEST_CASE("client pump: messages whose fields do not fill them are refused") {
    for (const std::string& bytes :
         {message('P', "no end"), message('P', text("s") + text("SELECT 1") + be16(1)),
          message('P', text("") + text("SELECT 1")), message('B', "no end"), message('D', "S"),
          message('D', 'X' + text("s")), message('C', 'S' + text("s") + "more")}) {
        CAPTURE(bytes);
        Rig rig;
        Attached pair(rig);
        rig.say(pair.client, bytes);
        CHECK(sqlstate_of(pair.client.sent) == "08P01");
        CHECK(pair.client.closed);
    }
}

TEST_CASE("client pump: a client that says goodbye gives a clean server back") {
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

TEST_CASE("client pump: a client that vanishes in a transaction takes its server with it") {
    Rig rig;
    Attached pair(rig);
    rig.lose(pair.client);
    CHECK(pair.server.closed);
    CHECK(rig.pool().server_count() == 0);
    CHECK(rig.pool().share.open.load() == 0);
}

TEST_CASE("client pump: a client that vanishes while its query runs takes its server with it") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("SELECT 1"));
    rig.lose(client);
    CHECK(server.closed);
}

TEST_CASE(
    "client pump: the query of a client that vanished is cancelled, and its server still counts") {
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

TEST_CASE("client pump: an idle client that vanishes costs no server") {
    Rig rig;
    FakeStream& client = rig.log_in();
    rig.lose(client);
    CHECK(count(rig, ServerState::Idle) == 1);
    CHECK(rig.pool().clients == 0);
    CHECK(rig.engine().client_count() == 0);
}

TEST_CASE("client pump: an idle client keeps no memory for bytes") {
    Rig rig;
    FakeStream& client = rig.log_in();
    rig.say(client, query("SELECT 1").substr(0, 3));
    CHECK(rig.engine().buffers().bytes_in_use() > 0);
    rig.say(client, query("SELECT 1").substr(3));
    rig.answer(rig.server_of(client));
    CHECK(rig.engine().buffers().bytes_in_use() == 0);
}

TEST_CASE("client pump: what PostgreSQL ignores outside of a query needs no server") {
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

TEST_CASE("client pump: a client that waits may send ahead only so much") {
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

TEST_CASE("client pump: a backlog towards the server stops the client until it is drained") {
    Rig rig([](Rig& made) { made.config.limits.output_buffer = 1000; });
    Attached pair(rig);
    pair.server.backlog_bytes = 1000;
    rig.say(pair.client, query("SELECT 1"));
    CHECK_FALSE(pair.client.paused);
    pair.server.backlog_bytes = 1001;
    rig.say(pair.client, query("SELECT 2"));
    CHECK(pair.client.paused);
    rig.drain(pair.server);
    CHECK_FALSE(pair.client.paused);
}

TEST_CASE("client pump: a full ledger stops the client until replies arrive") {
    Rig rig;
    Attached pair(rig);
    std::string flood;
    for (size_t i = 0; i < Pipeline::kExpectedMax + 10; ++i) flood += sync();
    rig.say(pair.client, flood);
    CHECK(pair.client.paused);
    CHECK(pair.server.take().size() == Pipeline::kExpectedMax * sync().size());
    rig.say(pair.server, ready('T'));
    CHECK(pair.server.take() == sync());
    std::string replies;
    for (size_t i = 0; i < 20; ++i) replies += ready('T');
    rig.say(pair.server, replies);
    CHECK_FALSE(pair.client.paused);
    CHECK(rig.engine().buffers().bytes_in_use() == 0);
}

TEST_CASE("client pump: the console takes one statement at a time") {
    Rig rig([](Rig& made) { made.config.admin.users = {"ops"}; });
    FakeStream& client = rig.connect();
    rig.say(client, startup({
                        {"user",     "ops"   },
                        {"database", "pgweir"}
    }));
    client.take();
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

TEST_CASE("client pump: the console says goodbye, and refuses the extended protocol") {
    Rig rig([](Rig& made) { made.config.admin.users = {"ops"}; });
    FakeStream& client = rig.connect();
    rig.say(client, startup({
                        {"user",     "ops"   },
                        {"database", "pgweir"}
    }));
    client.take();
    rig.say(client, parse("", "SHOW POOLS") + bind_to("") + execute());
    CHECK(types(client.take()) == "E");
    rig.say(client, sync());
    CHECK(types(client.take()).back() == 'Z');
    CHECK(rig.shell().console_asked.empty());
    rig.say(client, message('X'));
    CHECK(client.closed);
}

TEST_CASE("client pump: the console's Sync is answered by ReadyForQuery alone") {
    Rig rig([](Rig& made) { made.config.admin.users = {"ops"}; });
    FakeStream& client = rig.connect();
    rig.say(client, startup({
                        {"user",     "ops"   },
                        {"database", "pgweir"}
    }));
    client.take();
    rig.say(client, parse("", "SHOW POOLS") + sync());
    CHECK(types(client.take()) == "EZ");
}

TEST_CASE("client pump: a console that is busy is not read") {
    Rig rig([](Rig& made) { made.config.admin.users = {"ops"}; });
    FakeStream& client = rig.connect();
    rig.say(client, startup({
                        {"user",     "ops"   },
                        {"database", "pgweir"}
    }));
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

TEST_CASE("client pump: the rest of a copy that failed, once passed, frees the server") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(client, query("COPY t FROM STDIN"));
    rig.say(server, message('G', std::string(3, '\0')));
    rig.say(client, copy_data(std::string(1000, 'x')).substr(0, 500));
    rig.say(server, failure("22P02", "invalid input syntax") + ready());
    rig.say(client, copy_data(std::string(1000, 'x')).substr(500) + message('c'));
    CHECK(count(rig, ServerState::Idle) == 1);
}

TEST_CASE("client pump: who sends requests and reads no answers gets no more of them") {
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

TEST_CASE("client pump: after a failed COPY with Syncs inside the server serves nobody else") {
    Rig rig;
    Attached pair(rig);
    rig.say(pair.client, query("COPY t FROM STDIN"));
    rig.say(pair.server, message('G', std::string(1, '\0') + be16(0)));
    rig.say(pair.client, sync());
    rig.say(pair.server, failure("22P04", "bad data") + ready());
    CHECK(types(pair.client.sent).ends_with("GEZ"));
    CHECK_FALSE(pair.client.closed);
    CHECK(pair.server.finished);
}

}  // namespace pgweir::session
