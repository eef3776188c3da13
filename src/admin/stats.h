#pragma once

#include "pgweir/admin/tables.h"

/// SHOW STATS and its relatives.
namespace pgweir::admin {

Table show_stats(const Picture& picture);
Table show_totals(const Picture& picture);
Table show_averages(const Picture& picture);

}  // namespace pgweir::admin
