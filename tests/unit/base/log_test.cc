#include "pgweir/base/log.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>
#include <unistd.h>

namespace pgweir::log {
namespace {

/// A log file of its own; afterwards the log is silent again, as other tests want it.
class LogFile {
public:
    explicit LogFile(Level level)
        : path_(std::filesystem::temp_directory_path() /
                ("pgweir_log_test." + std::to_string(getpid()))) {
        std::filesystem::remove(path_);
        problem = open(path_.string(), level);
    }

    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

    ~LogFile() {
        open("", Level::Off);
        std::filesystem::remove(path_);
    }

    std::string text() const {
        flush();
        std::ifstream file(path_);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string problem;

private:
    std::filesystem::path path_;
};

}  // namespace

TEST_CASE("log: lines have a level and their words, those below the level are left out") {
    const LogFile file(Level::Info);
    CHECK(file.problem.empty());
    debug("unseen {}", 1);
    info("seen {}", 2);
    error("and {}", 3);
    const std::string text = file.text();
    CHECK(text.find("unseen") == std::string::npos);
    CHECK(text.find("info: seen 2\n") != std::string::npos);
    CHECK(text.find("error: and 3\n") != std::string::npos);
}

TEST_CASE("log: what clients send cannot make lines or control a terminal") {
    const LogFile file(Level::Info);
    info("user \"{}\"", "a\nerror: forged \x1b[31m\x7f caf\xc3\xa9 {}");
    CHECK(file.text().find("user \"a\\x0aerror: forged \\x1b[31m\\x7f caf\xc3\xa9 {}\"\n") !=
          std::string::npos);
}

TEST_CASE("log: the level can change, and off is silent") {
    const LogFile file(Level::Off);
    error("one");
    set_level(Level::Debug);
    CHECK(enabled(Level::Debug));
    debug("two");
    set_level(Level::Warning);
    CHECK_FALSE(enabled(Level::Info));
    warning("three");
    const std::string text = file.text();
    CHECK(text.find("one") == std::string::npos);
    CHECK(text.find("debug: two") != std::string::npos);
    CHECK(text.find("warning: three") != std::string::npos);
}

TEST_CASE("log: a file that cannot be opened is a problem, not the end") {
    CHECK_FALSE(open("/dev/null/pgweir.log", Level::Off).empty());
}

}  // namespace pgweir::log
