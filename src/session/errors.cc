#include "pgweir/session/errors.h"

#include "pgweir/base/bytes.h"
#include "pgweir/base/error_catalogue.h"

#include <fmt/format.h>

namespace pgweir::session {

Error bad_message(std::string_view what) {
    return make_error(ErrorId::MessageMalformed, {what}, "Its fields do not fill its length.",
                      "This is a fault of the client's driver.");
}

Error unknown_message_type(char type) {
    return make_error(ErrorId::MessageType, {fmt::format("{}", static_cast<unsigned char>(type))},
                      {}, "This is a fault of the client's driver.");
}

Error encryption_request_not_alone() {
    return make_error(ErrorId::EncryptionRequest, {},
                      "This could be either a client-software bug or evidence of an attempted "
                      "man-in-the-middle attack.");
}

Error no_user_name() {
    return make_error(ErrorId::NoUserName);
}

Error unknown_database(std::string_view database) {
    return make_error(
        ErrorId::UnknownDatabase, {database}, {},
        "pgweir serves the names under \"databases\" in its configuration; \"*\" there "
        "serves all others.");
}

Error console_wants_simple_queries() {
    return make_error(ErrorId::ConsoleProtocol, {}, {},
                      "Use psql, or turn prepared statements off in the driver.");
}

Error not_admitted_to_console(std::string_view user) {
    return make_error(ErrorId::ConsoleForbidden, {user}, {},
                      "Name the user under \"admin.users\" or \"admin.viewers\".");
}

Error too_many_clients(uint32_t limit) {
    return make_error(ErrorId::TooManyClients, {}, fmt::format("limits.clients is {}.", limit),
                      "Raise limits.clients, or close connections that nobody uses.");
}

Error too_many_clients_of(std::string_view kind, std::string_view name, uint32_t limit) {
    return make_error(ErrorId::TooManyClientsOf, {kind, name},
                      fmt::format("max_clients is {}.", limit),
                      "Raise max_clients, or close connections that nobody uses.");
}

Error too_many_logins(uint32_t limit) {
    return make_error(ErrorId::TooManyLogins, {},
                      fmt::format("limits.logins_in_flight is {}.", limit),
                      "Try again; raise limits.logins_in_flight if this is your usual load.");
}

Error queue_full(std::string_view database, std::string_view user, uint32_t limit) {
    return make_error(ErrorId::QueueFull, {database, user},
                      fmt::format("{} clients wait already; limits.queue is {}.", limit, limit),
                      "Shorten transactions, or raise pool_size; see SHOW POOLS.");
}

Error wait_timeout(std::string_view database, std::string_view user, Duration waited) {
    return make_error(
        ErrorId::WaitTimeout, {database, user},
        fmt::format("The client waited {} ms; nothing was sent to a server.",
                    to_microseconds(waited) / 1000),
        "Shorten transactions, or raise pool_size or query_wait; see SHOW POOLS and SHOW "
        "PINNED.");
}

Error no_server(std::string_view database, const Error& cause) {
    return make_error(ErrorId::NoServer, {database},
                      fmt::format("Nothing was sent. The last attempt: {}.", cause.message),
                      "pgweir goes on trying; connect again later.");
}

Error no_primary(std::string_view database, Duration waited) {
    return make_error(ErrorId::NoPrimary, {database},
                      fmt::format("The client waited {} ms; nothing was sent to a server.",
                                  to_microseconds(waited) / 1000),
                      "SHOW NODES says why; pgweir goes on looking, connect again later.");
}

Error waits_notice(std::string_view database, std::string_view user) {
    return make_error(ErrorId::WaitsNotice, {database, user});
}

Error cancelled_while_waiting() {
    return make_error(ErrorId::Cancelled, {},
                      "It was still waiting for a server; nothing was sent.");
}

Error cancelled_at_standby() {
    return make_error(ErrorId::Cancelled, {},
                      "The standby that ran it failed it meanwhile; it was not asked elsewhere.");
}

Error shutting_down() {
    return make_error(ErrorId::ShuttingDown, {}, {},
                      "Connect again; another instance or the restarted one will answer.");
}

Error pool_disabled(std::string_view database) {
    return make_error(ErrorId::PoolDisabled, {database}, {},
                      "RESUME on the console opens it again.");
}

Error login_timeout() {
    return make_error(ErrorId::LoginTimeout, {}, {},
                      "timeouts.login bounds the time from connecting to being logged in.");
}

Error idle_too_long() {
    return make_error(ErrorId::IdleTooLong, {}, {}, "timeouts.client_idle bounds it.");
}

Error idle_in_transaction_too_long() {
    return make_error(ErrorId::IdleInTransactionTooLong, {}, "The open transaction is rolled back.",
                      "timeouts.idle_transaction bounds it.");
}

Error killed_by_administrator() {
    return make_error(ErrorId::Killed);
}

Error bound_to_standby(std::string_view node) {
    return make_error(
        ErrorId::BoundToStandby, {node},
        "Temporary tables, advisory locks, LISTEN, cursors WITH HOLD, and what stands "
        "behind the end of a transaction in one query belong to the primary, and this "
        "read-only transaction runs on a standby.",
        "Begin the transaction without READ ONLY, or SET pgweir.route = 'primary' "
        "before it.");
}

Error no_standby(std::string_view database, bool behind) {
    return make_error(
        ErrorId::NoStandby, {database},
        behind ? "No standby shows yet what this session was told of."
               : "No standby takes reads now; SHOW NODES on the console says why.",
        behind ? "A longer routing.causal_wait lets reads wait for one; a request with the comment "
                 "/* pgweir: primary */ in front is not refused."
               : "A request with the comment /* pgweir: primary */ in front is not refused; "
                 "routing.no_standby: primary reads there while no standby does.");
}

Error routed_notice(std::string_view node,
                    std::string_view reason,
                    Duration waited,
                    std::string_view pins) {
    std::string detail;
    const int64_t milliseconds = to_microseconds(waited) / 1000;
    if (milliseconds > 0) detail = fmt::format("It waited {} ms for a server.", milliseconds);
    if (!pins.empty()) {
        detail += fmt::format("{}The server is kept: {}.", detail.empty() ? "" : " ", pins);
    }
    return make_error(ErrorId::RoutedNotice, {node, reason}, detail);
}

Error not_understood(std::string_view setting, std::string_view value, std::string_view known) {
    constexpr size_t kShownMax = 100;
    return make_error(ErrorId::NotUnderstood, {setting, head_of(value, kShownMax)},
                      "It is as if it were not set.", fmt::format("It can be {}.", known));
}

Error unknown_hint(std::string_view hint, std::string_view known) {
    constexpr size_t kShownMax = 100;
    return make_error(ErrorId::UnknownHint, {head_of(hint, kShownMax)},
                      "It is as if it were not there; this is said once in a session.",
                      fmt::format("It can be {}.", known));
}

Error primary_changed(std::string_view node) {
    return make_error(ErrorId::PrimaryChanged, {node},
                      "A transaction that was open is rolled back, unless its COMMIT was sent "
                      "already: then its outcome is unknown.",
                      "Connect again.");
}

Error server_lost(std::string_view reason) {
    return make_error(
        ErrorId::ServerLost, {},
        fmt::format("{}. Whether a statement that was under way took effect is unknown.", reason),
        "Connect again and look before you repeat a change.");
}

Error server_out_of_step() {
    return make_error(ErrorId::ServerOutOfStep, {},
                      "The server's connection was closed so that nobody gets another's rows.",
                      "If it happens again, report it with the log of pgweir.");
}

Error settings_refused(const Error& cause) {
    return {.sqlstate = cause.sqlstate,
            .severity = Severity::Fatal,
            .message = cause.message,
            .detail = cause.detail,
            .hint = cause.hint};
}

Error no_transaction_blocks() {
    return make_error(ErrorId::TransactionBlock, {}, "The transaction is rolled back.",
                      "Use pool_mode: transaction.");
}

Error statement_too_large(uint64_t limit) {
    return make_error(ErrorId::StatementTooLarge, {},
                      fmt::format("limits.statement_size is {} bytes.", limit),
                      "Send values as parameters, or raise limits.statement_size.");
}

Error too_much_prepared(uint64_t limit) {
    return make_error(ErrorId::TooMuchPrepared, {},
                      fmt::format("limits.prepared_per_client is {} bytes of text.", limit),
                      "Close statements that are not used any more, or raise the limit.");
}

Error too_many_pools(uint32_t limit) {
    return make_error(ErrorId::TooManyPools, {}, fmt::format("limits.pools is {}.", limit),
                      "Each pair of database and user has a pool.");
}

Error too_much_held_back(uint64_t limit) {
    return make_error(ErrorId::TooMuchHeldBack, {},
                      fmt::format("limits.input_buffers is {} bytes for each worker.", limit),
                      "Send the request again.");
}

Error too_many_pinned(std::string_view database, uint32_t limit, std::string_view reasons) {
    return make_error(
        ErrorId::TooManyPinned, {database},
        fmt::format("This session would keep one for: {}. pinned_max is {}.", reasons, limit),
        "End such state before the transaction ends, or raise pinned_max.");
}

Error no_place_to_pin(std::string_view database, uint32_t limit) {
    return make_error(ErrorId::NoPlaceToPin, {database},
                      fmt::format("pinned_max is {}; nothing was sent.", limit),
                      "SHOW PINNED on the console tells who keeps one, and why.");
}

Error prepared_in_sql_lost() {
    return make_error(ErrorId::PreparedInSqlLost, {}, {}, "Prepare them again.");
}

Error slow_listener(uint64_t limit) {
    return make_error(ErrorId::SlowListener, {},
                      fmt::format("limits.notifications is {} bytes for one client.", limit),
                      "Read notifications as they come, or raise the limit.");
}

Error listening_interrupted() {
    return make_error(ErrorId::ListeningInterrupted, {},
                      "The connection that listens for this session was lost.",
                      "Another notice tells when it is listened for again.");
}

Error listening_again() {
    return make_error(ErrorId::ListeningAgain, {}, {},
                      "Look whether something happened meanwhile.");
}

Error pinned_idle_too_long(std::string_view reasons) {
    return make_error(ErrorId::PinnedIdleTooLong, {}, fmt::format("It keeps one for: {}.", reasons),
                      "timeouts.pinned_idle bounds it.");
}

Error no_place_for_walsender(std::string_view database, uint32_t pool_size) {
    return make_error(
        ErrorId::NoPlaceForWalsender, {database},
        fmt::format("A replication connection takes one of the pool's {} servers.", pool_size),
        "Raise pool_size, or try again when others are done.");
}

Error cannot_reach(std::string_view node, std::string_view reason) {
    return make_error(ErrorId::CannotReach, {node, reason});
}

Error cannot_log_in(std::string_view node, std::string_view why) {
    return make_error(ErrorId::CannotLogIn, {node, why}, {},
                      "Give the database entry a user and a password, or the users file the plain "
                      "secret.");
}

}  // namespace pgweir::session
