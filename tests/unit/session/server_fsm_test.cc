#include "pgweir/session/server_fsm.h"

#include <array>
#include <set>
#include <string>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

using enum ServerState;
using enum ServerEvent;

struct Step {
    ServerState from;
    ServerEvent on;
    ServerState to;
};

// Every way there is; what is not here must not happen.
constexpr std::array<Step, 40> kSteps{
    {
     {Connecting, Connected, Authenticating},
     {Authenticating, LoggedIn, Idle},
     {Idle, CheckDue, Checking},
     {Checking, CheckAnswered, Idle},
     {Idle, ClientAttached, Active},
     {Idle, SettingsDiffer, Syncing},
     {Syncing, SettingsApplied, Active},
     {Active, CensusDue, Asking},
     {Asking, CensusAnswered, Active},
     {Active, PartingDue, Parting},
     {Parting, Parted, Active},
     {Idle, ListenerReady, Listening},
     {Active, Released, Idle},
     {Active, CancelPending, Cancelling},
     {Active, ResetDue, Resetting},
     {Cancelling, CancelsDone, Idle},
     {Cancelling, ResetDue, Resetting},
     {Resetting, ResetDone, Idle},
     {Connecting, Ended, Closed},
     {Authenticating, Ended, Closed},
     {Idle, Ended, Closed},
     {Checking, Ended, Closed},
     {Syncing, Ended, Closed},
     {Active, Ended, Closed},
     {Asking, Ended, Closed},
     {Parting, Ended, Closed},
     {Listening, Ended, Closed},
     {Cancelling, Ended, Closed},
     {Resetting, Ended, Closed},
     {Closing, Ended, Closed},
     {Authenticating, Retired, Closing},
     {Idle, Retired, Closing},
     {Checking, Retired, Closing},
     {Syncing, Retired, Closing},
     {Active, Retired, Closing},
     {Asking, Retired, Closing},
     {Parting, Retired, Closing},
     {Listening, Retired, Closing},
     {Cancelling, Retired, Closing},
     {Resetting, Retired, Closing},
     }
};

const Step* expected(ServerState from, ServerEvent on) {
    for (const Step& step : kSteps) {
        if (step.from == from && step.on == on) return &step;
    }
    return nullptr;
}

}  // namespace

TEST_CASE("server fsm: each event leads where it should, and nowhere else") {
    for (size_t from = 0; from < kServerStates; ++from) {
        for (size_t on = 0; on < kServerEvents; ++on) {
            const auto state = static_cast<ServerState>(from);
            const auto event = static_cast<ServerEvent>(on);
            CAPTURE(to_text(state));
            CAPTURE(to_text(event));
            const ServerRow* row = find_row(state, event);
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

TEST_CASE("server fsm: only an idle server is lent, checked or synced") {
    for (size_t from = 0; from < kServerStates; ++from) {
        const auto state = static_cast<ServerState>(from);
        for (const auto event : {ClientAttached, SettingsDiffer, CheckDue}) {
            CHECK((find_row(state, event) != nullptr) == (state == Idle));
        }
    }
}

TEST_CASE("server fsm: every state but the last can end") {
    for (size_t from = 0; from < kServerStates; ++from) {
        const auto state = static_cast<ServerState>(from);
        CHECK((find_row(state, Ended) != nullptr) == (state != Closed));
    }
}

TEST_CASE("server fsm: states and events have names of their own") {
    std::set<std::string_view> names;
    for (size_t i = 0; i < kServerStates; ++i) names.insert(to_text(static_cast<ServerState>(i)));
    for (size_t i = 0; i < kServerEvents; ++i) names.insert(to_text(static_cast<ServerEvent>(i)));
    CHECK(names.size() == kServerStates + kServerEvents);
    CHECK(to_text(Closed) == "Closed");
    CHECK(to_text(Ended) == "Ended");
}

TEST_CASE("server fsm: the diagram shows each row") {
    const std::string diagram = server_diagram();
    CHECK(diagram.find("stateDiagram-v2\n    [*] --> Connecting\n") == 0);
    for (const Step& step : kSteps) {
        const std::string line = "    " + std::string(to_text(step.from)) + " --> " +
                                 std::string(to_text(step.to)) + ": " +
                                 std::string(to_text(step.on)) + " (";
        CAPTURE(line);
        CHECK(diagram.find(line) != std::string::npos);
    }
}

}  // namespace pgweir::session
