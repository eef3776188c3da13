#include "pgweir/sql/transactions.h"
#include "routing_scene.h"
#include "session/parts.h"

/// Transactions that wait for their first statement.
namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

const std::string kBegin = query("BEGIN");
const std::string kBegun = complete("BEGIN") + ready('T');
const std::string kInsert = query("INSERT INTO t VALUES (1)");

std::string batch(std::string_view sql) {
    return parse("", sql) + bind_to("") + message('D', text("P")) + execute() + sync();
}

/// What a server answers to the BEGIN in front of a first statement.
std::string begun_at_server() {
    return message('1') + message('2') + complete("BEGIN");
}

struct LazyScene {
    LazyScene() : LazyScene([](Rig&) {}) {}

    template <class Change>
    explicit LazyScene(Change&& change)
        : rig([&](Rig& made) {
              made.config.pool.pool_size = 1;
              made.config.pool.lazy_begin = true;
              change(made);
          }),
          client(rig.log_in()),
          server(rig.idle_server()) {
        server.take();
        client.take();
    }

    std::string ask(const std::string& bytes) {
        rig.say(client, bytes);
        return client.take();
    }

    const PoolStats& stats() { return rig.pool().stats; }

    Rig rig;
    FakeStream& client;
    FakeStream& server;
};

}  // namespace

TEST_CASE("begun: BEGIN is answered at once, and goes with the first statement in one write") {
    LazyScene scene;
    CHECK(scene.ask(kBegin) == kBegun);
    CHECK(scene.server.sent.empty());
    CHECK(scene.stats().begins_deferred == 1);
    scene.server.sends = 0;
    CHECK(scene.ask(kInsert).empty());
    CHECK(scene.server.sends == 1);
    const std::string sent = scene.server.take();
    CHECK(types(sent) == "PBEQ");
    CHECK(body_of(sent, 'P').find(std::string("BEGIN\0", 6)) != std::string::npos);
    const std::string told = complete("INSERT 0 1") + ready('T');
    scene.rig.say(scene.server, begun_at_server() + told);
    CHECK(scene.client.take() == told);
    CHECK(scene.ask(query("COMMIT")).empty());
    CHECK(scene.server.take() == query("COMMIT"));
    scene.rig.say(scene.server, complete("COMMIT") + ready());
    CHECK(types(scene.client.take()) == "CZ");
    CHECK(scene.ask(kBegin) == kBegun);
    scene.ask(kInsert);
    CHECK(types(scene.server.take()) == "PBEQ");
}

TEST_CASE("begun: the same in batches, whose portal is nobody else's") {
    LazyScene scene;
    CHECK(scene.ask(batch("START TRANSACTION")) ==
          message('1') + message('2') + message('n') + complete("START TRANSACTION") + ready('T'));
    scene.ask(batch("SELECT 1"));
    CHECK(types(scene.server.take()) == "PBECPBDES");
    CHECK(scene.client.take().empty());
    CHECK(scene.ask("").empty());
}

TEST_CASE("begun: a transaction without a statement touches no server") {
    LazyScene scene;
    for (const char* end : {"COMMIT", "END;", "rollback", "/* x */ ABORT"}) {
        CAPTURE(end);
        scene.ask(kBegin);
        const bool commits = end[0] == 'C' || end[0] == 'E';
        CHECK(scene.ask(query(end)) == complete(commits ? "COMMIT" : "ROLLBACK") + ready());
    }
    CHECK(scene.stats().transactions_untouched == 4);
    CHECK(scene.stats().transactions == 4);
    CHECK(scene.server.sent.empty());
}

