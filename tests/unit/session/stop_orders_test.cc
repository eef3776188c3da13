#include "pgweir/session/stop_orders.h"

#include <doctest/doctest.h>

namespace pgweir::session {

TEST_CASE("stop orders: PAUSE and KILL of a database hold until its RESUME, and for it alone") {
    StopOrders orders;
    CHECK(orders.state_of("app") == PoolState::Open);
    CHECK_FALSE(orders.resume("app"));
    orders.pause("app");
    CHECK(orders.state_of("app") == PoolState::Paused);
    CHECK(orders.state_of("other") == PoolState::Open);
    orders.kill("app");
    CHECK(orders.state_of("app") == PoolState::Disabled);
    orders.pause("app");
    CHECK(orders.state_of("app") == PoolState::Disabled);
    CHECK(orders.resume("app"));
    CHECK(orders.state_of("app") == PoolState::Open);
}

TEST_CASE("stop orders: KILL of all is undone for one database or for all") {
    StopOrders orders;
    orders.pause("app");
    orders.kill("");
    CHECK(orders.state_of("app") == PoolState::Disabled);
    CHECK(orders.state_of("never heard of") == PoolState::Disabled);
    CHECK(orders.resume("app"));
    CHECK(orders.state_of("app") == PoolState::Open);
    CHECK(orders.state_of("other") == PoolState::Disabled);
    CHECK(orders.resume(""));
    CHECK(orders.state_of("other") == PoolState::Open);
    CHECK_FALSE(orders.resume(""));
}

TEST_CASE("stop orders: RESUME of all leaves a database alone that was paused by its name") {
    StopOrders orders;
    orders.pause("app");
    CHECK_FALSE(orders.resume(""));
    CHECK(orders.state_of("app") == PoolState::Paused);
}

}  // namespace pgweir::session
