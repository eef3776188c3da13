#include "pgweir/session/errors.h"

#include "pgweir/base/error_catalogue.h"
#include "pgweir/session/settings.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

const Error& cause() {
    static const Error error{.sqlstate = sqlstate::kInvalidParameterValue,
                             .severity = Severity::Error,
                             .message = "invalid value",
                             .detail = "A detail.",
                             .hint = "A hint."};
    return error;
}

/// Every error with the SQLSTATE that drivers rely on.
std::vector<std::pair<std::string_view, Error>> all_errors() {
    std::vector<std::pair<std::string_view, Error>> all;
    const auto add = [&](std::string_view sqlstate, Error error) {
        all.emplace_back(sqlstate, std::move(error));
    };
    add("08P01", bad_message("Bind"));
    add("08P01", unknown_message_type('z'));
    add("08P01", encryption_request_not_alone());
    add("28000", no_user_name());
    add("3D000", unknown_database("app"));
    add("28000", not_admitted_to_console("ann"));
    add("53300", too_many_clients(10));
    add("53300", too_many_clients_of("user", "ann", 10));
    add("53300", too_many_logins(10));
    add("53300", queue_full("app", "ann", 10));
    add("53300", wait_timeout("app", "ann", 1500ms));
    add("57P03", no_server("app", cause()));
    add("00000", waits_notice("app", "ann"));
    add("57014", cancelled_while_waiting());
    add("57P03", shutting_down());
    add("57P03", pool_disabled("app"));
    add("57014", login_timeout());
    add("57P05", idle_too_long());
    add("25P03", idle_in_transaction_too_long());
    add("57P01", killed_by_administrator());
    add("08006", server_lost("end of file"));
    add("08006", server_out_of_step());
    add("22023", settings_refused(cause()));
    add("0A000", no_transaction_blocks());
    add("54000", statement_too_large(10));
    add("53200", too_much_prepared(10));
    add("53300", too_many_pools(10));
    add("53200", too_much_held_back(10));
    add("53300", too_many_pinned("app", 3, "advisory lock"));
    add("53300", no_place_to_pin("app", 3));
    add("00000", prepared_in_sql_lost());
    add("57P05", pinned_idle_too_long("advisory lock"));
    add("53300", no_place_for_walsender("app", 10));
    add("08006", cannot_reach("pg1", "connection refused"));
    add("28000", cannot_log_in("pg1", "it said no"));
    add("0A000", console_wants_simple_queries());
    return all;
}

bool is_sentence(std::string_view text) {
    if (text.empty()) return true;
    const char last = text.back();
    return last == '.' || last == '?';
}

}  // namespace

TEST_CASE("session errors: each has the SQLSTATE that it should") {
    for (const auto& entry : all_errors()) {
        const auto& sqlstate = entry.first;
        const Error& error = entry.second;
        CAPTURE(error.message);
        CHECK(error.sqlstate.text() == sqlstate);
        CHECK(error.sqlstate.text().size() == 5);
    }
}

TEST_CASE("session errors: the message is no sentence, detail and hint are") {
    for (const auto& entry : all_errors()) {
        const Error& error = entry.second;
        CAPTURE(error.message);
        REQUIRE_FALSE(error.message.empty());
        CHECK(error.message.back() != '.');
        CHECK_FALSE((error.message[0] >= 'A' && error.message[0] <= 'Z'));
        CHECK(error.message.find('\n') == std::string::npos);
        CHECK(is_sentence(error.detail));
        CHECK(is_sentence(error.hint));
    }
}

TEST_CASE("session errors: only what is wrong with one statement leaves the connection open") {
    for (const auto& entry : all_errors()) {
        const auto& sqlstate = entry.first;
        const Error& error = entry.second;
        CAPTURE(error.message);
        const bool stays_open = error.message == "canceling statement due to user request" ||
                                sqlstate == "00000" || error.message.find("the console") == 0 ||
                                error.message.find("no server of database") == 0;
        CHECK((error.severity == Severity::Error) == stays_open);
    }
}

TEST_CASE(
    "session errors: those of startup settings, which make themselves, stand in the catalogue") {
    const auto options = startup_settings({
        {"options", "-x"}
    });
    REQUIRE_FALSE(options.has_value());
    const Error argument = make_error(ErrorId::OptionsArgument, {"-x"});
    CHECK(options.error().message == argument.message);
    CHECK(options.error().sqlstate == argument.sqlstate);
    CHECK(options.error().severity == argument.severity);

    const auto named = startup_settings({
        {"no name", "1"}
    });
    REQUIRE_FALSE(named.has_value());
    const Error parameter = make_error(ErrorId::UnknownParameter, {"no name"});
    CHECK(named.error().message == parameter.message);
    CHECK(named.error().sqlstate == parameter.sqlstate);
    CHECK(named.error().severity == parameter.severity);
}

TEST_CASE("session errors: they name what the reader needs") {
    CHECK(unknown_database("app").message == "database \"app\" does not exist");
    CHECK(queue_full("app", "ann", 7).detail == "7 clients wait already; limits.queue is 7.");
    CHECK(wait_timeout("app", "ann", 1500ms).detail.find("1500 ms") != std::string::npos);
    CHECK(no_server("app", cause()).detail.find("invalid value") != std::string::npos);
    CHECK(server_lost("end of file").detail.find("end of file") == 0);
    CHECK(unknown_message_type('\xff').message == "invalid frontend message type 255");
    CHECK(settings_refused(cause()).message == "invalid value");
    CHECK(cannot_reach("pg1", "connection refused").message ==
          "could not connect to pg1: connection refused");
}

}  // namespace pgweir::session
