#include "pgweir/session/engine.h"

#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

}  // namespace

TEST_CASE("back-off: the pause doubles from 100 ms to the limit, less a quarter at most") {
    Prng prng(7);
    BackOff back_off;
    for (const Duration longest : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        const Duration pause = back_off.failed(1s, prng);
        CHECK(pause <= longest);
        CHECK(pause >= longest * 3 / 4);
    }
    CHECK(back_off.failures() == 6);
    back_off.succeeded();
    CHECK(back_off.failures() == 0);
    CHECK(back_off.failed(1s, prng) <= 100ms);
}

TEST_CASE("back-off: after any number of failures the pause stays at its limit") {
    Prng prng(7);
    BackOff back_off;
    for (int i = 0; i < 1000; ++i) {
        const Duration pause = back_off.failed(15s, prng);
        REQUIRE(pause > Duration::zero());
        REQUIRE(pause <= 15s);
    }
}

TEST_CASE("back-off: pauses differ, so that nobody knocks together") {
    Prng prng(7);
    BackOff one;
    BackOff other;
    CHECK(one.failed(1s, prng) != other.failed(1s, prng));
}

TEST_CASE(
    "known statements: they are remembered, and forgotten all at once when there are too many") {
    KnownStatements known;
    const auto digest = [](uint32_t number) {
        Digest128 made{};
        store_be32(made.data(), number);
        return made;
    };
    known.add(digest(1));
    CHECK(known.contains(digest(1)));
    CHECK_FALSE(known.contains(digest(2)));
    for (uint32_t i = 2; i < 20000; ++i) known.add(digest(i));
    CHECK_FALSE(known.contains(digest(1)));
    CHECK(known.contains(digest(19999)));
}

TEST_CASE("engine: what it accepts is counted, closed and given back") {
    Rig rig;
    std::vector<FakeStream*> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(&rig.connect());
    CHECK(rig.engine().client_count() == 200);
    CHECK(rig.engine().stats().accepted == 200);
    for (FakeStream* client : clients) rig.lose(*client);
    CHECK(rig.engine().client_count() == 0);
    CHECK(rig.process.share.clients.load() == 0);
    CHECK(rig.process.share.logins.load() == 0);
}

TEST_CASE("engine: a closed client is given back at the end of the turn, not before") {
    Rig rig;
    FakeStream& client = rig.connect();
    client.owner->on_lost("gone");
    CHECK(rig.engine().client_count() == 1);
    CHECK(rig.shell().reap_due);
    rig.turn();
    CHECK(rig.engine().client_count() == 0);
}

TEST_CASE("engine: it ends with everything closed and every permit given back") {
    FakeProcess* process = nullptr;
    auto rig = std::make_unique<Rig>();
    process = &rig->process;
    FakeStream& idle = rig->log_in();
    FakeStream& busy = rig->log_in();
    FakeStream& server = rig->idle_server();
    rig->say(busy, query("SELECT 1"));
    rig->begin_login({
        {"datestyle", "SQL"}
    });
    rig->engine().close_everything();
    rig->turn();
    CHECK(sqlstate_of(idle.sent) == "57P03");
    CHECK(idle.closed);
    CHECK(busy.closed);
    CHECK(server.closed);
    CHECK(process->share.clients.load() == 0);
    CHECK(process->share.logins.load() == 0);
    CHECK(rig->pool().share.open.load() == 0);
    CHECK(process->databases["app"].servers.load() == 0);
    CHECK(process->users["ann"].clients.load() == 0);
}

TEST_CASE("engine: pools are made once for each database and user") {
    Rig rig;
    Pool& one = rig.engine().pool("app", "ann");
    CHECK(&rig.engine().pool("app", "ann") == &one);
    CHECK(&rig.engine().pool("app", "bob") != &one);
    CHECK(rig.engine().find_pool(one.share) == &one);
}

TEST_CASE("engine: what a pool may do comes from its user, its database and the defaults") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 20;
        made.config.databases["app"].pool.pool_size = 10;
        made.config.databases["app"].pool.pool_mode = config::PoolMode::Session;
        made.config.users["bob"].pool.pool_size = 3;
    });
    CHECK(rig.engine().pool("app", "ann").limits.size == 10);
    CHECK(rig.engine().pool("app", "bob").limits.size == 3);
    CHECK(rig.engine().pool("app", "bob").limits.mode == config::PoolMode::Session);
    rig.config.users["bob"].pool.pool_size = 4;
    rig.engine().reload(rig.setup());
    CHECK(rig.engine().pool("app", "bob").limits.size == 4);
}

TEST_CASE("engine: messages about pools that this worker never had are ignored") {
    Rig rig(2, [](Rig&) {});
    PoolShare& share = rig.shell(0).pool_share({"other", "bob"});
    share.publish_oldest_wait(1, 5);
    rig.engine(0).receive(WantServer{&share, 1});
    rig.engine(0).receive(PermitFreed{&share});
    rig.engine(0).receive(CancelQuery{12345, "key"});
    CHECK(rig.shell(0).posts.empty());
    CHECK(rig.engine(0).stats().cancels_unknown == 1);
}

TEST_CASE("engine: an answer of the console for a client that is gone reaches nobody") {
    Rig rig(with_operator);
    FakeStream& client = rig.open_console();
    rig.say(client, query("SHOW POOLS"));
    const Handle handle = rig.shell().console_asked[0].client;
    rig.lose(client);
    FakeStream& successor = rig.connect();
    rig.engine().console_reply(handle, as_bytes(ready()), false);
    CHECK(successor.sent.empty());
}

TEST_CASE("permits: no more are taken than the limit, and zero is no limit") {
    std::atomic<uint32_t> count{0};
    CHECK(try_take(count, 2));
    CHECK(try_take(count, 2));
    CHECK_FALSE(try_take(count, 2));
    give_back(count);
    CHECK(try_take(count, 2));
    CHECK(try_take(count, 0));
    CHECK(count.load() == 3);
}

}  // namespace pgweir::session
