#include "routing_scene.h"
#include "session/parts.h"

/// Requests and the nodes that they go to.
namespace pgweir::session {

using namespace std::chrono_literals;

TEST_CASE("routing: a read goes to the standby, and what it says to the client") {
    ReadingScene scene;
    CHECK(scene.last_node() == "pg2");
    scene.say(*scene.standby, kRow + complete("SELECT 1") + ready());
    CHECK(scene.client->take() == kRow + complete("SELECT 1") + ready());
    CHECK(scene.primary->sent.empty());
    // The same server again; it needs no settings, for it looks like the primary's.
    scene.say(*scene.client, kRead);
    CHECK(scene.standby->take() == kRead);
}

TEST_CASE("routing: whoever wrote reads at the primary until a standby shows it") {
    Scene scene;
    scene.say(*scene.client, kWrite);
    CHECK(scene.primary->take() == kWrite);
    scene.answer(*scene.primary, "DELETE 1");
    scene.client->take();
    scene.progress->publish(1, 1);  // a sample of before
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->take() == kRead);
    scene.answer(*scene.primary);
    scene.progress->publish(1, scene.progress->begin_question());
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->sent.empty());
    CHECK(scene.open_standby().take() == kRead);
}

TEST_CASE("routing: with eventual consistency nobody waits for what it wrote") {
    Scene scene;
    scene.config.clusters["main"].routing.consistency = config::Consistency::Eventual;
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, kWrite);
    scene.answer(*scene.primary, "DELETE 1");
    scene.primary->take();
    scene.say(*scene.client, kRead);
    CHECK(scene.open_standby().take() == kRead);
}

TEST_CASE("routing: with the database's consistency nobody reads before what anybody wrote") {
    Scene scene;
    scene.config.clusters["main"].routing.consistency = config::Consistency::Database;
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, kWrite);
    scene.answer(*scene.primary, "DELETE 1");
    scene.primary->take();
    FakeStream& other = scene.log_in();
    scene.say(other, kRead);
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("routing: with the database's consistency a transaction shows what is told during it") {
    Scene scene;
    scene.config.clusters["main"].routing.consistency = config::Consistency::Database;
    scene.engine().reload(scene.setup());
    scene.progress->publish(1, scene.progress->begin_question());
    // Its snapshot is taken later than it begins.
    for (const char* begin :
         {"BEGIN READ ONLY", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}) {
        CAPTURE(begin);
        scene.say(*scene.client, query(begin));
        CHECK(scene.primary->take() == query(begin));
        scene.answer(*scene.primary, "BEGIN", 'T');
        scene.say(*scene.client, query("COMMIT"));
        scene.answer(*scene.primary, "COMMIT");
        scene.primary->take();
    }
    scene.say(*scene.client, kRead);  // each by itself may go there
    CHECK(scene.open_standby().take() == kRead);
}

TEST_CASE("routing: what a READ ONLY transaction refuses is no write that others wait for") {
    Scene scene;
    auto& routing = scene.config.clusters["main"].routing;
    routing.consistency = config::Consistency::Database;
    routing.rules.resize(1);
    routing.rules[0].pattern = "select f()";  // what it does nobody knows
    routing.rules[0].route = config::RuleRoute::Standby;
    scene.engine().reload(scene.setup());
    scene.progress->publish(1, scene.progress->begin_question());
    const auto at_primary = [&](const std::string& sql, char status) {
        scene.say(*scene.client, query(sql));
        REQUIRE(scene.primary->take() == query(sql));
        scene.answer(*scene.primary, "SELECT 1", status);
    };
    at_primary("BEGIN READ ONLY", 'T');
    bool waits = false;
    SUBCASE("a function's") {}
    SUBCASE("unless it was made another one") {
        at_primary("SET TRANSACTION READ WRITE", 'T');
        waits = true;
    }
    at_primary("SELECT f()", 'T');
    at_primary("COMMIT", 'I');
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->sent.empty() != waits);
}

TEST_CASE("routing: who asks for a standby gets it for a transaction, whatever is told during it") {
    Scene scene;
    scene.config.clusters["main"].routing.consistency = config::Consistency::Database;
    scene.engine().reload(scene.setup());
    scene.progress->publish(1, scene.progress->begin_question());
    const std::string begin = query("/* pgweir: standby */ BEGIN READ ONLY");
    scene.say(*scene.client, begin);
    CHECK(scene.open_standby().take() == begin);
}

