#include "pgweir/base/error_catalogue.h"

#include "pgweir/base/check.h"

#include <fmt/format.h>

namespace pgweir {
namespace {

using enum ErrorId;
using enum ErrorSection;

constexpr auto kError = Severity::Error;
constexpr auto kFatal = Severity::Fatal;

// What a value stands for in a message.
constexpr std::string_view kBlank = "…";

// clang-format off
constexpr std::array<ErrorRow, kErrors> kCatalogue{{
    {TooManyClients, Limits, sqlstate::kTooManyConnections, kFatal,
     "sorry, too many clients already",
     "`limits.clients` is reached; or no descriptor is left (the detail says which)",
     "raise `limits.clients` or the limit on open files; close connections that nobody uses"},
    {TooManyClientsOf, Limits, sqlstate::kTooManyConnections, kFatal,
     "too many clients for … \"…\"",
     "`max_clients` of the database or user",
     "raise `max_clients`"},
    {TooManyLogins, Limits, sqlstate::kTooManyConnections, kFatal,
     "too many logins at the same time",
     "`limits.logins_in_flight`",
     "try again; raise it if this is the usual load"},
    {QueueFull, Limits, sqlstate::kTooManyConnections, kFatal,
     "the queue for a server is full for database \"…\", user \"…\"",
     "`limits.queue` clients wait already",
     "shorten transactions, raise `pool_size`"},
    {WaitTimeout, Limits, sqlstate::kTooManyConnections, kFatal,
     "no server came free for database \"…\", user \"…\"",
     "the client waited for `query_wait`; nothing was sent",
     "the same"},
    {NoPlaceForWalsender, Limits, sqlstate::kTooManyConnections, kFatal,
     "no server is free for replication of database \"…\"",
     "a replication connection found no free place in its pool (idle servers count), or the pool is paused",
     "raise `pool_size`"},
    {StatementTooLarge, Limits, sqlstate::kProgramLimitExceeded, kFatal,
     "a prepared statement's text is too large",
     "above `limits.statement_size`",
     "send values as parameters, or raise it"},
    {TooMuchPrepared, Limits, sqlstate::kOutOfMemory, kFatal,
     "this session holds too many prepared statements",
     "above `limits.prepared_per_client`",
     "close statements, or raise it"},
    {TooManyPools, Limits, sqlstate::kTooManyConnections, kFatal,
     "there are too many pools already",
     "`limits.pools` pairs of database and user were seen",
     "raise `limits.pools`; with database \"*\", is somebody trying names?"},
    {TooMuchHeldBack, Limits, sqlstate::kOutOfMemory, kFatal,
     "too much input is held back",
     "half a request was sent while `limits.input_buffers` was used up",
     "raise `limits.input_buffers`; find who sends large statements slowly"},
    {TooManyPinned, Limits, sqlstate::kTooManyConnections, kFatal,
     "too many sessions of database \"…\" keep a server",
     "a transaction left state that keeps a server, `pinned_max` servers are kept, and "
     "`pinned_full` is error",
     "look at SHOW PINNED; raise `pinned_max` and `pool_size`, or keep less state in sessions"},
    {NoPlaceToPin, Limits, sqlstate::kTooManyConnections, kError,
     "no server of database \"…\" can be kept for another session",
     "`pinned_max` servers are kept, and `pinned_full` is error; nothing was sent",
     "look at SHOW PINNED; raise `pinned_max`, or let the statement wait with `pinned_full: wait`"},
    {PreparedInSqlLost, Limits, sqlstate::kSuccessfulCompletion, kError,
     "statements of PREPARE could not be prepared again on another server",
     "what they use has changed or is gone since they were prepared",
     "prepare them again"},
    {SlowListener, Limits, sqlstate::kOutOfMemory, kFatal,
     "too many notifications wait for this client",
     "a client that listens did not read more than `limits.notifications` of them",
     "read notifications as they come, or raise the limit"},
    {ListeningInterrupted, Limits, sqlstate::kWarning, kError,
     "notifications may be missed from now on",
     "the connection that listens for all clients of the database was lost; it is opened again",
     "wait for the next line's notice; look at the log for the cause"},
    {ListeningAgain, Limits, sqlstate::kSuccessfulCompletion, kError,
     "listening again; notifications may have been missed",
     "the connection that listens for all clients of the database is there again",
     "look whether something happened meanwhile"},
    {WaitsNotice, Limits, sqlstate::kSuccessfulCompletion, kError,
     "no server is free for database \"…\", user \"…\", waiting",
     "the client has waited for `timeouts.wait_notice`",
     "look at SHOW POOLS"},
    {LoginTimeout, Time, sqlstate::kQueryCanceled, kFatal,
     "canceling authentication due to timeout",
     "`timeouts.login`",
     "is the client slow, or no PostgreSQL client?"},
    {IdleTooLong, Time, sqlstate::kIdleSessionTimeout, kFatal,
     "terminating connection due to idle-session timeout",
     "`timeouts.client_idle`",
     "connect again"},
    {PinnedIdleTooLong, Time, sqlstate::kIdleSessionTimeout, kFatal,
     "terminating connection due to idle session that keeps a server",
     "`timeouts.pinned_idle`; the session keeps a server for state that cannot move",
     "drop what it keeps, or connect again"},
    {IdleInTransactionTooLong, Time, sqlstate::kIdleInTransactionTimeout, kFatal,
     "terminating connection due to idle-in-transaction timeout",
     "`timeouts.idle_transaction`; the transaction is rolled back",
     "end transactions sooner"},
    {Cancelled, Time, sqlstate::kQueryCanceled, kError,
     "canceling statement due to user request",
     "cancelled while it waited for a server, and nothing was sent, or while a standby ran it, which failed before it said anything",
     "as intended"},
    {NoServer, Servers, sqlstate::kCannotConnectNow, kFatal,
     "no server can be reached for database \"…\"",
     "the client waited for `query_wait`, and the last attempt to open a server failed; the detail has its reason",
     "see the reason; pgweir goes on trying"},
    {NoPrimary, Servers, sqlstate::kReadOnlyTransaction, kFatal,
     "no primary is known for database \"…\"",
     "the client waited for `query_wait`, and no node of the cluster was known to take writes; nothing was sent",
     "see `SHOW NODES`; pgweir goes on looking"},
    {PrimaryChanged, Servers, sqlstate::kConnectionFailure, kFatal,
     "node … is not the primary any more",
     "the client's server was at a node that has been found not to be the primary; it was cut off",
     "connect again; an open transaction is rolled back, the outcome of a COMMIT under way is unknown"},
    {BoundToStandby, Servers, sqlstate::kReadOnlyTransaction, kFatal,
     "this cannot be done on standby …",
     "a statement that binds its session to one server, or goes on behind its end, came in a read-only transaction on a standby; it was not sent",
     "begin the transaction without READ ONLY, or `SET pgweir.route = 'primary'` before it"},
    {NoStandby, Servers, sqlstate::kCannotConnectNow, kError,
     "no standby can serve this read in database \"…\"",
     "`routing.no_standby` is `error`, and no standby takes reads or shows what the session was told of; nothing was sent",
     "see `SHOW NODES`; a longer `routing.causal_wait`, `routing.no_standby: primary`, or the comment `/* pgweir: primary */`"},
    {RoutedNotice, Servers, sqlstate::kSuccessfulCompletion, kError,
     "pgweir: node …, …",
     "a NOTICE in front of each request while `pgweir.trace_route` is on: the node, and why that one; "
     "how long it waited, and why its server is kept, if so",
     "as intended"},
    {NotUnderstood, Servers, sqlstate::kWarning, kError,
     "invalid value for parameter \"…\": \"…\"",
     "a WARNING: `pgweir.route`, `pgweir.consistency` or `pgweir.trace_route` was set to what pgweir does not know, which is as if it were not set",
     "one of the values in the hint"},
    {UnknownHint, Servers, sqlstate::kWarning, kError,
     "invalid hint \"/* pgweir: … */\"",
     "a WARNING, once in a session: a statement begins with a comment that names pgweir and asks for what it does not know, which is as if it were not there",
     "one of the values in the hint"},
    {ServerLost, Servers, sqlstate::kConnectionFailure, kFatal,
     "the server closed the connection",
     "the server was lost while this client had it",
     "connect again; the outcome of a statement under way is unknown"},
    {ServerOutOfStep, Servers, sqlstate::kConnectionFailure, kFatal,
     "the server's replies do not fit what was asked",
     "the ledger and the server disagree; the connection was cut so that nobody gets another's rows",
     "report it with the log"},
    {CannotReach, Servers, sqlstate::kConnectionFailure, kFatal,
     "could not connect to …: …",
     "in the detail of 57P03, in the log, and to a replication client",
     "is the node up, is the address right?"},
    {CannotLogIn, Servers, sqlstate::kInvalidAuthorization, kFatal,
     "could not log in to …: …",
     "the server asks for a login that pgweir cannot do; also in the detail of 57P03",
     "give the database a `password`, or the users file a plain secret"},
    {ServerScramInvalid, Servers, sqlstate::kProtocolViolation, kFatal,
     "the server sent an invalid SCRAM message",
     "while logging in at the server; in the log and in details",
     "is it PostgreSQL?"},
    {ServerScramIterations, Servers, sqlstate::kProtocolViolation, kFatal,
     "the server asks for an unacceptable SCRAM iteration count",
     "not between 1 and 100,000",
     "lower `scram_iterations` there and set the password again"},
    {ServerScramRefused, Servers, sqlstate::kInvalidPassword, kFatal,
     "the server refused the SCRAM login",
     "it says why in the detail",
     "is the password the same on both sides?"},
    {ServerScramUnproved, Servers, sqlstate::kInvalidPassword, kFatal,
     "the server did not prove that it knows the password",
     "its signature is wrong",
     "it may not be the server that it claims to be"},
    {PasswordWrong, Login, sqlstate::kInvalidPassword, kFatal,
     "password authentication failed for user \"…\"",
     "unknown user, no usable secret, or a wrong password; the client is not told which",
     "see the users file"},
    {ScramProofWrong, Login, sqlstate::kInvalidPassword, kFatal,
     "password authentication failed",
     "inside pgweir only; the client is told the line above",
     "see the users file"},
    {NoUserName, Login, sqlstate::kInvalidAuthorization, kFatal,
     "no PostgreSQL user name specified in startup packet",
     "no `user`",
     "a fault of the client"},
    {ConsoleForbidden, Login, sqlstate::kInvalidAuthorization, kFatal,
     "user \"…\" may not use the console",
     "database `pgweir` or `pgbouncer`, and the user is in neither list",
     "name it under `admin`"},
    {UnknownDatabase, Login, sqlstate::kInvalidCatalogName, kFatal,
     "database \"…\" does not exist",
     "not configured, and there is no `\"*\"`",
     "add it under `databases`"},
    {PoolDisabled, Login, sqlstate::kCannotConnectNow, kFatal,
     "database \"…\" is stopped by its administrator",
     "after KILL",
     "`RESUME` on the console"},
    {ProtocolVersion, Login, sqlstate::kFeatureNotSupported, kFatal,
     "unsupported frontend protocol …",
     "not version 3",
     "a newer client"},
    {OptionsArgument, Login, sqlstate::kSyntaxError, kFatal,
     "invalid command-line argument in options: …",
     "`options` has something else than `-c name=value` or `--name=value`",
     "set the parameter by its name"},
    {UnknownParameter, Login, sqlstate::kUndefinedObject, kFatal,
     "unrecognized configuration parameter \"…\"",
     "the startup packet names a parameter that cannot be one; PostgreSQL says the same of one that it does not know",
     "see the connection string"},
    {ScramMalformed, Login, sqlstate::kProtocolViolation, kFatal,
     "malformed SCRAM message",
     "the client's SCRAM message is wrong or too long",
     "a fault of the client's driver"},
    {ScramOutOfOrder, Login, sqlstate::kProtocolViolation, kFatal,
     "SCRAM message out of order",
     "the exchange is at another step, or over",
     "the same"},
    {ScramBinding, Login, sqlstate::kProtocolViolation, kFatal,
     "SCRAM channel binding is not offered",
     "the client insists on channel binding",
     "`channel_binding=prefer` or `disable`"},
    {StartupPacket, Protocol, sqlstate::kProtocolViolation, kFatal,
     "invalid startup packet",
     "a length or layout that cannot be",
     "is it a PostgreSQL client?"},
    {EncryptionRequest, Protocol, sqlstate::kProtocolViolation, kFatal,
     "received unencrypted data after an encryption request",
     "bytes behind SSLRequest or GSSENCRequest",
     "a faulty client, or somebody in between"},
    {MessageLength, Protocol, sqlstate::kProtocolViolation, kFatal,
     "invalid message length …",
     "below 4, or above `limits.message_size`",
     "a faulty driver, or a damaged stream"},
    {MessageMalformed, Protocol, sqlstate::kProtocolViolation, kFatal,
     "malformed … message",
     "Parse, Bind, Describe, Close, password or SASLInitialResponse",
     "a faulty driver"},
    {MessageType, Protocol, sqlstate::kProtocolViolation, kFatal,
     "invalid frontend message type …",
     "no such message, or not in this phase",
     "a faulty driver"},
    {TransactionBlock, Protocol, sqlstate::kFeatureNotSupported, kFatal,
     "transaction blocks not allowed in statement pooling mode",
     "a transaction block with `pool_mode: statement`",
     "`pool_mode: transaction`"},
    {ShuttingDown, Administration, sqlstate::kCannotConnectNow, kFatal,
     "pgweir is shutting down",
     "a stop is under way",
     "connect again, to another instance or a little later"},
    {Killed, Administration, sqlstate::kAdminShutdown, kFatal,
     "terminating connection due to administrator command",
     "KILL, KILL_CLIENT",
     "ask the administrator"},
    {UnknownCommand, Administration, sqlstate::kSyntaxError, kError,
     "invalid command '…', use SHOW HELP;",
     "the console does not know it",
     "SHOW HELP"},
    {UnsupportedCommand, Administration, sqlstate::kFeatureNotSupported, kError,
     "… is not supported",
     "a command of PgBouncer's console that pgweir does not have",
     "what the hint names instead"},
    {AdminNeeded, Administration, sqlstate::kInsufficientPrivilege, kError,
     "admin access needed",
     "a viewer tried more than SHOW",
     "name the user under `admin.users`"},
    {ConsoleProtocol, Administration, sqlstate::kFeatureNotSupported, kError,
     "the console takes simple queries only",
     "the extended protocol on the console",
     "psql, or a driver in simple mode"},
    {ReloadFailed, Administration, sqlstate::kConfigFileError, kError,
     "RELOAD failed, see logs for additional details",
     "the configuration is bad; nothing was changed",
     "see the detail and the log"},
    {AlreadyPaused, Administration, sqlstate::kObjectNotInPrerequisiteState, kError,
     "already suspended/paused",
     "PAUSE twice",
     "RESUME"},
    {NotPaused, Administration, sqlstate::kObjectNotInPrerequisiteState, kError,
     "pooler is not paused/suspended",
     "RESUME without PAUSE",
     "nothing is to be done"},
    {ClientPointer, Administration, sqlstate::kInvalidParameterValue, kError,
     "invalid client pointer supplied",
     "KILL_CLIENT with something else than a number",
     "the column `id` of SHOW CLIENTS"},
    {ClientNotFound, Administration, sqlstate::kUndefinedObject, kError,
     "client not found",
     "KILL_CLIENT of an id that no client has, or has any more",
     "the column `id` of SHOW CLIENTS"},
    {NoSuchDatabase, Administration, sqlstate::kInvalidCatalogName, kError,
     "no such database: …",
     "PAUSE, RESUME, RECONNECT or KILL of a name that is not configured, and there is no `\"*\"`",
     "SHOW DATABASES"},
    {DatabaseNotPaused, Administration, sqlstate::kObjectNotInPrerequisiteState, kError,
     "database … is not paused",
     "RESUME of a database that neither PAUSE nor KILL has stopped by its name, nor KILL of all",
     "nothing is to be done; RESUME alone undoes PAUSE alone"},
}};

// clang-format on

constexpr bool in_order() {
    for (size_t i = 0; i < kErrors; ++i) {
        if (static_cast<size_t>(kCatalogue[i].id) != i) return false;
        if (i > 0 && kCatalogue[i].section < kCatalogue[i - 1].section) return false;
    }
    return true;
}

static_assert(in_order(), "the catalogue's rows stand in the order of the enum and of the page");

std::string_view title(ErrorSection section) {
    switch (section) {
        case Limits: return "Limits";
        case Time: return "Time";
        case Servers: return "Servers";
        case Login: return "Login";
        case Protocol: return "Protocol";
        case Administration: return "Administration";
    }
    return "";
}

std::string_view severity_text(const ErrorRow& row) {
    if (row.sqlstate == sqlstate::kSuccessfulCompletion) return "NOTICE";
    if (row.sqlstate == sqlstate::kWarning) return "WARNING";
    return row.severity == kFatal ? "FATAL" : "ERROR";
}

constexpr std::string_view kIntroduction =
    "# Errors that pgweir makes itself\n\n"
    "Printed from `src/base/error_catalogue.cc` by `scripts/docs`. Errors of PostgreSQL pass "
    "unchanged; that includes those with which a server refuses a login or a client's settings. "
    "The ones below are pgweir's; each has a SQLSTATE that drivers understand. In messages, `…` "
    "stands for a name, a number or a reason. FATAL ends the connection.\n";

constexpr std::string_view kAtTheStart =
    "\n## At the start\n\n"
    "These go to the log and end the process with code 2: `cannot listen on …: …`, `cannot listen "
    "on … for HTTP`. Problems of the configuration end it with code 1; each is a line "
    "`file:line: what; what to do`.\n";

}  // namespace

const std::array<ErrorRow, kErrors>& error_catalogue() {
    return kCatalogue;
}

const ErrorRow& row_of(ErrorId id) {
    return kCatalogue[static_cast<size_t>(id)];
}

Error make_error(ErrorId id,
                 std::initializer_list<std::string_view> values,
                 std::string detail,
                 std::string hint) {
    const ErrorRow& row = row_of(id);
    std::string_view left = row.message;
    std::string message;
    for (const std::string_view value : values) {
        const size_t blank = left.find(kBlank);
        PGW_CHECK(blank != std::string_view::npos);  // a value without a place
        message.append(left.substr(0, blank)).append(value);
        left.remove_prefix(blank + kBlank.size());
    }
    PGW_CHECK(left.find(kBlank) == std::string_view::npos);  // a place without a value
    message.append(left);
    return Error{.sqlstate = row.sqlstate,
                 .severity = row.severity,
                 .message = std::move(message),
                 .detail = std::move(detail),
                 .hint = std::move(hint)};
}

std::string errors_markdown() {
    std::string page(kIntroduction);
    const ErrorRow* before = nullptr;
    for (const auto& row : kCatalogue) {
        if (before == nullptr || before->section != row.section) {
            page += fmt::format("\n## {}\n\n", title(row.section));
            page +=
                "| SQLSTATE | severity | message | when | what to do |\n|---|---|---|---|---|\n";
        }
        page += fmt::format("| {} | {} | {} | {} | {} |\n", row.sqlstate.text(), severity_text(row),
                            row.message, row.when, row.remedy);
        before = &row;
    }
    page += kAtTheStart;
    return page;
}

}  // namespace pgweir
