#pragma once

#include "pgweir/admin/tables.h"

#include <vector>

namespace pgweir::admin {

/// The same pool in several workers is one row; in order of database, user and node.
std::vector<session::PoolRow> pools_by_node(const Picture& picture);

/// Those on all nodes together; in order of database and user.
std::vector<session::PoolRow> merged_pools(const Picture& picture);

}  // namespace pgweir::admin
