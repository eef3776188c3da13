#include "pgweir/cluster/lag.h"

#include <algorithm>

namespace pgweir::cluster {

void LogHistory::add(Instant when, Lsn end, uint64_t number) {
    if (!samples_.empty() && end < samples_.back().end) samples_.clear();
    if (!samples_.empty() && end == samples_.back().end) {
        samples_.back().last_seen = when;
        samples_.back().number = number;
        return;
    }
    if (samples_.size() >= kSamplesMax) thin();
    samples_.push_back({when, end, number});
}

void LogHistory::thin() {
    // Every second one of the older half goes. Lags become larger by that, never smaller: what lies
    // between two samples counts from the older one.
    const size_t half = samples_.size() / 2;
    size_t kept = 0;
    for (size_t i = 0; i < samples_.size(); ++i) {
        if (i < half && i % 2 == 1) continue;
        samples_[kept++] = samples_[i];
    }
    samples_.resize(kept);
}

std::vector<LogHistory::Sample>::const_iterator LogHistory::first_beyond(Lsn replayed) const {
    return std::upper_bound(samples_.begin(), samples_.end(), replayed,
                            [](Lsn lsn, const Sample& sample) { return lsn < sample.end; });
}

uint64_t LogHistory::last_within(Lsn replayed) const {
    const auto beyond = first_beyond(replayed);
    return beyond == samples_.begin() ? 0 : (beyond - 1)->number;
}

std::optional<Duration> LogHistory::behind(Lsn replayed, Instant now) const {
    const auto beyond = first_beyond(replayed);
    if (beyond == samples_.begin()) return std::nullopt;
    if (beyond == samples_.end()) return Duration::zero();
    return now - (beyond - 1)->last_seen;  // what it lacks was written after that
}

}  // namespace pgweir::cluster