TEST_CASE("routing: a query that its standby skips holds no Sync back") {
    Scene scene;
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    FakeStream& standby = scene.open_standby();
    scene.answer(standby, "BEGIN", 'T');
    standby.take();
    scene.say(*scene.client, bind_to("none") + execute() + flush());
    scene.say(standby, failure("26000", "prepared statement does not exist"));
    standby.take();
    scene.say(*scene.client, kRead + sync());
    CHECK(standby.take() == kRead + sync());
}

TEST_CASE("routing: of what a standby says before it counts no more is kept than has a limit") {
    ReadingScene scene;
    const std::string columns = message('T', be16(0) + std::string(30000, 'x'));
    for (int i = 0; i < 3; ++i) scene.say(*scene.standby, columns);
    CHECK(scene.client->sent.empty());
    scene.say(*scene.standby, columns);
    CHECK(types(scene.client->take()) == "TTTT");
    scene.say(*scene.standby, failure("25006", "read-only") + ready());
    CHECK(types(scene.client->take()) == "EZ");
}

TEST_CASE("routing: an open write is waited for only from when it is told") {
    Scene scene;
    scene.say(*scene.client, query("BEGIN"));
    scene.answer(*scene.primary, "BEGIN", 'T');
    scene.say(*scene.client, kRead);
    scene.answer(*scene.primary, "SELECT 1", 'T');
    scene.say(*scene.client, query("COMMIT"));
    scene.answer(*scene.primary, "COMMIT");
    scene.primary->take();
    scene.say(*scene.client, kRead);  // that transaction wrote nothing
    CHECK(scene.open_standby().take() == kRead);
}

TEST_CASE("routing: a statement writes when it is bound, not when it is parsed") {
    Scene scene;
    scene.say(*scene.client, parse("w", "DELETE FROM t") + sync());
    scene.say(*scene.primary, message('1') + ready());
    scene.primary->take();
    scene.say(*scene.client, kRead);
    FakeStream& standby = scene.open_standby();
    CHECK(standby.take() == kRead);
    scene.say(standby, kRow + complete("SELECT 1") + ready());
    scene.say(*scene.client, bind_to("w") + execute() + sync());
    CHECK(types(scene.primary->take()) == "BES");
    scene.say(*scene.primary, message('2') + complete("DELETE 1") + ready());
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->take() == kRead);
    CHECK(standby.sent.empty());
}

TEST_CASE("routing: what a standby says before an error is not told, and the primary is asked") {
    ReadingScene scene;
    const std::string cut = message('T', be16(0));
    scene.say(*scene.standby, cut);
    CHECK(scene.client->sent.empty());
    scene.say(*scene.standby, failure("40001", "conflict with recovery"));
    CHECK(scene.client->sent.empty());
    CHECK(scene.primary->sent.empty());
    scene.say(*scene.standby, ready());
    CHECK(scene.primary->take() == kRead);
    scene.say(*scene.primary, kRow + complete("SELECT 1") + ready());
    CHECK(scene.client->take() == kRow + complete("SELECT 1") + ready());
    // It is still a read.
    scene.progress->publish(1, scene.progress->begin_question());
    scene.say(*scene.client, kRead);
    CHECK(scene.standby->take() == kRead);
}

