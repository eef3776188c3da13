#include "pgweir/session/snapshot.h"

#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

}  // namespace

TEST_CASE("snapshot: a pool's clients and servers are counted by state") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 1; });
    rig.log_in();
    FakeStream& busy = rig.log_in();
    FakeStream& waiting = rig.log_in();
    rig.say(busy, query("SELECT 1"));
    rig.say(waiting, query("SELECT 2"));
    rig.process.now += 3s;

    const auto snapshot = take_snapshot(rig.engine(), Detail::Pools);
    REQUIRE(snapshot.pools.size() == 1);
    const PoolRow& row = snapshot.pools[0];
    CHECK(row.database == "app");
    CHECK(row.user == "ann");
    CHECK(row.clients_idle == 1);
    CHECK(row.clients_active == 1);
    CHECK(row.clients_waiting == 1);
    CHECK(row.servers_active == 1);
    CHECK(row.servers_idle == 0);
    CHECK(row.size == 1);
    CHECK(row.max_wait_us == 3'000'000);
    CHECK(row.last_problem.empty());
    CHECK(row.stats.queries == 1);
    CHECK(snapshot.clients.empty());
    CHECK(snapshot.servers.empty());
    CHECK(snapshot.stats.accepted == 3);
}

TEST_CASE("snapshot: logins, consoles and a pause of everything are shown") {
    Rig rig(with_operator);
    rig.connect();
    rig.open_console();
    rig.log_in();
    CHECK_FALSE(take_snapshot(rig.engine(), Detail::Pools).paused);
    rig.engine().pause("");
    const auto snapshot = take_snapshot(rig.engine(), Detail::Pools);
    CHECK(snapshot.login_clients == 1);
    CHECK(snapshot.console_clients == 1);
    CHECK(snapshot.paused);
    CHECK(snapshot.pools[0].state == PoolState::Paused);
}

TEST_CASE("snapshot: clients with what they do and since when") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.admin.users = {"ops"};
    });
    rig.log_in({
        {"application_name", "lazy"}
    });
    FakeStream& busy = rig.log_in();
    FakeStream& waiting = rig.log_in();
    rig.open_console();
    rig.process.now += 1s;
    rig.say(busy, query("SELECT 1"));
    // The last login left the server with its application_name: it changes to the client's first.
    if (count(rig, ServerState::Syncing) == 1) rig.answer(rig.server_of(busy));
    rig.say(waiting, query("SELECT 2"));
    rig.process.now += 2s;

    const auto snapshot = take_snapshot(rig.engine(), Detail::Clients);
    REQUIRE(snapshot.clients.size() == 4);
    std::map<std::string, const ClientRowData*> by_state;
    for (const auto& row : snapshot.clients) {
        if (row.database == "app") by_state[row.state] = &row;
    }
    REQUIRE(by_state.size() == 3);
    CHECK(by_state["idle"]->application_name == "lazy");
    CHECK(by_state["idle"]->linked_server == 0);
    CHECK(by_state["idle"]->request_us_ago == 3'000'000);
    CHECK(by_state["active"]->linked_server != 0);
    CHECK(by_state["active"]->wait_us == 0);
    CHECK(by_state["waiting"]->wait_us == 2'000'000);
    CHECK(by_state["waiting"]->connected_us_ago == 3'000'000);
    CHECK(by_state["waiting"]->address == "10.0.0.1:5001");
    CHECK(snapshot.clients.back().database == "pgbouncer");
}

TEST_CASE("snapshot: servers with their backend and their client") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& other = rig.log_in();
    rig.say(client, parse("s", "SELECT 1") + sync());
    rig.say(rig.server_of(client), message('1'));
    rig.say(other, query("SELECT 2"));  // opens a second one
    rig.process.now += 5s;

    auto snapshot = take_snapshot(rig.engine(), Detail::Servers);
    REQUIRE(snapshot.servers.size() == 2);
    const auto& opening = snapshot.servers[0];
    const auto& active = snapshot.servers[1];
    CHECK(opening.state == "new");
    CHECK(opening.opened_us_ago == 5'000'000);
    CHECK(active.state == "active");
    CHECK(active.pid == 4711);
    CHECK(active.prepared == 1);
    CHECK(active.linked_client != 0);
    CHECK_FALSE(active.close_needed);

    rig.engine().reconnect("");
    snapshot = take_snapshot(rig.engine(), Detail::Servers);
    CHECK(snapshot.servers[1].close_needed);
}

TEST_CASE("snapshot: memory that is held for clients") {
    Rig rig;
    FakeStream& client = rig.log_in();
    rig.say(client, parse("s", "SELECT 1") + sync());
    rig.say(rig.server_of(client), message('1') + ready());
    rig.say(client, "Q");
    const auto snapshot = take_snapshot(rig.engine(), Detail::Pools);
    CHECK(snapshot.statement_bytes == text("SELECT 1").size() + 2);
    CHECK(snapshot.buffer_bytes > 0);
}

}  // namespace pgweir::session
