#include "pgweir/auth/base64.h"
#include "pgweir/auth/scram.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

namespace {

constexpr std::string_view kProcessSecret = "0123456789abcdef";
// Of password "pencil", with RFC 7677's salt, computed with Python's hashlib.
constexpr std::string_view kPencil =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

std::string with(std::string_view iterations, std::string_view salt) {
    const std::string keys{kPencil.substr(kPencil.rfind('$'))};
    return "SCRAM-SHA-256$" + std::string{iterations} + ":" + std::string{salt} + keys;
}

}  // namespace

TEST_CASE("scram verifier: it is made as PostgreSQL makes it") {
    const auto salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
    REQUIRE(salt.has_value());
    CHECK(to_text(make_scram_verifier("pencil", *salt, 4096)) == kPencil);
    CHECK(to_text(make_scram_verifier("Pencil", *salt, 4096)) != kPencil);
    CHECK(to_text(make_scram_verifier("pencil", *salt, 4097)) != kPencil);
}

TEST_CASE("scram verifier: what is read is what was written") {
    const auto verifier = parse_scram_verifier(kPencil);
    REQUIRE(verifier.has_value());
    CHECK(verifier->iterations == 4096);
    CHECK(verifier->salt.size() == 16);
    CHECK(to_text(*verifier) == kPencil);
}

TEST_CASE("scram verifier: limits hold at both ends") {
    CHECK(parse_scram_verifier(with("1", "AA==")).has_value());
    CHECK(parse_scram_verifier(with("2147483647", "AA==")).has_value());
    for (const std::string_view iterations :
         {"", "0", "-1", "+1", "01", "1x", " 1", "2147483648", "99999999999999999999"}) {
        CAPTURE(iterations);
        CHECK_FALSE(parse_scram_verifier(with(iterations, "AA==")).has_value());
    }
    CHECK_FALSE(parse_scram_verifier(with("4096", "")).has_value());
    CHECK(parse_scram_verifier(with("1", base64_encode(std::string(1024, 's')))).has_value());
    CHECK_FALSE(parse_scram_verifier(with("1", base64_encode(std::string(1025, 's')))).has_value());
}

TEST_CASE("scram verifier: no prefix of one is one, and nothing may follow") {
    for (size_t size = 0; size < kPencil.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(parse_scram_verifier(kPencil.substr(0, size)).has_value());
    }
    CHECK_FALSE(parse_scram_verifier(std::string{kPencil} + " ").has_value());
    CHECK_FALSE(parse_scram_verifier(std::string{kPencil} + ":").has_value());
    CHECK_FALSE(parse_scram_verifier("SCRAM-SHA-1" + std::string{kPencil.substr(13)}).has_value());
}

TEST_CASE("scram verifier: a stranger's is always the same, and nobody else's") {
    const auto verifier = mock_verifier("ghost", kProcessSecret);
    CHECK(verifier == mock_verifier("ghost", kProcessSecret));
    CHECK(verifier.salt == mock_salt("ghost", kProcessSecret));

    const auto other_user = mock_verifier("ghosts", kProcessSecret);
    CHECK(other_user.salt != verifier.salt);
    CHECK(other_user.stored_key != verifier.stored_key);
    CHECK(mock_verifier("ghost", "fedcba9876543210").salt != verifier.salt);
}

TEST_CASE("scram verifier: a stranger's looks like PostgreSQL's default") {
    const auto verifier = mock_verifier("ghost", kProcessSecret);
    CHECK(verifier.iterations == 4096);
    CHECK(verifier.salt.size() == 16);
    CHECK(verifier.stored_key != verifier.server_key);
    CHECK(parse_scram_verifier(to_text(verifier)) == verifier);
}

}  // namespace pgweir::auth
