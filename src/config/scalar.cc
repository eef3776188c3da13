#include "config/scalar.h"

#include "config/problems.h"
#include "pgweir/config/fields.h"
#include "pgweir/config/suggest.h"

#include <array>
#include <type_traits>

#include <fmt/core.h>

namespace pgweir::config {
namespace {

template <class Enum>
struct Choice {
    Enum value;
    std::string_view word;
};

constexpr std::array kPinnedFull{
    Choice<PinnedFull>{PinnedFull::Wait,  "wait" },
    Choice<PinnedFull>{PinnedFull::Error, "error"}
};
constexpr std::array kPoolModes{
    Choice<PoolMode>{PoolMode::Session,     "session"    },
    Choice<PoolMode>{PoolMode::Transaction, "transaction"},
    Choice<PoolMode>{PoolMode::Statement,   "statement"  }
};
constexpr std::array kReads{
    Choice<Reads>{Reads::Primary,       "primary"       },
    Choice<Reads>{Reads::Standby,       "standby"       },
    Choice<Reads>{Reads::PreferStandby, "prefer-standby"},
    Choice<Reads>{Reads::Any,           "any"           }
};
constexpr std::array kConsistencies{
    Choice<Consistency>{Consistency::Eventual, "eventual"},
    Choice<Consistency>{Consistency::Session,  "session" },
    Choice<Consistency>{Consistency::Database, "database"}
};
constexpr std::array kNoStandby{
    Choice<NoStandby>{NoStandby::Primary, "primary"},
    Choice<NoStandby>{NoStandby::Error,   "error"  }
};
constexpr std::array kRuleRoutes{
    Choice<RuleRoute>{RuleRoute::Primary, "primary"},
    Choice<RuleRoute>{RuleRoute::Standby, "standby"}
};
constexpr std::array kAuthMethods{
    Choice<AuthMethod>{AuthMethod::Trust,       "trust"        },
    Choice<AuthMethod>{AuthMethod::Md5,         "md5"          },
    Choice<AuthMethod>{AuthMethod::ScramSha256, "scram-sha-256"}
};
constexpr std::array kLogLevels{
    Choice<LogLevel>{LogLevel::Debug,   "debug"  },
    Choice<LogLevel>{LogLevel::Info,    "info"   },
    Choice<LogLevel>{LogLevel::Warning, "warning"},
    Choice<LogLevel>{LogLevel::Error,   "error"  }
};

// Found by the type of the value, so that one template reads them all.
constexpr const auto& choices_of(PinnedFull) {
    return kPinnedFull;
}

constexpr const auto& choices_of(PoolMode) {
    return kPoolModes;
}

constexpr const auto& choices_of(Reads) {
    return kReads;
}

constexpr const auto& choices_of(Consistency) {
    return kConsistencies;
}

constexpr const auto& choices_of(NoStandby) {
    return kNoStandby;
}

constexpr const auto& choices_of(RuleRoute) {
    return kRuleRoutes;
}

constexpr const auto& choices_of(AuthMethod) {
    return kAuthMethods;
}

constexpr const auto& choices_of(LogLevel) {
    return kLogLevels;
}

template <class Enum>
std::string_view word_of(Enum value) {
    for (const auto& choice : choices_of(value)) {
        if (choice.value == value) return choice.word;
    }
    return "unknown";
}

template <class Enum>
std::string words_of() {
    const auto& choices = choices_of(Enum{});
    std::string words;
    for (size_t i = 0; i < choices.size(); ++i) {
        if (i > 0) words += i + 1 == choices.size() ? " or " : ", ";
        words += choices[i].word;
    }
    return words;
}

// What the design has and this version has not: a better answer than "unknown".
bool comes_later(std::string_view method) {
    return method == "cert" || method == "hba";
}

template <class T>
Mistake out_of_range(const Scalar& scalar, const Rule& rule) {
    T unused{};
    return Mistake{fmt::format("{} is out of range", head_in_quotes(scalar.text)),
                   fmt::format("allowed: {}", range_text(Slot(&unused), rule))};
}

// Returns the number that a rule allows, whatever its unit.
template <class T>
Parsed<uint64_t> in_range(Parsed<uint64_t> number, const Scalar& scalar, const Rule& rule) {
    if (!number) return number;
    if (*number == 0 && rule.zero != nullptr) return number;
    if (*number < rule.min || *number > rule.max) {
        return tl::unexpected<Mistake>(out_of_range<T>(scalar, rule));
    }
    return number;
}

template <class T>
std::optional<Mistake> set_count(T& into, const Rule& rule, const Scalar& scalar) {
    if (scalar.quoted) {
        return Mistake{fmt::format("{} is text", head_in_quotes(scalar.text)),
                       "write the number without quotes"};
    }
    if (rule.word != nullptr && scalar.text == rule.word) {
        into = 0;
        return std::nullopt;
    }
    const auto count = in_range<T>(parse_count(scalar.text), scalar, rule);
    if (!count) return count.error();
    into = static_cast<T>(*count);
    return std::nullopt;
}

std::optional<Mistake> set(uint16_t& into, const Rule& rule, const Scalar& scalar) {
    return set_count(into, rule, scalar);
}

std::optional<Mistake> set(uint32_t& into, const Rule& rule, const Scalar& scalar) {
    return set_count(into, rule, scalar);
}

std::optional<Mistake> set(Bytes64& into, const Rule& rule, const Scalar& scalar) {
    const auto size = in_range<Bytes64>(parse_size(scalar.text), scalar, rule);
    if (!size) return size.error();
    into = *size;
    return std::nullopt;
}

std::optional<Mistake> set(Duration& into, const Rule& rule, const Scalar& scalar) {
    const auto parsed = parse_duration(scalar.text);
    if (!parsed) return parsed.error();
    const auto nanoseconds =
        in_range<Duration>(static_cast<uint64_t>(parsed->count()), scalar, rule);
    if (!nanoseconds) return nanoseconds.error();
    into = *parsed;
    return std::nullopt;
}

std::optional<Mistake> set(bool& into, const Rule&, const Scalar& scalar) {
    if (!scalar.quoted && (scalar.text == "true" || scalar.text == "false")) {
        into = scalar.text == "true";
        return std::nullopt;
    }
    return Mistake{fmt::format("{} is not true or false", head_in_quotes(scalar.text)),
                   "write true or false, without quotes; yes, no, on and off are only text"};
}

template <class Enum>

requires std::is_enum_v<Enum> std::optional<Mistake> set(Enum& into,
                                                         const Rule&,
                                                         const Scalar& scalar) {
    std::vector<std::string_view> words;
    for (const auto& choice : choices_of(Enum{})) {
        words.push_back(choice.word);
        if (choice.word != scalar.text) continue;
        into = choice.value;
        return std::nullopt;
    }
    if constexpr (std::is_same_v<Enum, AuthMethod>) {
        if (comes_later(scalar.text)) {
            return Mistake{
                fmt::format("{} is not supported by this version yet", head_in_quotes(scalar.text)),
                fmt::format("use {}", words_of<Enum>())};
        }
    }
    const std::string_view meant = nearest(scalar.text, words);
    return Mistake{
        fmt::format("{} is not one of {}", head_in_quotes(scalar.text), words_of<Enum>()),
        meant.empty() ? "use one of them" : fmt::format("did you mean {}?", meant)};
}

bool has_blank(std::string_view text) {
    return text.find_first_of(" \t") != std::string_view::npos;
}

bool is_name(std::string_view text) {
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '_' && c != '-' && c != '.') return false;
    }
    return true;
}

