#pragma once

#include "pgweir/config/model.h"

#include <string>
#include <vector>

namespace pgweir::config {

/// What is allowed, and does not do what it seems to: a sentence each.
std::vector<std::string> advice(const Config& config);

}  // namespace pgweir::config
