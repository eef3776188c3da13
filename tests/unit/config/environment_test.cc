#include "pgweir/config/loader.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

TEST_CASE("environment: a file comes with its text and mode") {
    const SystemEnvironment environment;
    const auto file = environment.read_file("conf/minimal.yaml");
    REQUIRE(file.has_value());
    CHECK(file->text.find("databases:") != std::string::npos);
    CHECK((file->mode & 0400) == 0400);
    CHECK(file->mode <= 07777);
}

TEST_CASE("environment: what cannot be read says why") {
    const SystemEnvironment environment;
    CHECK(environment.read_file("conf/nothing.yaml").error() == "No such file or directory");
    CHECK(environment.read_file("conf").error() == "is a folder");
}

TEST_CASE("environment: an endless file is not read to its end") {
    const SystemEnvironment environment;
    CHECK(environment.read_file("/dev/zero").error() == "is larger than 1048576 bytes");
}

TEST_CASE("environment: a variable that is not set is nothing") {
    const SystemEnvironment environment;
    CHECK(environment.env("PATH").has_value());
    CHECK_FALSE(environment.env("PGWEIR_HAS_NO_SUCH_VARIABLE").has_value());
}

}  // namespace
}  // namespace pgweir::config
