#include "pgweir/auth/client_auth.h"

#include "pgweir/auth/md5.h"
#include "pgweir/base/check.h"

#include <optional>
#include <string>

namespace pgweir::auth {

namespace {

constexpr std::string_view kNoSuchUser = "there is no such user";
constexpr std::string_view kNoSecret = "the user has no secret";
constexpr std::string_view kMd5CannotScram =
    "the user has an md5 secret, and SCRAM needs a plain-text or a SCRAM one";

LoginPlan allowed(Exchange exchange) {
    return LoginPlan{.exchange = exchange, .can_succeed = true, .reason = {}};
}

LoginPlan doomed(Exchange exchange, std::string_view reason) {
    return LoginPlan{.exchange = exchange, .can_succeed = false, .reason = reason};
}

/// Why no password can let this user in; empty when one can.
std::string_view hopeless(const UserEntry* user) {
    if (user == nullptr) return kNoSuchUser;
    return user->secret.empty() ? kNoSecret : std::string_view{};
}

/// What an md5 response is checked against; nullopt when none can be right.
std::optional<std::string> md5_verifier_of(const UserEntry& user) {
    if (user.secret.empty()) return std::nullopt;
    switch (user.kind) {
        case SecretKind::Plain: return md5_verifier(user.secret.reveal(), user.name);
        case SecretKind::Md5: return std::string{user.secret.reveal()};
        case SecretKind::Scram: return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

LoginPlan plan_login(AuthMethod method, const UserEntry* user, Exchange mock) {
    PGW_CHECK(mock != Exchange::None);
    const std::string_view why_not = hopeless(user);
    switch (method) {
        case AuthMethod::Trust:
            return user == nullptr ? doomed(Exchange::None, why_not) : allowed(Exchange::None);
        case AuthMethod::Md5:
            if (!why_not.empty()) return doomed(mock, why_not);
            return allowed(user->kind == SecretKind::Scram ? Exchange::Scram : Exchange::Md5);
        case AuthMethod::ScramSha256:
            if (!why_not.empty()) return doomed(Exchange::Scram, why_not);
            return user->kind == SecretKind::Md5 ? doomed(Exchange::Scram, kMd5CannotScram)
                                                 : allowed(Exchange::Scram);
    }
    return doomed(Exchange::Scram, kNoSuchUser);
}

Exchange choose_exchange(AuthMethod method, const UserEntry* user, Exchange mock) {
    return plan_login(method, user, mock).exchange;
}

bool check_md5(const UserEntry* user, std::span<const uint8_t, 4> salt, std::string_view response) {
    const auto verifier = user == nullptr ? std::nullopt : md5_verifier_of(*user);
    // A stranger's response is computed as well, or the time would tell that there is no such user.
    const std::string expected =
        md5_response(verifier ? *verifier : md5_verifier("no password", "nobody"), salt);
    const bool equal = equal_in_constant_time(expected, response);
    return verifier && !expected.empty() && equal;
}

}  // namespace pgweir::auth
