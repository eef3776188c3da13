#include "pgweir/config/loader.h"

#include "unit/config/world.h"

#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace pgweir::config {
namespace {

TEST_CASE("loader: a problem reads as file, line, what, and what to do") {
    CHECK(Diagnostic{.file = "a.yaml", .line = 3, .what = "no", .fix = "yes"}.to_line() ==
          "a.yaml:3: no; yes");
    CHECK(Diagnostic{.file = "a.yaml", .line = 3, .what = "no", .fix = ""}.to_line() ==
          "a.yaml:3: no");
}

TEST_CASE("loader: all problems are told at once, in the order of the file") {
    CHECK(problems_of(R"(auth: {method: trust}
log:
  level: loud
databases:
  app: {cluster: gone}
limits: {clients: 0}
limits: {queue: 1}
colour: &x blue
)") == Lines{
           "3: log.level: \"loud\" is not one of debug, info, warning or error; use one of them",
           "5: database \"app\" names cluster \"gone\", which does not exist; define it under "
           "clusters",
           "6: limits.clients: \"0\" is out of range; allowed: 1 to 1000000",
           "7: duplicate key \"limits\"; it is already in line 6; keep one",
           "8: anchors (&name) are not allowed; remove the anchor and write the value where it is "
           "needed",
           "8: unknown key \"colour\"; remove it; docs/config.md has all keys"});
}

TEST_CASE("loader: a file with nothing in it has one problem") {
    CHECK(problems_of("") == Lines{"1: the configuration is empty; start from conf/minimal.yaml"});
    CHECK(problems_of("# nothing\n").size() == 1);
    CHECK(problems_of("[1, 2]\n").size() == 1);
    CHECK(problems_of("hello\n").size() == 1);
}

TEST_CASE("loader: a file has at most a megabyte, and its problems an end") {
    CHECK(problems_of(std::string(kFileBytesMax + 1, '#')) ==
          Lines{"1: the file is larger than 1048576 bytes; make it smaller"});
    std::string many;
    for (int i = 0; many.size() < kFileBytesMax - 32; ++i) many += fmt::format("k{}: 1\n", i);
    CHECK(problems_of(many).size() == 100);
}

TEST_CASE("loader: the examples are right") {
    for (const std::string path : {"conf/pgweir.yaml", "conf/minimal.yaml"}) {
        const Loaded loaded = load_file(path);
        for (const Diagnostic& problem : loaded.problems) MESSAGE(problem.to_line());
        REQUIRE(loaded.config.has_value());
        CHECK(loaded.config->path == path);
        CHECK(loaded.config->databases.contains("*"));
    }
}

TEST_CASE("loader: the minimum has five lines") {
    const auto file = SystemEnvironment().read_file("conf/minimal.yaml");
    REQUIRE(file.has_value());
    CHECK(std::count(file->text.begin(), file->text.end(), '\n') == 5);
}

TEST_CASE("loader: a file that is not there is a problem of its first line") {
    const Loaded loaded = load_file("conf/nothing.yaml");
    CHECK_FALSE(loaded.config.has_value());
    REQUIRE(loaded.problems.size() == 1);
    CHECK(loaded.problems.front().to_line() ==
          "conf/nothing.yaml:1: cannot read the file: No such file or directory; name a YAML file "
          "that pgweir may read");
}

}  // namespace
}  // namespace pgweir::config
