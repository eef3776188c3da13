#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/session/pins.h"
#include "pgweir/session/settings.h"

#include <span>
#include <string>

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
    Pins pins;
    size_t bytes = 0;      // of the settings
    bool complete = true;  // False exactly when there is more than can be remembered.

    bool holds(std::string_view name) const;
};

enum class FunctionBodies : uint8_t { Ignore, Search };

/// `custom` are names of settings that belong to no module: before PostgreSQL 16 no view shows
/// them. Search looks for more of them in the bodies of the database's own functions.
/// The query also writes down what it found, and `known` with it, in the setting pgweir.pinned.
/// The text is ASCII, and so are the rows that answer it.
std::string census_query(std::span<const std::string> custom, FunctionBodies bodies, Pins known);

/// Takes one DataRow of the answer. False: it has not the shape of one.
bool take_census_row(Census& census, Bytes body);

}  // namespace pgweir::session
