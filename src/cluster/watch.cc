#include "pgweir/cluster/watch.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace pgweir::cluster {
namespace {

// A connection that ends is not yet a primary that is gone: somebody may have ended just that one.
constexpr uint32_t kFailuresOfPrimary = 2;

int64_t to_milliseconds(Duration duration) {
    return to_microseconds(duration) / 1000;
}

}  // namespace

Watch::Watch(size_t nodes, Limits limits, Instant now, uint32_t epoch)
    : limits_(limits), started_(now), judged_(now), nodes_(nodes) {
    view_.epoch = epoch;
    view_.nodes.resize(nodes);
    for (NodeView& node : view_.nodes) node.since = now;
}

void Watch::answered(size_t number, const Answer& answer, Instant now) {
    Node& node = nodes_[number];
    const bool went_back = node.last && answer.lsn < node.last->lsn;
    const bool moved_on = answer.timeline != 0 && answer.timeline != node.timeline;
    // One that was made anew has been away, and then has more than before; one that has only been
    // away receives nothing.
    const bool came_anew = node.last && node.failures > 0 && answer.lsn > node.last->lsn;
    if (went_back || moved_on || came_anew) node.ahead = false;
    node.last = answer;
    node.heard = now;
    node.failures = 0;
    node.failure.clear();
    if (answer.timeline != 0) node.timeline = answer.timeline;
    if (is_ours(node)) newest_timeline_ = std::max(newest_timeline_, node.timeline);
    const bool writes = view_.primary == number && !answer.in_recovery;
    if (!writes || node.timeline != last_primary_timeline_) return;
    follow_log(answer, node.identity->wal);
    doubt_those_ahead(answer);
}

void Watch::identified(size_t number, const Identity& identity) {
    Node& node = nodes_[number];
    node.identity = identity;
    if (is_ours(node)) newest_timeline_ = std::max(newest_timeline_, node.timeline);
}

void Watch::failed(size_t number, std::string why) {
    Node& node = nodes_[number];
    ++node.failures;
    node.failure = std::move(why);
}

bool Watch::judge(Instant now) {
    forgive_stall(now);
    adopt_identifier(now);
    View before = std::move(view_);
    view_ = View{.epoch = before.epoch, .primary = before.primary, .nodes = before.nodes};
    choose_primary(now);
    bool changed = view_.primary != before.primary || view_.epoch != before.epoch;
    for (size_t number = 0; number < nodes_.size(); ++number) {
        NodeView picture_now = picture(number, verdict_on(number, now), now);
        changed = changed || picture_now.state != before.nodes[number].state;
        view_.nodes[number] = std::move(picture_now);
    }
    return changed;
}

void Watch::forgive_stall(Instant now) {
    const Duration pause = now - judged_;
    judged_ = now;
    if (pause <= stall_of(limits_.silence)) return;
    started_ += pause;
    for (Node& node : nodes_) node.heard = std::min(node.heard + pause, now);
}

void Watch::adopt_identifier(Instant now) {
    if (system_identifier_ != 0) return;
    std::map<uint64_t, size_t> holders;
    bool all_spoke = true;
    for (const Node& node : nodes_) {
        if (node.identity) ++holders[node.identity->system_identifier];
        all_spoke = all_spoke && (node.identity || node.failures > 0);
    }
    const bool waited = now - started_ > limits_.silence;
    uint64_t most_held = 0;
    for (const Node& node : nodes_) {  // of equals the one that the configuration names first
        if (!node.identity) continue;
        const uint64_t candidate = node.identity->system_identifier;
        if (most_held == 0 || holders[candidate] > holders[most_held]) most_held = candidate;
    }
    const bool beyond_doubt = most_held != 0 && holders[most_held] > nodes_.size() / 2;
    if (!beyond_doubt && !all_spoke && !waited) return;
    system_identifier_ = most_held;
    for (const Node& node : nodes_) {
        if (is_ours(node)) newest_timeline_ = std::max(newest_timeline_, node.timeline);
    }
}

bool Watch::is_ours(const Node& node) const {
    return system_identifier_ != 0 && node.identity &&
           node.identity->system_identifier == system_identifier_;
}

bool Watch::is_away(const Node& node, Instant now) const {
    if (!node.last || now - node.heard > limits_.silence) return true;
    return node.failures >= (node.last->in_recovery ? 1 : kFailuresOfPrimary);
}

bool Watch::can_be_primary(size_t number, Instant now) const {
    const Node& node = nodes_[number];
    if (!is_ours(node) || is_away(node, now) || node.last->in_recovery) return false;
    if (node.timeline == 0 || node.timeline != newest_timeline_) return false;
    // A promotion begins a timeline: who takes writes on the old one without having been primary
    // is a copy.
    return !last_primary_ || last_primary_ == number || node.timeline > last_primary_timeline_;
}

bool Watch::is_deposed(const Node& node, Instant now) const {
    if (is_away(node, now)) return false;
    return node.last->in_recovery || !is_ours(node) || node.timeline < newest_timeline_;
}

/// Before that an old primary that answers first would be taken for the one.
bool Watch::all_were_heard(Instant now) const {
    return now - started_ > limits_.silence ||
           std::all_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
               return (node.identity && node.last) || node.failures > 0;
           });
}

