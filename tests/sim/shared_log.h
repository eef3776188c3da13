#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::sim {

/// What the nodes of a cluster share: who has committed how often, in order. A standby shows a part
/// of it, from the beginning.
class SharedLog {
public:
    void append(const std::string& database, uint32_t who) { entries_.emplace_back(database, who); }

    size_t size() const { return entries_.size(); }

    /// Commits of this client among the first `shown`.
    uint32_t count(std::string_view database, uint32_t who, size_t shown) const {
        const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(shown);
        return static_cast<uint32_t>(std::count_if(entries_.begin(), end, [&](const auto& entry) {
            return entry.first == database && entry.second == who;
        }));
    }

private:
    std::vector<std::pair<std::string, uint32_t>> entries_;
};

/// What a node is at the moment.
struct Role {
    bool is_primary = false;
    size_t replayed = 0;  // by a standby
};

/// Where a session runs. Without a log it is a primary of its own.
struct Place {
    SharedLog* log = nullptr;
    const Role* role = nullptr;
    std::string database;

    bool is_standby() const { return role != nullptr && !role->is_primary; }

    size_t shown() const { return is_standby() ? role->replayed : log->size(); }
};

}  // namespace pgweir::sim
