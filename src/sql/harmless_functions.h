#pragma once

#include <string_view>

namespace pgweir::sql {

/// Whether a function of PostgreSQL's, or of an extension that everybody has, leaves nothing behind
/// in the session that calls it. `name` in any case.
bool is_harmless_function(std::string_view name);

}  // namespace pgweir::sql
