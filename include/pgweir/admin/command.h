#pragma once

#include "pgweir/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

/// The console's language: PgBouncer's.
namespace pgweir::admin {

enum class Verb : uint8_t {
    Show,
    Pause,
    Resume,
    Reload,
    Reconnect,
    Kill,
    KillClient,
    Shutdown,
    Set,
    ExplainRoute,
};

enum class Topic : uint8_t {
    None,
    Help,
    Version,
    Pools,
    Clients,
    Servers,
    Pinned,
    Listeners,
    Nodes,
    Routes,
    Databases,
    Users,
    Stats,
    StatsTotals,
    StatsAverages,
    Totals,
    Lists,
    Config,
    State,
};

struct Command {
    Verb verb = Verb::Show;
    Topic topic = Topic::None;
    std::string argument{};  // a database, a client's id, a way of shutting down, or SQL
};

/// Errors: 42601 for what the console does not know, 0A000 for what only PgBouncer has.
Result<Command> parse_command(std::string_view sql);

/// True for what a viewer may do.
bool is_harmless(const Command& command);

/// The text of SHOW HELP.
std::string_view help_text();

}  // namespace pgweir::admin
