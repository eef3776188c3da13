#include "pgweir/admin/status_page.h"

#include <string>

#include <doctest/doctest.h>

namespace pgweir::admin {
namespace {

session::PoolRow pool(std::string database, std::string user) {
    session::PoolRow row;
    row.database = std::move(database);
    row.user = std::move(user);
    row.clients_waiting = 3;
    row.size = 20;
    row.max_wait_us = 1'500'000;
    return row;
}

std::string page_of(std::vector<session::PoolRow> pools, const ProcessState& process) {
    static const config::Config config;
    static const Period period;
    session::EngineSnapshot worker;
    worker.pools = std::move(pools);
    return status_page(Picture{config, {worker}, period}, process);
}

bool has(const std::string& page, std::string_view text) {
    return page.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("status page: it says whether pgweir serves, and for how long") {
    const std::string page = page_of({}, {.uptime_us = 90'061'000'000, .not_ready = ""});
    CHECK(has(page, "It serves."));
    CHECK(has(page, "Up for 1 d 1 h; workers: 1."));
    CHECK(has(page, "No pool yet"));
    CHECK(has(page_of({}, {.uptime_us = 59'000'000, .not_ready = "draining"}),
              "It does not serve: draining."));
    CHECK(has(page_of({}, {.uptime_us = 61'000'000, .not_ready = ""}), "Up for 1 min 1 s"));
}

TEST_CASE("status page: each pool has its line") {
    const std::string page = page_of({pool("app", "ann")}, {});
    CHECK(has(page, "<td>app</td><td>ann</td><td>transaction</td><td>open</td>"));
    CHECK(has(page, "<td class=\"n\">3</td>"));
    CHECK(has(page, "<td class=\"n\">1.5 s</td>"));
}

TEST_CASE("status page: what others named cannot become part of the page") {
    auto row = pool("<script>alert('x')</script>", "\"&ann");
    row.last_problem = "could not connect to <i>: " + std::string(1000, 'y');
    const std::string page = page_of({row}, {.uptime_us = 0, .not_ready = "<b>"});
    CHECK_FALSE(has(page, "<script"));
    CHECK_FALSE(has(page, "<i>"));
    CHECK_FALSE(has(page, "<b>"));
    CHECK(has(page,
              "<td>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</td><td>&quot;&amp;ann</td>"));
    CHECK_FALSE(has(page, std::string(301, 'y')));
}

TEST_CASE("status page: it has an end however many pools there are") {
    std::vector<session::PoolRow> pools;
    for (int i = 0; i < 600; ++i) pools.push_back(pool("app", "user " + std::to_string(i)));
    CHECK(has(page_of(pools, {}), "100 pools more"));
}

}  // namespace pgweir::admin
