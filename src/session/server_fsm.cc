#include "pgweir/session/server_fsm.h"

#include "session/diagram.h"

namespace pgweir::session {
namespace {

using enum ServerState;
using enum ServerEvent;

// clang-format off
constexpr auto kTable = std::to_array<ServerRow>({
    {Connecting,     Connected,       Authenticating, "the stream stands: say who we are"},
    {Authenticating, LoggedIn,        Idle,           "login is done: to whoever waits"},
    {Idle,           CheckDue,        Checking,       "idle for long: ask before it is lent"},
    {Checking,       CheckAnswered,   Idle,           "it lives"},
    {Idle,           ClientAttached,  Active,         "one client owns it for a while"},
    {Idle,           SettingsDiffer,  Syncing,        "the client's settings go first"},
    {Syncing,        SettingsApplied, Active,         "it looks like the client's own session"},
    {Active,         CensusDue,       Asking,         "the transaction may have changed its session"},
    {Asking,         CensusAnswered,  Active,         "what the session holds is known"},
    {Active,         PartingDue,      Parting,        "somebody else wants it: who listens for its client?"},
    {Parting,        Parted,          Active,         "the shared connection does, or its client keeps it"},
    {Idle,           ListenerReady,   Listening,      "it listens for all clients of its database"},
    {Active,         Released,        Idle,           "the transaction is over"},
    {Active,         CancelPending,   Cancelling,     "a late cancel must not hit the next client"},
    {Active,         ResetDue,        Resetting,      "the session is over: wipe its traces"},
    {Cancelling,     CancelsDone,     Idle,           "no cancel can hit it any more"},
    {Cancelling,     ResetDue,        Resetting,      "no cancel can hit it; the session is over"},
    {Resetting,      ResetDone,       Idle,           "clean again"},
    {Connecting,     Ended,           Closed,         "no connection"},
    {Authenticating, Ended,           Closed,         "no login"},
    {Authenticating, Retired,         Closing,        "not wanted any more"},
    {Idle,           Retired,         Closing,        "too old, or not needed"},
    {Checking,       Retired,         Closing,        "not wanted any more"},
    {Syncing,        Retired,         Closing,        "its client left while it was not clean"},
    {Active,         Retired,         Closing,        "its client left it unclean"},
    {Asking,         Retired,         Closing,        "not wanted any more"},
    {Parting,        Retired,         Closing,        "not wanted any more"},
    {Listening,      Retired,         Closing,        "nobody listens, or it does not answer"},
    {Cancelling,     Retired,         Closing,        "not wanted any more"},
    {Resetting,      Retired,         Closing,        "it could not be cleaned"},
    {Closing,        Ended,           Closed,         "PostgreSQL has let go of it"},
    {Idle,           Ended,           Closed,         "lost, or lent to another worker"},
    {Checking,       Ended,           Closed,         "it did not answer"},
    {Syncing,        Ended,           Closed,         "lost"},
    {Active,         Ended,           Closed,         "lost, or out of step"},
    {Asking,         Ended,           Closed,         "lost, and what the session held with it"},
    {Parting,        Ended,           Closed,         "lost"},
    {Listening,      Ended,           Closed,         "lost: its listeners are told"},
    {Cancelling,     Ended,           Closed,         "lost"},
    {Resetting,      Ended,           Closed,         "lost"},
});
// clang-format on

static_assert(fsm::deterministic(kTable), "two rows share a state and an event");
static_assert(fsm::reachable(kTable, Connecting), "a state that no row leads to");
static_assert(fsm::ends_only_in(kTable, Closed), "a state that no row leaves");

constexpr fsm::Lookup<ServerRow, kServerStates, kServerEvents> kLookup{kTable};

}  // namespace

const ServerRow* find_row(ServerState state, ServerEvent event) {
    return kLookup.find(state, event);
}

std::string_view to_text(ServerState state) {
    constexpr std::array<std::string_view, kServerStates> kNames{
        "Connecting", "Authenticating", "Idle",       "Checking",  "Syncing", "Active", "Asking",
        "Parting",    "Listening",      "Cancelling", "Resetting", "Closing", "Closed"};
    return kNames[static_cast<size_t>(state)];
}

std::string_view to_text(ServerEvent event) {
    constexpr std::array<std::string_view, kServerEvents> kNames{
        "Connected",      "LoggedIn",        "CheckDue",  "CheckAnswered",  "ClientAttached",
        "SettingsDiffer", "SettingsApplied", "CensusDue", "CensusAnswered", "PartingDue",
        "Parted",         "ListenerReady",   "Released",  "CancelPending",  "CancelsDone",
        "ResetDue",       "ResetDone",       "Retired",   "Ended"};
    return kNames[static_cast<size_t>(event)];
}

std::string server_diagram() {
    return draw_states(kTable, Connecting);
}

}  // namespace pgweir::session
