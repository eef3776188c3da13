#include "config/scalar.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

using std::chrono_literals::operator""s;

constexpr Rule kCount{.kind = Kind::Count, .min = 1, .max = 64};
constexpr Rule kTruth{.kind = Kind::Bool};
constexpr Rule kMode{.kind = Kind::Choice};
constexpr Rule kSeconds{.kind = Kind::Duration, .min = 1'000'000'000, .max = 60'000'000'000};

/// Reads `text` into a T; gives what is wrong, or nothing.
template <class T>
std::string wrong(T& into, const Rule& rule, std::string_view text, bool quoted = false) {
    const auto mistake = assign(Slot(&into), rule, Scalar{.text = text, .quoted = quoted});
    return mistake ? mistake->what + "; " + mistake->fix : "";
}

TEST_CASE("scalar: a count outside its range names the range and changes nothing") {
    uint32_t count = 7;
    CHECK(wrong(count, kCount, "65") == "\"65\" is out of range; allowed: 1 to 64");
    CHECK(wrong(count, kCount, "0") == "\"0\" is out of range; allowed: 1 to 64");
    CHECK(count == 7);
    CHECK(wrong(count, kCount, "64").empty());
    CHECK(count == 64);
}

TEST_CASE("scalar: a number in quotes is text") {
    uint32_t count = 7;
    CHECK(wrong(count, kCount, "8", true) == "\"8\" is text; write the number without quotes");
}

TEST_CASE("scalar: a word may stand for zero") {
    uint32_t workers = 3;
    const Rule rule = kCount.or_word("auto");
    CHECK(wrong(workers, rule, "auto").empty());
    CHECK(workers == 0);
    CHECK(print(Slot(&workers), rule) == "auto");
    CHECK(wrong(workers, rule, "0") == "\"0\" is out of range; allowed: 1 to 64, or auto");
}

TEST_CASE("scalar: zero is a duration only where it means something") {
    Duration wait = 5s;
    CHECK(wrong(wait, kSeconds, "0") == "\"0\" is out of range; allowed: 1s to 1m");
    CHECK(wrong(wait, kSeconds.or_zero("never"), "0").empty());
    CHECK(wait == 0s);
    CHECK(wrong(wait, kSeconds.or_zero("never"), "2m") ==
          "\"2m\" is out of range; allowed: 1s to 1m, or 0: never");
}

TEST_CASE("scalar: only true and false are switches") {
    bool on = false;
    for (const std::string_view text : {"yes", "no", "on", "off", "True", "TRUE", "1", ""}) {
        CAPTURE(text);
        CHECK_FALSE(wrong(on, kTruth, text).empty());
    }
    CHECK_FALSE(wrong(on, kTruth, "true", true).empty());
    CHECK(wrong(on, kTruth, "true").empty());
    CHECK(on);
}

TEST_CASE("scalar: a wrong choice names all, or the one that was meant") {
    PoolMode mode = PoolMode::Session;
    CHECK(wrong(mode, kMode, "transactoin") ==
          "\"transactoin\" is not one of session, transaction or statement; did you mean "
          "transaction?");
    CHECK(wrong(mode, kMode, "fast") ==
          "\"fast\" is not one of session, transaction or statement; use one of them");
    CHECK(wrong(mode, kMode, "transaction").empty());
    CHECK(mode == PoolMode::Transaction);
}

TEST_CASE("scalar: methods that come later are known by name") {
    AuthMethod method = AuthMethod::Trust;
    CHECK(wrong(method, kMode, "hba") ==
          "\"hba\" is not supported by this version yet; use trust, md5 or scram-sha-256");
    CHECK(wrong(method, kMode, "cert").find("not supported by this version yet") !=
          std::string::npos);
}

TEST_CASE("scalar: a host is one word, and names have no signs of ours") {
    std::string text;
    const Rule host{.kind = Kind::Host, .max = 255};
    const Rule name{.kind = Kind::Name, .max = 63};
    CHECK(wrong(text, host, "10.0.0.5").empty());
    CHECK(wrong(text, host, "::1").empty());
    CHECK(wrong(text, host, "a b") == "\"a…\" has a blank in it; write one host name or address");
    CHECK(wrong(text, host, "*") ==
          "\"*\" is no address; for all addresses write 0.0.0.0 or \"::\"");
    CHECK(wrong(text, host, "") == "is empty; give it a value, or remove the key");
    CHECK(wrong(text, name, "a:b") ==
          "\"a:b\" is no name; use letters, digits, '_', '-' and '.' only");
    CHECK_FALSE(wrong(text, name, std::string(64, 'a')).empty());
}

TEST_CASE("scalar: a secret is neither printed nor part of what is wrong with it") {
    std::optional<Secret> secret;
    const Rule rule{.kind = Kind::Secret, .max = 8};
    CHECK(wrong(secret, rule, "hunter2hunter2") == "is too long; at most 8 bytes");
    CHECK_FALSE(secret.has_value());
    CHECK(wrong(secret, rule, "hunter2").empty());
    CHECK(secret->reveal() == "hunter2");
    CHECK(print(Slot(&secret), rule).empty());
}

TEST_CASE("scalar: a list gets one more item, and prints with commas") {
    std::vector<std::string> list;
    const Rule rule{.kind = Kind::List, .max = 63};
    CHECK(wrong(list, rule, "ops").empty());
    CHECK(wrong(list, rule, "dba").empty());
    CHECK(print(Slot(&list), rule) == "ops, dba");
}

TEST_CASE("scalar: an unset value prints as nothing, a set one as its kind") {
    std::optional<Duration> wait;
    CHECK(print(Slot(&wait), kSeconds).empty());
    CHECK(wrong(wait, kSeconds, "30s").empty());
    CHECK(print(Slot(&wait), kSeconds) == "30s");
    std::optional<PoolMode> mode = PoolMode::Statement;
    CHECK(print(Slot(&mode), kMode) == "statement");
    CHECK(range_text(Slot(&mode), kMode) == "session, transaction or statement");
}

}  // namespace
}  // namespace pgweir::config
