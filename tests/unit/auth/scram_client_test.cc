#include "pgweir/auth/base64.h"
#include "pgweir/auth/scram.h"
#include "pgweir/base/bytes.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

namespace {

constexpr std::string_view kClientNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr uint32_t kFewIterations = 3;  // the tests stay quick

ScramClient client_with(std::string_view password, ScramKeyCache* cache = nullptr) {
    return ScramClient{Secret{std::string{password}}, std::string{kClientNonce}, cache};
}

ScramServer server_with(std::string_view password, std::string_view salt = "some salt") {
    return ScramServer{make_scram_verifier(password, salt, kFewIterations), "server/nonce"};
}

std::string server_first(std::string_view nonce, std::string_view salt, std::string_view count) {
    return "r=" + std::string{nonce} + ",s=" + std::string{salt} + ",i=" + std::string{count};
}

std::string first_fails(std::string_view message) {
    auto client = client_with("pencil");
    const auto reply = client.on_server_first(message);
    CHECK_FALSE(client.server_proved());
    return std::string(reply ? "accepted"sv : reply.error().sqlstate.text());
}

/// Runs both sides against each other; the SQLSTATE of whoever gave up, or "proved".
std::string run(ScramClient& client, ScramServer& server) {
    const auto first = server.on_client_first(client.client_first());
    if (!first) return std::string(first.error().sqlstate.text());
    const auto proof = client.on_server_first(*first);
    if (!proof) return std::string(proof.error().sqlstate.text());
    const auto last = server.on_client_final(*proof);
    if (!last) return std::string(last.error().sqlstate.text());
    const auto done = client.on_server_final(*last);
    if (!done) return std::string(done.error().sqlstate.text());
    return client.server_proved() ? "proved" : "not proved";
}

}  // namespace