void Watch::choose_primary(Instant now) {
    if (!last_primary_ && !all_were_heard(now)) return;
    if (last_primary_ && !deposed_ && is_deposed(nodes_[*last_primary_], now)) {
        deposed_ = true;
        ++view_.epoch;
    }
    std::vector<size_t> candidates;
    for (size_t number = 0; number < nodes_.size(); ++number) {
        if (can_be_primary(number, now)) candidates.push_back(number);
    }
    const auto before =
        std::find(candidates.begin(), candidates.end(), last_primary_.value_or(nodes_.size()));
    if (before == candidates.end() && candidates.size() != 1) {
        view_.primary.reset();
        return;
    }
    const size_t chosen = before != candidates.end() ? *before : candidates.front();
    view_.primary = static_cast<uint32_t>(chosen);
    const Node& node = nodes_[chosen];
    if (last_primary_ == chosen && last_primary_timeline_ == node.timeline && !deposed_) return;
    if (!std::exchange(deposed_, false)) ++view_.epoch;
    last_primary_ = chosen;
    last_primary_timeline_ = node.timeline;
    log_.clear();
    follow_log(*node.last, node.identity->wal);
}

void Watch::follow_log(const Answer& answer, const WalLayout& wal) {
    log_.add(answer.asked, end_of_log(answer.lsn, wal), answer.number);
}

void Watch::doubt_those_ahead(const Answer& answer) {
    for (Node& node : nodes_) {
        const bool follows = node.last && node.last->in_recovery && is_ours(node) &&
                             node.timeline == last_primary_timeline_;
        // What it said before the primary was asked was written before.
        const bool ahead = node.heard <= answer.asked && follows && node.last->lsn > answer.lsn;
        node.ahead = node.ahead || ahead;
    }
}

Watch::Verdict Watch::verdict_on(size_t number, Instant now) const {
    const Node& node = nodes_[number];
    if (is_away(node, now)) return verdict_on_absent(node, now);
    if (!node.identity || system_identifier_ == 0) {
        return {NodeState::Unknown, "what cluster it belongs to is not known yet"};
    }
    if (!is_ours(node)) {
        return {NodeState::Foreign,
                fmt::format("its system identifier is {}, that of the cluster {}",
                            node.identity->system_identifier, system_identifier_)};
    }
    return node.last->in_recovery ? verdict_on_standby(number, now) : verdict_on_writable(number);
}

Watch::Verdict Watch::verdict_on_absent(const Node& node, Instant now) const {
    if (!node.failure.empty()) return {NodeState::Unreachable, node.failure};
    const Duration silent = now - (node.last ? node.heard : started_);
    if (silent <= limits_.silence) return {NodeState::Unknown, "it has not answered yet"};
    return {NodeState::Unreachable,
            fmt::format("it has not answered for {} ms", to_milliseconds(limits_.silence))};
}

Watch::Verdict Watch::verdict_on_writable(size_t number) const {
    const Node& node = nodes_[number];
    if (view_.primary == number) return {NodeState::Primary, ""};
    if (node.timeline == 0) return {NodeState::Unknown, "it does not say its timeline"};
    if (node.timeline < newest_timeline_) {
        return {NodeState::Stale, fmt::format("it takes writes on timeline {}, the newest is {}",
                                              node.timeline, newest_timeline_)};
    }
    return {NodeState::Stale,
            fmt::format("it takes writes on timeline {}, and so does, or did, another node",
                        node.timeline)};
}

Watch::Verdict Watch::verdict_on_standby(size_t number, Instant now) const {
    const Node& node = nodes_[number];
    using enum NodeState;
    if (node.last->replay_paused) return {Lagging, "its replay is paused"};
    if (log_.empty()) return {Lagging, "no primary has been seen yet"};
    if (node.ahead) {
        return {Lagging,
                "it has replayed what the primary's log does not hold: one of them was put back to "
                "an earlier state, and a standby has to be made anew"};
    }
    if (node.timeline == 0) {
        return {Lagging,
                "whom it follows is not known: it receives nothing, or the monitor's user is no "
                "member of pg_monitor"};
    }
    if (node.timeline != last_primary_timeline_) {
        return {Lagging, fmt::format("it follows timeline {}, the primary is on {}", node.timeline,
                                     last_primary_timeline_)};
    }
    const auto lag = log_.behind(node.last->lsn, now);
    if (!lag) return {Lagging, "how far it is behind is not known yet"};
    // Whoever is just at the limit would come and go.
    const bool was_behind = view_.nodes[number].state == Lagging;
    const Duration limit = was_behind ? limits_.lag / 2 : limits_.lag;
    if (*lag > limit) {
        return {Lagging, fmt::format("it is {} ms behind, the limit is {} ms",
                                     to_milliseconds(*lag), to_milliseconds(limits_.lag))};
    }
    return {Standby, ""};
}

NodeView Watch::picture(size_t number, Verdict verdict, Instant now) {
    Node& node = nodes_[number];
    const NodeView& before = view_.nodes[number];
    const bool well = verdict.state == NodeState::Standby;
    if (!well) node.well_since.reset();
    if (well && !node.well_since) node.well_since = now;
    if (well && now - *node.well_since < kReturnTime) {
        verdict = {NodeState::Returning, "it has been well for a moment only"};
    }

    NodeView shown;
    shown.state = verdict.state;
    shown.why = std::move(verdict.why);
    shown.since = shown.state == before.state ? before.since : now;
    shown.timeline = node.timeline;
    if (!node.last) return shown;
    shown.lsn = node.last->lsn;
    if (node.last->in_recovery && is_ours(node) && !log_.empty()) {
        shown.lag = log_.behind(shown.lsn, now);
        shown.lag_bytes = log_.end() > shown.lsn ? log_.end() - shown.lsn : 0;
        const bool same_log =
            !node.ahead && node.timeline != 0 && node.timeline == last_primary_timeline_;
        if (same_log) shown.shown = log_.last_within(shown.lsn);
    }
    return shown;
}

}  // namespace pgweir::cluster
