#include "pgweir/session/client_fsm.h"

#include "session/diagram.h"

namespace pgweir::session {
namespace {

using enum ClientState;
using enum ClientEvent;

// clang-format off
constexpr auto kTable = std::to_array<ClientRow>({
    {Greeting,       StartupReceived, Authenticating, "it said who it wants to be"},
    {Authenticating, LoggedIn,        Idle,           "proved, and its settings are known from before"},
    {Authenticating, WelcomeWanted,   Waiting,        "proved; a server has to say what its settings become"},
    {Authenticating, ServerLent,      Attached,       "a walsender is opened for it alone"},
    {Authenticating, ConsoleOpened,   Console,        "it asked for pgweir's own database"},
    {Idle,           ServerWanted,    Waiting,        "no idle server fits at once"},
    {Idle,           ServerLent,      Attached,       "one server is ours for a transaction"},
    {Waiting,        ServerLent,      Attached,       "its turn in the queue came"},
    {Waiting,        WaitCancelled,   Idle,           "it took its request back"},
    {Idle,           StandbyAwaited,  Behind,         "a read, and no standby shows yet what its session was told of"},
    {Behind,         WaitCancelled,   Idle,           "one shows it, it has waited long enough, or took its request back"},
    {Attached,       ServerReleased,  Idle,           "the transaction is over"},
    {Greeting,       Arrived,         Idle,           "another worker handed it over, logged in"},
    {Idle,           Departed,        Closed,         "handed to another worker"},
    {Attached,       Departed,        Closed,         "handed to another worker, its server with it"},
    {Greeting,       Ended,           Closed,         "left, or was no PostgreSQL client"},
    {Authenticating, Ended,           Closed,         "left, or could not log in"},
    {Idle,           Ended,           Closed,         "left, or was sent away"},
    {Waiting,        Ended,           Closed,         "left the queue, or waited too long"},
    {Behind,         Ended,           Closed,         "left while it waited for a standby"},
    {Attached,       Ended,           Closed,         "left in a transaction, or lost its server"},
    {Console,        Ended,           Closed,         "left the console"},
});
// clang-format on

static_assert(fsm::deterministic(kTable), "two rows share a state and an event");
static_assert(fsm::reachable(kTable, Greeting), "a state that no row leads to");
static_assert(fsm::ends_only_in(kTable, Closed), "a state that no row leaves");

constexpr fsm::Lookup<ClientRow, kClientStates, kClientEvents> kLookup{kTable};

}  // namespace

const ClientRow* find_row(ClientState state, ClientEvent event) {
    return kLookup.find(state, event);
}

std::string_view to_text(ClientState state) {
    constexpr std::array<std::string_view, kClientStates> kNames{
        "Greeting", "Authenticating", "Idle", "Waiting", "Behind", "Attached", "Console", "Closed"};
    return kNames[static_cast<size_t>(state)];
}

std::string_view to_text(ClientEvent event) {
    constexpr std::array<std::string_view, kClientEvents> kNames{
        "StartupReceived", "LoggedIn",       "WelcomeWanted", "ConsoleOpened",
        "ServerWanted",    "StandbyAwaited", "ServerLent",    "WaitCancelled",
        "ServerReleased",  "Arrived",        "Departed",      "Ended"};
    return kNames[static_cast<size_t>(event)];
}

std::string client_diagram() {
    return draw_states(kTable, Greeting);
}

}  // namespace pgweir::session
