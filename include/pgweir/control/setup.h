#pragma once

#include "pgweir/base/log.h"
#include "pgweir/session/shell.h"

#include <memory>
#include <string>
#include <vector>

namespace pgweir::control {

/// A configuration with the files that it names, or every reason why it cannot be used.
struct ReadSetup {
    std::unique_ptr<session::Setup> setup;
    std::vector<std::string> problems;  // "file:line: what; what to do"
    std::vector<std::string> warnings;  // the same; it can be used all the same
};

ReadSetup read_setup(const std::string& path);

/// The same level in the words of base/log.h, which knows no configuration.
log::Level to_log(config::LogLevel level);

/// Each worker has its own.
std::unique_ptr<const session::Setup> copy(const session::Setup& setup);

}  // namespace pgweir::control
