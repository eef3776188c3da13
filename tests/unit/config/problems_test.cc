#include "config/problems.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

TEST_CASE("problems: text of the file is shown on one line") {
    CHECK(in_quotes("a\nb\x1b[31m") == "\"a\\x0ab\\x1b[31m\"");
}

TEST_CASE("problems: a long text is cut between characters") {
    const std::string shown = in_quotes(std::string(63, 'a') + "é" + std::string(1000, 'b'));
    CHECK(shown == "\"" + std::string(63, 'a') + "…\"");
}

TEST_CASE("problems: only the head of a value is shown, since a password may be glued to it") {
    CHECK(head_in_quotes("5 password hunter2") == "\"5…\"");
    CHECK(head_in_quotes("password:hunter2", ":") == "\"password…\"");
    CHECK(head_in_quotes("5s") == "\"5s\"");
}

TEST_CASE("problems: they come out in the order of the file") {
    Problems problems("a.yaml");
    problems.add(7, "late", "");
    problems.add(0, "nowhere", "think");
    problems.add(7, "later", "");
    const auto taken = problems.take();
    REQUIRE(taken.size() == 3);
    CHECK(taken[0] == Diagnostic{.file = "a.yaml", .line = 1, .what = "nowhere", .fix = "think"});
    CHECK(taken[1].what == "late");
    CHECK(taken[2].what == "later");
}

TEST_CASE("problems: there is an end to them") {
    Problems problems("a.yaml");
    for (size_t i = 0; i < 2 * kProblemsMax; ++i) problems.add(i, "no", "");
    CHECK(problems.full());
    CHECK(problems.take().size() == kProblemsMax);
}

}  // namespace
}  // namespace pgweir::config