std::optional<Mistake> wrong_text(const Rule& rule, std::string_view text) {
    if (text.empty()) return Mistake{"is empty", "give it a value, or remove the key"};
    if (text.size() > rule.max) {
        return Mistake{fmt::format("{} is too long", head_in_quotes(text)),
                       fmt::format("at most {} bytes", rule.max)};
    }
    if (rule.kind == Kind::Host && text == "*") {
        return Mistake{"\"*\" is no address", "for all addresses write 0.0.0.0 or \"::\""};
    }
    if (rule.kind == Kind::Host && has_blank(text)) {
        return Mistake{fmt::format("{} has a blank in it", head_in_quotes(text)),
                       "write one host name or address"};
    }
    if (rule.kind == Kind::Name && !is_name(text)) {
        return Mistake{fmt::format("{} is no name", head_in_quotes(text)),
                       "use letters, digits, '_', '-' and '.' only"};
    }
    return std::nullopt;
}

std::optional<Mistake> set(std::string& into, const Rule& rule, const Scalar& scalar) {
    if (auto mistake = wrong_text(rule, scalar.text)) return mistake;
    into = std::string(scalar.text);
    return std::nullopt;
}

std::optional<Mistake> set(std::vector<std::string>& into, const Rule& rule, const Scalar& scalar) {
    if (auto mistake = wrong_text(rule, scalar.text)) return mistake;
    into.emplace_back(scalar.text);
    return std::nullopt;
}

