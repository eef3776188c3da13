#include "rig.h"
#include "session/parts.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

void one_server(Rig& rig) {
    rig.config.pool.pool_size = 1;
}

}  // namespace

TEST_CASE("lending: an idle server is lent at once and comes back after the transaction") {
    Rig rig(one_server);
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();

    rig.say(client, query("SELECT 1"));
    CHECK(count(rig, ServerState::Active) == 1);
    CHECK(count(rig, ClientState::Attached) == 1);
    CHECK(server.take() == query("SELECT 1"));

    rig.answer(server);
    CHECK(client.take() == complete("SELECT 1") + ready());
    CHECK(count(rig, ServerState::Idle) == 1);
    CHECK(count(rig, ClientState::Idle) == 1);
    CHECK(rig.pool().stats.transactions == 1);
}

TEST_CASE("lending: a server stays with its client until the transaction is over") {
    Rig rig(one_server);
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();

    rig.say(client, query("BEGIN"));
    rig.answer(server, "BEGIN", 'T');
    CHECK(count(rig, ServerState::Active) == 1);

    rig.say(client, query("broken"));
    rig.say(server, failure("42601", "syntax error") + ready('E'));
    CHECK(count(rig, ServerState::Active) == 1);

    rig.say(client, query("ROLLBACK"));
    rig.answer(server, "ROLLBACK");
    CHECK(count(rig, ServerState::Idle) == 1);
    CHECK(rig.pool().stats.transactions == 1);
}

TEST_CASE("lending: a freed server goes to the oldest waiter, not to the idle list") {
    Rig rig(one_server);
    FakeStream& first = rig.log_in();
    FakeStream& oldest = rig.log_in();
    FakeStream& newest = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(first, query("SELECT 1"));
    rig.say(oldest, query("SELECT 2"));
    rig.say(newest, query("SELECT 3"));
    REQUIRE(count(rig, ClientState::Waiting) == 2);
    REQUIRE(server.take() == query("SELECT 1"));

    rig.answer(server);
    CHECK(server.take() == query("SELECT 2"));
    CHECK(count(rig, ClientState::Waiting) == 1);
    CHECK(count(rig, ServerState::Idle) == 0);

    rig.answer(server, "SELECT 2");
    CHECK(server.take() == query("SELECT 3"));
    CHECK(oldest.take() == complete("SELECT 2") + ready());
    CHECK(newest.sent.empty());
}

TEST_CASE("lending: a client that pipelines queues behind those that wait") {
    Rig rig(one_server);
    FakeStream& greedy = rig.log_in();
    FakeStream& other = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(greedy, query("SELECT 1"));
    rig.say(other, query("SELECT 2"));

    rig.answer(server);
    rig.say(greedy, query("SELECT 3"));
    CHECK(server.take() == query("SELECT 1") + query("SELECT 2"));
    CHECK(count(rig, ClientState::Waiting) == 1);
}

TEST_CASE("lending: the server that was used last serves next") {
    Rig rig;
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    rig.say(first, query("SELECT 1"));
    FakeStream& cold = *static_cast<FakeStream*>(server_in(rig, ServerState::Active).stream);
    rig.say(second, query("SELECT 2"));
    FakeStream& warm = rig.open();
    rig.answer(cold);
    rig.answer(warm, "SELECT 2");
    cold.take();
    warm.take();

    FakeStream& third = rig.log_in();
    rig.say(third, query("SELECT 3"));
    CHECK(warm.take() == query("SELECT 3"));
    CHECK(cold.sent.empty());
}

TEST_CASE("lending: whoever nobody has followed on its server finds it again") {
    Rig rig;
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    rig.say(first, query("SELECT 1"));
    FakeStream& own = *static_cast<FakeStream*>(server_in(rig, ServerState::Active).stream);
    rig.say(second, query("SELECT 2"));
    FakeStream& warm = rig.open();
    rig.answer(own);
    rig.answer(warm, "SELECT 2");
    own.take();
    rig.say(first, query("SELECT 3"));
    CHECK(own.take() == query("SELECT 3"));
}