TEST_CASE("begun: what SET TRANSACTION says goes along, also into the next of a chain") {
    LazyScene scene;
    scene.ask(query("BEGIN READ ONLY"));
    CHECK(scene.ask(query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")) ==
          complete("SET") + ready('T'));
    CHECK(scene.ask(query("COMMIT AND CHAIN")) == complete("COMMIT") + ready('T'));
    scene.ask(query("SELECT 1"));
    const std::string sent = scene.server.take();
    CHECK(types(sent) == "PBEQ");
    CHECK(sent.find("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY") != std::string::npos);
}

TEST_CASE("begun: a second BEGIN is PostgreSQL's to warn of") {
    LazyScene scene;
    scene.ask(kBegin);
    CHECK(scene.ask(kBegin).empty());
    CHECK(types(scene.server.take()) == "PBEQ");
}

TEST_CASE("begun: several commands in one text, and other pool modes, go to a server") {
    SUBCASE("several") {
        LazyScene scene;
        CHECK(scene.ask(query("BEGIN; SELECT 1")).empty());
        CHECK(scene.server.take() == query("BEGIN; SELECT 1"));
    }
    SUBCASE("statement pooling") {
        LazyScene scene(
            [](Rig& made) { made.config.pool.pool_mode = config::PoolMode::Statement; });
        CHECK(scene.ask(kBegin).empty());
        CHECK(scene.server.take() == kBegin);
    }
    SUBCASE("switched off") {
        LazyScene scene([](Rig& made) { made.config.databases["app"].pool.lazy_begin = false; });
        CHECK(scene.ask(kBegin).empty());
        CHECK(scene.server.take() == kBegin);
    }
    SUBCASE("values where there is place for none") {
        LazyScene scene;
        const std::string value =
            message('B', text("") + text("") + be16(0) + be16(1) + be32(0) + be16(0));
        CHECK(scene.ask(parse("", "BEGIN") + value + execute() + sync()).empty());
        CHECK(types(scene.server.take()) == "PBES");
    }
}

TEST_CASE("begun: what is sent ahead waits until the BEGIN in front of it was run") {
    LazyScene scene;
    scene.ask(kBegin + kInsert + query("COMMIT"));
    CHECK(types(scene.server.take()) == "PBEQ");
    SUBCASE("it was") {
        scene.rig.say(scene.server, begun_at_server());
        CHECK(scene.server.take() == query("COMMIT"));
    }
    SUBCASE("it was not: the first statement fails, and the transaction with it") {
        const std::string error = failure("57014", "canceling statement due to user request");
        scene.rig.say(scene.server, message('1') + error);
        CHECK(scene.server.take() == sync());  // up to which PostgreSQL drops what stands there
        CHECK(scene.client.take() == error);
        scene.rig.say(scene.server, ready());
        CHECK(scene.client.take() == ready('E') + complete("ROLLBACK") + ready());
        CHECK(scene.server.sent.empty());
    }
}

TEST_CASE("begun: a transaction that failed without a server is one that failed at its server") {
    LazyScene scene([](Rig& made) { made.config.timeouts.query_wait = 1h; });
    FakeStream& other = scene.rig.log_in();
    const uint32_t pid = load_be32(as_bytes(body_of(scene.rig.welcome, 'K')).data());
    const std::string key = body_of(scene.rig.welcome, 'K').substr(4);
    scene.ask(query("SELECT pg_sleep(1)"));
    scene.server.take();
    scene.rig.say(other, kBegin + kInsert);
    other.take();
    scene.rig.say(scene.rig.connect(), cancel_request(pid, key));
    const std::string told = other.take();
    CHECK(types(told) == "EZ");
    CHECK(sqlstate_of(told) == "57014");
    CHECK(body_of(told, 'Z') == "E");
    SUBCASE("what ends it needs no server") {
        scene.rig.say(other, query("COMMIT"));
        CHECK(other.take() == complete("ROLLBACK") + ready());
    }
    SUBCASE("anything else is refused by PostgreSQL, in a transaction that it knows has failed") {
        scene.rig.say(other, batch("SELECT 2"));
        scene.rig.say(scene.server, complete("SELECT 0") + ready());
        const std::string failing = scene.server.take();
        CHECK(types(failing) == "Q");
        CHECK(body_of(failing, 'Q').substr(0, 6) == "BEGIN;");
        const std::string error = failure("22P02", "invalid input syntax");
        SUBCASE("as it should") {
            scene.rig.say(scene.server, complete("BEGIN") + error + ready('E'));
            CHECK(other.sent.empty());
            CHECK(types(scene.server.take()) == "PBDES");
        }
        SUBCASE("a cancel has hit it: it is not outside of a transaction that its client goes on") {
            scene.rig.say(scene.server, failure("57014", "canceling") + ready());
            CHECK(other.sent.empty());
            CHECK(scene.server.take() == failing);
        }
    }
}

TEST_CASE("begun: a first batch that goes on behind a Flush stays with its transaction") {
    LazyScene scene;
    scene.rig.pool().in(ServerState::Idle).front().temporary_of = ServerConn::kSeveral;
    scene.rig.config.timeouts.idle_transaction = 5s;
    scene.rig.engine().reload(scene.rig.setup());
    scene.ask(kBegin);
    scene.ask(parse("", "INSERT INTO t VALUES (1)") + bind_to("") + execute() + flush());
    CHECK(types(scene.server.take()) == "PBECPBEH");
    scene.rig.say(scene.server, begun_at_server() + message('3') + message('1') + message('2') +
                                    complete("INSERT 0 1"));
    CHECK(types(scene.client.take()) == "12C");
    SUBCASE("also if a server without temporary objects would suit it better") {
        scene.ask(parse("", "SET temp_buffers = 100") + bind_to("") + execute() + sync());
        CHECK(types(scene.server.take()) == "PBES");
        CHECK_FALSE(scene.server.finished);
    }
    SUBCASE("and counts as idle in it when it does not go on") {
        scene.rig.pass(6s);
        CHECK(scene.client.closed);
        CHECK(sqlstate_of(scene.client.take()) == "25P03");
    }
}

TEST_CASE("begun: if BEGIN fails while its first query still comes, the Sync follows that") {
    LazyScene scene;
    scene.ask(kBegin);
    const std::string insert = query("INSERT INTO t VALUES ('" + std::string(40000, 'x') + "')");
    scene.ask(insert.substr(0, 20000));
    CHECK(scene.server.take().size() > 20000);
    scene.rig.say(scene.server, message('1') + failure("57014", "canceling statement"));
    CHECK(types(scene.client.take()) == "E");
    CHECK(scene.server.sent.empty());
    scene.ask(insert.substr(20000));
    CHECK(scene.server.take() == insert.substr(20000) + sync());
    scene.rig.say(scene.server, ready());
    CHECK(scene.client.take() == ready('E'));
    CHECK(scene.ask(query("ROLLBACK")) == complete("ROLLBACK") + ready());
    CHECK(scene.stats().transactions_untouched == 0);
}

TEST_CASE("begun: who is answered without a server rests from then on") {
    LazyScene scene([](Rig& made) { made.config.timeouts.client_idle = 10s; });
    FakeStream& other = scene.rig.log_in();
    for (int turn = 0; turn < 4; ++turn) {
        scene.rig.pass(4s);
        scene.ask(kBegin + query("COMMIT"));
    }
    CHECK(other.closed);
    CHECK_FALSE(scene.client.closed);
    scene.rig.pass(11s);
    CHECK(scene.client.closed);
}

TEST_CASE("begun: a request that was cancelled after a long wait is not a long idleness") {
    LazyScene scene([](Rig& made) {
        made.config.timeouts.query_wait = 1h;
        made.config.timeouts.idle_transaction = 5s;
    });
    FakeStream& other = scene.rig.log_in();
    const std::string key = body_of(scene.rig.welcome, 'K');
    scene.ask(query("SELECT pg_sleep(60)"));
    scene.rig.say(other, kBegin + kInsert);
    scene.rig.pass(30s);
    scene.rig.say(scene.rig.connect(),
                  cancel_request(load_be32(as_bytes(key).data()), key.substr(4)));
    scene.rig.pass(1s);
    CHECK_FALSE(other.closed);
}

namespace {

/// Under the database's consistency; a standby shows all that was told.
struct FollowingScene : Scene {
    FollowingScene() {
        config.pool.lazy_begin = true;
        config.clusters["main"].routing.consistency = config::Consistency::Database;
        engine().reload(setup());
        progress->publish(1, progress->begin_question());
    }

    /// One snapshot, taken at a standby.
    FakeStream& read_there() {
        say(*client, query("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ"));
        say(*client, kRead);
        FakeStream& standby = open_standby();
        REQUIRE(types(standby.take()) == "PBEQ");
        say(standby, begun_at_server() + kRow + complete("SELECT 1") + ready('T'));
        client->take();
        return standby;
    }
};

}  // namespace

TEST_CASE("begun: one snapshot that is taken at once may be a standby's, whoever is told of what") {
    FollowingScene scene;
    SUBCASE("it is") {
        scene.read_there();
        CHECK(scene.primary->sent.empty());
    }
    SUBCASE("each statement has one") {
        scene.say(*scene.client, query("BEGIN READ ONLY"));
        scene.say(*scene.client, kRead);
        CHECK(types(scene.primary->take()) == "PBEQ");
    }
    SUBCASE("another BEGIN takes none") {
        scene.say(*scene.client, query("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ"));
        scene.say(*scene.client, query("BEGIN READ ONLY"));
        CHECK(types(scene.primary->take()) == "PBEQ");
    }
    SUBCASE("nor does what is only prepared") {
        scene.say(*scene.client, query("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ"));
        scene.say(*scene.client, parse("", "COPY t TO STDOUT") + sync());
        CHECK(types(scene.primary->take()).ends_with("PS"));
    }
}

TEST_CASE("begun: the transaction behind one at a standby does not begin there unseen") {
    FollowingScene scene;
    FakeStream& standby = scene.read_there();
    SUBCASE("as its chain") {
        scene.say(*scene.client, query("COMMIT AND CHAIN"));
    }
    SUBCASE("as its chain, behind something else") {
        scene.say(*scene.client, query("SELECT 1; COMMIT AND CHAIN"));
    }
    SUBCASE("in one batch") {
        scene.say(*scene.client, parse("", "COMMIT") + bind_to("") + execute() +
                                     parse("", "SELECT v FROM t") + bind_to("") + execute() +
                                     sync());
    }
    CHECK(sqlstate_of(scene.client->take()) == "25006");
    CHECK(types(standby.take()).find("S") == std::string::npos);
}

TEST_CASE("begun: what comes behind a read that is asked elsewhere follows it there") {
    Scene scene;
    scene.config.pool.lazy_begin = true;
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    scene.say(*scene.client, kRead + query("SHOW a"));
    FakeStream& standby = scene.open_standby();
    CHECK(types(standby.take()) == "PBEQ");
    const std::string farewell = failure("57P01", "terminating connection", "FATAL");
    // The end of the answer comes with the begin of one more message.
    scene.say(standby, begun_at_server() + failure("40001", "conflict") + ready('E') +
                           farewell.substr(0, 3));
    CHECK(standby.sent.empty());
    scene.say(standby, farewell.substr(3));
    CHECK(types(scene.primary->take()) == "PBEQ");
    scene.say(*scene.primary, begun_at_server() + kRow + complete("SELECT 1") + ready('T'));
    CHECK(scene.primary->take() == query("SHOW a"));
}

TEST_CASE("begun: a statement that its client wants at a standby is not asked elsewhere") {
    Scene scene;
    scene.config.pool.lazy_begin = true;
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    scene.client->take();
    scene.say(*scene.client, query("/* pgweir: standby */ SELECT f()"));
    FakeStream& standby = scene.open_standby();
    CHECK(types(standby.take()) == "PBEQ");
    scene.say(standby, begun_at_server() + failure("25006", "cannot execute") + ready('E'));
    CHECK(types(scene.client->take()) == "EZ");
    CHECK(scene.primary->sent.empty());
}

TEST_CASE("begun: a stop lets it end, and sends its client away then") {
    LazyScene scene;
    scene.ask(kBegin);
    scene.rig.engine().drain();
    scene.rig.turn();
    CHECK_FALSE(scene.client.closed);
    SUBCASE("without a server") {
        const std::string told = scene.ask(query("COMMIT"));
        CHECK(types(told) == "CZE");
        CHECK(sqlstate_of(told) == "57P03");
        CHECK(scene.client.closed);
    }
    SUBCASE("with one") {
        scene.ask(kInsert);
        CHECK(types(scene.server.take()) == "PBEQ");
        scene.rig.say(scene.server, begun_at_server() + complete("INSERT 0 1") + ready('T'));
        CHECK_FALSE(scene.client.closed);
    }
}

TEST_CASE("begun: it counts as idle in a transaction, and not as idle outside") {
    LazyScene scene([](Rig& made) {
        made.config.timeouts.client_idle = 1s;
        made.config.timeouts.idle_transaction = 5s;
    });
    scene.ask(kBegin);
    scene.rig.pass(2s);
    CHECK_FALSE(scene.client.closed);
    scene.rig.pass(4s);
    CHECK(scene.client.closed);
    CHECK(sqlstate_of(scene.client.take()) == "25P03");
}

TEST_CASE("begun: one that reads chooses its standby with its first statement") {
    Scene scene;
    scene.config.pool.lazy_begin = true;
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    CHECK(scene.client->take() == kBegun);
    CHECK(scene.primary->sent.empty());
    SUBCASE("a read goes to one, and is asked elsewhere as a whole if that fails") {
        scene.say(*scene.client, kRead);
        FakeStream& standby = scene.open_standby();
        CHECK(types(standby.take()) == "PBEQ");
        scene.say(standby,
                  begun_at_server() + failure("40001", "conflict with recovery") + ready('E'));
        CHECK(scene.client->sent.empty());
        CHECK(standby.take() == query("ROLLBACK"));
        scene.say(standby, complete("ROLLBACK") + ready());
        CHECK(types(scene.primary->take()) == "PBEQ");
    }
    SUBCASE("what is no read goes to the primary") {
        scene.say(*scene.client, kWrite);
        CHECK(types(scene.primary->take()) == "PBEQ");
    }
}

TEST_CASE("begun: a client that has nothing waiting is read although all buffers are in use") {
    LazyScene scene([](Rig& made) { made.config.limits.input_buffers = 1; });
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, query("SELECT 1").substr(0, 3));
    scene.ask(kBegin);
    scene.ask(kInsert);
    scene.rig.say(scene.server, begun_at_server() + complete("INSERT 0 1") + ready('T'));
    CHECK_FALSE(scene.client.paused);
    CHECK(types(scene.client.take()) == "CZ");
}

}  // namespace pgweir::session
