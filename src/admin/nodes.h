#pragma once

#include "pgweir/admin/tables.h"
#include "pgweir/metrics/exposition.h"

#include <vector>

/// What is believed of the nodes of clusters, for SHOW NODES and the metrics.
namespace pgweir::admin {

Table show_nodes(const Picture& picture);

void add_nodes(metrics::Exposition& out, const std::vector<ClusterPicture>& clusters, Instant now);

}  // namespace pgweir::admin
