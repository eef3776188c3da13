#include "pgweir/config/advice.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

Config with_reads(size_t nodes) {
    Config config;
    config.clusters["main"].name = "main";
    config.clusters["main"].nodes.resize(nodes);
    config.clusters["main"].routing.reads = Reads::Standby;
    config.databases["app"].cluster = "main";
    return config;
}

}  // namespace

TEST_CASE("advice: what seems to read from standbys and does not") {
    CHECK(advice(Config{}).empty());
    Config config = with_reads(2);
    CHECK(advice(config).empty());
    config.databases["app"].pool.pool_mode = PoolMode::Session;
    REQUIRE(advice(config).size() == 1);
    CHECK(advice(config)[0].find("databases.app") == 0);
    config.clusters["main"].routing.reads = Reads::Primary;
    CHECK(advice(config).empty());
    config.databases["app"].reads = Reads::Any;
    CHECK(advice(config).size() == 1);
    REQUIRE(advice(with_reads(1)).size() == 1);
    CHECK(advice(with_reads(1))[0].find("no second node") != std::string::npos);
}

}  // namespace pgweir::config
