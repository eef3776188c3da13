#include "pgweir/auth/base64.h"
#include "pgweir/auth/scram.h"
#include "pgweir/base/bytes.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

using std::string_view_literals::operator""sv;

namespace {

// RFC 7677, section 3.
constexpr std::string_view kSalt = "W22ZaJ0SNY7soEsUEjb6gQ==";
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kNonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kProof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

const ScramVerifier& pencil() {
    static const auto verifier = make_scram_verifier("pencil", *base64_decode(kSalt), 4096);
    return verifier;
}

ScramServer fresh() {
    return ScramServer{pencil(), std::string{kServerNonce}};
}

ScramServer after_first() {
    auto server = fresh();
    REQUIRE(server.on_client_first(kClientFirst).has_value());
    return server;
}

std::string final_message(std::string_view header, std::string_view nonce, std::string_view proof) {
    return "c=" + std::string{header} + ",r=" + std::string{nonce} + ",p=" + std::string{proof};
}

std::string first_fails(std::string_view message) {
    auto server = fresh();
    const auto reply = server.on_client_first(message);
    return std::string(reply ? "accepted"sv : reply.error().sqlstate.text());
}

std::string final_fails(std::string_view message) {
    auto server = after_first();
    const auto reply = server.on_client_final(message);
    CHECK(server.proven_keys() == nullptr);
    return std::string(reply ? "accepted"sv : reply.error().sqlstate.text());
}

}  // namespace

TEST_CASE("scram server: RFC 7677's exchange, word for word") {
    auto server = fresh();

    const auto first = server.on_client_first(kClientFirst);
    REQUIRE(first.has_value());
    CHECK(*first == "r=" + std::string{kNonce} + ",s=" + std::string{kSalt} + ",i=4096");
    CHECK(server.proven_keys() == nullptr);

    const auto last = server.on_client_final(final_message("biws", kNonce, kProof));
    REQUIRE(last.has_value());
    CHECK(*last == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    REQUIRE(server.proven_keys() != nullptr);
}

TEST_CASE("scram server: a client that could bind channels but was not offered it is let in") {
    auto server = fresh();
    REQUIRE(server.on_client_first("y,,n=,r=abc").has_value());
    // The proof is wrong, but the header was agreed: 28P01 and not 08P01.
    const std::string nonce = "abc" + std::string{kServerNonce};
    auto other = server;
    CHECK(server.on_client_final(final_message("eSws", nonce, kProof)).error().sqlstate ==
          sqlstate::kInvalidPassword);
    CHECK(other.on_client_final(final_message("biws", nonce, kProof)).error().sqlstate ==
          sqlstate::kProtocolViolation);
}

TEST_CASE("scram server: channel binding is refused, with a hint") {
    auto server = fresh();
    const auto reply = server.on_client_first("p=tls-server-end-point,,n=,r=abc");
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error().sqlstate == sqlstate::kProtocolViolation);
    CHECK(reply.error().hint.find("channel_binding") != std::string::npos);
}

TEST_CASE("scram server: malformed first messages are protocol violations") {
    REQUIRE(first_fails("n,,n=,r=abc") == "accepted");
    REQUIRE(first_fails("n,,n=user,r=abc,x=y") == "accepted");
    for (const std::string_view message :
         {""sv, "n"sv, "n,"sv, "n,,"sv, "n,,n="sv, "n,,n=,"sv, "n,,n=,r"sv, "n,,n=,r="sv,
          "x,,n=,r=a"sv, "n,a=admin,n=,r=abc"sv, "n,,r=abc"sv, "n,,m=x,n=,r=abc"sv, "n,,n=,r=a b"sv,
          "n,,n=,r=abc,"sv, "n,,n=,r=abc,xy"sv, "n,,n=,r=abc\0"sv, "n,,n=\0,r=abc"sv,
          "n,,n=,r=\xc3\xa9"sv}) {
        CAPTURE(message);
        CHECK(first_fails(message) == "08P01");
    }
}

