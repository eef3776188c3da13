#include "pgweir/base/error_catalogue.h"
#include "pgweir/base/log.h"
#include "pgweir/config/fields.h"
#include "pgweir/control/control.h"
#include "pgweir/control/setup.h"
#include "pgweir/metrics/catalogue.h"
#include "pgweir/session/client_fsm.h"
#include "pgweir/session/server_fsm.h"

#include <exception>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <sys/resource.h>
#include <unistd.h>

namespace pgweir {
namespace {

// docs/operation.md lists them.
constexpr int kCleanStop = 0;
constexpr int kBadConfiguration = 1;
constexpr int kCouldNotStart = 2;
constexpr int kInternalError = 70;

struct Options {
    std::string config;
    std::string print_docs;
    bool check = false;
    bool allow_root = false;
};

int print_docs(const std::string& page) {
    if (page == "config") {
        std::cout << config::config_markdown();
    } else if (page == "metrics") {
        std::cout << metrics::metrics_markdown();
    } else if (page == "errors") {
        std::cout << errors_markdown();
    } else if (page == "client-fsm") {
        std::cout << session::client_diagram();
    } else if (page == "server-fsm") {
        std::cout << session::server_diagram();
    } else {
        std::cerr << "pgweir: no such page: " << page << "\n";
        return kBadConfiguration;
    }
    return kCleanStop;
}

/// Every client and every server is a descriptor: take as many as we may.
void raise_descriptor_limit(const config::Config& config) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < config.limits.clients + 256u) {
        log::warning("the limit on open files, {}, is too low for limits.clients, {}",
                     limit.rlim_cur, config.limits.clients);
    }
}

int serve(const Options& options) {
    auto [setup, problems, warnings] = control::read_setup(options.config);
    for (const auto& problem : problems) std::cerr << problem << "\n";
    if (setup == nullptr) return kBadConfiguration;
    if (options.check) {
        for (const auto& warning : warnings) std::cerr << warning << "\n";
        std::cout << options.config << ": good\n";
        return kCleanStop;
    }
    if (geteuid() == 0 && !options.allow_root) {
        std::cerr << "pgweir: it does not run as root, who could do what no proxy needs; start it "
                     "as another user, or with --allow-root\n";
        return kCouldNotStart;
    }
    const std::string problem =
        log::open(setup->config.log.file, control::to_log(setup->config.log.level));
    if (!problem.empty()) {
        std::cerr << "pgweir: cannot log to " << setup->config.log.file << ": " << problem << "\n";
        return kCouldNotStart;
    }
    for (const auto& warning : warnings) log::warning("{}", warning);
    raise_descriptor_limit(setup->config);
    // Look-ups of names share these threads, half of them at a time, and one may take long.
    setenv("UV_THREADPOOL_SIZE", "64", 0);
    control::Control control(std::move(setup));
    if (auto started = control.start(); !started) {
        log::error("{}; {}", started.error().message, started.error().hint);
        return kCouldNotStart;
    }
    return control.run();
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app{"pgweir: a connection pooler for PostgreSQL"};
    app.set_version_flag("--version", std::string("pgweir " PGWEIR_VERSION));
    app.add_flag("--check", options.check, "validate CONFIG and exit: 0 good, 1 not");
    app.add_flag("--allow-root", options.allow_root, "run as root all the same");
    app.add_option("--print-docs", options.print_docs, "print a generated page")->group("");
    app.add_option("CONFIG", options.config, "the YAML file");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kCleanStop : kBadConfiguration;
    }
    if (!options.print_docs.empty()) return print_docs(options.print_docs);
    if (options.config.empty()) {
        std::cerr << "pgweir: which configuration? pgweir CONFIG; --help explains\n";
        return kBadConfiguration;
    }
    return serve(options);
}

}  // namespace
}  // namespace pgweir

int main(int argc, char** argv) {
    try {
        return pgweir::run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "pgweir: internal error: " << error.what() << "\n";
        return pgweir::kInternalError;
    }
}
