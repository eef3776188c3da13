#include "sim/standbys.h"

#include "pgweir/base/check.h"

#include <optional>
#include <utility>
#include <vector>

namespace pgweir::sim {
namespace {

/// A table, a function that says it only reads, and what comparisons are made of. As the fields of
/// route::kCatalogueQuestion.
std::unique_ptr<const route::Catalogue> make_catalogue() {
    const std::vector<std::optional<std::string_view>> cells{
        "relation", "1", "public",     "counts", "rp", "0",  //
        "function", "2", "public",     "bump",   "",   "0",  //
        "operator", "0", "pg_catalog", "=",      "",   "0"};
    auto made = route::Catalogue::from_rows(3, cells);
    PGW_CHECK(made.has_value());
    return std::make_unique<const route::Catalogue>(std::move(*made));
}

}  // namespace

Standbys::Standbys() : catalogue_(make_catalogue()) {
    nodes_[primary_].believed = session::Reading::Drains;  // it is none of them
    nodes_[primary_].role.is_primary = true;
}

Standbys::State Standbys::state_of(std::string_view node) const {
    for (size_t i = 0; i < kNodes.size(); ++i) {
        if (kNodes[i] == node) return nodes_[i].state;
    }
    return State::Well;
}

const Role& Standbys::role_of(std::string_view node) const {
    for (size_t i = 0; i < kNodes.size(); ++i) {
        if (kNodes[i] == node) return nodes_[i].role;
    }
    return nodes_[primary_].role;
}

/// What was committed is not lost. Samples of the log before mean nothing in the new one's.
void Standbys::promote(std::string_view node) {
    nodes_[primary_].role = {false, log.size()};
    for (size_t i = 0; i < kNodes.size(); ++i) {
        if (kNodes[i] == node) primary_ = i;
        progress_.publish(i, 0);
    }
    nodes_[primary_] = {
        State::Well, {true, 0},
         session::Reading::Drains
    };
    asked_.clear();
    samples_.clear();
    not_told_.clear();
}

size_t Standbys::some_standby(Prng& prng) const {
    return (primary_ + 1 + prng.below(kNodes.size() - 1)) % kNodes.size();
}

session::Topology Standbys::topology() const {
    session::Topology topology;
    for (size_t i = 0; i < kNodes.size(); ++i) {
        topology.nodes.push_back({std::string(kNodes[i]), nodes_[i].believed, {}});
    }
    topology.progress = &progress_;
    return topology;
}

/// The primary answers the oldest question: all that was told when it was asked is in its log.
void Standbys::take_sample() {
    if (asked_.empty()) return;
    samples_.push_back({asked_.front(), log.size()});
    asked_.pop_front();
}

uint64_t Standbys::shown_at(size_t replayed) const {
    uint64_t shown = 0;
    for (const Sample& sample : samples_) {
        if (sample.log_end <= replayed) shown = sample.number;
    }
    return shown;
}

bool Standbys::change_state(Prng& prng) {
    Node& node = nodes_[some_standby(prng)];
    const State before = node.state;
    node.state = prng.chance(60) ? State::Well : prng.chance(60) ? State::Down : State::Hanging;
    return node.state != before;
}

/// What is believed follows what is, in its own time.
bool Standbys::change_belief(Prng& prng) {
    Node& node = nodes_[some_standby(prng)];
    const session::Reading before = node.believed;
    if (node.state != State::Well) {
        node.believed = session::Reading::Lost;
    } else {
        node.believed = prng.chance(75) ? session::Reading::Takes : session::Reading::Drains;
    }
    return node.believed != before;
}

Standbys::Change Standbys::step(Prng& prng) {
    const size_t number = some_standby(prng);
    Node& node = nodes_[number];
    switch (prng.below(12)) {
        case 0: asked_.push_back(progress_.begin_question()); break;
        case 1:
        case 2:
        case 3: take_sample(); break;
        case 4:
        case 5:
            if (node.state == State::Well)
                node.role.replayed += prng.below(log.size() - node.role.replayed + 1);
            break;
        case 6:
        case 7: not_told_.push_back({number, shown_at(node.role.replayed)}); break;
        case 8:
        case 9:
            if (not_told_.empty()) break;
            progress_.publish(not_told_.front().node, not_told_.front().shown);
            not_told_.pop_front();
            return Change::Progress;
        case 10:
            if (prng.chance(30)) change_state(prng);
            break;
        case 11: return change_belief(prng) ? Change::Topology : Change::None;
    }
    return Change::None;
}

void Standbys::heal() {
    not_told_.clear();
    asked_.clear();
    asked_.push_back(progress_.begin_question());
    take_sample();
    for (size_t i = 0; i < kNodes.size(); ++i) {
        if (i == primary_) continue;
        nodes_[i] = {
            State::Well, {false, log.size()},
             session::Reading::Takes
        };
        progress_.publish(i, shown_at(log.size()));
    }
}

}  // namespace pgweir::sim