TEST_CASE("scram server: nonces and messages of any size are handled, long ones refused") {
    CHECK(first_fails("n,,n=,r=" + std::string(1024, 'n')) == "accepted");
    CHECK(first_fails("n,,n=,r=" + std::string(1025, 'n')) == "08P01");
    CHECK(first_fails("n,,n=,r=" + std::string(1 << 20, 'n')) == "08P01");
    const std::string_view around = "n,,n=,r=abc";
    CHECK(first_fails("n,,n=" + std::string(65'535 - around.size(), 'u') + ",r=abc") == "accepted");
    CHECK(first_fails("n,,n=" + std::string(65'536 - around.size(), 'u') + ",r=abc") == "08P01");
}

TEST_CASE("scram server: no prefix of the final message is accepted") {
    const std::string whole = final_message("biws", kNonce, kProof);
    REQUIRE(final_fails("") == "08P01");
    for (size_t size = 1; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(final_fails(whole.substr(0, size)) == "08P01");
    }
}

TEST_CASE("scram server: a wrong proof is a wrong password, a malformed one is not") {
    std::string tampered{kProof};
    tampered[0] = 'e';
    CHECK(final_fails(final_message("biws", kNonce, tampered)) == "28P01");
    CHECK(final_fails(final_message("biws", kNonce, "AAAA")) == "08P01");
    CHECK(final_fails(final_message("biws", kNonce, "")) == "08P01");
    CHECK(final_fails(final_message("biws", kNonce, std::string{kProof} + ",x=y")) == "08P01");
    CHECK(final_fails(final_message("biws", kNonce, "\x80" + std::string{kProof.substr(1)})) ==
          "08P01");
}

TEST_CASE("scram server: header, nonce and extensions are covered by the proof or compared") {
    CHECK(final_fails(final_message("eSws", kNonce, kProof)) == "08P01");
    CHECK(final_fails(final_message("", kNonce, kProof)) == "08P01");
    CHECK(final_fails(final_message("biws", kNonce.substr(1), kProof)) == "08P01");
    CHECK(final_fails(final_message("biws", std::string{kNonce} + "x", kProof)) == "08P01");
    CHECK(final_fails(final_message("biws", std::string{kNonce} + ",x=y", kProof)) == "28P01");
    CHECK(final_fails(final_message("biws", std::string{kNonce} + ",xy", kProof)) == "08P01");
}

TEST_CASE("scram server: steps out of order fail, and failure is for ever") {
    const std::string good_final = final_message("biws", kNonce, kProof);

    auto skipped = fresh();
    CHECK_FALSE(skipped.on_client_final(good_final).has_value());
    CHECK_FALSE(skipped.on_client_first(kClientFirst).has_value());

    auto repeated = after_first();
    CHECK_FALSE(repeated.on_client_first(kClientFirst).has_value());
    CHECK_FALSE(repeated.on_client_final(good_final).has_value());

    auto second_guess = after_first();
    CHECK_FALSE(second_guess.on_client_final("c=biws").has_value());
    CHECK_FALSE(second_guess.on_client_final(good_final).has_value());
    CHECK(second_guess.proven_keys() == nullptr);
}

TEST_CASE("scram server: a stranger gets a whole exchange and the same error as a wrong password") {
    auto known = after_first();
    const auto wrong =
        known.on_client_final(final_message("biws", kNonce, base64_encode(std::string(32, 'x'))));
    REQUIRE_FALSE(wrong.has_value());

    ScramServer stranger{mock_verifier("ghost", "0123456789abcdef"), std::string{kServerNonce}};
    const auto first = stranger.on_client_first(kClientFirst);
    REQUIRE(first.has_value());
    CHECK(first->size() ==
          ("r=" + std::string{kNonce} + ",s=" + std::string{kSalt} + ",i=4096").size());
    const auto failed = stranger.on_client_final(final_message("biws", kNonce, kProof));
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().sqlstate == wrong.error().sqlstate);
    CHECK(failed.error().message == wrong.error().message);
    CHECK(failed.error().detail == wrong.error().detail);
}

}  // namespace pgweir::auth
