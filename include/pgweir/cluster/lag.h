#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/cluster/lsn.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace pgweir::cluster {

/// How far the primary's log had come when: from that a standby's lag is known in time, without the
/// clocks of the nodes and without a heartbeat. An idle primary writes nothing, so nobody lags.
class LogHistory {
public:
    /// Samples that are kept; when there are more, the older half becomes coarser.
    static constexpr size_t kSamplesMax = 1024;

    /// The primary's log ended there; samples come in the order of time and of their numbers. One
    /// that goes back is another log's: what was known before is forgotten.
    void add(Instant when, Lsn end, uint64_t number = 0);

    void clear() { samples_.clear(); }

    bool empty() const { return samples_.empty(); }

    /// The last known end of the log. Zero: none is known.
    Lsn end() const { return samples_.empty() ? 0 : samples_.back().end; }

    /// How old the oldest thing may be at most that a standby does not show which has replayed the
    /// log up to there. Zero when it has replayed all that is known; nullopt when it lacks what was
    /// written before anything was known.
    std::optional<Duration> behind(Lsn replayed, Instant now) const;

    /// The number of the last sample that lies within a log that is replayed up to there: whoever
    /// shows it shows all that was committed before that sample was asked for. Zero: none does.
    uint64_t last_within(Lsn replayed) const;

private:
    struct Sample {
        Instant last_seen;  // the log still ended there
        Lsn end = 0;
        uint64_t number = 0;  // of the sample that saw it last
    };

    void thin();
    std::vector<Sample>::const_iterator first_beyond(Lsn replayed) const;

    std::vector<Sample> samples_;  // ascending
};

}  // namespace pgweir::cluster
