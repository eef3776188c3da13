#pragma once

#include <string>
#include <utility>

namespace pgweir::sim {

/// The first thing that went wrong; what follows it is mostly its consequence. And, if somebody
/// looks on, what happened before it.
class Violations {
public:
    explicit Violations(bool tracing) : tracing_(tracing) {}

    bool tracing() const { return tracing_; }

    void add(std::string what) {
        if (first_.empty()) first_ = std::move(what);
    }

    bool any() const { return !first_.empty(); }

    const std::string& first() const { return first_; }

private:
    bool tracing_;
    std::string first_;
};

}  // namespace pgweir::sim
