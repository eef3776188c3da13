#pragma once

#include <cstdint>
#include <string_view>

/// What a text says about where it wants to go, besides what it does.
namespace pgweir::sql {

/// Where an application wants a statement to run.
enum class Wish : uint8_t {
    Auto,     // wherever it may
    Primary,  // although it only reads
    Standby,  // although it is not known to
};

/// "primary", "standby" or "auto", as SET pgweir.route has it; whatever else is Auto.
Wish wish_of(std::string_view word);

struct Hint {
    Wish wish = Wish::Auto;
    std::string_view unknown;  // what stands there if it is no wish; within the text
};

/// Of a comment "/* pgweir: primary */" that the text begins with.
Hint hint_of(std::string_view sql);

/// True exactly when, on a standby, it would do something else than on the primary, and PostgreSQL
/// would not say so: an advisory lock would be that node's alone. Or it ends its transaction and
/// goes on, so that what follows would be at the wrong node.
bool misplaced_on_standby(std::string_view sql);

/// Whether one of its statements ends a transaction and begins the next at once (AND CHAIN), or
/// looks like it.
bool chains(std::string_view sql);

/// True exactly when it is SHOW of this setting, whose name is in small letters and has a dot.
/// Costs nothing where a text begins with another word.
bool shows(std::string_view sql, std::string_view setting);

/// True exactly when it makes, alters or drops what a catalogue tells of; also in some texts that
/// only look so. Not for temporary tables.
bool changes_catalogue(std::string_view sql);

}  // namespace pgweir::sql
