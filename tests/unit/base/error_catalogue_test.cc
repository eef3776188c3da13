#include "pgweir/base/error_catalogue.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

namespace pgweir {

TEST_CASE("error catalogue: a message is no sentence, and no two rows have the same") {
    std::set<std::string_view> messages;
    for (const ErrorRow& row : error_catalogue()) {
        CAPTURE(row.message);
        CHECK(messages.insert(row.message).second);
        CHECK(row.message.back() != '.');
        CHECK(row.sqlstate.text().size() == 5);
        CHECK_FALSE(row.when.empty());
        CHECK_FALSE(row.remedy.empty());
    }
}

TEST_CASE(
    "error catalogue: an error has its row's SQLSTATE and severity, and its values in order") {
    const Error error =
        make_error(ErrorId::QueueFull, {"a\xe2\x80\xa6p", "ann"}, "A detail.", "A hint.");
    CHECK(error.sqlstate == sqlstate::kTooManyConnections);
    CHECK(error.severity == Severity::Fatal);
    // a value that looks like a blank is not filled
    CHECK(error.message ==
          "the queue for a server is full for database \"a\xe2\x80\xa6p\", user \"ann\"");
    CHECK(error.detail == "A detail.");
    CHECK(error.hint == "A hint.");
    CHECK(make_error(ErrorId::Cancelled).severity == Severity::Error);
}

TEST_CASE("error catalogue: the page has a line for each row, under its heading") {
    const std::string page = errors_markdown();
    CHECK(page.find("# Errors that pgweir makes itself\n") == 0);
    for (const ErrorRow& row : error_catalogue()) {
        CHECK(page.find(" | " + std::string(row.message) + " | ") != std::string::npos);
    }
    CHECK(page.find("| 00000 | NOTICE | no server is free for database") != std::string::npos);
    CHECK(page.find("| 57014 | ERROR | canceling statement") != std::string::npos);
    CHECK(page.find("## Limits") < page.find("| 53300 | FATAL | sorry, too many"));
    CHECK(page.find("| 57P01 | FATAL | terminating") > page.find("## Administration"));
}

}  // namespace pgweir
