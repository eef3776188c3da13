#include "auth/errors.h"

#include "pgweir/auth/client_auth.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::auth {

TEST_CASE("auth errors: all end the connection, with 08P01 or 28P01, in PostgreSQL's style") {
    const std::vector<Error> errors{malformed_scram_message("It is short."),
                                    scram_message_too_long(70'000),
                                    scram_message_out_of_order(),
                                    channel_binding_not_offered(),
                                    wrong_scram_proof(),
                                    invalid_server_scram_message("It is short."),
                                    server_iterations_out_of_range("0"),
                                    server_reported_scram_error("no"),
                                    server_signature_wrong(),
                                    password_authentication_failed("bob")};
    for (const Error& error : errors) {
        CAPTURE(error.message);
        CHECK(error.severity == Severity::Fatal);
        CHECK((error.sqlstate == sqlstate::kProtocolViolation ||
               error.sqlstate == sqlstate::kInvalidPassword));
        CHECK_FALSE(error.message.empty());
        CHECK(error.message.back() != '.');
        CHECK((error.detail.empty() || error.detail.back() == '.'));
        CHECK((error.hint.empty() || error.hint.back() == '.'));
    }
}

TEST_CASE("auth errors: a failed login names the user and nothing else") {
    const Error error = password_authentication_failed("bob");
    CHECK(error.sqlstate == sqlstate::kInvalidPassword);
    CHECK(error.message == "password authentication failed for user \"bob\"");
    CHECK(error.detail.empty());
    CHECK(error.hint.empty());
}

TEST_CASE("auth errors: foreign text is cut and made harmless") {
    const Error error =
        server_reported_scram_error(std::string(60, 'x') + "\n\x1b" + std::string(99, 'y'));
    CHECK(error.detail == "It says \"" + std::string(60, 'x') + "??yy\".");
}

}  // namespace pgweir::auth
