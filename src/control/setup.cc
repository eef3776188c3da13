#include "pgweir/control/setup.h"

#include "pgweir/auth/users_file.h"
#include "pgweir/config/advice.h"
#include "pgweir/config/loader.h"
#include "pgweir/route/rules.h"

#include <fmt/format.h>

namespace pgweir::control {
namespace {

// Permissions of those who are neither the owner nor in the group.
constexpr uint32_t kOthersMode = 07;

}  // namespace

ReadSetup read_setup(const std::string& path) {
    ReadSetup result;
    config::Loaded loaded = config::load_file(path);
    for (const auto& problem : loaded.problems) result.problems.push_back(problem.to_line());
    if (!loaded.config) return result;
    for (const std::string& sentence : config::advice(*loaded.config)) {
        result.warnings.push_back(fmt::format("{}: {}", path, sentence));
    }

    for (const auto& [name, cluster] : loaded.config->clusters) {
        for (const auto& problem : route::check_samples(cluster.routing.rules)) {
            result.problems.push_back(
                fmt::format("{}:{}: {}; {}", path, problem.line, problem.what, problem.fix));
        }
    }

    auth::UserList users;
    const std::string& users_file = loaded.config->auth.users_file;
    if (!users_file.empty()) {
        const auto file = config::SystemEnvironment().read_file(users_file);
        if (!file) {
            result.problems.push_back(
                fmt::format("{}:1: cannot read auth.users_file: {}", users_file, file.error()));
            return result;
        }
        if ((file->mode & kOthersMode) != 0) {
            result.warnings.push_back(fmt::format(
                "{}:1: auth.users_file is accessible to everybody (mode {:04o}); chmod 640 it",
                users_file, file->mode));
        }
        auto [list, problems] = auth::parse_users_file(file->text);
        for (const auto& problem : problems) {
            result.problems.push_back(
                fmt::format("{}:{}: {}", users_file, problem.line, problem.message));
        }
        users = std::move(list);
    }
    if (!result.problems.empty()) return result;
    result.setup = std::make_unique<session::Setup>(
        session::Setup{std::move(*loaded.config), std::move(users)});
    return result;
}

log::Level to_log(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::Debug: return log::Level::Debug;
        case config::LogLevel::Info: return log::Level::Info;
        case config::LogLevel::Warning: return log::Level::Warning;
        case config::LogLevel::Error: return log::Level::Error;
    }
    return log::Level::Info;
}

std::unique_ptr<const session::Setup> copy(const session::Setup& setup) {
    return std::make_unique<const session::Setup>(setup);
}

}  // namespace pgweir::control