TEST_CASE("scram client: it opens like libpq, with an empty user name") {
    CHECK(client_with("pencil").client_first() == "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
}

TEST_CASE("scram client: with the same password both sides prove themselves") {
    for (const std::string_view password : {"pencil", "", "\xc3\xa9", "a,b=c"}) {
        CAPTURE(password);
        auto client = client_with(password);
        auto server = server_with(password);
        CHECK(run(client, server) == "proved");
    }
}

TEST_CASE("scram client: a wrong password ends with 28P01 at the server") {
    auto client = client_with("pencil");
    auto server = server_with("Pencil");
    CHECK(run(client, server) == "28P01");
    CHECK_FALSE(client.server_proved());
}

TEST_CASE(
    "scram client: what a client proved opens a server with the same verifier, and no other") {
    auto client = client_with("pencil");
    auto pooler = server_with("pencil");
    REQUIRE(run(client, pooler) == "proved");
    REQUIRE(pooler.proven_keys() != nullptr);

    ScramClient onwards{*pooler.proven_keys(), "anothernonce"};
    auto same = server_with("pencil");
    CHECK(run(onwards, same) == "proved");

    ScramClient again{*pooler.proven_keys(), "anothernonce"};
    auto other_salt = server_with("pencil", "other salt");
    CHECK(run(again, other_salt) == "28P01");
}

TEST_CASE("scram client: the server's first message is taken only when it is sound") {
    const std::string longer = std::string{kClientNonce} + "x";
    REQUIRE(first_fails(server_first(longer, "AA==", "1")) == "accepted");
    const std::string good = server_first(longer, "AA==", "1");
    for (const std::string& message :
         {""s, "r="s, good + ",", good + ",x=y", "m=x," + good, "s=AA==,r=" + longer + ",i=1",
          server_first(longer, "", "1"), server_first(longer, "A", "1"),
          server_first(longer, "AB==", "1"), server_first(kClientNonce, "AA==", "1"),
          server_first("x" + longer, "AA==", "1"), server_first("", "AA==", "1"),
          server_first(longer + " ", "AA==", "1"), server_first(longer + "\0"s, "AA==", "1")}) {
        CAPTURE(message);
        CHECK(first_fails(message) == "08P01");
    }
    for (size_t size = 0; size + 1 < good.size(); ++size) {
        CAPTURE(size);
        CHECK(first_fails(good.substr(0, size)) == "08P01");
    }
}

TEST_CASE("scram client: a server cannot make it work for ever") {
    const std::string nonce = std::string{kClientNonce} + "x";
    CHECK(first_fails(server_first(nonce, "AA==", "100000")) == "accepted");
    for (const std::string_view count :
         {"0", "100001", "2147483648", "4294967297", "-1", "", "1e3", "99999999999999999999"}) {
        CAPTURE(count);
        CHECK(first_fails(server_first(nonce, "AA==", count)) == "08P01");
    }
}

TEST_CASE("scram client: huge nonces and messages are refused") {
    const auto padded = [](size_t bytes) {
        return std::string{kClientNonce} + std::string(bytes - kClientNonce.size(), 'x');
    };
    CHECK(first_fails(server_first(padded(1024), "AA==", "1")) == "accepted");
    CHECK(first_fails(server_first(padded(1025), "AA==", "1")) == "08P01");
    CHECK(first_fails(server_first(padded(60'000), "AA==", "1")) == "08P01");

    const std::string nonce = padded(32);
    const size_t around = server_first(nonce, "", "1").size();
    const size_t salt_bytes = (65'535 - around) / 4 * 4;
    CHECK(first_fails(server_first(nonce, std::string(salt_bytes, 'A'), "1")) == "accepted");
    CHECK(first_fails(server_first(nonce, std::string(salt_bytes + 4, 'A'), "1")) == "08P01");
}

TEST_CASE("scram client: an error that the server reports is 28P01 and is quoted harmlessly") {
    auto client = client_with("pencil");
    const auto reply = client.on_server_first("e=unknown-user\x1b[2J\"");
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error().sqlstate == sqlstate::kInvalidPassword);
    CHECK(reply.error().detail == "It says \"unknown-user?[2J?\".");
}

TEST_CASE("scram client: a server that does not know the password is found out") {
    auto server = server_with("pencil");
    auto client = client_with("pencil");
    const auto first = server.on_client_first(client.client_first());
    REQUIRE(first.has_value());
    const auto proof = client.on_server_first(*first);
    REQUIRE(proof.has_value());
    const auto last = server.on_client_final(*proof);
    REQUIRE(last.has_value());

    const auto verdict_on = [&](std::string_view message) {
        auto copy = client;
        const auto done = copy.on_server_final(message);
        CHECK(copy.server_proved() == done.has_value());
        return done ? "proved"s : std::string(done.error().sqlstate.text());
    };
    REQUIRE(verdict_on(*last) == "proved");
    std::string tampered = *last;
    tampered[2] = tampered[2] == 'A' ? 'B' : 'A';
    CHECK(verdict_on(tampered) == "28P01");
    CHECK(verdict_on("v=" + base64_encode(std::string(32, '\0'))) == "28P01");
    CHECK(verdict_on("e=other-error") == "28P01");
    CHECK(verdict_on(*last + ",x=y") == "08P01");
    CHECK(verdict_on(std::string(70'000, 'v')) == "08P01");
    for (size_t size = 0; size < last->size(); ++size) {
        CAPTURE(size);
        CHECK(verdict_on(last->substr(0, size)) == "08P01");
    }
}

TEST_CASE("scram client: steps out of order fail, and failure is for ever") {
    const std::string good = server_first(std::string{kClientNonce} + "x", "AA==", "1");

    auto early = client_with("pencil");
    // All zero is what the signature is before any was computed.
    CHECK_FALSE(early.on_server_final("v=" + base64_encode(std::string(32, '\0'))).has_value());
    CHECK_FALSE(early.server_proved());
    CHECK_FALSE(early.on_server_first(good).has_value());

    auto repeated = client_with("pencil");
    REQUIRE(repeated.on_server_first(good).has_value());
    CHECK_FALSE(repeated.on_server_first(good).has_value());
}

TEST_CASE("scram key cache: keys are derived once for each password, salt and iteration count") {
    ScramKeyCache cache{8};
    const Secret password{"pencil"};
    const auto keys = cache.keys_for(password, "salt", 2);
    CHECK(cache.keys_for(password, "salt", 2).client_key == keys.client_key);
    CHECK(cache.misses() == 1);

    CHECK(cache.keys_for(password, "salt", 3).client_key != keys.client_key);
    CHECK(cache.keys_for(password, "salu", 2).client_key != keys.client_key);
    CHECK(cache.keys_for(Secret{"pencils"}, "alt", 2).client_key != keys.client_key);
    CHECK(cache.misses() == 4);
    CHECK(cache.size() == 4);
}

TEST_CASE("scram key cache: it never grows beyond its bound") {
    ScramKeyCache cache{2};
    for (const std::string_view salt : {"a", "b", "c", "d", "e"}) {
        cache.keys_for(Secret{"pencil"}, salt, 1);
        CHECK(cache.size() <= 2);
    }
    ScramKeyCache none{0};
    none.keys_for(Secret{"pencil"}, "a", 1);
    CHECK(none.size() == 0);
}

TEST_CASE("scram key cache: a second login costs no derivation and works") {
    ScramKeyCache cache;
    for (int login = 0; login < 3; ++login) {
        auto client = client_with("pencil", &cache);
        auto server = server_with("pencil");
        CHECK(run(client, server) == "proved");
    }
    CHECK(cache.misses() == 1);
}

}  // namespace pgweir::auth