// Says nothing about the value: what is wrong here may be a password.
std::optional<Mistake> set(Secret& into, const Rule& rule, const Scalar& scalar) {
    if (scalar.text.empty()) return Mistake{"is empty", "give it a value, or remove the key"};
    if (scalar.text.size() > rule.max) {
        return Mistake{"is too long", fmt::format("at most {} bytes", rule.max)};
    }
    if (scalar.text.find('\0') != std::string_view::npos) {
        return Mistake{"has a zero byte in it", "store the password as text"};
    }
    into = Secret(std::string(scalar.text));
    return std::nullopt;
}

template <class T>
std::optional<Mistake> set(std::optional<T>& into, const Rule& rule, const Scalar& scalar) {
    T value{};
    if (auto mistake = set(value, rule, scalar)) return mistake;
    into = std::move(value);
    return std::nullopt;
}

std::string figure(uint64_t value, Kind kind) {
    if (kind == Kind::Size) return print_size(value);
    if (kind == Kind::Duration) return print_duration(Duration(static_cast<int64_t>(value)));
    return fmt::format("{}", value);
}

template <class T>
std::string print_value(const T& value, const Rule& rule) {
    if constexpr (std::is_same_v<T, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_enum_v<T>) {
        return std::string(to_text(value));
    } else if constexpr (std::is_same_v<T, Duration>) {
        return print_duration(value);
    } else if constexpr (std::is_integral_v<T>) {
        if (value == 0 && rule.word != nullptr) return rule.word;
        return figure(value, rule.kind);
    } else if constexpr (std::is_same_v<T, std::string>) {
        return value;
    } else {
        return {};  // a secret
    }
}

std::string print_value(const std::vector<std::string>& list, const Rule&) {
    std::string text;
    for (const std::string& item : list) text += (text.empty() ? "" : ", ") + item;
    return text;
}

template <class T>
std::string print_value(const std::optional<T>& value, const Rule& rule) {
    return value ? print_value(*value, rule) : std::string();
}

template <class T>
std::string choice_words(const T*) {
    if constexpr (std::is_enum_v<T>) return words_of<T>();
    return {};
}

template <class T>
std::string choice_words(const std::optional<T>*) {
    if constexpr (std::is_enum_v<T>) return words_of<T>();
    return {};
}

}  // namespace

std::string_view to_text(PinnedFull what) {
    return word_of(what);
}

std::string_view to_text(PoolMode mode) {
    return word_of(mode);
}

std::string_view to_text(Reads reads) {
    return word_of(reads);
}

std::string_view to_text(Consistency consistency) {
    return word_of(consistency);
}

std::string_view to_text(NoStandby what) {
    return word_of(what);
}

std::string_view to_text(RuleRoute route) {
    return word_of(route);
}

std::string_view to_text(AuthMethod method) {
    return word_of(method);
}

std::string_view to_text(LogLevel level) {
    return word_of(level);
}

std::optional<Mistake> assign(const Slot& slot, const Rule& rule, const Scalar& scalar) {
    return std::visit([&](auto* into) { return set(*into, rule, scalar); }, slot);
}

std::string print(const Slot& slot, const Rule& rule) {
    return std::visit([&](const auto* value) { return print_value(*value, rule); }, slot);
}

std::string range_text(const Slot& slot, const Rule& rule) {
    switch (rule.kind) {
        case Kind::Bool: return "true or false";
        case Kind::Choice: return std::visit([](const auto* to) { return choice_words(to); }, slot);
        case Kind::Count:
        case Kind::Size:
        case Kind::Duration: break;
        case Kind::Text:
        case Kind::Host:
        case Kind::Name:
        case Kind::Path:
        case Kind::List:
        case Kind::Secret: return {};
    }
    std::string text =
        fmt::format("{} to {}", figure(rule.min, rule.kind), figure(rule.max, rule.kind));
    if (rule.word != nullptr) text += fmt::format(", or {}", rule.word);
    if (rule.zero != nullptr) text += fmt::format(", or 0: {}", rule.zero);
    return text;
}

}  // namespace pgweir::config
