#include "pgweir/base/check.h"

#include <csignal>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pgweir {
namespace {

/// Runs in a child, silently; returns how that ended, as waitpid has it.
template <class Body>
int end_of(Body&& body) {
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        body();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("check: a broken invariant ends the process") {
    const int status = end_of([] { PGW_CHECK(1 + 1 == 3); });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
}

TEST_CASE("check: one that holds costs nothing, and is looked at once") {
    const int status = end_of([] {
        int looked = 0;
        PGW_CHECK(++looked == 1);
        if (looked != 1) _exit(1);
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace pgweir
