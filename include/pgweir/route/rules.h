#pragma once

#include "pgweir/config/model.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// What an administrator knows better of some statements than grammar and catalogue do.
namespace pgweir::route {

/// Of a shape's text, as much as a pattern is compared with.
inline constexpr size_t kMatchedBytesMax = 2048;

/// Whether all of `text` is like `pattern`, in which '*' stands for anything. Case does not count.
bool is_like(std::string_view text, std::string_view pattern);

/// The rules of one cluster, in their order.
/// Thread: one at a time; plain values.
class Rules {
public:
    Rules() = default;

    explicit Rules(std::vector<config::RoutingRule> rules);

    /// The first that is about this statement, or nullptr. Lifetime: as long as the rules.
    /// Cost: once the text's shape, and a comparison for each pattern.
    const config::RoutingRule* about(std::string_view sql) const;

    bool empty() const { return rules_.empty(); }

    bool operator==(const Rules&) const = default;

private:
    std::vector<config::RoutingRule> rules_;
    bool has_patterns_ = false;
};

/// How SHOW ROUTES and messages call it: "rule 'select * from f(*)'".
std::string to_text(const config::RoutingRule& rule);

/// A sample that its rule is not about, or that a rule cannot send where it wants to.
struct SampleProblem {
    size_t line = 0;  // of the rule
    std::string what{};
    std::string fix{};
};

std::vector<SampleProblem> check_samples(const std::vector<config::RoutingRule>& rules);

}  // namespace pgweir::route
