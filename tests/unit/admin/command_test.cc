#include "pgweir/admin/command.h"

#include <string>
#include <utility>

#include <doctest/doctest.h>

namespace pgweir::admin {
namespace {

Command must(std::string_view sql) {
    CAPTURE(sql);
    auto command = parse_command(sql);
    REQUIRE(command.has_value());
    return *command;
}

void refuses(std::string_view sql) {
    CAPTURE(sql);
    const auto command = parse_command(sql);
    REQUIRE_FALSE(command.has_value());
    CHECK(command.error().sqlstate == sqlstate::kSyntaxError);
    CHECK(command.error().severity == Severity::Error);
}

}  // namespace

TEST_CASE("command: each topic of SHOW, in any case, with or without a semicolon") {
    for (const auto& [name, topic] : {
             std::pair{"HELP",           Topic::Help         },
             {"version",        Topic::Version      },
             {"Pools",          Topic::Pools        },
             {"CLIENTS",        Topic::Clients      },
             {"SERVERS",        Topic::Servers      },
             {"DATABASES",      Topic::Databases    },
             {"USERS",          Topic::Users        },
             {"STATS",          Topic::Stats        },
             {"STATS_TOTALS",   Topic::StatsTotals  },
             {"STATS_AVERAGES", Topic::StatsAverages},
             {"TOTALS",         Topic::Totals       },
             {"LISTS",          Topic::Lists        },
             {"CONFIG",         Topic::Config       },
             {"STATE",          Topic::State        }
    }) {
        CHECK(must("SHOW " + std::string(name)).topic == topic);
        CHECK(must(" show\t" + std::string(name) + " ; ").topic == topic);
        CHECK(must("SELECT " + std::string(name) + ";").topic == topic);
        CHECK(must("SHOW " + std::string(name)).verb == Verb::Show);
    }
}

TEST_CASE("command: orders, with a database where they take one") {
    CHECK(must("PAUSE").verb == Verb::Pause);
    CHECK(must("PAUSE").argument.empty());
    CHECK(must("pause app;").argument == "app");
    CHECK(must("RESUME app").verb == Verb::Resume);
    CHECK(must("RELOAD").verb == Verb::Reload);
    CHECK(must("RECONNECT app").verb == Verb::Reconnect);
    CHECK(must("KILL app").verb == Verb::Kill);
    CHECK(must("KILL_CLIENT 42").verb == Verb::KillClient);
    CHECK(must("KILL_CLIENT 42").argument == "42");
    CHECK(must("SHUTDOWN WAIT_FOR_CLIENTS").argument == "WAIT_FOR_CLIENTS");
}

TEST_CASE("command: names keep their case, and quotes hold anything") {
    CHECK(must("PAUSE MyApp").argument == "MyApp");
    CHECK(must("PAUSE \"my app; \"\"two\"\"\"").argument == "my app; \"two\"");
    CHECK(must("PAUSE \"open").argument == "open");
}

TEST_CASE("command: what drivers SET by themselves is taken") {
    CHECK(must("SET client_encoding TO 'UTF8'").verb == Verb::Set);
    CHECK(must("set extra_float_digits = 3").verb == Verb::Set);
}

TEST_CASE("command: EXPLAIN ROUTE takes a statement as it is") {
    const Command command = must(" Explain\troute SELECT 'a;b'  FROM \"T\"; ");
    CHECK(command.verb == Verb::ExplainRoute);
    CHECK(command.argument == " SELECT 'a;b'  FROM \"T\"; ");
    CHECK(must("EXPLAIN ROUTE SELECT " + std::string(10000, '1')).verb == Verb::ExplainRoute);
    CHECK(is_harmless(command));
    for (const char* sql : {"EXPLAIN", "EXPLAIN ROUTE", "EXPLAIN SELECT 1", "EXPLAINROUTE 1"}) {
        refuses(sql);
    }
}

TEST_CASE("command: anything else is refused with 42601") {
    for (const char* sql :
         {"", " ; ", "SHOW", "SHOW EVERYTHING", "SHOW POOLS NOW", "SHOW \"\"", "SELECT 1",
          "DROP TABLE t", "PAUSE one two", "KILL_CLIENT", "KILL_CLIENT 1 2"}) {
        refuses(sql);
    }
    refuses(std::string(5000, 'x'));
}

TEST_CASE("command: what only PgBouncer has is refused with what to use instead") {
    for (const char* sql : {"SHOW FDS", "show mem;", "SHOW SOCKETS", "SHOW ACTIVE_SOCKETS",
                            "SHOW DNS_HOSTS", "SHOW DNS_ZONES", "SHOW PEERS", "SHOW PEER_POOLS",
                            "DISABLE app", "ENABLE app", "SUSPEND", "WAIT_CLOSE"}) {
        CAPTURE(sql);
        const auto command = parse_command(sql);
        REQUIRE_FALSE(command.has_value());
        CHECK(command.error().sqlstate == sqlstate::kFeatureNotSupported);
        CHECK(command.error().message.find(" is not supported") != std::string::npos);
        CHECK(command.error().hint.back() == '.');
    }
}

TEST_CASE("command: a refusal does not repeat boundless input") {
    CHECK(parse_command(std::string(4000, 'x')).error().message.size() < 300);
}

TEST_CASE("command: a viewer may look, and SET what drivers set") {
    CHECK(is_harmless(must("SHOW POOLS")));
    CHECK(is_harmless(must("SET a = b")));
    for (const char* sql :
         {"PAUSE", "RESUME", "RELOAD", "RECONNECT", "KILL app", "KILL_CLIENT 1", "SHUTDOWN"}) {
        CHECK_FALSE(is_harmless(must(sql)));
    }
}

TEST_CASE("command: the help names what there is") {
    const std::string_view help = help_text();
    for (const char* word :
         {"SHOW", "PAUSE", "RESUME", "RELOAD", "RECONNECT", "KILL", "KILL_CLIENT", "SHUTDOWN"}) {
        CHECK(help.find(word) != std::string_view::npos);
    }
}

}  // namespace pgweir::admin
