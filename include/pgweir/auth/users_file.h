#pragma once

#include "pgweir/base/secret.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::auth {

inline constexpr size_t kUserNameBytesMax = 63;        // PostgreSQL's NAMEDATALEN less one
inline constexpr size_t kSecretBytesMax = 65'535;      // PostgreSQL's limit of a password token
inline constexpr size_t kUsersFileProblemsMax = 1000;  // then parsing stops: it is another file

enum class SecretKind : uint8_t { Plain, Md5, Scram };

/// One user of the file. An empty secret is Plain: such a user never logs in with a password.
struct UserEntry {
    std::string name;
    Secret secret;
    SecretKind kind = SecretKind::Plain;
};

/// The users of one file, immutable once made.
/// Thread: any, as long as nobody moves it.
class UserList {
public:
    UserList() = default;
    /// Invariant: the names are distinct.
    explicit UserList(std::vector<UserEntry> entries);

    /// nullptr when there is no such user. Names match byte for byte.
    /// Lifetime: the list's.
    const UserEntry* find(std::string_view name) const;

    size_t size() const { return entries_.size(); }

    /// Ordered by name.
    std::span<const UserEntry> entries() const { return entries_; }

private:
    std::vector<UserEntry> entries_;
};

/// What is wrong in a line, and what to do. Neither a secret nor a name is ever quoted: columns may
/// have been swapped.
struct UsersFileProblem {
    size_t line;  // from 1
    std::string message;
};

/// How a secret is to be used: by its form, as PostgreSQL decides it.
SecretKind kind_of_secret(std::string_view secret);

/// Reads PgBouncer's userlist.txt: `"user" "secret"`, the rest of a line ignored, a quote within
/// quotes doubled, comments from ';' or '#' at the start of a line. Unlike PgBouncer, a quoted text
/// ends on its line. Lines with problems are left out, all others are in the list.
std::pair<UserList, std::vector<UsersFileProblem>> parse_users_file(std::string_view text);

}  // namespace pgweir::auth
