#include "pgweir/session/stop_orders.h"

namespace pgweir::session {

void StopOrders::pause(std::string_view database) {
    if (state_of(database) != PoolState::Open) return;
    states_.insert_or_assign(std::string(database), PoolState::Paused);
}

void StopOrders::kill(std::string_view database) {
    if (database.empty()) states_.clear();
    states_.insert_or_assign(std::string(database), PoolState::Disabled);
}

bool StopOrders::resume(std::string_view database) {
    if (state_of(database) == PoolState::Open) return false;
    const bool all_killed = states_.contains("");
    if (database.empty()) {
        states_.clear();  // KILL of all took the place of older orders
    } else if (all_killed) {
        states_.insert_or_assign(std::string(database), PoolState::Open);
    } else {
        states_.erase(std::string(database));
    }
    return true;
}

PoolState StopOrders::state_of(std::string_view database) const {
    auto found = states_.find(database);
    if (found == states_.end()) found = states_.find(std::string_view());
    return found == states_.end() ? PoolState::Open : found->second;
}

}  // namespace pgweir::session
