#pragma once

#include <array>
#include <string>

#include <fmt/format.h>

namespace pgweir::session {

/// A transition table as a mermaid state diagram, for docs/fsm.
template <class Row, size_t kRows, class State>
std::string draw_states(const std::array<Row, kRows>& rows, State start) {
    std::string drawing = fmt::format("stateDiagram-v2\n    [*] --> {}\n", to_text(start));
    for (const auto& row : rows) {
        drawing += fmt::format("    {} --> {}: {} ({})\n", to_text(row.from), to_text(row.to),
                               to_text(row.on), row.why);
    }
    return drawing;
}

}  // namespace pgweir::session
