#include "pgweir/session/client_fsm.h"

#include <array>
#include <set>
#include <string>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

using enum ClientState;
using enum ClientEvent;

struct Step {
    ClientState from;
    ClientEvent on;
    ClientState to;
};

// Every way there is; what is not here must not happen.
constexpr std::array<Step, 22> kSteps{
    {
     {Greeting, StartupReceived, Authenticating},
     {Authenticating, LoggedIn, Idle},
     {Authenticating, WelcomeWanted, Waiting},
     {Authenticating, ConsoleOpened, Console},
     {Authenticating, ServerLent, Attached},
     {Idle, ServerWanted, Waiting},
     {Idle, ServerLent, Attached},
     {Waiting, ServerLent, Attached},
     {Waiting, WaitCancelled, Idle},
     {Idle, StandbyAwaited, Behind},
     {Behind, WaitCancelled, Idle},
     {Attached, ServerReleased, Idle},
     {Greeting, Arrived, Idle},
     {Idle, Departed, Closed},
     {Attached, Departed, Closed},
     {Greeting, Ended, Closed},
     {Authenticating, Ended, Closed},
     {Idle, Ended, Closed},
     {Waiting, Ended, Closed},
     {Behind, Ended, Closed},
     {Attached, Ended, Closed},
     {Console, Ended, Closed},
     }
};

const Step* expected(ClientState from, ClientEvent on) {
    for (const Step& step : kSteps) {
        if (step.from == from && step.on == on) return &step;
    }
    return nullptr;
}

}  // namespace

TEST_CASE("client fsm: each event leads where it should, and nowhere else") {
    for (size_t from = 0; from < kClientStates; ++from) {
        for (size_t on = 0; on < kClientEvents; ++on) {
            const auto state = static_cast<ClientState>(from);
            const auto event = static_cast<ClientEvent>(on);
            CAPTURE(to_text(state));
            CAPTURE(to_text(event));
            const ClientRow* row = find_row(state, event);
            const Step* step = expected(state, event);
            REQUIRE((row == nullptr) == (step == nullptr));
            if (row == nullptr) continue;
            CHECK(row->from == state);
            CHECK(row->on == event);
            CHECK(row->to == step->to);
            CHECK_FALSE(std::string_view(row->why).empty());
        }
    }
}

TEST_CASE("client fsm: every state but the last can end") {
    for (size_t from = 0; from < kClientStates; ++from) {
        const auto state = static_cast<ClientState>(from);
        CHECK((find_row(state, Ended) != nullptr) == (state != Closed));
    }
}

TEST_CASE("client fsm: states and events have names of their own") {
    std::set<std::string_view> names;
    for (size_t i = 0; i < kClientStates; ++i) names.insert(to_text(static_cast<ClientState>(i)));
    for (size_t i = 0; i < kClientEvents; ++i) names.insert(to_text(static_cast<ClientEvent>(i)));
    CHECK(names.size() == kClientStates + kClientEvents);
    CHECK(to_text(Closed) == "Closed");
    CHECK(to_text(Ended) == "Ended");
}

TEST_CASE("client fsm: the diagram shows each row") {
    const std::string diagram = client_diagram();
    CHECK(diagram.find("stateDiagram-v2\n    [*] --> Greeting\n") == 0);
    for (const Step& step : kSteps) {
        const std::string line = "    " + std::string(to_text(step.from)) + " --> " +
                                 std::string(to_text(step.to)) + ": " +
                                 std::string(to_text(step.on)) + " (";
        CAPTURE(line);
        CHECK(diagram.find(line) != std::string::npos);
    }
}

}  // namespace pgweir::session
