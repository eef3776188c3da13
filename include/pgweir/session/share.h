#pragma once

#include "pgweir/auth/scram.h"
#include "pgweir/base/clock.h"

#include <atomic>
#include <compare>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

/// What workers know of each other's part of a pool: counts and instants, without locks; and the
/// keys that its clients proved, behind one that only logins take.
/// Permits keep the size of the pool for the whole process; the two published figures of each
/// worker keep the law that no client waits while an idle server of its pool sits anywhere.
namespace pgweir::session {

/// Counts servers and clients of one database or one user over all workers.
struct GroupShare {
    std::string name;
    std::atomic<uint32_t> servers{0};
    std::atomic<uint32_t> clients{0};

    /// What a standby has to show to show what any client of the database was told of, as
    /// cluster::Progress counts. Of a database as its cluster calls it; kept where
    /// routing.consistency is database.
    std::atomic<uint64_t> written{0};

    /// Pools, of all workers, whose clients wait because max_servers of the group is reached.
    std::atomic<uint32_t> starving{0};
};

/// Takes one unit if fewer than `limit` are taken; zero is no limit.
inline bool try_take(std::atomic<uint32_t>& count, uint32_t limit) {
    uint32_t taken = count.load(std::memory_order_relaxed);
    while (limit == 0 || taken < limit) {
        if (count.compare_exchange_weak(taken, taken + 1, std::memory_order_seq_cst)) return true;
    }
    return false;
}

inline void give_back(std::atomic<uint32_t>& count) {
    count.fetch_sub(1, std::memory_order_seq_cst);
}

/// Whose servers a pool has, and where.
struct PoolName {
    std::string database;
    std::string user;
    std::string node{};  // a standby's name; empty: wherever the primary is

    auto operator<=>(const PoolName&) const = default;
};

/// One pool over all workers.
/// Thread: any; made once and kept for the life of the process.
class PoolShare {
public:
    PoolShare(PoolName name, uint32_t workers) : name_(std::move(name)), workers_(workers) {}

    static constexpr int64_t kNobodyWaits = std::numeric_limits<int64_t>::max();

    const PoolName& name() const { return name_; }

    uint32_t workers() const { return static_cast<uint32_t>(workers_.size()); }

    /// What a client proved at its login, to open servers that have its verifier. The last proof
    /// counts, in whichever worker it was: passwords change.
    void pass_keys(const auth::ScramKeys& keys) {
        const std::lock_guard lock(keys_mutex_);
        passed_keys_ = keys;
    }

    std::optional<auth::ScramKeys> passed_keys() const {
        const std::lock_guard lock(keys_mutex_);
        return passed_keys_;
    }

    /// Servers open or being opened: the permits that are taken.
    std::atomic<uint32_t> open{0};

    /// Servers that sessions keep between transactions; not those that yield to whoever waits.
    std::atomic<uint32_t> pinned{0};

    /// Clients in the queues of all workers.
    std::atomic<uint32_t> waiting{0};

    // The order of store and load is what the law rests on: a worker that queues a client first
    // says so and then looks for idle servers elsewhere; one that idles a server first says so
    // and then looks for clients elsewhere. With sequential consistency one of the two sees the
    // other.
    // What stays the same is not stored again: the others read these lines all the time, and each
    // store takes the line away from them.
    void publish_idle(uint32_t worker, bool any) {
        std::atomic<bool>& told = workers_[worker].idle;
        if (told.load(std::memory_order_relaxed) != any) told.store(any);
    }

    void publish_oldest_wait(uint32_t worker, int64_t since) {
        std::atomic<int64_t>& told = workers_[worker].oldest_wait;
        if (told.load(std::memory_order_relaxed) != since) told.store(since);
    }

    /// True exactly when the worker has idle servers, or kept ones that yield.
    bool idle(uint32_t worker) const { return workers_[worker].idle.load(); }

    int64_t oldest_wait(uint32_t worker) const { return workers_[worker].oldest_wait.load(); }

private:
    // A cache line each, so that publishing does not slow the neighbours.
    struct alignas(64) PerWorker {
        std::atomic<int64_t> oldest_wait{kNobodyWaits};
        std::atomic<bool> idle{false};
    };

    PoolName name_;
    std::vector<PerWorker> workers_;
    mutable std::mutex keys_mutex_;
    std::optional<auth::ScramKeys> passed_keys_;
};

}  // namespace pgweir::session
