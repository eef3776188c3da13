#include "routing_scene.h"

/// pgweir.trace_route: what a session is told of where its requests go.
namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

const Pairs kTraces{
    {"pgweir.trace_route", "on"}
};

std::string message_of(std::string_view bytes) {
    return field_of(bytes, 'M', 'N');
}

}  // namespace

TEST_CASE("trace: the node, the reason, and how long it waited") {
    Rig rig([](Rig& made) {
        made.config.pool.pool_size = 1;
        made.config.timeouts.wait_notice = Duration::zero();
    });
    FakeStream& other = rig.log_in();
    FakeStream& server = rig.idle_server();
    FakeStream& client = rig.begin_login(kTraces);
    rig.say(server, message('T', be16(0)) + complete("SELECT 1") + ready());
    client.take();
    rig.say(other, query("SELECT 1"));
    rig.answer(server, "RESET");
    rig.say(client, query("SELECT 2"));
    rig.pass(30ms);
    rig.answer(server);
    rig.say(server, message('T', be16(0)) + complete("SELECT 1") + ready());  // its settings
    std::string told = client.take();
    CHECK(message_of(told) == "pgweir: node pg1, no_routing");
    CHECK(field_of(told, 'D', 'N') == "It waited 30 ms for a server.");
    rig.answer(server);
    client.take();
    SUBCASE("once for a request, also in a transaction") {
        rig.say(client, query("BEGIN"));
        CHECK(message_of(client.take()) == "pgweir: node pg1, no_routing");
        rig.answer(server, "BEGIN", 'T');
        client.take();
        rig.say(client, parse("", "SELECT 1") + flush());
        told = client.take();
        CHECK(types(told) == "N");
        CHECK(message_of(told) == "pgweir: node pg1, transaction");
        CHECK(field_of(told, 'D', 'N').empty());
        rig.say(server, message('1'));
        client.take();
        rig.say(client, bind_to("") + execute() + sync());
        CHECK(client.sent.empty());
    }
    SUBCASE("and while a server is kept, why") {
        ServerConn& kept = rig.pool().in(ServerState::Idle).front();
        rig.say(client, query("SELECT 1"));
        client.take();
        kept.pins.add(Pin::AdvisoryLock);
        rig.answer(server);
        client.take();
        rig.say(client, query("SELECT 1"));
        told = client.take();
        CHECK(message_of(told) == "pgweir: node pg1, kept");
        CHECK(field_of(told, 'D', 'N').starts_with("The server is kept: "));
    }
}

TEST_CASE("trace: whoever is sent elsewhere is told so again") {
    Scene scene;
    FakeStream& client = scene.begin_login(kTraces);
    scene.say(*scene.primary, message('T', be16(0)) + complete("SELECT 1") + ready());
    client.take();
    scene.say(client, kRead);
    FakeStream& standby = scene.open_standby();
    scene.say(standby, message('T', be16(0)) + complete("SELECT 1") + ready());
    CHECK(message_of(client.take()) == "pgweir: node pg2, read");
    scene.say(standby, failure("40001", "conflict with recovery") + ready());
    CHECK(message_of(client.take()) == "pgweir: node pg1, retried");
}

TEST_CASE("trace: whoever sets what is not known is warned, once for each value") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    server.take();
    rig.hold_censuses = true;
    std::string rows;  // all that it has set
    const auto set = [&](const std::string& name, const std::string& value) {
        rig.say(client, query("SET " + name + " = '" + value + "'"));
        rig.say(server, complete("SET") + ready());
        client.take();
        rows += census_row("s", name, value);
        rig.say(server, rows + complete("SELECT 1") + ready());
        server.take();
        return client.take();
    };
    for (const auto& [name, value] : Pairs{
             {"pgweir.route",       "standbys"},
             {"pgweir.consistency", "strict"  },
             {"pgweir.trace_route", "maybe"   }
    }) {
        CAPTURE(name);
        const std::string told = set(name, value);
        CHECK(types(told) == "N");
        CHECK(field_of(told, 'S', 'N') == "WARNING");
        CHECK(field_of(told, 'C', 'N') == "01000");
        CHECK(message_of(told) ==
              "invalid value for parameter \"" + name + "\": \"" + value + "\"");
        CHECK(field_of(told, 'H', 'N').starts_with("It can be "));
        CHECK(set(name, value).empty());
    }
    rows.clear();
    for (const auto& [name, value] : Pairs{
             {"pgweir.route",       "STANDBY"},
             {"pgweir.route",       "auto"   },
             {"pgweir.route",       ""       },
             {"pgweir.consistency", "session"},
             {"pgweir.trace_route", "off"    },
             {"pgweir.trace_route", "TRUE"   },
             {"pgweir.trace_route", "f"      },
             {"pgweir.trace_route", "of"     },
             {"a.b",                "strict" }
    }) {
        CAPTURE(value);
        CHECK(set(name, value).empty());
        rows.clear();
    }
}

TEST_CASE("trace: whoever logs in with what is not known is warned before the first request") {
    Rig rig;
    rig.log_in({
        {"pgweir.route", "standbys"}
    });
    // Who is not let in yet does not understand it.
    CHECK(types(rig.welcome).starts_with('R'));
    CHECK(types(rig.welcome).ends_with("KNZ"));
    CHECK(message_of(rig.welcome) == "invalid value for parameter \"pgweir.route\": \"standbys\"");
    rig.log_in({
        {"pgweir.route", "standby"}
    });
    CHECK(types(rig.welcome).find('N') == std::string::npos);
}

TEST_CASE("trace: a comment that is no hint although it names pgweir is told, once in a session") {
    Scene scene;
    FakeStream& client = scene.log_in();
    client.take();
    scene.primary->take();
    const std::string misspelt = query("/* pgweir: primry */ DELETE FROM t");
    scene.say(client, misspelt);
    const std::string told = client.take();
    CHECK(types(told) == "N");
    CHECK(field_of(told, 'S', 'N') == "WARNING");
    CHECK(message_of(told) == "invalid hint \"/* pgweir: primry */\"");
    CHECK(field_of(told, 'H', 'N') == "It can be primary, standby or auto.");
    CHECK(scene.primary->take() == misspelt);
    scene.answer(*scene.primary, "DELETE 0");
    client.take();
    scene.say(client, misspelt);
    CHECK(client.take().empty());
}

}  // namespace pgweir::session
