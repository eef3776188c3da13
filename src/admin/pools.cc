#include "admin/pools.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace pgweir::admin {

namespace {

using Key = std::tuple<std::string, std::string, std::string>;

void add_parts(session::PoolRow& row, const session::PoolRow& other) {
    row.clients_idle += other.clients_idle;
    row.clients_active += other.clients_active;
    row.clients_waiting += other.clients_waiting;
    row.servers_active += other.servers_active;
    row.servers_idle += other.servers_idle;
    row.servers_checking += other.servers_checking;
    row.servers_opening += other.servers_opening;
    row.servers_cancelling += other.servers_cancelling;
    row.servers_closing += other.servers_closing;
    row.cancels += other.cancels;
    for (size_t i = 0; i < session::kPins; ++i) row.pinned[i] += other.pinned[i];
    row.max_wait_us = std::max(row.max_wait_us, other.max_wait_us);
    if (row.last_problem.empty()) row.last_problem = other.last_problem;
}

}  // namespace

std::vector<session::PoolRow> pools_by_node(const Picture& picture) {
    std::map<Key, session::PoolRow> merged;
    for (const auto& worker : picture.workers) {
        for (const auto& pool : worker.pools) {
            auto [it, added] = merged.try_emplace({pool.database, pool.user, pool.node}, pool);
            if (!added) add_parts(it->second, pool);
        }
    }
    std::vector<session::PoolRow> rows;
    rows.reserve(merged.size());
    for (auto& [key, row] : merged) rows.push_back(std::move(row));
    return rows;
}

std::vector<session::PoolRow> merged_pools(const Picture& picture) {
    std::vector<session::PoolRow> rows;
    // The one on the primary comes first, and what it says of itself is said of all.
    for (session::PoolRow& row : pools_by_node(picture)) {
        const bool same =
            !rows.empty() && rows.back().database == row.database && rows.back().user == row.user;
        if (!same) {
            rows.push_back(std::move(row));
            continue;
        }
        add_parts(rows.back(), row);
        rows.back().permits += row.permits;
        rows.back().size += row.size;
    }
    return rows;
}

}  // namespace pgweir::admin
