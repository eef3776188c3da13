#pragma once

#include "pgweir/admin/tables.h"

#include <cstdint>
#include <string>

/// The page at / of the HTTP port, for people; programs read /metrics and /readyz.
namespace pgweir::admin {

/// What the process knows besides its pools.
struct ProcessState {
    int64_t uptime_us = 0;
    std::string not_ready;  // empty: it serves
};

/// A whole HTML document, without scripts and without anything from elsewhere. Whatever clients,
/// servers or the configuration named is escaped.
std::string status_page(const Picture& picture, const ProcessState& process);

}  // namespace pgweir::admin
