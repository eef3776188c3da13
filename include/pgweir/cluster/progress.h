#pragma once

#include "pgweir/cluster/lsn.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

/// How far the nodes of a cluster are, as numbers that every thread may look at: the control loop
/// writes them, and workers compare them before each read. Nothing is locked and nothing is asked.
///
/// Questions to the nodes are numbered. Whoever was told of a commit reads `asked` behind that: any
/// sample of the primary's log with a higher number was taken after the commit, and a standby that
/// has replayed the log up to there shows it.
namespace pgweir::cluster {

class Progress {
public:
    /// Its numbers come after `last`, which somebody may have been told. `process` names who counts
    /// them: a number of another one means nothing.
    explicit Progress(size_t nodes, uint64_t last = 0, uint64_t process = 0)
        : asked_(last), process_(process), nodes_(nodes) {}

    /// The next number, before the question goes out. Thread: the control loop's.
    uint64_t begin_question() { return asked_.fetch_add(1, std::memory_order_seq_cst) + 1; }

    /// The standby shows everything that this sample of the primary saw. Thread: the control
    /// loop's.
    void publish(size_t node, uint64_t shown) {
        nodes_[node].shown.store(shown, std::memory_order_release);
    }

    /// What a standby has to show to show everything that was committed, and told, until now.
    uint64_t next_sample() const { return asked_.load(std::memory_order_seq_cst) + 1; }

    /// Zero: not known.
    uint64_t shown(size_t node) const { return nodes_[node].shown.load(std::memory_order_acquire); }

    uint64_t process() const { return process_; }

    size_t size() const { return nodes_.size(); }

private:
    struct alignas(64) Node {
        std::atomic<uint64_t> shown{0};
    };

    std::atomic<uint64_t> asked_;
    const uint64_t process_;
    std::vector<Node> nodes_;
};

}  // namespace pgweir::cluster