TEST_CASE("lending: no more servers than the pool's size are opened") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 2; });
    rig.log_in();
    for (int i = 0; i < 5; ++i) rig.say(rig.log_in(), query("SELECT 1"));
    CHECK(rig.pool().share.open.load() == 2);
    CHECK(rig.shell().connects.size() == 1);
    rig.pass(10s);
    CHECK(rig.pool().share.open.load() == 2);
}

TEST_CASE("lending: servers are opened a few at a time") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 20;
        made.config.limits.opening_servers = 3;
    });
    rig.log_in();
    for (int i = 0; i < 10; ++i) rig.say(rig.log_in(), query("SELECT 1"));
    CHECK(rig.shell().connects.size() == 3);
    rig.open();
    CHECK(rig.shell().connects.size() == 3);
}

TEST_CASE("lending: the reserve opens when a client has waited for long") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.pool.reserve_size = 1;
        made.config.pool.reserve_after = 2s;
    });
    rig.say(rig.log_in(), query("SELECT 1"));
    rig.say(rig.log_in(), query("SELECT 2"));
    rig.pass(1s);
    CHECK(rig.shell().connects.empty());
    rig.pass(1s);
    CHECK(rig.shell().connects.size() == 1);
    CHECK(rig.pool().share.open.load() == 2);
}

TEST_CASE("lending: max_servers of a database and of a user hold over all of their pools") {
    Rig rig([](Rig& made) {
        made.config.databases["app"].pool.max_servers = 1;
        made.config.users["bob"].pool.max_servers = 1;
    });
    FakeStream& ann = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(ann, query("SELECT 1"));
    FakeStream& bob = rig.connect();
    rig.say(bob, startup({
                     {"user",     "bob"},
                     {"database", "app"}
    }));
    CHECK(rig.shell().connects.empty());
    CHECK(rig.process.databases["app"].servers.load() == 1);
    CHECK(rig.process.databases["app"].starving.load() == 1);
    CHECK(rig.process.users["bob"].servers.load() == 0);
    CHECK(rig.engine().pool("app", "bob").share.open.load() == 0);

    // A server that idles while another pool waits for its place makes room.
    rig.answer(server);
    CHECK(server.finished);
    CHECK(rig.shell().connects.size() == 1);
    CHECK(rig.engine().pool("app", "bob").share.open.load() == 1);
    CHECK(rig.process.databases["app"].starving.load() == 0);
}

TEST_CASE("lending: an idle server goes when a client of another pool needs its place") {
    Rig rig([](Rig& made) { made.config.databases["app"].pool.max_servers = 1; });
    rig.log_in();
    FakeStream& server = rig.idle_server();
    FakeStream& bob = rig.connect();
    rig.say(bob, startup({
                     {"user",     "bob"},
                     {"database", "app"}
    }));
    CHECK(server.finished);
    CHECK(rig.shell().connects.size() == 1);
}

TEST_CASE("lending: a client beyond the queue's limit is refused with 53300") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.limits.queue = 1;
    });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& third = rig.log_in();
    rig.say(first, query("SELECT 1"));
    rig.say(second, query("SELECT 1"));
    rig.say(third, query("SELECT 1"));
    CHECK(sqlstate_of(third.sent) == "53300");
    CHECK(field_of(third.sent, 'S') == "FATAL");
    CHECK(third.closed);
    CHECK_FALSE(second.closed);
    CHECK(rig.pool().stats.queue_refusals == 1);
}

