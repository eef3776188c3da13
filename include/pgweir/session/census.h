#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/session/pins.h"
#include "pgweir/session/settings.h"

#include <span>
#include <string>
#include <vector>

/// What a session holds when its transaction is over, asked of PostgreSQL and not guessed from the
/// statements: one query, whose replies the client never sees.
/// See: view-pg-settings.html, view-pg-locks.html, view-pg-cursors.html,
/// view-pg-prepared-statements.html, functions-info.html
namespace pgweir::session {

/// A row of the answer that is larger is not looked into, and the session stays where it is.
inline constexpr uint32_t kCensusRowMax = 65536;

struct Census {
    SettingList settings;  // set in the session, with `role` and custom ones; not sorted
    SettingList prepared;  // statements of SQL's PREPARE, by name
    std::vector<std::string> channels;      // that it listens on
    std::vector<std::string> of_functions;  // custom settings that functions name
    Pins pins;
    bool searched = false;          // True exactly when bodies of functions were looked into.
    bool temporary_schema = false;  // True exactly when there was ever a temporary object.
    size_t bytes = 0;               // of the settings
    bool complete = true;           // False exactly when there is more than can be remembered.

    bool holds(std::string_view name) const;
};

/// Whether to look for names of custom settings in the bodies of the database's own functions.
enum class FunctionBodies : uint8_t { Ignore, Search };

/// Whether the session's statement_timeout applies.
enum class Patience : uint8_t { OfSession, Unlimited };

/// With whose rights the session is looked at: as somebody else, settings that only superusers may
/// see are hidden.
enum class Rights : uint8_t { OfSession, OfLogin };

/// Names of settings that belong to no module are asked for by name: before PostgreSQL 16 no view
/// shows them.
struct CensusQuestion {
    std::span<const std::string> custom;        // that the client named, even if they are empty
    std::span<const std::string> of_functions;  // that functions name
    FunctionBodies bodies = FunctionBodies::Ignore;
    Patience patience = Patience::OfSession;
    Rights rights = Rights::OfSession;
    Pins known;  // what no view shows
};

/// The query also writes down what it found, and what was known, in the setting pgweir.pinned.
/// The text is ASCII, and so are the rows that answer it.
std::string census_query(const CensusQuestion& question);

/// Takes one DataRow of the answer. False: it has not the shape of one.
bool take_census_row(Census& census, Bytes body);

}  // namespace pgweir::session
