#include "admin/pools.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace pgweir::admin {

std::vector<session::PoolRow> merged_pools(const Picture& picture) {
    std::map<std::pair<std::string, std::string>, session::PoolRow> merged;
    for (const auto& worker : picture.workers) {
        for (const auto& pool : worker.pools) {
            auto [it, added] = merged.try_emplace({pool.database, pool.user}, pool);
            if (added) continue;
            session::PoolRow& row = it->second;
            row.clients_idle += pool.clients_idle;
            row.clients_active += pool.clients_active;
            row.clients_waiting += pool.clients_waiting;
            row.servers_active += pool.servers_active;
            row.servers_idle += pool.servers_idle;
            row.servers_checking += pool.servers_checking;
            row.servers_opening += pool.servers_opening;
            row.servers_cancelling += pool.servers_cancelling;
            row.servers_closing += pool.servers_closing;
            row.cancels += pool.cancels;
            for (size_t i = 0; i < session::kPins; ++i) row.pinned[i] += pool.pinned[i];
            row.max_wait_us = std::max(row.max_wait_us, pool.max_wait_us);
            if (row.last_problem.empty()) row.last_problem = pool.last_problem;
        }
    }
    std::vector<session::PoolRow> rows;
    rows.reserve(merged.size());
    for (auto& [key, row] : merged) rows.push_back(std::move(row));
    return rows;
}

}  // namespace pgweir::admin
