#pragma once

#include "config/problems.h"
#include "config/reader.h"

namespace pgweir::config {

/// Checks what values have to do with each other, fills in what the file may leave out, and makes
/// the clusters of databases that name a host. The result is good only if `problems` stays empty.
Config validate(Draft draft, Problems& problems);

}  // namespace pgweir::config
