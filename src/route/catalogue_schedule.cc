#include "pgweir/route/catalogue_schedule.h"

#include <algorithm>
#include <utility>

namespace pgweir::route {
namespace {

bool holds(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whoever is waited for is put forward, and so are those that are listed; but a lead and no more,
/// or others would never have their turn.
Instant turn_of(const CatalogueSchedule::Known& known) {
    const bool waited_for = known.untold || !known.digest;
    const Duration lead = waited_for ? CatalogueSchedule::kEvery : Duration::zero();
    return known.due - lead + (known.learned ? CatalogueSchedule::kEvery / 2 : Duration::zero());
}

}  // namespace

std::vector<std::string> CatalogueSchedule::set_databases(Databases databases) {
    databases_ = std::move(databases);
    refusal_told_ = false;
    learned_ = 0;
    std::vector<std::string> gone;
    for (auto each = known_.begin(); each != known_.end();) {
        auto& [database, known] = *each;
        const bool listed = holds(databases_.listed, database);
        const bool was_learned = std::exchange(known.learned, !listed);
        const bool goes_on = was_learned && learned_ < databases_.others_max &&
                             !holds(databases_.elsewhere, database);
        if (listed || goes_on) {
            if (!listed) ++learned_;
            ++each;
        } else {
            gone.push_back(database);
            each = known_.erase(each);
        }
    }
    for (const std::string& name : databases_.listed) known_.try_emplace(name);
    return gone;
}

CatalogueSchedule::Learning CatalogueSchedule::learn(const std::string& database, Instant now) {
    const auto found = known_.find(database);
    if (found != known_.end()) {
        found->second.missed = now;
        return Learning::Done;
    }
    if (databases_.others_max == 0 || holds(databases_.elsewhere, database)) {
        return Learning::Refused;
    }
    if (learned_ >= databases_.others_max) {
        ++refused_;
        return std::exchange(refusal_told_, true) ? Learning::Refused : Learning::FirstRefused;
    }
    ++learned_;
    Known& known = known_[database];
    known.learned = true;
    known.missed = now;
    return Learning::Done;
}

bool CatalogueSchedule::begin(Instant now) {
    if (!reading_.empty()) return false;
    auto next = known_.end();
    for (auto each = known_.begin(); each != known_.end(); ++each) {
        const bool first = next == known_.end() || turn_of(each->second) < turn_of(next->second);
        if (each->second.due <= now && first) next = each;
    }
    if (next == known_.end()) return false;
    reading_ = next->first;
    begun_ = now;
    outdated_ = false;
    read_again_ = false;
    return true;
}

void CatalogueSchedule::read_soon(const std::string& database, Instant now) {
    const auto found = known_.find(database);
    if (found == known_.end()) return;
    Known& known = found->second;
    // What is read now may have been read before the change.
    const bool under_way = reading_ == database;
    if (!known.digest && !under_way) return;  // it is due as soon as it can be
    // What fails is not tried more often for it.
    if (known.why.empty()) {
        known.due = std::min(known.due, (under_way ? begun_ : known.read) + kSoon);
    }
    if (!std::exchange(known.untold, true)) known.untold_since = now;
    read_again_ = read_again_ || under_way;
}

void CatalogueSchedule::start_over() {
    outdated_ = true;
    for (auto& [database, known] : known_) known.due = {};
}

CatalogueSchedule::Outcome CatalogueSchedule::succeeded(uint64_t digest, Instant now) {
    Outcome outcome{std::exchange(reading_, {})};
    const auto found = known_.find(outcome.database);
    if (found == known_.end() || outdated_) return outcome;
    Known& known = found->second;
    outcome.believed = true;
    outcome.is_news = !known.digest || !known.why.empty();
    if (known.digest != digest && !std::exchange(known.untold, true)) known.untold_since = now;
    known.digest = digest;
    known.read = begun_;
    known.due = now + (read_again_ ? kSoon : kEvery);
    known.pause = {};
    known.why.clear();
    // One that was begun before the last change is not the answer to it; but where changes never
    // end, it is better than none.
    outcome.told = known.untold && (!read_again_ || now - known.untold_since >= kEvery);
    if (outcome.told) known.untold = false;
    return outcome;
}

CatalogueSchedule::Outcome CatalogueSchedule::failed(const std::string& why, Instant now) {
    Outcome outcome{std::exchange(reading_, {})};
    const auto found = known_.find(outcome.database);
    if (found == known_.end()) return outcome;
    Known& known = found->second;
    known.pause = std::clamp(known.pause * 2, kAgain, kAgainMax);
    known.due = now + known.pause;
    if (known.why.empty()) known.failing_since = now;
    const bool given_up = now - known.failing_since >= kBelieved;
    outcome.dropped = known.digest && given_up;
    outcome.has_another = known.digest && !given_up;
    outcome.is_news = why != known.why || outcome.dropped;
    if (outcome.dropped) known.missed = now;  // as long as it was believed, nobody missed it
    outcome.forgotten = known.learned && given_up && now - known.missed >= kBelieved;
    outcome.told = outcome.dropped;
    known.why = why;
    if (outcome.dropped) known.digest.reset();
    if (outcome.forgotten) {
        --learned_;
        known_.erase(found);
    }
    return outcome;
}

}  // namespace pgweir::route
