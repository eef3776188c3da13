#pragma once

#include <array>
#include <cstdint>
#include <string_view>

/// Bugs that can be planted, one at a time, to see whether the simulator finds them. Only its own
/// copy of the session sources is compiled with PGWEIR_PLANTED_BUGS; elsewhere planted() is false
/// while compiling, and nothing of it is left.
namespace pgweir {

enum class Bug : uint8_t {
    None,
    ReleasedTooEarly,
    LentInTransaction,
    SettingsSkipped,
    ParameterStatusIgnored,
    SyncInCopyCounted,
    SynthesizedAfterError,
    FailedParseKept,
    InjectedReplyShown,
    DiscardKeepsStatements,
    LentWithoutStatements,
    CancelNotHeld,
    PermitLost,
    QueueOvertaken,
    NobodyAsked,
    BacklogIgnored,
    MismatchPassed,
    ReservedPrefixOpen,
    CopyErrorEndsBatch,
    DrainCutsTransactions,
    DrainForgetsIdle,
    GroupPermitLost,
    WalsenderPooled,
    CensusSkipped,
    PinForgotten,
    StartupValuesLost,
    MarkNotAwaited,
    ListenerLossSilent,
    MovedWithoutSettings,
    OldPrimaryKept,
    TokenTooOld,
    WriteAtStandby,
    RefusalShown,
    StandbyLossTold,
    RequestKeptTooLong,
    TakenBackAnswerShown,
    SettingsOfLostStandby,
    BehindForgotten,
    BeginForgotten,
    BeginNotTakenBack,
    BeginFailureForgotten,
    FlushedBatchSentAgain,
    BatchOvertaken,
    ReadFromWithin,
};

/// As simulator --planted knows them, in the order of Bug.
inline constexpr std::array<std::string_view, 44> kBugNames{
    "none",
    "released-too-early",
    "lent-in-transaction",
    "settings-skipped",
    "parameter-status-ignored",
    "sync-in-copy-counted",
    "synthesized-after-error",
    "failed-parse-kept",
    "injected-reply-shown",
    "discard-keeps-statements",
    "lent-without-statements",
    "cancel-not-held",
    "permit-lost",
    "queue-overtaken",
    "nobody-asked",
    "backlog-ignored",
    "mismatch-passed",
    "reserved-prefix-open",
    "copy-error-ends-batch",
    "drain-cuts-transactions",
    "drain-forgets-idle",
    "group-permit-lost",
    "walsender-pooled",
    "census-skipped",
    "pin-forgotten",
    "startup-values-lost",
    "mark-not-awaited",
    "listener-loss-silent",
    "moved-without-settings",
    "old-primary-kept",
    "token-too-old",
    "write-at-standby",
    "refusal-shown",
    "standby-loss-told",
    "request-kept-too-long",
    "taken-back-answer-shown",
    "settings-of-lost-standby",
    "behind-forgotten",
    "begin-forgotten",
    "begin-not-taken-back",
    "begin-failure-forgotten",
    "flushed-batch-sent-again",
    "batch-overtaken",
    "read-from-within",
};

#ifdef PGWEIR_PLANTED_BUGS
inline Bug planted_bug = Bug::None;

inline bool planted(Bug bug) {
    return planted_bug == bug;
}
#else
constexpr bool planted(Bug) {
    return false;
}
#endif

}  // namespace pgweir
