#include "pgweir/route/rules.h"

#include "pgweir/base/bytes.h"
#include "pgweir/sql/classify.h"
#include "pgweir/sql/fingerprint.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace pgweir::route {
namespace {

constexpr size_t kShownBytesMax = 60;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string shown(std::string_view text) {
    std::string one_line(head_of(text, kShownBytesMax));
    std::replace_if(
        one_line.begin(), one_line.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
    return one_line + (text.size() > kShownBytesMax ? "..." : "");
}

SampleProblem problem_of(const config::RoutingRule& rule,
                         std::string_view sample,
                         const Rules& all) {
    const auto shape = sql::fingerprint(sample);
    if (!shape) {
        return {rule.line, fmt::format("sample \"{}\" cannot be read", shown(sample)),
                "no rule can be about it; its quotes may have no end"};
    }
    const config::RoutingRule* found = all.about(sample);
    const auto same = [&] { return found->line == rule.line && to_text(*found) == to_text(rule); };
    if (found == nullptr) {
        return {rule.line,
                fmt::format("{} is not about its sample \"{}\"", to_text(rule), shown(sample)),
                fmt::format("its shape is \"{}\", its fingerprint {}",
                            sql::shape_of(sample, kMatchedBytesMax), to_text(*shape))};
    }
    if (!same()) {
        return {rule.line,
                fmt::format("{} of line {} comes first for sample \"{}\"", to_text(*found),
                            found->line, shown(sample)),
                "the first rule that is about a statement counts; change their order"};
    }
    if (rule.route != config::RuleRoute::Standby) return {};
    const sql::Classification judged = sql::classify(sample);
    if (judged.reads) return {};
    return {rule.line,
            fmt::format("sample \"{}\" stays at the primary: {}", shown(sample), judged.why),
            "a rule speaks for functions and tables, not against PostgreSQL's grammar"};
}

}  // namespace

bool is_like(std::string_view text, std::string_view pattern) {
    size_t at = 0;
    size_t next = 0;                       // in the pattern
    size_t star = std::string_view::npos;  // the last '*' in it
    size_t taken = 0;                      // by that one, up to there in the text
    while (at < text.size()) {
        if (next < pattern.size() && pattern[next] == '*') {
            star = next++;
            taken = at;
        } else if (next < pattern.size() && lower(pattern[next]) == lower(text[at])) {
            ++next;
            ++at;
        } else if (star != std::string_view::npos) {
            next = star + 1;
            at = ++taken;
        } else {
            return false;
        }
    }
    while (next < pattern.size() && pattern[next] == '*') ++next;
    return next == pattern.size();
}

Rules::Rules(std::vector<config::RoutingRule> rules) : rules_(std::move(rules)) {
    for (config::RoutingRule& rule : rules_) rule.samples.clear();
    has_patterns_ = std::any_of(rules_.begin(), rules_.end(),
                                [](const auto& rule) { return !rule.pattern.empty(); });
}

const config::RoutingRule* Rules::about(std::string_view sql) const {
    if (rules_.empty()) return nullptr;
    const auto fingerprint = sql::fingerprint(sql);
    if (!fingerprint) return nullptr;
    const std::string name = to_text(*fingerprint);
    const std::string shape = has_patterns_ ? sql::shape_of(sql, kMatchedBytesMax) : std::string();
    for (const config::RoutingRule& rule : rules_) {
        const bool same =
            rule.pattern.empty() ? rule.fingerprint == name : is_like(shape, rule.pattern);
        if (same) return &rule;
    }
    return nullptr;
}

std::string to_text(const config::RoutingRule& rule) {
    return rule.pattern.empty() ? fmt::format("rule {}", rule.fingerprint)
                                : fmt::format("rule \"{}\"", shown(rule.pattern));
}

std::vector<SampleProblem> check_samples(const std::vector<config::RoutingRule>& rules) {
    const Rules all(rules);
    std::vector<SampleProblem> problems;
    for (const config::RoutingRule& rule : rules) {
        for (const std::string& sample : rule.samples) {
            SampleProblem problem = problem_of(rule, sample, all);
            if (!problem.what.empty()) problems.push_back(std::move(problem));
        }
    }
    return problems;
}

}  // namespace pgweir::route