TEST_CASE("routing: what a standby says behind its error is not told either") {
    ReadingScene scene;
    scene.say(*scene.standby, failure("40001", "conflict with recovery"));
    scene.say(*scene.standby, message('N', "SWARNING" + text("") + text("")) + ready());
    CHECK(scene.client->sent.empty());
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("routing: what was refused as a write is for the primary from then on") {
    ReadingScene scene;
    scene.say(*scene.standby, failure("25006", "cannot execute") + ready());
    CHECK(scene.primary->take() == kRead);
    scene.answer(*scene.primary);
    scene.progress->publish(1, scene.progress->begin_question());
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("routing: once a row is told, the error behind it is too") {
    ReadingScene scene;
    const std::string answer = kRow + failure("40001", "conflict with recovery") + ready();
    scene.say(*scene.standby, answer);
    CHECK(scene.client->take() == answer);
    CHECK(scene.primary->sent.empty());
}

TEST_CASE("routing: a cancelled read is not asked again") {
    ReadingScene scene;
    scene.say(*scene.standby, failure("57014", "canceling statement") + ready());
    CHECK(sqlstate_of(scene.client->take()) == "57014");
    CHECK(scene.primary->sent.empty());
}

TEST_CASE("routing: what a client wanted to end is not asked again when its standby fails it") {
    ReadingScene scene;
    ClientSession& session = scene.engine().in(ClientState::Attached).front();
    const std::string key(as_text(Bytes(session.key.bytes).first(session.key.size)));
    scene.say(scene.connect(), cancel_request(session.pid, key));
    SUBCASE("it says why") {
        scene.say(*scene.standby, failure("40001", "conflict with recovery") + ready());
    }
    SUBCASE("it is lost") {
        scene.lose(*scene.standby);
    }
    const std::string told = scene.client->take();
    CHECK(types(told) == "EZ");
    CHECK(sqlstate_of(told) == "57014");
    CHECK(scene.primary->sent.empty());
    scene.say(*scene.client, kWrite);
    CHECK(scene.primary->take() == kWrite);
}

TEST_CASE("routing: what is closed and described in front of an error is not told either") {
    Scene scene;
    const std::string request = message('C', "P" + text("")) + parse("", "SELECT v FROM t") +
                                describe("") + bind_to("") + execute() + sync();
    scene.say(*scene.client, request);
    FakeStream& standby = scene.open_standby();
    CHECK(standby.take() == request);
    scene.say(standby, message('3') + message('1') + message('t', be16(0)) + message('T', be16(0)) +
                           message('2') + failure("25006", "read-only transaction") + ready());
    CHECK(scene.client->sent.empty());
    CHECK(scene.primary->take() == request);
}

TEST_CASE("routing: a standby that is lost, or says farewell, costs its reader nothing") {
    ReadingScene scene;
    SUBCASE("lost") {}
    SUBCASE("farewell") {
        scene.say(*scene.standby, failure("57P01", "terminating connection", "FATAL"));
        CHECK(scene.client->sent.empty());
    }
    scene.lose(*scene.standby);
    CHECK(scene.primary->take() == kRead);
    scene.say(*scene.primary, kRow + complete("SELECT 1") + ready());
    CHECK(scene.client->take() == kRow + complete("SELECT 1") + ready());
}

TEST_CASE("routing: a farewell behind an answer costs nothing either") {
    ReadingScene scene;
    scene.say(*scene.standby, kRow + complete("SELECT 1") + ready() +
                                  failure("57P01", "terminating connection", "FATAL"));
    CHECK(types(scene.client->take()) == "TDCZ");
    scene.say(*scene.client, kWrite);
    CHECK(scene.primary->take() == kWrite);
}

TEST_CASE("routing: who waits for a standby that takes no reads any more goes elsewhere") {
    ReadingScene scene;
    FakeStream& second = scene.log_in();
    scene.say(second, kRead);  // the one server of pg2 is taken
    CHECK(scene.primary->sent.empty());
    scene.tell(Reading::Drains, Reading::Drains);
    CHECK(scene.primary->take() == kRead);
    scene.say(*scene.standby, kRow + complete("SELECT 1") + ready());
    CHECK(types(scene.client->take()) == "TDCZ");
}

TEST_CASE("routing: a node that answers no more loses its readers, and what was told of it stays") {
    ReadingScene scene;
    SUBCASE("nothing was told") {
        scene.tell(Reading::Lost, Reading::Drains);
        CHECK(scene.standby->closed);
        CHECK(scene.primary->take() == kRead);
    }
    SUBCASE("a row was") {
        scene.say(*scene.standby, kRow);
        scene.tell(Reading::Lost, Reading::Drains);
        CHECK_FALSE(scene.standby->closed);
        CHECK(scene.primary->sent.empty());
    }
}

TEST_CASE("routing: another epoch cuts no standby off") {
    ReadingScene scene;
    scene.tell(Reading::Takes, Reading::Drains, 2);
    CHECK_FALSE(scene.standby->closed);
    CHECK_FALSE(scene.client->closed);
}

TEST_CASE("routing: a batch is judged as a whole, wherever the network cuts it") {
    Scene scene;
    const std::string batch = parse("", "SELECT v FROM t") + bind_to("") + execute() + sync();
    scene.dribble(*scene.client, batch.substr(0, batch.size() - 1));
    CHECK(scene.shell().connects.empty());
    scene.say(*scene.client, batch.substr(batch.size() - 1));
    CHECK(scene.open_standby().take() == batch);
}

TEST_CASE("routing: a batch with a write in it, or without an end, is for the primary") {
    Scene scene;
    std::string batch = parse("", "SELECT v FROM t") + bind_to("") + execute();
    SUBCASE("a write") {
        batch += parse("", "DELETE FROM t") + bind_to("") + execute() + sync();
    }
    SUBCASE("a flush") {
        batch += flush();
    }
    SUBCASE("a name") {
        batch = parse("s", "SELECT v FROM t") + sync();
    }
    scene.say(*scene.client, batch);
    CHECK_FALSE(scene.primary->sent.empty());
}

TEST_CASE("routing: what comes behind a read is judged anew") {
    Scene scene;
    scene.say(*scene.client, kRead + kWrite);
    FakeStream& standby = scene.open_standby();
    CHECK(standby.take() == kRead);
    CHECK(scene.primary->sent.empty());
    scene.say(standby, kRow + complete("SELECT 1") + ready());
    CHECK(standby.sent.empty());
    CHECK(scene.primary->take() == kWrite);
}

TEST_CASE("routing: a read-only transaction stays at its standby, and what follows it does not") {
    Scene scene;
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    FakeStream& standby = scene.open_standby();
    CHECK(standby.take() == query("BEGIN READ ONLY"));
    scene.answer(standby, "BEGIN", 'T');
    scene.say(*scene.client, kRead);
    CHECK(standby.take() == kRead);
    scene.answer(standby, "SELECT 1", 'T');
    scene.say(*scene.client, query("COMMIT") + kWrite);
    CHECK(standby.take() == query("COMMIT"));
    scene.answer(standby, "COMMIT");
    CHECK(scene.primary->take() == kWrite);
}

TEST_CASE("routing: in a read-only transaction nothing is asked elsewhere") {
    Scene scene;
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    FakeStream& standby = scene.open_standby();
    scene.answer(standby, "BEGIN", 'T');
    scene.client->take();
    scene.say(*scene.client, kRead);
    scene.lose(standby);
    CHECK(sqlstate_of(scene.client->take()) == "08006");
}

TEST_CASE("routing: a node that is not what it was taken for is not used") {
    Scene scene;
    scene.say(*scene.client, kRead);
    scene.open(0, kPrimarySays);  // promoted a moment ago
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("routing: what changes the catalogue is told when it is over") {
    Scene scene;
    scene.say(*scene.client, query("CREATE TABLE u ()"));
    CHECK(scene.shell().changed_catalogues.empty());
    scene.answer(*scene.primary, "CREATE TABLE");
    CHECK(scene.shell().changed_catalogues == std::vector<std::string>{"main/app"});
}

TEST_CASE("routing: whose requests could be routed asks for a catalogue, once in a while") {
    Scene scene;
    auto& missed = scene.shell().missed_catalogues;
    const auto ask = [&] {
        scene.say(*scene.client, kRead);
        CHECK(scene.primary->take() == kRead);
        scene.answer(*scene.primary);
    };
    const auto become = [&](config::Reads reads) {
        scene.config.clusters["main"].routing.reads = reads;
        scene.engine().reload(scene.setup());
    };
    scene.engine().use_catalogue("main", "app", nullptr);
    become(config::Reads::Primary);
    ask();
    CHECK(missed.empty());
    become(config::Reads::Standby);
    scene.log_in();
    CHECK(missed.empty());
    ask();
    ask();
    CHECK(missed == std::vector<std::string>{"main/app"});
    scene.process.now += route::Decisions::kAskAgain;
    ask();
    CHECK(missed.size() == 2);
    scene.process.now += route::Decisions::kAskAgain;
    scene.engine().use_catalogue("main", "app", scene.catalogue.get());
    // What nobody could judge may have written.
    scene.progress->publish(1, scene.progress->begin_question());
    scene.say(*scene.client, kRead);
    CHECK(scene.open_standby().take() == kRead);
    CHECK(missed.size() == 2);
}

TEST_CASE("routing: a catalogue that is known before its first client is used") {
    Scene scene;
    auto& second = scene.config.databases["second"];
    second.name = "second";
    second.cluster = "main";
    scene.engine().reload(scene.setup());
    scene.engine().use_catalogue("main", "second", scene.catalogue.get());
    FakeStream& client = scene.connect();
    scene.say(client, startup({
                          {"user",     "ann"   },
                          {"database", "second"}
    }));
    FakeStream& primary = scene.open(0, kPrimarySays);
    scene.say(primary, message('I') + ready());
    scene.say(client, kRead);
    CHECK(scene.open_standby().take() == kRead);
    CHECK(scene.shell().missed_catalogues.empty());
}

TEST_CASE("routing: a batch that goes on behind a Flush is one, and its commit is counted") {
    Scene scene;
    scene.say(*scene.client, parse("", "DELETE FROM t") + bind_to("") + execute() + flush());
    scene.say(*scene.primary, message('1') + message('2') + complete("DELETE 1"));
    scene.progress->publish(1, scene.progress->begin_question());
    scene.say(*scene.client, sync());
    scene.say(*scene.primary, ready());
    scene.primary->take();
    scene.say(*scene.client, kRead);  // the sample was taken before the commit
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("routing: a statement of SQL's PREPARE may write whatever its name is") {
    Scene scene;
    scene.say(*scene.client, bind_to("w") + execute() + sync());
    scene.say(*scene.primary, message('2') + complete("INSERT 0 1") + ready());
    scene.primary->take();
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("routing: a read at the primary whose plan is out of date is sent again there") {
    Scene scene;
    scene.say(*scene.client, parse("s", "SELECT v FROM t") + sync());
    scene.say(*scene.primary, message('1') + ready());
    scene.client->take();
    scene.primary->take();
    scene.tell(Reading::Drains, Reading::Drains);
    scene.say(*scene.client,
              bind_to("s") + message('D', "P" + text("")) + execute() + sync() + kWrite);
    scene.primary->take();
    std::string stale = failure("0A000", "cached plan must not change result type");
    stale.insert(stale.size() - 1, "R" + text("RevalidateCachedQuery"));
    const uint32_t length = static_cast<uint32_t>(stale.size() - 1);
    stale.replace(1, 4, be32(length));
    scene.say(*scene.primary, stale + ready());
    CHECK(types(scene.primary->take()) == "PBDES");
    scene.say(*scene.primary,
              message('1') + message('2') + message('T', be16(0)) + complete("SELECT 0") + ready());
    CHECK(types(scene.client->take()) == "2TCZ");
    CHECK(scene.primary->take() == kWrite);
}

TEST_CASE("routing: no session stays at a standby") {
    Scene scene;
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    FakeStream& standby = scene.open_standby();
    scene.answer(standby, "BEGIN", 'T');
    scene.say(*scene.client, query("SELECT pg_backend_pid()"));
    scene.answer(standby, "SELECT 1", 'T');
    scene.say(*scene.client, query("COMMIT"));
    scene.answer(standby, "COMMIT");
    standby.take();
    scene.say(*scene.client, kWrite);
    CHECK(scene.primary->take() == kWrite);
}

TEST_CASE("routing: a standby that is lost while it is asked what it holds takes that along") {
    Scene scene;
    scene.hold_censuses = true;
    scene.say(*scene.client, query("BEGIN READ ONLY"));
    FakeStream& standby = scene.open_standby();
    scene.answer(standby, "BEGIN", 'T');
    scene.say(*scene.client, query("SET LOCAL work_mem = '1MB'; SELECT own(1)"));
    scene.answer(standby, "SELECT 1", 'T');
    scene.say(*scene.client, query("COMMIT"));
    scene.answer(standby, "COMMIT");
    scene.client->take();
    scene.lose(standby);
    CHECK(sqlstate_of(scene.client->take()) == "08006");
}

TEST_CASE("routing: a server at a standby is opened read-only, and its clients are not") {
    Scene scene;
    scene.say(*scene.client, kRead);
    FakeStream& standby = *scene.next_connect();
    standby.owner->on_connected();
    scene.turn();
    const std::string packet = standby.take();
    CHECK(packet.find(text("default_transaction_read_only") + text("on")) != std::string::npos);
    scene.say(standby, Rig::server_login(kStandbySays));
    CHECK(standby.take() == kRead);  // it needs no settings
    CHECK(scene.primary->sent.empty());
}

TEST_CASE("routing: whoever is read-only by default stays so, and a standby's server as well") {
    Scene scene;
    FakeStream& other = scene.log_in({
        {"default_transaction_read_only", "on"}
    });
    const auto value_of_other = [&](ClientState state) {
        return scene.engine().in(state).back().settings.find("default_transaction_read_only");
    };
    scene.say(other, kRead);
    FakeStream& standby = scene.open_standby();
    CHECK(standby.take() == kRead);  // it need not be told what it is
    CHECK(value_of_other(ClientState::Attached) == "on");
    scene.answer(standby);
    scene.say(other, kWrite);
    CHECK(value_of_other(ClientState::Attached) == "on");
    CHECK(scene.primary->take() == kWrite);
    scene.answer(*scene.primary);
    // One that makes it read-write is the last to have it.
    scene.progress->publish(1, scene.progress->begin_question());
    scene.hold_censuses = true;
    scene.say(other, query("BEGIN READ ONLY"));
    scene.answer(standby, "BEGIN", 'T');
    scene.say(other, query("SET default_transaction_read_only = off"));
    scene.say(standby,
              complete("SET") + parameter("default_transaction_read_only", "off") + ready('T'));
    scene.say(other, query("COMMIT"));
    scene.answer(standby, "COMMIT");
    scene.say(standby, census_row("s", "default_transaction_read_only", "off") +
                           complete("SELECT 1") + ready());
    CHECK(standby.closed);
}

TEST_CASE("routing: a standby that is lost while it takes settings takes none along") {
    Scene scene;
    FakeStream& other = scene.log_in({
        {"application_name", "other"}
    });
    scene.say(other, kRead);
    FakeStream& standby = scene.open_standby();
    REQUIRE(types(standby.take()) == "Q");  // the settings
    scene.lose(standby);
    const std::string settings = scene.primary->take();
    CHECK(settings.find("other") != std::string::npos);
    scene.say(*scene.primary, parameter("application_name", "other") + message('I') + ready());
    CHECK(scene.primary->take() == kRead);
    const SettingsRef& kept = scene.engine().in(ClientState::Attached).front().settings;
    CHECK(kept.find("application_name") == "other");
}

TEST_CASE("routing: settings that only the standby refuses are asked of the primary") {
    ReadingScene scene;
    scene.say(*scene.standby, kRow + complete("SELECT 1") + ready());
    FakeStream& other = scene.begin_login({
        {"application_name", "other"}
    });
    scene.say(other, kRead);
    REQUIRE(types(scene.standby->take()) == "Q");  // the settings
    scene.say(*scene.standby, failure("0A000", "cannot use serializable mode") + ready());
    CHECK_FALSE(other.closed);
    REQUIRE(types(scene.primary->take()) == "Q");
}

TEST_CASE("routing: a client that leaves a standby is counted out there") {
    ReadingScene scene;
    scene.lose(*scene.client);
    CHECK(scene.pool().attached == 0);
    CHECK(scene.engine().pool(PoolName{"app", "ann", "pg2"}).attached == 0);
}

TEST_CASE("routing: a listener's word comes before an application's, a user's and a database's") {
    struct Case {
        std::optional<config::Reads> listener, application, user, database;
        config::Reads expected;
    };
    using enum config::Reads;
    for (const Case& each : {
             Case{{},      {},      {},            {},      Standby      },
             Case{{},      {},      {},            Primary, Primary      },
             Case{{},      {},      PreferStandby, Primary, PreferStandby},
             Case{{},      Primary, Any,           Any,     Primary      },
             Case{Standby, Primary, Primary,       Primary, Standby      },
    }) {
        Scene scene;
        scene.config.databases["app"].reads = each.database;
        scene.config.users["ann"].reads = each.user;
        scene.config.applications["web"].reads = each.application;
        scene.engine().reload(scene.setup());
        FakeStream& stream = scene.process.streams.emplace_back();
        scene.engine().accept(stream, each.listener);
        scene.say(stream, startup({
                              {"user",             "ann"},
                              {"database",         "app"},
                              {"application_name", "web"}
        }));
        ClientSession& client = scene.engine().in(ClientState::Idle).back();
        CHECK(reads_of(client) == each.expected);
    }
}

TEST_CASE("routing: an application that changes its name, and one that a reload speaks of") {
    Scene scene;
    scene.config.applications["sidekiq"].reads = config::Reads::Primary;
    scene.engine().reload(scene.setup());
    ClientSession& client = scene.engine().in(ClientState::Idle).front();
    CHECK(reads_of(client) == config::Reads::Standby);
    scene.say(*scene.client, query("SET application_name = 'sidekiq'"));
    scene.say(*scene.primary, complete("SET") + parameter("application_name", "sidekiq") + ready());
    CHECK(reads_of(client) == config::Reads::Primary);
    scene.config.applications.clear();
    scene.engine().reload(scene.setup());
    CHECK(reads_of(client) == config::Reads::Standby);
}

TEST_CASE("routing: a rule comes before reads and the catalogue, and a hint before the rule") {
    Scene scene;
    auto& routing = scene.config.clusters["main"].routing;
    routing.reads = config::Reads::Primary;
    routing.rules = {
        {.pattern = "select f(*) from t", .route = config::RuleRoute::Standby}
    };
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->take() == kRead);
    scene.answer(*scene.primary);
    const std::string hinted = query("/* pgweir: primary */ SELECT f(1) FROM t");
    scene.say(*scene.client, hinted);
    CHECK(scene.primary->take() == hinted);
    scene.answer(*scene.primary);  // what it called may have written
    scene.progress->publish(1, scene.progress->begin_question());
    const std::string ruled = query("SELECT f(1) FROM t");
    scene.say(*scene.client, ruled);
    CHECK(scene.primary->sent.empty());
    FakeStream& standby = scene.open_standby();
    CHECK(standby.take() == ruled);
    // It was wrong: the primary is asked, now and for ever.
    scene.say(standby,
              failure("25006", "cannot execute INSERT in a read-only transaction") + ready());
    CHECK(scene.primary->take() == ruled);
    scene.answer(*scene.primary);
    scene.say(*scene.client, ruled);
    CHECK(scene.primary->take() == ruled);
}

TEST_CASE("routing: a rule keeps reads at the primary") {
    Scene scene;
    scene.config.clusters["main"].routing.rules = {
        {.pattern = "*from t*", .route = config::RuleRoute::Primary}
    };
    scene.engine().reload(scene.setup());
    scene.say(*scene.client, kRead);
    CHECK(scene.primary->take() == kRead);
    CHECK(scene.pool().stats.routed[static_cast<size_t>(RouteReason::Asked)] == 1);
    scene.answer(*scene.primary);
    scene.say(*scene.client, query("SELECT 1"));
    CHECK(scene.primary->sent.empty());
}

TEST_CASE("routing: the share of a standby that is well again grows") {
    Scene scene;
    scene.config.clusters["main"].routing.warm_up = 10s;
    scene.config.pool.pool_size = 10;
    scene.engine().reload(scene.setup());
    const auto reads_at_third = [&] {
        Topology topology{.primary = scene.config.clusters["main"].nodes[0], .epoch = 1};
        topology.nodes = {
            {"pg1", Reading::Drains, {}                    },
            {"pg2", Reading::Takes,  {}                    },
            {"pg3", Reading::Takes,  scene.process.now - 1s}
        };
        topology.progress = scene.progress.get();
        scene.engine().follow_cluster("main", std::move(topology));
        uint32_t third = 0;
        std::map<FakeStream*, std::string> nodes;
        for (uint32_t i = 0; i < 110; ++i) {
            scene.say(*scene.client, kRead);
            while (!scene.shell().connects.empty()) {
                const std::string name = scene.shell().nodes.back().name;
                nodes[&scene.open_standby()] = name;
            }
            for (auto& [stream, name] : nodes) {
                if (stream->take().empty()) continue;
                third += name == "pg3";
                scene.say(*stream, kRow + complete("SELECT 1") + ready());
            }
        }
        return third;
    };
    // A tenth of a weight beside a whole one.
    const uint32_t warming = reads_at_third();
    CHECK(warming >= 8);
    CHECK(warming <= 12);
}

}  // namespace pgweir::session
