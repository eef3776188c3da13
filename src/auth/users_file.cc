#include "pgweir/auth/users_file.h"

#include "pgweir/auth/md5.h"
#include "pgweir/auth/scram.h"
#include "pgweir/base/check.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace pgweir::auth {

namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

/// An entry, or what is wrong with its line.
using ParsedLine = tl::expected<UserEntry, std::string>;

tl::unexpected<std::string> problem(std::string_view what) {
    return tl::unexpected<std::string>(std::string{what});
}

void skip_blanks(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
}

/// Takes a quoted text off the front, its doubled quotes made single; nullopt when it has no end.
std::optional<std::string> take_quoted(std::string_view& rest) {
    PGW_CHECK(rest.starts_with('"'));
    std::string text;
    for (size_t at = 1; at < rest.size(); ++at) {
        if (rest[at] == '"') {
            if (rest.substr(at + 1, 1) != "\"") {
                rest.remove_prefix(at + 1);
                return text;
            }
            ++at;
        }
        text += rest[at];
    }
    return std::nullopt;
}

bool is_broken_scram(std::string_view secret) {
    return secret.starts_with(kScramMechanism) && secret.substr(kScramMechanism.size(), 1) == "$" &&
           !parse_scram_verifier(secret);
}

ParsedLine parse_line(std::string_view rest) {
    if (rest.find('\0') != std::string_view::npos) {
        return problem("the line contains a zero byte; save the file as plain UTF-8 text");
    }
    if (!rest.starts_with('"')) {
        return problem(R"(the line does not begin with a quote; write "user" "secret")");
    }
    auto name = take_quoted(rest);
    if (!name) return problem("the user name has no closing quote on its line; add one");
    if (name->empty()) return problem("the user name is empty; write one, or remove the line");
    if (name->size() > kUserNameBytesMax) {
        return problem(fmt::format(
            "the user name has {} bytes; PostgreSQL knows names of up to {}: shorten it",
            name->size(), kUserNameBytesMax));
    }

    skip_blanks(rest);
    if (!rest.starts_with('"')) {
        return problem(
            R"(there is no quoted secret after the user name; add one, or "" for a user without)");
    }
    auto secret = take_quoted(rest);
    if (!secret) return problem("the secret has no closing quote on its line; add one");
    if (secret->size() > kSecretBytesMax) {
        return problem(fmt::format("the secret has {} bytes; at most {} are possible: shorten it",
                                   secret->size(), kSecretBytesMax));
    }
    if (is_broken_scram(*secret)) {
        return problem(
            "the secret begins like a SCRAM verifier but is damaged; copy rolpassword from "
            "pg_authid again, whole");
    }
    const SecretKind kind = kind_of_secret(*secret);
    return UserEntry{.name = std::move(*name), .secret = Secret{std::move(*secret)}, .kind = kind};
}

bool has_less_name(const UserEntry& left, const UserEntry& right) {
    return left.name < right.name;
}

}  // namespace

UserList::UserList(std::vector<UserEntry> entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(), has_less_name);
    PGW_CHECK(std::adjacent_find(entries_.begin(), entries_.end(),
                                 [](const UserEntry& left, const UserEntry& right) {
                                     return left.name == right.name;
                                 }) == entries_.end());
}

const UserEntry* UserList::find(std::string_view name) const {
    const auto found = std::lower_bound(
        entries_.begin(), entries_.end(), name,
        [](const UserEntry& entry, std::string_view sought) { return entry.name < sought; });
    return found != entries_.end() && found->name == name ? &*found : nullptr;
}

SecretKind kind_of_secret(std::string_view secret) {
    if (is_md5_verifier(secret)) return SecretKind::Md5;
    if (parse_scram_verifier(secret)) return SecretKind::Scram;
    return SecretKind::Plain;
}

std::pair<UserList, std::vector<UsersFileProblem>> parse_users_file(std::string_view text) {
    std::vector<UserEntry> entries;
    std::vector<UsersFileProblem> problems;
    std::unordered_map<std::string, size_t> line_of_name;

    for (size_t line = 1; !text.empty(); ++line) {
        if (problems.size() == kUsersFileProblemsMax) {
            problems.push_back({line, "too many problems; from here on nothing was read"});
            break;
        }
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view rest = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));

        skip_blanks(rest);
        if (rest.empty() || rest.front() == ';' || rest.front() == '#') continue;
        ParsedLine entry = parse_line(rest);
        if (!entry) {
            problems.push_back({line, std::move(entry.error())});
            continue;
        }
        const auto [first, is_new] = line_of_name.emplace(entry->name, line);
        if (!is_new) {
            problems.push_back(
                {line, fmt::format("this user is on line {} already; remove one of the two",
                                   first->second)});
            continue;
        }
        entries.push_back(std::move(*entry));
    }
    return {UserList{std::move(entries)}, std::move(problems)};
}

}  // namespace pgweir::auth
