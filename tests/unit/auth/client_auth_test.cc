#include "pgweir/auth/client_auth.h"

#include "pgweir/auth/md5.h"
#include "pgweir/auth/scram.h"

#include <array>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

namespace {

constexpr std::array<uint8_t, 4> kSalt{1, 2, 3, 4};

UserEntry bob_with(std::string_view secret) {
    return UserEntry{
        .name = "bob", .secret = Secret{std::string{secret}}, .kind = kind_of_secret(secret)};
}

struct Bobs {
    UserEntry none = bob_with("");
    UserEntry plain = bob_with("secret");
    UserEntry md5 = bob_with(md5_verifier("secret", "bob"));
    UserEntry scram = bob_with(to_text(make_scram_verifier("secret", "salt", 1)));
};

void check_plan(AuthMethod method, const UserEntry* user, Exchange exchange, bool can_succeed) {
    const LoginPlan plan = plan_login(method, user);
    CHECK(plan.exchange == exchange);
    CHECK(plan.can_succeed == can_succeed);
    CHECK(plan.reason.empty() == can_succeed);
    CHECK(choose_exchange(method, user) == exchange);
}

}  // namespace

TEST_CASE("client auth: trust asks for nothing, but the user has to exist") {
    const Bobs bobs;
    check_plan(AuthMethod::Trust, nullptr, Exchange::None, false);
    check_plan(AuthMethod::Trust, &bobs.none, Exchange::None, true);
    check_plan(AuthMethod::Trust, &bobs.plain, Exchange::None, true);
    check_plan(AuthMethod::Trust, &bobs.md5, Exchange::None, true);
    check_plan(AuthMethod::Trust, &bobs.scram, Exchange::None, true);
}

TEST_CASE("client auth: md5 becomes SCRAM for a SCRAM secret") {
    const Bobs bobs;
    check_plan(AuthMethod::Md5, nullptr, Exchange::Md5, false);
    check_plan(AuthMethod::Md5, &bobs.none, Exchange::Md5, false);
    check_plan(AuthMethod::Md5, &bobs.plain, Exchange::Md5, true);
    check_plan(AuthMethod::Md5, &bobs.md5, Exchange::Md5, true);
    check_plan(AuthMethod::Md5, &bobs.scram, Exchange::Scram, true);
}

TEST_CASE("client auth: scram-sha-256 never falls back to md5") {
    const Bobs bobs;
    check_plan(AuthMethod::ScramSha256, nullptr, Exchange::Scram, false);
    check_plan(AuthMethod::ScramSha256, &bobs.none, Exchange::Scram, false);
    check_plan(AuthMethod::ScramSha256, &bobs.plain, Exchange::Scram, true);
    check_plan(AuthMethod::ScramSha256, &bobs.md5, Exchange::Scram, false);
    check_plan(AuthMethod::ScramSha256, &bobs.scram, Exchange::Scram, true);
}

TEST_CASE("client auth: strangers under md5 are shown the exchange that most users have") {
    CHECK(choose_exchange(AuthMethod::Md5, nullptr, Exchange::Scram) == Exchange::Scram);
    const Bobs bobs;
    CHECK(choose_exchange(AuthMethod::Md5, &bobs.none, Exchange::Scram) == Exchange::Scram);
    CHECK(choose_exchange(AuthMethod::Md5, &bobs.plain, Exchange::Scram) == Exchange::Md5);
}

TEST_CASE("client auth: the right md5 response opens plain and md5 secrets") {
    const Bobs bobs;
    const std::string right = md5_response(md5_verifier("secret", "bob"), kSalt);
    CHECK(check_md5(&bobs.plain, kSalt, right));
    CHECK(check_md5(&bobs.md5, kSalt, right));
}

TEST_CASE("client auth: any other md5 response opens nothing") {
    const Bobs bobs;
    const std::string right = md5_response(md5_verifier("secret", "bob"), kSalt);
    std::string altered = right;
    altered.back() = altered.back() == '0' ? '1' : '0';
    for (const std::string& response :
         {std::string{}, altered, right.substr(0, 34), right + "0", std::string{"secret"},
          md5_verifier("secret", "bob"), md5_response(md5_verifier("secret", "Bob"), kSalt),
          md5_response(md5_verifier("secret", "bob"), std::array<uint8_t, 4>{1, 2, 3, 5})}) {
        CAPTURE(response);
        CHECK_FALSE(check_md5(&bobs.plain, kSalt, response));
        CHECK_FALSE(check_md5(&bobs.md5, kSalt, response));
    }
}

TEST_CASE("client auth: strangers, empty secrets and SCRAM secrets never pass md5") {
    const Bobs bobs;
    for (const std::string& response :
         {std::string{}, md5_response(md5_verifier("", "bob"), kSalt),
          md5_response(md5_verifier("no password", "nobody"), kSalt),
          md5_response(md5_verifier("secret", "bob"), kSalt),
          md5_response(md5_verifier(bobs.scram.secret.reveal(), "bob"), kSalt)}) {
        CAPTURE(response);
        CHECK_FALSE(check_md5(nullptr, kSalt, response));
        CHECK_FALSE(check_md5(&bobs.none, kSalt, response));
        CHECK_FALSE(check_md5(&bobs.scram, kSalt, response));
    }
}

TEST_CASE("client auth: a damaged md5 secret does not make an empty response right") {
    const UserEntry damaged{.name = "bob", .secret = Secret{"md5"}, .kind = SecretKind::Md5};
    CHECK_FALSE(check_md5(&damaged, kSalt, ""));
}

}  // namespace pgweir::auth
