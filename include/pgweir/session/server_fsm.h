#pragma once

#include "pgweir/base/fsm.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// The life of a server connection. TLS will add a state between Connecting and Authenticating.
namespace pgweir::session {

enum class ServerState : uint8_t {
    Connecting,      // the stream is not there yet
    Authenticating,  // up to the first ReadyForQuery
    Idle,            // clean, in its pool
    Checking,        // was idle for long: does it still answer?
    Syncing,         // promised to a client, takes that client's settings
    Active,          // one client's
    Asking,          // a transaction is over: what does its session hold now?
    Parting,         // its client's channels go to the shared connection
    Listening,       // it is the shared connection
    Cancelling,      // given back, but a cancel that is under way could still hit it
    Resetting,       // a session's traces are wiped
    Closing,         // told to go; it counts until PostgreSQL has let go of it
    Closed,          // gone; the slot is given back at the end of the loop's turn
};

enum class ServerEvent : uint8_t {
    Connected,
    LoggedIn,
    CheckDue,
    CheckAnswered,
    ClientAttached,
    SettingsDiffer,
    SettingsApplied,
    CensusDue,
    CensusAnswered,
    PartingDue,
    Parted,
    ListenerReady,
    Released,
    CancelPending,
    CancelsDone,
    ResetDue,
    ResetDone,
    Retired,
    Ended,
};

inline constexpr size_t kServerStates = 13;
inline constexpr size_t kServerEvents = 19;

using ServerRow = fsm::Row<ServerState, ServerEvent>;

/// nullptr: the event cannot happen in this state.
const ServerRow* find_row(ServerState state, ServerEvent event);

std::string_view to_text(ServerState state);
std::string_view to_text(ServerEvent event);

/// The table as a mermaid state diagram.
std::string server_diagram();

}  // namespace pgweir::session
