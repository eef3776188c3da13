#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/route/catalogue.h"
#include "pgweir/route/rules.h"
#include "pgweir/sql/fingerprint.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pgweir::route {

enum class Class : uint8_t {
    Write,           // or what may be one: for the primary
    Read,            // may run on a standby
    BeginsReadOnly,  // begins a transaction that may
};

/// In small letters, as SHOW ROUTES says it.
std::string_view to_text(Class its);

/// What is known of one shape of statements.
struct Decision {
    Class its = Class::Write;
    bool writes = true;              // or may, on the primary; a SET is no read, and writes no data
    bool changes_catalogue = false;  // True exactly when it does by its first words.
    std::string why{};               // it is no read; empty if it is
    std::string shape{};             // its text without values, cut off
    bool by_rule = false;            // True exactly when a rule said where it goes.
    bool refused = false;  // True exactly when a standby refused it, although it seemed to read.
    uint64_t seen = 0;
    uint64_t on_standbys = 0;
    uint64_t microseconds = 0;  // that its answers took, where they were asked for alone
};

/// Where statements of one database may go, so that each shape is looked into once: by its text to
/// the byte first, which is cheap, then by its outline, by its fingerprint, and at last by
/// PostgreSQL's grammar and the catalogue. Room and work are limited: what has not been used for
/// longest is forgotten, and who sends ever new shapes is not looked into more than kLookedIntoMax
/// of them a tick. Thread: one worker's.
class Decisions {
public:
    static constexpr size_t kShapesMax = 2048;
    static constexpr size_t kTextsMax = 4096;  // and as many outlines; a power of two
    static constexpr uint32_t kLookedIntoMax = 100;
    static constexpr size_t kShapeBytesMax = 200;
    static constexpr Duration kAskAgain = std::chrono::seconds(1);

    /// Names a decision for as long as it is remembered.
    struct Ref {
        uint32_t place = UINT32_MAX;
        uint32_t generation = 0;
    };

    /// nullptr: it cannot be decided, or not now; it is for the primary.
    const Decision* about(std::string_view text, Ref& ref);

    /// nullptr: forgotten.
    Decision* find(Ref ref);

    /// From now on; nullptr: no read leaves the primary. Lifetime: until the next one.
    void use(const Catalogue* catalogue);

    bool has_catalogue() const { return catalogue_ != nullptr; }

    /// See Catalogue::is_serializable.
    bool is_serializable(const std::string& role) const;

    /// True, at most once in kAskAgain, while there is none.
    bool asks_for_catalogue(Instant now);

    /// From now on; they come before what the catalogue says, and not before the grammar.
    void use(Rules rules);

    /// Whether the rules of this generation of the configuration are used already; they are about
    /// to be, otherwise.
    bool has_rules_of(uint64_t generation) {
        return std::exchange(rules_generation_, generation) == generation;
    }

    bool has_rules() const { return !rules_.empty(); }

    /// What the catalogue tells has just changed: nothing is decided by it until the next one, or
    /// the same once more, is used.
    void distrust() { distrusted_ = catalogue_ != nullptr; }

    /// A standby refused it: until the catalogue changes it is for the primary.
    void refuse(Ref ref);

    void tick() { looked_into_ = 0; }

    /// `visit`(fingerprint, decision), in no order.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const Entry& entry : entries_) visit(entry.shape, entry.decision);
    }

    /// Since the start: statements that were looked into, and that were not for lack of time.
    uint64_t looked_into() const { return looked_into_total_; }

    uint64_t not_looked_into() const { return skipped_; }

private:
    struct Entry {
        sql::Fingerprint shape{};
        Decision decision{};
        uint32_t generation = 0;
        uint32_t judged = 0;  // with which catalogue
        bool used = false;    // since the hand passed
    };

    struct Text {
        sql::Fingerprint digest{};
        Ref ref{};
    };

    struct Hash {
        size_t operator()(const sql::Fingerprint& shape) const { return shape.low; }
    };

    Text& place_of(std::vector<Text>& texts, const sql::Fingerprint& digest) const {
        return texts[digest.high & (kTextsMax - 1)];
    }

    /// nullopt: it has no fingerprint.
    std::optional<Ref> look_up(std::string_view text);

    Decision* judged(Entry& entry, std::string_view text);
    uint32_t make_room();

    void look_into(Decision& decision, std::string_view text) const;

    const Catalogue* catalogue_ = nullptr;
    Rules rules_;
    uint64_t rules_generation_ = 0;
    uint32_t version_ = 1;  // of catalogue and rules
    bool distrusted_ = false;
    std::vector<Entry> entries_;
    std::unordered_map<sql::Fingerprint, uint32_t, Hash> places_;
    std::vector<Text> texts_;
    // Apart, so that texts with ever new values leave the outlines alone.
    std::vector<Text> outlines_;
    size_t hand_ = 0;
    uint32_t looked_into_ = 0;  // since the last tick
    Instant ask_at_{};
    uint64_t looked_into_total_ = 0;
    uint64_t skipped_ = 0;
};

}  // namespace pgweir::route
