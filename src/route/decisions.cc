#include "pgweir/route/decisions.h"

#include "pgweir/route/judge.h"
#include "pgweir/sql/classify.h"
#include "pgweir/sql/hints.h"
#include "pgweir/sql/outline.h"

#include <utility>

namespace pgweir::route {
namespace {

/// Also where no catalogue is known: whoever wrote the rule knows better.
void apply_rule(Decision& decision,
                const sql::Classification& statement,
                const config::RoutingRule* rule) {
    if (rule == nullptr) return;
    const bool standby = rule->route == config::RuleRoute::Standby;
    // A transaction that begins READ ONLY goes there anyway, unless no read of its database can.
    if (standby && !statement.reads) return;
    decision.its = standby ? Class::Read : Class::Write;
    if (standby) decision.writes = !statement.mentions.functions.empty();
    decision.by_rule = true;
    decision.why = to_text(*rule);
}

}  // namespace

std::string_view to_text(Class its) {
    constexpr std::array<std::string_view, 3> kNames{"primary", "read", "read-only transaction"};
    return kNames[static_cast<size_t>(its)];
}

const Decision* Decisions::about(std::string_view text, Ref& ref) {
    if (distrusted_) return nullptr;
    if (texts_.empty()) {
        static_assert((kTextsMax & (kTextsMax - 1)) == 0);
        texts_.resize(kTextsMax);
        outlines_.resize(kTextsMax);
    }
    const sql::Fingerprint digest = sql::digest_of(text);
    Text& same = place_of(texts_, digest);
    if (same.digest != digest || find(same.ref) == nullptr) {
        const auto found = look_up(text);
        if (!found) return nullptr;
        same = {digest, *found};
    }
    ref = same.ref;
    return judged(entries_[ref.place], text);
}

std::optional<Decisions::Ref> Decisions::look_up(std::string_view text) {
    sql::OutlineRoom room;
    const auto outline = sql::outline_of(text, room);
    const sql::Fingerprint digest = outline ? sql::digest_of(*outline) : sql::Fingerprint{};
    Text& alike = place_of(outlines_, digest);
    if (outline && alike.digest == digest && find(alike.ref) != nullptr) return alike.ref;
    const auto shape = sql::fingerprint(text);
    if (!shape) return std::nullopt;
    const auto known = places_.find(*shape);
    const bool is_new = known == places_.end();
    const uint32_t place = is_new ? make_room() : known->second;
    Entry& entry = entries_[place];
    if (is_new) {
        entry.shape = *shape;
        entry.decision.shape = sql::shape_of(text, kShapeBytesMax);
        places_.emplace(*shape, place);
    }
    const Ref ref{place, entry.generation};
    if (outline) alike = {digest, ref};
    return ref;
}

Decision* Decisions::judged(Entry& entry, std::string_view text) {
    entry.used = true;
    if (entry.judged == version_) return &entry.decision;
    if (looked_into_ >= kLookedIntoMax) {
        ++skipped_;
        return nullptr;
    }
    ++looked_into_;
    ++looked_into_total_;
    look_into(entry.decision, text);
    entry.judged = version_;
    return &entry.decision;
}

void Decisions::look_into(Decision& decision, std::string_view text) const {
    const sql::Classification found = sql::classify(text);
    decision.refused = false;
    decision.by_rule = false;
    Judgement judgement = judge(found, catalogue_);
    const Class fit = found.begins_read_only ? Class::BeginsReadOnly : Class::Read;
    decision.its = judgement.standby ? fit : Class::Write;
    decision.why = std::move(judgement.why);
    // What somebody made is believed as declared; where nothing would refuse it, it may write.
    const bool calls = !found.mentions.functions.empty();
    decision.writes = decision.its == Class::Read ? calls : !found.of_session;
    if (found.begins_read_only) decision.writes = false;
    decision.changes_catalogue = sql::changes_catalogue(text);
    apply_rule(decision, found, rules_.about(text));
}

/// A clock: who was used since the hand passed gets another round.
uint32_t Decisions::make_room() {
    if (entries_.size() < kShapesMax) {
        entries_.emplace_back();
        return static_cast<uint32_t>(entries_.size() - 1);
    }
    while (std::exchange(entries_[hand_].used, false)) hand_ = (hand_ + 1) % kShapesMax;
    const size_t place = hand_;
    hand_ = (hand_ + 1) % kShapesMax;
    Entry& entry = entries_[place];
    places_.erase(entry.shape);
    const uint32_t generation = entry.generation + 1;
    entry = {};
    entry.generation = generation;
    return static_cast<uint32_t>(place);
}

Decision* Decisions::find(Ref ref) {
    if (ref.place >= entries_.size()) return nullptr;
    Entry& entry = entries_[ref.place];
    return entry.generation == ref.generation ? &entry.decision : nullptr;
}

void Decisions::use(const Catalogue* catalogue) {
    distrusted_ = false;
    if (catalogue == catalogue_) return;
    catalogue_ = catalogue;
    ++version_;
}

bool Decisions::is_serializable(const std::string& role) const {
    return catalogue_ != nullptr && catalogue_->is_serializable(role);
}

bool Decisions::asks_for_catalogue(Instant now) {
    if (catalogue_ != nullptr || now < ask_at_) return false;
    ask_at_ = now + kAskAgain;
    return true;
}

void Decisions::use(Rules rules) {
    if (rules == rules_) return;
    rules_ = std::move(rules);
    ++version_;
}

void Decisions::refuse(Ref ref) {
    Decision* decision = find(ref);
    if (decision == nullptr) return;
    decision->its = Class::Write;
    decision->writes = true;
    decision->refused = true;
    decision->why = "a standby refused it";
}

}  // namespace pgweir::route
