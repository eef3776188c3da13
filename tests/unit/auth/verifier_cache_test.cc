#include "pgweir/auth/verifier_cache.h"

#include "pgweir/auth/md5.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

namespace {

constexpr std::string_view kProcessSecret = "0123456789abcdef";

VerifierCache make_cache(size_t entries_max = 16) {
    return VerifierCache{Secret{std::string{kProcessSecret}}, entries_max};
}

UserEntry user_with(std::string_view name, std::string_view secret) {
    return UserEntry{.name = std::string{name},
                     .secret = Secret{std::string{secret}},
                     .kind = kind_of_secret(secret)};
}

}  // namespace

TEST_CASE("verifier cache: a plain-text secret is worked out once") {
    auto cache = make_cache();
    const auto bob = user_with("bob", "secret");
    const auto verifier = cache.verifier_for("bob", &bob);
    CHECK(verifier == make_scram_verifier("secret", mock_salt("bob", kProcessSecret), 4096));
    CHECK(cache.verifier_for("bob", &bob) == verifier);
    CHECK(cache.misses() == 1);
}

TEST_CASE("verifier cache: a changed secret counts at once") {
    auto cache = make_cache();
    const auto before = user_with("bob", "secret");
    const auto after = user_with("bob", "changed");
    const auto old_verifier = cache.verifier_for("bob", &before);
    CHECK(cache.verifier_for("bob", &after).stored_key != old_verifier.stored_key);
    CHECK(cache.misses() == 2);
}

TEST_CASE("verifier cache: a stored verifier is used as it is, and costs nothing") {
    auto cache = make_cache();
    const auto stored = make_scram_verifier("secret", "salt", 7);
    const auto bob = user_with("bob", to_text(stored));
    CHECK(cache.verifier_for("bob", &bob) == stored);
    CHECK(cache.size() == 0);
    CHECK(cache.misses() == 0);
}

TEST_CASE("verifier cache: no user, no secret and an md5 secret get the one that always fails") {
    auto cache = make_cache();
    const auto mock = mock_verifier("bob", kProcessSecret);
    const auto empty = user_with("bob", "");
    const auto md5 = user_with("bob", md5_verifier("secret", "bob"));
    CHECK(cache.verifier_for("bob", nullptr) == mock);
    CHECK(cache.verifier_for("bob", &empty) == mock);
    CHECK(cache.verifier_for("bob", &md5) == mock);
    CHECK(cache.size() == 0);
}

TEST_CASE("verifier cache: a plain-text user shows the same salt as a stranger of that name") {
    auto cache = make_cache();
    const auto bob = user_with("bob", "secret");
    const auto known = cache.verifier_for("bob", &bob);
    const auto stranger = cache.verifier_for("bob", nullptr);
    CHECK(known.salt == stranger.salt);
    CHECK(known.iterations == stranger.iterations);
    CHECK(known.stored_key != stranger.stored_key);
}

TEST_CASE("verifier cache: it never grows beyond its bound") {
    auto cache = make_cache(1);
    for (const std::string_view name : {"a", "b", "c"}) {
        const auto user = user_with(name, "secret");
        cache.verifier_for(name, &user);
        CHECK(cache.size() == 1);
    }
}

}  // namespace pgweir::auth
