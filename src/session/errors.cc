#include "pgweir/session/errors.h"

#include <fmt/format.h>

namespace pgweir::session {

Error bad_message(std::string_view what) {
    return {.sqlstate = sqlstate::kProtocolViolation,
            .severity = Severity::Fatal,
            .message = fmt::format("malformed {} message", what),
            .detail = "Its fields do not fill its length.",
            .hint = "This is a fault of the client's driver."};
}

Error unknown_message_type(char type) {
    return {.sqlstate = sqlstate::kProtocolViolation,
            .severity = Severity::Fatal,
            .message =
                fmt::format("invalid frontend message type {}", static_cast<unsigned char>(type)),
            .detail = {},
            .hint = "This is a fault of the client's driver."};
}

Error encryption_request_not_alone() {
    return {.sqlstate = sqlstate::kProtocolViolation,
            .severity = Severity::Fatal,
            .message = "received unencrypted data after an encryption request",
            .detail =
                "This could be either a client-software bug or evidence of an attempted "
                "man-in-the-middle attack.",
            .hint = {}};
}

Error no_user_name() {
    return {.sqlstate = sqlstate::kInvalidAuthorization,
            .severity = Severity::Fatal,
            .message = "no PostgreSQL user name specified in startup packet",
            .detail = {},
            .hint = {}};
}

Error unknown_database(std::string_view database) {
    return {.sqlstate = sqlstate::kInvalidCatalogName,
            .severity = Severity::Fatal,
            .message = fmt::format("database \"{}\" does not exist", database),
            .detail = {},
            .hint =
                "pgweir serves the names under \"databases\" in its configuration; \"*\" there "
                "serves all others."};
}

Error console_wants_simple_queries() {
    return {.sqlstate = sqlstate::kFeatureNotSupported,
            .severity = Severity::Error,
            .message = "the console takes simple queries only",
            .detail = {},
            .hint = "Use psql, or turn prepared statements off in the driver."};
}

Error not_admitted_to_console(std::string_view user) {
    return {.sqlstate = sqlstate::kInvalidAuthorization,
            .severity = Severity::Fatal,
            .message = fmt::format("user \"{}\" may not use the console", user),
            .detail = {},
            .hint = "Name the user under \"admin.users\" or \"admin.viewers\"."};
}

Error too_many_clients(uint32_t limit) {
    return {.sqlstate = sqlstate::kTooManyConnections,
            .severity = Severity::Fatal,
            .message = "sorry, too many clients already",
            .detail = fmt::format("limits.clients is {}.", limit),
            .hint = "Raise limits.clients, or close connections that nobody uses."};
}

Error too_many_clients_of(std::string_view kind, std::string_view name, uint32_t limit) {
    return {.sqlstate = sqlstate::kTooManyConnections,
            .severity = Severity::Fatal,
            .message = fmt::format("too many clients for {} \"{}\"", kind, name),
            .detail = fmt::format("max_clients is {}.", limit),
            .hint = "Raise max_clients, or close connections that nobody uses."};
}

Error too_many_logins(uint32_t limit) {
    return {.sqlstate = sqlstate::kTooManyConnections,
            .severity = Severity::Fatal,
            .message = "too many logins at the same time",
            .detail = fmt::format("limits.logins_in_flight is {}.", limit),
            .hint = "Try again; raise limits.logins_in_flight if this is your usual load."};
}

Error queue_full(std::string_view database, std::string_view user, uint32_t limit) {
    return {.sqlstate = sqlstate::kTooManyConnections,
            .severity = Severity::Fatal,
            .message = fmt::format(
                "the queue for a server is full for database \"{}\", user \"{}\"", database, user),
            .detail = fmt::format("{} clients wait already; limits.queue is {}.", limit, limit),
            .hint = "Shorten transactions, or raise pool_size; see SHOW POOLS."};
}

Error wait_timeout(std::string_view database, std::string_view user, Duration waited) {
    return {.sqlstate = sqlstate::kTooManyConnections,
            .severity = Severity::Fatal,
            .message =
                fmt::format("no server came free for database \"{}\", user \"{}\"", database, user),
            .detail = fmt::format("The client waited {} ms; nothing was sent to a server.",
                                  to_microseconds(waited) / 1000),
            .hint = "Shorten transactions, or raise pool_size or query_wait; see SHOW POOLS."};
}

Error no_server(std::string_view database, const Error& cause) {
    return {.sqlstate = sqlstate::kCannotConnectNow,
            .severity = Severity::Fatal,
            .message = fmt::format("no server can be reached for database \"{}\"", database),
            .detail = fmt::format("Nothing was sent. The last attempt: {}.", cause.message),
            .hint = "pgweir goes on trying; connect again later."};
}

Error waits_notice(std::string_view database, std::string_view user) {
    return {.sqlstate = SqlState("00000"),
            .severity = Severity::Error,
            .message = fmt::format("no server is free for database \"{}\", user \"{}\", waiting",
                                   database, user),
            .detail = {},
            .hint = {}};
}

Error cancelled_while_waiting() {
    return {.sqlstate = sqlstate::kQueryCanceled,
            .severity = Severity::Error,
            .message = "canceling statement due to user request",
            .detail = "It was still waiting for a server; nothing was sent.",
            .hint = {}};
}

Error shutting_down() {
    return {.sqlstate = sqlstate::kCannotConnectNow,
            .severity = Severity::Fatal,
            .message = "pgweir is shutting down",
            .detail = {},
            .hint = "Connect again; another instance or the restarted one will answer."};
}

Error pool_disabled(std::string_view database) {
    return {.sqlstate = sqlstate::kCannotConnectNow,
            .severity = Severity::Fatal,
            .message = fmt::format("database \"{}\" is stopped by its administrator", database),
            .detail = {},
            .hint = "RESUME on the console opens it again."};
}

Error login_timeout() {
    return {.sqlstate = sqlstate::kProtocolViolation,
            .severity = Severity::Fatal,
            .message = "canceling authentication due to timeout",
            .detail = {},
            .hint = "timeouts.login bounds the time from connecting to being logged in."};
}

Error idle_too_long() {
    return {.sqlstate = sqlstate::kIdleSessionTimeout,
            .severity = Severity::Fatal,
            .message = "terminating connection due to idle-session timeout",
            .detail = {},
            .hint = "timeouts.client_idle bounds it."};
}

Error idle_in_transaction_too_long() {
    return {.sqlstate = sqlstate::kIdleInTransactionTimeout,
            .severity = Severity::Fatal,
            .message = "terminating connection due to idle-in-transaction timeout",
            .detail = "The open transaction is rolled back.",
            .hint = "timeouts.idle_transaction bounds it."};
}

Error killed_by_administrator() {
    return {.sqlstate = sqlstate::kAdminShutdown,
            .severity = Severity::Fatal,
            .message = "terminating connection due to administrator command",
            .detail = {},
            .hint = {}};
}

Error server_lost(std::string_view reason) {
    return {.sqlstate = sqlstate::kConnectionFailure,
            .severity = Severity::Fatal,
            .message = "the server closed the connection",
            .detail = fmt::format(
                "{}. Whether a statement that was under way took effect is unknown.", reason),
            .hint = "Connect again and look before you repeat a change."};
}

Error server_out_of_step() {
    return {.sqlstate = sqlstate::kConnectionFailure,
            .severity = Severity::Fatal,
            .message = "the server's replies do not fit what was asked",
            .detail = "The server's connection was closed so that nobody gets another's rows.",
            .hint = "If it happens again, report it with the log of pgweir."};
}

Error settings_refused(const Error& cause) {
    return {.sqlstate = cause.sqlstate,
            .severity = Severity::Fatal,
            .message = cause.message,
            .detail = cause.detail,
            .hint = cause.hint};
}

Error no_transaction_blocks() {
    return {.sqlstate = sqlstate::kFeatureNotSupported,
            .severity = Severity::Fatal,
            .message = "transaction blocks not allowed in statement pooling mode",
            .detail = "The transaction is rolled back.",
            .hint = "Use pool_mode: transaction."};
}

Error statement_too_large(uint64_t limit) {
    return {.sqlstate = sqlstate::kProgramLimitExceeded,
            .severity = Severity::Fatal,
            .message = "a prepared statement's text is too large",
            .detail = fmt::format("limits.statement_size is {} bytes.", limit),
            .hint = "Send values as parameters, or raise limits.statement_size."};
}

Error too_much_prepared(uint64_t limit) {
    return {.sqlstate = sqlstate::kOutOfMemory,
            .severity = Severity::Fatal,
            .message = "this session holds too many prepared statements",
            .detail = fmt::format("limits.prepared_per_client is {} bytes of text.", limit),
            .hint = "Close statements that are not used any more, or raise the limit."};
}

Error no_place_for_walsender(std::string_view database, uint32_t pool_size) {
    return {
        .sqlstate = sqlstate::kTooManyConnections,
        .severity = Severity::Fatal,
        .message = fmt::format("no server is free for replication of database \"{}\"", database),
        .detail =
            fmt::format("A replication connection takes one of the pool's {} servers.", pool_size),
        .hint = "Raise pool_size, or try again when others are done."};
}

Error cannot_reach(std::string_view node, std::string_view reason) {
    return {.sqlstate = sqlstate::kConnectionFailure,
            .severity = Severity::Fatal,
            .message = fmt::format("could not connect to {}: {}", node, reason),
            .detail = {},
            .hint = {}};
}

Error cannot_log_in(std::string_view node, std::string_view why) {
    return {.sqlstate = sqlstate::kInvalidAuthorization,
            .severity = Severity::Fatal,
            .message = fmt::format("could not log in to {}: {}", node, why),
            .detail = {},
            .hint =
                "Give the database entry a user and a password, or the users file the plain "
                "secret."};
}

}  // namespace pgweir::session
