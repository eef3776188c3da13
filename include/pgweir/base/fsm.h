#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Lifecycles as tables: a row says where from, on what, where to, and why. The table is the only
/// place that knows, and what it promises is checked while compiling.
namespace pgweir::fsm {

template <class State, class Event>
struct Row {
    State from;
    Event on;
    State to;
    const char* why;
};

/// No two rows share a state and an event.
template <class R, size_t kRows>
constexpr bool deterministic(const std::array<R, kRows>& rows) {
    for (size_t i = 0; i < kRows; ++i) {
        for (size_t j = i + 1; j < kRows; ++j) {
            if (rows[i].from == rows[j].from && rows[i].on == rows[j].on) return false;
        }
    }
    return true;
}

/// Every state that a row leaves can be reached from `start`.
template <class R, size_t kRows, class State>
constexpr bool reachable(const std::array<R, kRows>& rows, State start) {
    uint64_t reached = uint64_t{1} << static_cast<unsigned>(start);
    for (size_t pass = 0; pass < kRows; ++pass) {
        for (const auto& row : rows) {
            if ((reached >> static_cast<unsigned>(row.from)) & 1) {
                reached |= uint64_t{1} << static_cast<unsigned>(row.to);
            }
        }
    }
    for (const auto& row : rows) {
        if (((reached >> static_cast<unsigned>(row.from)) & 1) == 0) return false;
    }
    return true;
}

/// `last` is the only state that rows enter and none leaves.
template <class R, size_t kRows, class State>
constexpr bool ends_only_in(const std::array<R, kRows>& rows, State last) {
    for (const auto& row : rows) {
        bool left = false;
        for (const auto& other : rows) left = left || other.from == row.to;
        if (left == (row.to == last)) return false;
    }
    return true;
}

/// The rows as a dense [state][event] look-up; nullptr is "no such row": an illegal event.
template <class R, size_t kStates, size_t kEvents>
class Lookup {
public:
    template <size_t kRows>
    constexpr explicit Lookup(const std::array<R, kRows>& rows) {
        for (const auto& row : rows) {
            cells_[static_cast<size_t>(row.from)][static_cast<size_t>(row.on)] = &row;
        }
    }

    template <class State, class Event>
    constexpr const R* find(State state, Event event) const {
        return cells_[static_cast<size_t>(state)][static_cast<size_t>(event)];
    }

private:
    std::array<std::array<const R*, kEvents>, kStates> cells_{};
};

}  // namespace pgweir::fsm