TEST_CASE("lending: a server with other settings takes the client's before its first bytes") {
    Rig rig(one_server);
    FakeStream& plain = rig.log_in();
    FakeStream& server = rig.idle_server();
    FakeStream& named = rig.log_in({
        {"application_name", "job"}
    });
    server.take();

    rig.say(named, query("SELECT 1"));
    const auto asked = split(server.take());
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].body == text("SELECT pg_catalog.set_config(E'application_name',E'job',false)"));
    CHECK(count(rig, ServerState::Syncing) == 1);

    SUBCASE("the answer is the server's, not the client's") {
        rig.say(server, message('T', be16(0)) + message('D', be16(0)) + complete("SELECT 1") +
                            parameter("application_name", "job") + ready());
        CHECK(named.sent.empty());
        CHECK(server.take() == query("SELECT 1"));
        rig.answer(server);
        CHECK(named.take() == complete("SELECT 1") + ready());
    }
    SUBCASE("like-minded clients pay nothing") {
        rig.say(server, complete("SELECT 1") + parameter("application_name", "job") + ready());
        rig.answer(server);
        server.take();
        FakeStream& alike = rig.log_in({
            {"application_name", "job"}
        });
        rig.say(alike, query("SELECT 2"));
        CHECK(server.take() == query("SELECT 2"));
    }
    SUBCASE("the next one with other settings gets its own") {
        rig.say(server, complete("SELECT 1") + parameter("application_name", "job") + ready());
        rig.answer(server);
        server.take();
        rig.say(plain, query("SELECT 3"));
        CHECK(server.take() ==
              query("SELECT pg_catalog.set_config(E'application_name',E'',false)"));
    }
    CHECK(rig.pool().stats.settings_applied >= 2);
}

TEST_CASE("lending: what a client sets in its session follows it") {
    Rig rig(one_server);
    FakeStream& setter = rig.log_in();
    FakeStream& other = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(setter, query("SET TimeZone = 'Asia/Tokyo'"));
    rig.say(server, complete("SET") + parameter("TimeZone", "Asia/Tokyo") + ready());
    CHECK(types(setter.take()) == "CSZ");
    CHECK(server.take() == query("SET TimeZone = 'Asia/Tokyo'"));

    rig.say(other, query("SELECT 1"));
    CHECK(server.take() == query("SELECT pg_catalog.set_config(E'TimeZone',E'Etc/UTC',false)"));
    rig.say(server, complete("SELECT 1") + parameter("TimeZone", "Etc/UTC") + ready());
    rig.answer(server);
    server.take();

    rig.say(setter, query("SELECT 2"));
    CHECK(server.take() == query("SELECT pg_catalog.set_config(E'TimeZone',E'Asia/Tokyo',false)"));
}

TEST_CASE("lending: a client whose settings are refused is sent away, the server serves on") {
    Rig rig(one_server);
    FakeStream& client = rig.begin_login({
        {"datestyle", "nonsense"}
    });
    FakeStream& server = rig.open();
    server.take();
    rig.say(server, failure("22023", "invalid value for parameter \"DateStyle\"") + ready());
    CHECK(sqlstate_of(client.sent) == "22023");
    CHECK(field_of(client.sent, 'S') == "FATAL");
    CHECK(client.closed);
    CHECK_FALSE(server.closed);
    CHECK(count(rig, ServerState::Idle) == 1);
}

TEST_CASE("lending: a server that was idle for long is asked before it is lent") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.timeouts.server_check = 30s;
    });
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.process.now += 31s;

    rig.say(client, query("SELECT 1"));
    CHECK(server.take() == query(""));
    CHECK(count(rig, ServerState::Checking) == 1);
    CHECK(count(rig, ClientState::Waiting) == 1);

    SUBCASE("it answers") {
        rig.say(server, message('I') + ready());
        CHECK(server.take() == query("SELECT 1"));
        CHECK(client.sent.empty());
    }
    SUBCASE("it is gone: the client gets another one and notices nothing") {
        rig.lose(server);
        CHECK_FALSE(client.closed);
        FakeStream& fresh = rig.open();
        CHECK(fresh.take() == query("SELECT 1"));
        CHECK(client.sent.empty());
    }
}

TEST_CASE("lending: a client that leaves while it waits leaves the queue") {
    Rig rig(one_server);
    FakeStream& first = rig.log_in();
    FakeStream& leaving = rig.log_in();
    FakeStream& last = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.say(first, query("SELECT 1"));
    rig.say(leaving, query("SELECT 2"));
    rig.say(last, query("SELECT 3"));
    rig.lose(leaving);
    CHECK(count(rig, ClientState::Waiting) == 1);
    server.take();
    rig.answer(server);
    CHECK(server.take() == query("SELECT 3"));
}

