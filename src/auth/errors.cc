#include "auth/errors.h"

#include "pgweir/auth/client_auth.h"
#include "pgweir/auth/scram.h"

#include <string>

#include <fmt/format.h>

namespace pgweir::auth {

namespace {

constexpr size_t kQuotedBytesMax = 64;

/// Foreign text for a message: short, and nothing in it can disturb a log or a terminal.
std::string quotable(std::string_view text) {
    std::string safe;
    for (const char letter : text.substr(0, kQuotedBytesMax)) {
        const bool printable = letter >= 0x20 && letter < 0x7F && letter != '"';
        safe += printable ? letter : '?';
    }
    return safe;
}

Error fatal(SqlState sqlstate, std::string message, std::string detail, std::string hint = {}) {
    return Error{.sqlstate = sqlstate,
                 .severity = Severity::Fatal,
                 .message = std::move(message),
                 .detail = std::move(detail),
                 .hint = std::move(hint)};
}

}  // namespace

Error malformed_scram_message(std::string_view what) {
    return fatal(sqlstate::kProtocolViolation, "malformed SCRAM message", std::string{what});
}

Error scram_message_too_long(size_t bytes) {
    return malformed_scram_message(fmt::format("The message has {} bytes; at most {} are accepted.",
                                               bytes, kSaslMessageBytesMax));
}

Error scram_message_out_of_order() {
    return fatal(sqlstate::kProtocolViolation, "SCRAM message out of order",
                 "The exchange is at another step, or over.");
}

Error channel_binding_not_offered() {
    return fatal(sqlstate::kProtocolViolation, "SCRAM channel binding is not offered",
                 "The client asked for channel binding, which pgweir does not speak.",
                 "Use channel_binding=prefer or channel_binding=disable in the connection string.");
}

Error wrong_scram_proof() {
    return fatal(sqlstate::kInvalidPassword, "password authentication failed", {});
}

Error password_authentication_failed(std::string_view user) {
    return fatal(sqlstate::kInvalidPassword,
                 fmt::format("password authentication failed for user \"{}\"", user), {});
}

Error invalid_server_scram_message(std::string_view what) {
    return fatal(sqlstate::kProtocolViolation, "the server sent an invalid SCRAM message",
                 std::string{what});
}

Error server_iterations_out_of_range(std::string_view iterations) {
    return fatal(sqlstate::kProtocolViolation,
                 "the server asks for an unacceptable SCRAM iteration count",
                 fmt::format("It asks for \"{}\"; 1 to {} are accepted.", quotable(iterations),
                             kServerIterationsMax),
                 "Lower scram_iterations on the server and set the password again.");
}

Error server_reported_scram_error(std::string_view reason) {
    return fatal(sqlstate::kInvalidPassword, "the server refused the SCRAM login",
                 fmt::format("It says \"{}\".", quotable(reason)));
}

Error server_signature_wrong() {
    return fatal(sqlstate::kInvalidPassword, "the server did not prove that it knows the password",
                 "Its SCRAM signature is wrong: it may not be the server it claims to be.");
}

}  // namespace pgweir::auth
