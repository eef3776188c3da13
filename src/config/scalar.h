#pragma once

#include "pgweir/base/secret.h"
#include "pgweir/config/model.h"
#include "pgweir/config/units.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Scalars of the file: what each kind accepts, and how it is printed.
namespace pgweir::config {

/// A member of the model that one scalar sets; its type says how the scalar is read.
using Slot = std::variant<bool*,
                          uint16_t*,
                          uint32_t*,
                          Bytes64*,
                          Duration*,
                          std::string*,
                          PoolMode*,
                          PinnedFull*,
                          Reads*,
                          Consistency*,
                          NoStandby*,
                          AuthMethod*,
                          LogLevel*,
                          std::vector<std::string>*,
                          std::optional<bool>*,
                          std::optional<uint16_t>*,
                          std::optional<uint32_t>*,
                          std::optional<Duration>*,
                          std::optional<std::string>*,
                          std::optional<PoolMode>*,
                          std::optional<PinnedFull>*,
                          std::optional<Reads>*,
                          std::optional<RuleRoute>*,
                          std::optional<Secret>*>;

enum class Kind : uint8_t {
    Bool,
    Count,
    Size,
    Duration,
    Choice,
    Text,
    Host,
    Name,
    Path,
    List,
    Secret
};

/// What a value may be. min and max are bytes, nanoseconds, a number, or bytes of text.
struct Rule {
    Kind kind = Kind::Text;
    uint64_t min = 0;
    uint64_t max = 0;
    const char* zero = nullptr;   // what 0 means; nullptr: 0 is like any other number
    const char* word = nullptr;   // the word for 0, instead of the figure
    const char* unset = nullptr;  // what a missing key means, when no default can tell

    constexpr Rule or_zero(const char* meaning) const {
        Rule rule = *this;
        rule.zero = meaning;
        return rule;
    }

    constexpr Rule or_word(const char* text) const {
        Rule rule = *this;
        rule.word = text;
        return rule;
    }

    constexpr Rule or_unset(const char* meaning) const {
        Rule rule = *this;
        rule.unset = meaning;
        return rule;
    }
};

struct Scalar {
    std::string_view text;
    bool quoted = false;
};

/// Sets the slot; a list gets one more item. Returns what is wrong, and leaves the slot alone then.
std::optional<Mistake> assign(const Slot& slot, const Rule& rule, const Scalar& scalar);

/// The value as the file would write it; empty when unset or secret.
std::string print(const Slot& slot, const Rule& rule);

/// "1 to 64", "1ms to 24h", "session, transaction or statement"; empty when anything goes.
std::string range_text(const Slot& slot, const Rule& rule);

}  // namespace pgweir::config