TEST_CASE("lending: a worker that idles a server gives it to the other whose client waits") {
    Rig rig(2, one_server);
    FakeStream& here = rig.log_in({}, 0);
    FakeStream& server = rig.idle_server();
    FakeStream& there = rig.begin_login({}, 1);
    // The other worker wants it for its login; it is lent, used, and stays there.
    CHECK(types(server.take()) == "Q");
    rig.say(server, message('I') + ready());
    CHECK(types(there.take()).back() == 'Z');
    CHECK(rig.pool(1).in(ServerState::Idle).size() == 1);
    CHECK(rig.pool(0).server_count() == 0);
    CHECK(rig.pool(0).stats.servers_lent == 1);

    rig.say(there, query("SELECT 1"));
    rig.say(here, query("SELECT 2"));
    CHECK(server.take() == query("SELECT 1"));
    CHECK(rig.shell(0).connects.empty());
    rig.process.now += 1s;
    rig.answer(server);
    CHECK(server.take() == query("SELECT 2"));
    CHECK(rig.pool(0).in(ServerState::Active).size() == 1);
    CHECK(rig.process.streams.size() == 3);
}

TEST_CASE("lending: WantServer is answered with an idle server and everything known of it") {
    Rig rig(2, one_server);
    rig.log_in({}, 0);
    rig.hold_posts = true;
    rig.begin_login({}, 1);
    REQUIRE(rig.shell(1).posts.size() == 1);
    CHECK(std::get<WantServer>(rig.shell(1).posts.front().second).from == 1);
    CHECK(rig.shell(1).posts.front().first == 0);
    CHECK(rig.shell(1).connects.empty());

    rig.engine(0).receive(std::move(rig.shell(1).posts.front().second));
    rig.shell(1).posts.clear();
    REQUIRE(rig.shell(0).posts.size() == 1);
    auto& lent = std::get<LentServer>(rig.shell(0).posts.front().second);
    CHECK(lent.server->key.pid == 4711);
    CHECK(lent.server->key.key == "key!");
    CHECK(lent.server->settings == lent.server->base);
    CHECK(rig.pool(0).share.open.load() == 1);  // the permit goes with it
    CHECK_FALSE(rig.pool(0).share.idle(0));

    rig.engine(1).receive(std::move(rig.shell(0).posts.front().second));
    rig.shell(0).posts.clear();
    CHECK(rig.pool(1).in(ServerState::Syncing).size() == 1);
    CHECK(rig.pool(1).share.open.load() == 1);
}

TEST_CASE("lending: WantServer comes to nothing when nobody waits any more") {
    Rig rig(2, one_server);
    rig.log_in({}, 0);
    rig.hold_posts = true;
    FakeStream& impatient = rig.begin_login({}, 1);
    rig.lose(impatient);
    rig.engine(0).receive(std::move(rig.shell(1).posts.front().second));
    rig.shell(1).posts.clear();
    CHECK(rig.shell(0).posts.empty());
    CHECK(rig.pool(0).in(ServerState::Idle).size() == 1);
}

TEST_CASE("lending: a server that arrives after its client left stays idle where it is") {
    Rig rig(2, one_server);
    rig.log_in({}, 0);
    rig.hold_posts = true;
    FakeStream& impatient = rig.begin_login({}, 1);
    rig.engine(0).receive(std::move(rig.shell(1).posts.front().second));
    rig.shell(1).posts.clear();
    rig.lose(impatient);
    rig.engine(1).receive(std::move(rig.shell(0).posts.front().second));
    rig.shell(0).posts.clear();
    CHECK(rig.pool(1).in(ServerState::Idle).size() == 1);
    CHECK(rig.pool(1).share.idle(1));
    CHECK(rig.pool(1).share.open.load() == 1);
}

TEST_CASE("lending: two workers together open no more than the pool's size") {
    Rig rig(2, [](Rig& made) { made.config.pool.pool_size = 3; });
    rig.log_in({}, 0);
    rig.log_in({}, 1);
    for (int i = 0; i < 8; ++i) {
        rig.say(rig.log_in({}, 0), query("SELECT 1"));
        rig.say(rig.log_in({}, 1), query("SELECT 1"));
        CHECK(rig.pool(0).share.open.load() <= 3);
    }
    CHECK(rig.pool(0).share.open.load() == 3);
    CHECK(rig.pool(0).server_count() + rig.pool(1).server_count() == 3);
}

