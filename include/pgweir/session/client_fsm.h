#pragma once

#include "pgweir/base/fsm.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// The life of a client session. TLS will add a state between Greeting and Authenticating.
namespace pgweir::session {

enum class ClientState : uint8_t {
    Greeting,        // the startup packet is not complete
    Authenticating,  // it says who it is
    Idle,            // logged in, holds no server
    Waiting,         // wants a server, stands in its pool's queue
    Behind,          // wants to read what no standby shows yet
    Attached,        // holds a server
    Console,         // talks to pgweir itself
    Closed,          // gone; the slot is given back at the end of the loop's turn
};

enum class ClientEvent : uint8_t {
    StartupReceived,
    LoggedIn,
    WelcomeWanted,
    ConsoleOpened,
    ServerWanted,
    StandbyAwaited,
    ServerLent,
    WaitCancelled,
    ServerReleased,
    Arrived,
    Departed,
    Ended,
};

inline constexpr size_t kClientStates = 8;
inline constexpr size_t kClientEvents = 12;

using ClientRow = fsm::Row<ClientState, ClientEvent>;

/// nullptr: the event cannot happen in this state.
const ClientRow* find_row(ClientState state, ClientEvent event);

std::string_view to_text(ClientState state);
std::string_view to_text(ClientEvent event);

/// The table as a mermaid state diagram.
std::string client_diagram();

}  // namespace pgweir::session
