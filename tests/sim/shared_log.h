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

/// Where a session runs. `shown` is nullptr at the primary, which shows all.
struct Place {
    SharedLog* log = nullptr;
    const size_t* shown = nullptr;
    std::string database;

    bool is_standby() const { return shown != nullptr; }
};

}  // namespace pgweir::sim
