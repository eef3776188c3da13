#pragma once

#include "pgweir/auth/users_file.h"
#include "pgweir/base/error.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace pgweir::auth {

/// How clients prove who they are; config's enum of the same name maps to it.
enum class AuthMethod : uint8_t { Trust, Md5, ScramSha256 };

/// The conversation that a client is asked for.
enum class Exchange : uint8_t { None, Md5, Scram };

/// How one login goes. When can_succeed is false the exchange is held all the same, so that the
/// client cannot tell why it fails.
struct LoginPlan {
    Exchange exchange;
    bool can_succeed;
    std::string_view reason;  // for the log only, never for the client; empty when it can succeed
};

/// Decides as PgBouncer does; `user` is nullptr when there is no such user. Trust too wants a user
/// that exists; who wants to let everybody in has to ignore that verdict knowingly.
///
///   method         no user, no secret   plain   md5          SCRAM
///   trust          None, fails (*)      None    None         None
///   md5            mock, fails          Md5     Md5          Scram
///   scram-sha-256  Scram, fails         Scram   Scram,fails  Scram
///   (*) an empty secret is enough for trust
///
/// `mock` is what strangers are shown with method md5; name there what most users have (Scram if
/// the file has SCRAM secrets), for those with the other kind can be told from strangers.
LoginPlan plan_login(AuthMethod method, const UserEntry* user, Exchange mock = Exchange::Md5);

/// The exchange of plan_login alone.
Exchange choose_exchange(AuthMethod method, const UserEntry* user, Exchange mock = Exchange::Md5);

/// Whether `response` is the right answer to `salt`; false for nullptr, for an empty secret and for
/// a SCRAM one. The comparison's time tells nothing about the secret.
bool check_md5(const UserEntry* user, std::span<const uint8_t, 4> salt, std::string_view response);

/// 28P01 in PostgreSQL's words: the same for every reason.
Error password_authentication_failed(std::string_view user);

}  // namespace pgweir::auth
