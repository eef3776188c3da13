#include "pgweir/config/units.h"

#include "config/problems.h"

#include <array>
#include <charconv>
#include <limits>

#include <fmt/core.h>

namespace pgweir::config {
namespace {

struct Unit {
    std::string_view name;
    uint64_t factor;
};

// Largest first, so that printing takes the first that divides.
constexpr std::array kDurationUnits{
    Unit{"h",  3'600'000'000'000},
    Unit{"m",  60'000'000'000   },
    Unit{"s",  1'000'000'000    },
    Unit{"ms", 1'000'000        },
    Unit{"us", 1'000            }
};
constexpr std::array kSizeUnits{
    Unit{"GB", uint64_t{1} << 30},
    Unit{"MB", uint64_t{1} << 20},
    Unit{"kB", uint64_t{1} << 10},
    Unit{"B",  1                }
};

/// How a kind of quantity is spoken of when it is wrong.
struct Words {
    const char* noun;
    const char* unit_names;
    const char* examples;
    const char* likely_unit;  // suggested when the unit is missing
};

constexpr Words kDurationWords{"a duration", "us, ms, s, m and h", "250ms, 5s, 2m or 1h", "s"};
constexpr Words kSizeWords{"a size", "B, kB, MB and GB", "16kB, 1MB or 1GB", "B"};
constexpr Words kCountWords{"a whole number", "", "20", ""};

tl::unexpected<Mistake> mistake(std::string_view text, std::string_view is, std::string fix) {
    return tl::unexpected<Mistake>(
        Mistake{fmt::format("{} {}", head_in_quotes(text), is), std::move(fix)});
}

struct Quantity {
    uint64_t number;
    std::string_view unit;
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Parsed<Quantity> split(std::string_view text, const Words& words) {
    const auto write = fmt::format("write one such as {}", words.examples);
    if (text.starts_with('-')) return mistake(text, "is negative", write);

    size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    if (digits == 0) return mistake(text, fmt::format("is not {}", words.noun), write);
    if (digits > 1 && text.front() == '0') {
        return mistake(text, "has a leading zero", "write it without: nothing here is octal");
    }

    Quantity quantity{.number = 0, .unit = text.substr(digits)};
    const auto read = std::from_chars(text.data(), text.data() + digits, quantity.number);
    if (read.ec != std::errc()) return mistake(text, "is too large", write);
    if (quantity.unit.starts_with('.') || quantity.unit.starts_with(',')) {
        const bool has_units = *words.unit_names != '\0';
        return mistake(text, "is not a whole number",
                       has_units ? "use a smaller unit" : "write digits only");
    }
    return quantity;
}

template <size_t kUnits>
Parsed<uint64_t> parse(std::string_view text,
                       const std::array<Unit, kUnits>& units,
                       const Words& words,
                       uint64_t most) {
    const Parsed<Quantity> quantity = split(text, words);
    if (!quantity) return tl::unexpected<Mistake>(quantity.error());
    if (quantity->unit.empty()) {
        if (quantity->number == 0) return 0;
        return mistake(text, "has no unit",
                       fmt::format("write {}{} if you mean that; the units are {}", text,
                                   words.likely_unit, words.unit_names));
    }
    for (const Unit& unit : units) {
        if (unit.name != quantity->unit) continue;
        if (quantity->number > most / unit.factor) {
            return mistake(text, "is too large",
                           fmt::format("write one such as {}", words.examples));
        }
        return quantity->number * unit.factor;
    }
    return mistake(text, "has an unknown unit",
                   fmt::format("the units are {}, right behind one number", words.unit_names));
}

template <size_t kUnits>
std::string print(uint64_t value, const std::array<Unit, kUnits>& units) {
    for (const Unit& unit : units) {
        if (value != 0 && value % unit.factor == 0) {
            return fmt::format("{}{}", value / unit.factor, unit.name);
        }
    }
    return "0";
}

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<Duration::rep>::max());
    const Parsed<uint64_t> nanoseconds = parse(text, kDurationUnits, kDurationWords, kMost);
    if (!nanoseconds) return tl::unexpected<Mistake>(nanoseconds.error());
    return Duration(static_cast<Duration::rep>(*nanoseconds));
}

Parsed<uint64_t> parse_size(std::string_view text) {
    return parse(text, kSizeUnits, kSizeWords, std::numeric_limits<uint64_t>::max());
}

Parsed<uint64_t> parse_count(std::string_view text) {
    const Parsed<Quantity> quantity = split(text, kCountWords);
    if (!quantity) return tl::unexpected<Mistake>(quantity.error());
    if (!quantity->unit.empty()) {
        return mistake(text, "is not a whole number", "write digits only, such as 20");
    }
    return quantity->number;
}

std::string print_duration(Duration duration) {
    const auto nanoseconds = static_cast<uint64_t>(duration.count());
    return print(nanoseconds - nanoseconds % 1000, kDurationUnits);
}

std::string print_size(uint64_t bytes) {
    return print(bytes, kSizeUnits);
}

}  // namespace pgweir::config
