#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "sim/world.h"

#include <charconv>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

/// simulator: plays seeds, and says which of them break what.
namespace pgweir::sim {
namespace {

struct Options {
    uint64_t first = 1;
    uint64_t seeds = 1000;
    bool trace = false;
    bool until_failure = false;
    bool list_planted = false;
    bool help = false;
    std::optional<Families> families{};  // the same for all seeds; otherwise each draws its own
    bool valid = true;
};

constexpr std::string_view kUsage =
    "usage: simulator [--seeds N] [--first S] [--seed S] [--trace] [--until-failure]\n"
    "                 [--family NAME]... [--planted NAME] [--list-planted]\n\n"
    "  --seeds N        plays N seeds, 1000 by default\n"
    "  --first S        begins with seed S, 1 by default\n"
    "  --seed S         plays seed S alone\n"
    "  --trace          tells what happens, and shows pgweir's log\n"
    "  --until-failure  stops at the first seed that fails\n"
    "  --planted NAME   with a bug planted in the sessions: seeds have to fail\n"
    "  --family NAME    with a kind of traffic that a seed otherwise has by chance, or not at "
    "all;\n"
    "                   none: with the everyday traffic alone. Families:\n";

// A broken PGW_CHECK ends in abort(): the seed has failed, and the next one is played all the same.
sigjmp_buf after_abort;
volatile sig_atomic_t playing = 0;

// A seed takes milliseconds; one that takes longer than this loops for ever.
constexpr unsigned kHangSeconds = 20;

uint64_t passed = 0;
uint64_t failed = 0;
uint64_t seed_under_way = 0;

void on_abort(int signal) {
    if (playing != 0) siglongjmp(after_abort, signal);
}

void on_hang(int) {
    fmt::print("seed {} failed: it never ends\n{} passed, {} failed\n", seed_under_way, passed,
               failed + 1);
    std::fflush(stdout);
    std::_Exit(1);
}

// Worlds that failed are in no state to be taken apart; they stay reachable for leak checkers.
std::vector<World*>& graveyard() {
    static auto* worlds = new std::vector<World*>;
    return *worlds;
}

uint64_t to_number(std::string_view text) {
    uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

bool plant(std::string_view name) {
    for (size_t i = 0; i < kBugNames.size(); ++i) {
        if (kBugNames[i] != name) continue;
        planted_bug = static_cast<Bug>(i);
        return true;
    }
    return false;
}

bool add_family(Options& options, std::string_view name) {
    if (!options.families) options.families.emplace();
    if (name == "none") return true;
    const auto family = find_family(name);
    if (family) options.families->add(*family);
    return family.has_value();
}

void print_usage(FILE* out) {
    fmt::print(out, "{}", kUsage);
    for (const FamilyRow& row : kFamilies) {
        fmt::print(out, "                     {:18} {}{}\n", row.name, row.what,
                   row.percent == 0 ? "; only when asked for" : "");
    }
}

Options read_options(const std::vector<std::string_view>& words) {
    Options options;
    for (size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        const std::string_view value = i + 1 < words.size() ? words[i + 1] : "";
        if (word == "--trace") {
            options.trace = true;
        } else if (word == "--until-failure") {
            options.until_failure = true;
        } else if (word == "--list-planted") {
            options.list_planted = true;
        } else if (word == "--help") {
            options.help = true;
        } else if (word == "--seeds" || word == "--first" || word == "--seed" ||
                   word == "--planted" || word == "--family") {
            ++i;
            if (word == "--seeds") options.seeds = to_number(value);
            if (word == "--first" || word == "--seed") options.first = to_number(value);
            if (word == "--seed") options.seeds = 1;
            if (word == "--planted") options.valid = plant(value) && options.valid;
            if (word == "--family") options.valid = add_family(options, value) && options.valid;
        } else {
            options.valid = false;
        }
    }
    return options;
}

/// Errors are told unless they are what the seed is about.
void set_log_level(const Options& options, Families families) {
    const bool errors_wanted = planted(Bug::None) && !families.has(Family::RecklessServers);
    log::set_level(options.trace   ? log::Level::Debug
                   : errors_wanted ? log::Level::Error
                                   : log::Level::Off);
}

/// True: the seed has passed.
bool play(uint64_t seed, const Options& options) {
    static std::unique_ptr<World> world;
    const int aborted = sigsetjmp(after_abort, 1);
    if (aborted != 0) {
        playing = 0;
        fmt::print("seed {} failed: {}\n", seed,
                   aborted == SIGABRT ? "a PGW_CHECK does not hold" : "it crashed");
        graveyard().push_back(world.release());
        return false;
    }
    playing = 1;
    const Families families = options.families ? *options.families : draw_families(seed);
    set_log_level(options, families);
    world = std::make_unique<World>(seed, options.trace, families);
    world->run();
    playing = 0;
    if (world->violations().any()) {
        fmt::print("seed {} failed: {}\n", seed, world->violations().first());
        graveyard().push_back(world.release());
        return false;
    }
    playing = 1;
    world.reset();
    playing = 0;
    return true;
}

int run(const Options& options) {
    std::signal(SIGABRT, on_abort);
    std::signal(SIGSEGV, on_abort);
    std::signal(SIGALRM, on_hang);
    for (uint64_t seed = options.first; seed < options.first + options.seeds; ++seed) {
        seed_under_way = seed;
        alarm(kHangSeconds);
        if (play(seed, options)) {
            ++passed;
            continue;
        }
        ++failed;
        std::fflush(stdout);
        if (options.until_failure) break;
    }
    fmt::print("{} passed, {} failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pgweir::sim

int main(int count, char** words) {
    using namespace pgweir::sim;  // lint: allow the whole file is of this namespace
    const Options options = read_options({words + 1, words + count});
    if (options.list_planted) {
        for (const auto name : pgweir::kBugNames) {
            if (name != "none") fmt::print("{}\n", name);
        }
        return 0;
    }
    if (options.help || !options.valid) {
        print_usage(options.help ? stdout : stderr);
        return options.help ? 0 : 2;
    }
    return run(options);
}
