#pragma once

#include "pgweir/base/clock.h"

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

/// Quantities as the configuration file writes them. What is printed can be read back.
namespace pgweir::config {

/// What is wrong with a value, and what to write instead; both without full stop.
struct Mistake {
    std::string what;
    std::string fix;
};

template <class T>
using Parsed = tl::expected<T, Mistake>;

/// Reads `250ms`, `5s`, `2m`, `1h`, or `0` alone; whether zero may be is the field's decision.
/// Units: us, ms, s, m, h.
Parsed<Duration> parse_duration(std::string_view text);

/// Reads `512B`, `16kB`, `1MB`, `1GB`, or `0` alone.
/// Units: bytes; each unit is 1024 of the one before.
Parsed<uint64_t> parse_size(std::string_view text);

/// Reads a plain whole number: no sign, no leading zero, no exponent.
Parsed<uint64_t> parse_count(std::string_view text);

/// Prints with the largest unit that divides it; what is below a microsecond is dropped.
std::string print_duration(Duration duration);
std::string print_size(uint64_t bytes);

}  // namespace pgweir::config
