#include "pgweir/config/units.h"

#include <array>

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;

std::string why_not_duration(std::string_view text) {
    const auto parsed = parse_duration(text);
    return parsed ? "" : parsed.error().what;
}

std::string why_not_size(std::string_view text) {
    const auto parsed = parse_size(text);
    return parsed ? "" : parsed.error().what;
}

std::string why_not_count(std::string_view text) {
    const auto parsed = parse_count(text);
    return parsed ? "" : parsed.error().what;
}

TEST_CASE("units: a duration is a number with one of five units, or a lone zero") {
    CHECK(parse_duration("250us").value() == 250us);
    CHECK(parse_duration("250ms").value() == 250ms);
    CHECK(parse_duration("5s").value() == 5s);
    CHECK(parse_duration("2m").value() == 2min);
    CHECK(parse_duration("1h").value() == 1h);
    CHECK(parse_duration("0").value() == 0s);
    CHECK(parse_duration("0s").value() == 0s);
}

TEST_CASE("units: what is no duration is refused with its reason") {
    CHECK(why_not_duration("15") == "\"15\" has no unit");
    CHECK(parse_duration("15").error().fix ==
          "write 15s if you mean that; the units are us, ms, s, m and h");
    CHECK(why_not_duration("5d") == "\"5d\" has an unknown unit");
    CHECK(why_not_duration("1h30m") == "\"1h30m\" has an unknown unit");
    CHECK(why_not_duration("5S") == "\"5S\" has an unknown unit");
    CHECK(why_not_duration("5 s") == "\"5…\" has an unknown unit");
    CHECK(why_not_duration("-5s") == "\"-5s\" is negative");
    CHECK(why_not_duration("1.5s") == "\"1.5s\" is not a whole number");
    CHECK(why_not_duration("05s") == "\"05s\" has a leading zero");
    CHECK(why_not_duration("soon") == "\"soon\" is not a duration");
    CHECK(why_not_duration("") == "\"\" is not a duration");
}

TEST_CASE("units: a duration beyond 64 bits of nanoseconds is too large, not another duration") {
    CHECK(why_not_duration("2562048h") == "\"2562048h\" is too large");
    CHECK(why_not_duration("") != "");
    CHECK(why_not_duration("99999999999999999999s") == "\"99999999999999999999s\" is too large");
    CHECK(parse_duration("2562047h").has_value());
}

TEST_CASE("units: a size counts in powers of 1024") {
    CHECK(parse_size("512B").value() == 512);
    CHECK(parse_size("16kB").value() == 16 * 1024);
    CHECK(parse_size("1MB").value() == 1024 * 1024);
    CHECK(parse_size("1GB").value() == 1024 * 1024 * 1024);
    CHECK(parse_size("0").value() == 0);
}

TEST_CASE("units: what is no size is refused with its reason") {
    CHECK(why_not_size("16") == "\"16\" has no unit");
    CHECK(why_not_size("16mb") == "\"16mb\" has an unknown unit");
    CHECK(why_not_size("16K") == "\"16K\" has an unknown unit");
    CHECK(why_not_size("0x10B") == "\"0x10B\" has an unknown unit");
    CHECK(why_not_size("17179869184GB") == "\"17179869184GB\" is too large");
    CHECK(why_not_size("-1kB") == "\"-1kB\" is negative");
}

TEST_CASE("units: a count has digits only, and nothing in it is octal, hexadecimal or a power") {
    CHECK(parse_count("0").value() == 0);
    CHECK(parse_count("18446744073709551615").value() == UINT64_MAX);
    CHECK(why_not_count("0123") == "\"0123\" has a leading zero");
    CHECK(why_not_count("00") == "\"00\" has a leading zero");
    CHECK(why_not_count("0x1F") == "\"0x1F\" is not a whole number");
    CHECK(why_not_count("1e3") == "\"1e3\" is not a whole number");
    CHECK(why_not_count("1_000") == "\"1_000\" is not a whole number");
    CHECK(why_not_count("+5") == "\"+5\" is not a whole number");
    CHECK(why_not_count("-5") == "\"-5\" is negative");
    CHECK(why_not_count("2.0") == "\"2.0\" is not a whole number");
    CHECK(why_not_count("18446744073709551616") == "\"18446744073709551616\" is too large");
}

TEST_CASE("units: what is printed uses the largest unit that divides") {
    CHECK(print_duration(90s) == "90s");
    CHECK(print_duration(120s) == "2m");
    CHECK(print_duration(24h) == "24h");
    CHECK(print_duration(1500us) == "1500us");
    CHECK(print_duration(0s) == "0");
    CHECK(print_size(1536) == "1536B");
    CHECK(print_size(256 * 1024) == "256kB");
    CHECK(print_size(uint64_t{3} << 30) == "3GB");
    CHECK(print_size(0) == "0");
}

TEST_CASE("units: what is printed reads back as the same value") {
    for (const Duration duration :
         std::to_array<Duration>({0s, 1us, 999us, 1ms, 59s, 1min, 61min, 25h})) {
        CHECK(parse_duration(print_duration(duration)).value() == duration);
    }
    for (uint64_t bytes = 1; bytes < (uint64_t{1} << 40); bytes = bytes * 3 + 1) {
        CHECK(parse_size(print_size(bytes)).value() == bytes);
        CHECK(parse_size(print_size(bytes * 1024)).value() == bytes * 1024);
    }
}

}  // namespace
}  // namespace pgweir::config
