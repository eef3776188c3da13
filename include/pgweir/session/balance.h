#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// Which workers carry the load. A worker that waits for work wakes for each message anew, so two
/// half-empty ones cost more than one that is full: the load stays on as few as can carry it, those
/// with the lowest numbers, and spreads when they are full. See docs/adr/0015.
/// Units of `busy` and `full`: thousandths of a core that a worker uses.
namespace pgweir::session {

/// What a worker used lately, so that a moment's burst moves nobody.
class BusyAverage {
public:
    /// Units: thousandths, at most 1000; one for each tick.
    void add(uint32_t latest);

    uint32_t value() const { return static_cast<uint32_t>(average_); }

private:
    double average_ = 0;
};

/// "Give this share of the clients that are active here to that worker."
struct Handout {
    uint32_t to = 0;
    uint32_t thousandths = 0;

    bool operator==(const Handout&) const = default;
};

/// What worker `number` should do; `busy` has a figure for each worker. Workers decide for
/// themselves and at the same time: one at a time gathers, and full ones choose different others.
std::optional<Handout> balance(uint32_t number, std::span<const uint32_t> busy, uint32_t full);

/// Who takes a new connection.
uint32_t worker_for_new(std::span<const uint32_t> busy, uint32_t full);

/// True exactly when this worker should accept connections itself; `accepts`: it does now.
bool should_accept(uint32_t number, bool accepts, std::span<const uint32_t> busy, uint32_t full);

}  // namespace pgweir::session
