#pragma once

#include "pgweir/base/prng.h"
#include "pgweir/cluster/progress.h"
#include "pgweir/route/catalogue.h"
#include "pgweir/session/shell.h"
#include "sim/shared_log.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>

namespace pgweir::sim {

/// The nodes of a world's cluster, and a control loop that looks at them: what they have
/// replayed, what is known of that, and what they are believed to be good for.
class Standbys {
public:
    static constexpr std::array<std::string_view, 3> kNodes{"pg1", "pg2", "pg3"};

    Standbys();

    enum class Change : uint8_t { None, Progress, Topology };

    /// Something happens to one of them, or is found out.
    Change step(Prng& prng);

    /// All are well, and everything is replayed and known.
    void heal();

    session::Topology topology() const;

    const route::Catalogue* catalogue() const { return catalogue_.get(); }

    /// This node is the primary from now on, and the one before is a standby.
    void promote(std::string_view node);

    const Role& role_of(std::string_view node) const;

    bool is_up(std::string_view node) const { return state_of(node) != State::Down; }

    bool hangs(std::string_view node) const { return state_of(node) == State::Hanging; }

    SharedLog log;

private:
    enum class State : uint8_t { Well, Hanging, Down };

    struct Node {
        State state = State::Well;
        Role role{};
        session::Reading believed = session::Reading::Takes;
    };

    struct Sample {
        uint64_t number;
        size_t log_end;
    };

    struct Finding {
        size_t node;
        uint64_t shown;
    };

    State state_of(std::string_view node) const;
    void take_sample();
    uint64_t shown_at(size_t replayed) const;
    bool change_state(Prng& prng);
    bool change_belief(Prng& prng);

    size_t some_standby(Prng& prng) const;

    std::array<Node, kNodes.size()> nodes_;
    size_t primary_ = 0;
    cluster::Progress progress_{kNodes.size()};
    std::unique_ptr<const route::Catalogue> catalogue_;
    std::deque<uint64_t> asked_;    // questions to the primary that are not answered
    std::deque<Sample> samples_;    // oldest first
    std::deque<Finding> not_told_;  // measured, but not known to the workers yet
};

}  // namespace pgweir::sim
