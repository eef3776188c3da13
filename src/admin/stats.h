#pragma once

#include "pgweir/admin/tables.h"

/// SHOW STATS and its relatives.
namespace pgweir::admin {

Table show_stats(const Picture& picture);
Table show_totals(const Picture& picture);
Table show_averages(const Picture& picture);

/// SHOW TOTALS: those of all databases, a line each.
Table show_sums(const Picture& picture);

}  // namespace pgweir::admin