TEST_CASE("lending: a permit that comes free in one worker opens a server in the other") {
    Rig rig(2, one_server);
    FakeStream& here = rig.log_in({}, 0);
    FakeStream& server = rig.idle_server();
    rig.say(here, query("SELECT 1"));
    rig.begin_login({}, 1);
    REQUIRE(rig.shell(1).connects.empty());
    rig.lose(server);
    CHECK(rig.shell(1).connects.size() == 1);
    CHECK(rig.shell(0).connects.empty());
    CHECK(rig.pool(1).share.open.load() == 1);
}

TEST_CASE("lending: the statements of a server that is lent go with it, oldest use first") {
    Rig rig(2, one_server);
    FakeStream& here = rig.log_in({}, 0);
    FakeStream& server = rig.idle_server();
    rig.say(here, parse("a", "SELECT 1") + parse("b", "SELECT 2") + sync());
    rig.say(server, message('1') + message('1') + ready());
    server.take();
    FakeStream& there = rig.log_in({}, 1);
    (void)there;
    ServerConn& moved = rig.pool(1).in(ServerState::Idle).front();
    CHECK(moved.statements.size() == 2);
    CHECK(moved.statements.use(auth::digest128({as_bytes(text("SELECT 1") + be16(0))}), 0) ==
          ServerStatements::State::Present);
}

TEST_CASE("lending: a server with a backlog or with half a message is not lent to a worker") {
    Rig rig(2, one_server);
    rig.log_in({}, 0);
    FakeStream& server = rig.idle_server();
    SUBCASE("half a message") {
        rig.say(server, parameter("TimeZone", "UTC").substr(0, 7));
    }
    SUBCASE("a backlog") {
        server.backlog_bytes = 1;
    }
    rig.hold_posts = true;
    rig.begin_login({}, 1);
    rig.engine(0).receive(std::move(rig.shell(1).posts.front().second));
    rig.shell(1).posts.clear();
    CHECK(rig.shell(0).posts.empty());
}

// Known fault: can_move looks at the inbox, not at `passing`.
TEST_CASE("lending: a server in the middle of a long message is not lent to a worker") {
    Rig rig(2, one_server);
    rig.log_in({}, 0);
    rig.say(rig.idle_server(), message('N', std::string(100, 'x')).substr(0, 50));
    rig.hold_posts = true;
    rig.begin_login({}, 1);
    rig.engine(0).receive(std::move(rig.shell(1).posts.front().second));
    rig.shell(1).posts.clear();
    CHECK(rig.shell(0).posts.empty());
}

TEST_CASE("lending: a server that refuses temp_buffers is replaced, once") {
    Rig rig([](Rig& fresh) { fresh.config.pool.pool_size = 1; });
    FakeStream& client = rig.log_in();
    FakeStream& other = rig.log_in();
    FakeStream& server = rig.idle_server();
    rig.hold_censuses = true;
    rig.say(client, query("SET temp_buffers = 100"));
    rig.answer(server, "SET");
    rig.say(server, census_row("s", "temp_buffers", "100") + complete("SELECT 1") + ready());
    rig.say(other, query("SELECT 1"));
    rig.answer(server, "RESET");
    rig.answer(server);
    server.take();
    const std::string refusal =
        failure("22023", "invalid value for parameter \"temp_buffers\": 100") + ready();
    rig.say(client, query("SELECT 2"));
    rig.say(server, refusal);
    CHECK(server.finished);
    CHECK_FALSE(client.closed);
    FakeStream& fresh = rig.open();
    CHECK(fresh.take().find("temp_buffers") != std::string::npos);
    client.take();
    rig.say(fresh, refusal);
    CHECK(client.closed);
    CHECK(sqlstate_of(client.take()) == "22023");
}

}  // namespace pgweir::session
