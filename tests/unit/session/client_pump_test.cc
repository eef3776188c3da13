#include "pump_scene.h"

namespace pgweir::session {

TEST_CASE("client pump: messages pass byte for byte, however they are cut") {
    const std::string bytes = query("SELECT 'x'") + parse("", "SELECT $1") + bind_to("") +
                              message('E', text("") + be32(0)) + flush() + sync() +
                              message('F', be32(1) + be16(0) + be16(0) + be16(0));
    SUBCASE("whole") {
        Rig rig;
        AttachedPair pair(rig);
        rig.say(pair.client, bytes);
        CHECK(pair.server.take() == bytes);
        CHECK(pair.server.sends == 4);  // the login, its check, BEGIN, and all of this at once
    }
    SUBCASE("byte by byte") {
        Rig rig;
        AttachedPair pair(rig);
        rig.dribble(pair.client, bytes);
        CHECK(pair.server.take() == bytes);
    }
    SUBCASE("in two pieces, at every place") {
        for (size_t cut = 1; cut < bytes.size(); ++cut) {
            Rig rig;
            AttachedPair pair(rig);
            rig.say(pair.client, bytes.substr(0, cut));
            rig.say(pair.client, bytes.substr(cut));
            REQUIRE(pair.server.take() == bytes);
        }
    }
}

TEST_CASE("client pump: a long message passes before its end is there") {
    Rig rig;
    AttachedPair pair(rig);
    const std::string bytes = query(std::string(100000, 'x'));
    rig.say(pair.client, bytes.substr(0, 50000));
    CHECK(pair.server.take() == bytes.substr(0, 50000));
    rig.say(pair.client, bytes.substr(50000));
    CHECK(pair.server.take() == bytes.substr(50000));
    CHECK(rig.engine().buffers().bytes_in_use() == 0);
}

TEST_CASE("client pump: a message of a type that no client sends ends the connection") {
    Rig rig;
    AttachedPair pair(rig);
    rig.say(pair.client, message('z', "?"));
    CHECK(sqlstate_of(pair.client.sent) == "08P01");
    CHECK(pair.client.closed);
    CHECK(pair.server.closed);  // it was in a transaction
    CHECK(rig.engine().stats().protocol_errors == 1);
}

TEST_CASE("client pump: a length that cannot be ends the connection") {
    for (const uint32_t length : {0u, 3u, 1u << 31}) {
        CAPTURE(length);
        Rig rig;
        FakeStream& idle = rig.log_in();
        rig.say(idle, 'Q' + be32(length));
        CHECK(sqlstate_of(idle.sent) == "08P01");
        AttachedPair pair(rig);
        rig.say(pair.client, 'Q' + be32(length));
        CHECK(sqlstate_of(pair.client.sent) == "08P01");
        CHECK(pair.client.closed);
    }
}

TEST_CASE("client pump: limits.message_size bounds a message, not what it is part of") {
    Rig rig([](Rig& made) { made.config.limits.message_size = 100; });
    AttachedPair pair(rig);
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
        AttachedPair pair(rig);
        rig.say(pair.client, bytes);
        CHECK(sqlstate_of(pair.client.sent) == "08P01");
        CHECK(pair.client.closed);
    }
}

TEST_CASE("client pump: a backlog towards the server stops the client until it is drained") {
    Rig rig([](Rig& made) { made.config.limits.output_buffer = 1000; });
    AttachedPair pair(rig);
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
    AttachedPair pair(rig);
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

TEST_CASE("client pump: after a failed COPY with Syncs inside the server serves nobody else") {
    Rig rig;
    AttachedPair pair(rig);
    rig.say(pair.client, query("COPY t FROM STDIN"));
    rig.say(pair.server, message('G', std::string(1, '\0') + be16(0)));
    rig.say(pair.client, sync());
    rig.say(pair.server, failure("22P04", "bad data") + ready());
    CHECK(types(pair.client.sent).ends_with("GEZ"));
    CHECK_FALSE(pair.client.closed);
    CHECK(pair.server.finished);
}

TEST_CASE("client pump: Flush outside of a batch keeps no server") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    SUBCASE("behind a query") {
        rig.say(client, query("SELECT 1") + flush());
        rig.answer(server);
    }
    SUBCASE("amid the data of a COPY") {
        rig.say(client, query("COPY t FROM STDIN"));
        rig.say(server, message('G', std::string(3, '\0')));
        rig.say(client, message('d', "1\n") + flush() + message('c'));
        rig.answer(server, "COPY 1");
    }
    CHECK(count(rig, ServerState::Idle) == 1);
}

}  // namespace pgweir::session
