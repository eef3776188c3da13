#pragma once

#include "pgweir/admin/tables.h"
#include "pgweir/metrics/exposition.h"

namespace pgweir::admin {

/// The shapes of statements that were asked for most, where they went, and why.
Table show_routes(const Picture& picture);

/// What the workers say of requests and where they went.
void add_routes(metrics::Exposition& out, const std::vector<session::EngineSnapshot>& workers);

}  // namespace pgweir::admin
