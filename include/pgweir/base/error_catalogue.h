#pragma once

#include "pgweir/base/error.h"

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

/// The only place where an error that pgweir makes itself has its SQLSTATE, severity and message;
/// docs/errors.md is printed from it. The functions that make errors add the values, a detail and
/// a hint.
namespace pgweir {

enum class ErrorId : uint8_t {
    // limits
    TooManyClients,
    TooManyClientsOf,
    TooManyLogins,
    QueueFull,
    WaitTimeout,
    NoPlaceForWalsender,
    StatementTooLarge,
    TooMuchPrepared,
    TooManyPools,
    TooMuchHeldBack,
    TooManyPinned,
    NoPlaceToPin,
    PreparedInSqlLost,
    SlowListener,
    ListeningInterrupted,
    ListeningAgain,
    WaitsNotice,
    // time
    LoginTimeout,
    IdleTooLong,
    PinnedIdleTooLong,
    IdleInTransactionTooLong,
    Cancelled,
    // servers
    NoServer,
    NoPrimary,
    PrimaryChanged,
    BoundToStandby,
    NoStandby,
    RoutedNotice,
    NotUnderstood,
    UnknownHint,
    ServerLost,
    ServerOutOfStep,
    CannotReach,
    CannotLogIn,
    ServerScramInvalid,
    ServerScramIterations,
    ServerScramRefused,
    ServerScramUnproved,
    // login
    PasswordWrong,
    ScramProofWrong,
    NoUserName,
    ConsoleForbidden,
    UnknownDatabase,
    PoolDisabled,
    ProtocolVersion,
    OptionsArgument,
    UnknownParameter,
    ScramMalformed,
    ScramOutOfOrder,
    ScramBinding,
    // protocol
    StartupPacket,
    EncryptionRequest,
    MessageLength,
    MessageMalformed,
    MessageType,
    TransactionBlock,
    // administration
    ShuttingDown,
    Killed,
    UnknownCommand,
    UnsupportedCommand,
    AdminNeeded,
    ConsoleProtocol,
    ReloadFailed,
    AlreadyPaused,
    NotPaused,
    ClientPointer,
    ClientNotFound,
    NoSuchDatabase,
    DatabaseNotPaused,
};

inline constexpr size_t kErrors = 69;

/// The page's headings.
enum class ErrorSection : uint8_t { Limits, Time, Servers, Login, Protocol, Administration };

struct ErrorRow {
    ErrorId id;
    ErrorSection section;
    SqlState sqlstate;  // 00000: a notice
    Severity severity;
    std::string_view message;  // each … stands for a value
    std::string_view when;
    std::string_view remedy;
};

const std::array<ErrorRow, kErrors>& error_catalogue();
const ErrorRow& row_of(ErrorId id);

/// The error of a row, with one value for each … of its message.
[[gnu::cold]] Error make_error(ErrorId id,
                               std::initializer_list<std::string_view> values = {},
                               std::string detail = {},
                               std::string hint = {});

/// docs/errors.md, wholly.
std::string errors_markdown();

}  // namespace pgweir
