#include "pgweir/auth/users_file.h"

#include "pgweir/auth/scram.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace pgweir::auth {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

namespace {

const std::string& scram_text() {
    static const std::string text = to_text(make_scram_verifier("pencil", "salt", 1));
    return text;
}

std::string secret_of(const UserList& users, std::string_view name) {
    const UserEntry* entry = users.find(name);
    return entry == nullptr ? "(nobody)" : std::string{entry->secret.reveal()};
}

/// The message about the only line of a file, or "no problem".
std::string problem_of(std::string_view line) {
    const auto [users, problems] = parse_users_file(line);
    CHECK(users.size() + problems.size() == 1);
    return problems.empty() ? "no problem"s : problems.front().message;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("users file: PgBouncer's file is read, comments and rest of line aside") {
    const auto [users, problems] = parse_users_file(
        "; a comment\n"
        "# another\n"
        "\n"
        "  \t\r\n"
        "\"alice\" \"wonderland\"\n"
        "\"bob\"\t\"md55f4dcc3b5aa765d61d8327deb882cf99\" \"ignored\" rest\r\n"
        "  \"carol\" \"" +
        scram_text() +
        "\"\n"
        "\"dave\" \"\"");

    CHECK(problems.empty());
    REQUIRE(users.size() == 4);
    CHECK(secret_of(users, "alice") == "wonderland");
    CHECK(users.find("alice")->kind == SecretKind::Plain);
    CHECK(users.find("bob")->kind == SecretKind::Md5);
    CHECK(users.find("carol")->kind == SecretKind::Scram);
    CHECK(secret_of(users, "carol") == scram_text());
    CHECK(users.find("dave")->secret.empty());
    CHECK(users.find("dave")->kind == SecretKind::Plain);
}

TEST_CASE("users file: names match whole and byte for byte") {
    const auto users = parse_users_file("\"alice\" \"a\"\n\"Alice\" \"b\"\n\"al\" \"c\"").first;
    CHECK(secret_of(users, "alice") == "a");
    CHECK(secret_of(users, "Alice") == "b");
    CHECK(secret_of(users, "al") == "c");
    for (const std::string_view name :
         {""sv, "a"sv, "alic"sv, "alice "sv, "ALICE"sv, "alice\0"sv}) {
        CAPTURE(name);
        CHECK(users.find(name) == nullptr);
    }
    CHECK(UserList{}.find("alice") == nullptr);
}

TEST_CASE("users file: a doubled quote is a quote, everything else stands for itself") {
    const auto [users, problems] = parse_users_file(R"("a""b" """;#\ ,'é""")");
    CHECK(problems.empty());
    CHECK(secret_of(users, "a\"b") == "\";#\\ ,'é\"");
}

TEST_CASE("users file: all problems are found, with their lines, and good lines still count") {
    const auto [users, problems] = parse_users_file(
        "\"alice\" \"a\"\n"
        "alice a\n"
        "\n"
        "\"bob\"\n"
        "\"alice\" \"b\"\n"
        "\"carol\" \"c\"\n"
        "\"dave\" \"d\n");

    REQUIRE(problems.size() == 4);
    CHECK(problems[0].line == 2);
    CHECK(problems[1].line == 4);
    CHECK(problems[2].line == 5);
    CHECK(contains(problems[2].message, "line 1"));
    CHECK(problems[3].line == 7);
    CHECK(users.size() == 2);
    CHECK(secret_of(users, "alice") == "a");
    CHECK(secret_of(users, "carol") == "c");
}

TEST_CASE("users file: each mistake has its own message") {
    CHECK(contains(problem_of("alice \"a\""), "does not begin with a quote"));
    CHECK(contains(problem_of("\"alice"), "user name has no closing quote"));
    CHECK(contains(problem_of("\"alice\"\"a\""), "no quoted secret"));  // one name: alice"a
    CHECK(contains(problem_of("\"alice\" a"), "no quoted secret"));
    CHECK(contains(problem_of("\"alice\" \"a"), "secret has no closing quote"));
    CHECK(contains(problem_of("\"alice\" \"a\"\""), "secret has no closing quote"));
    CHECK(contains(problem_of("\"\" \"a\""), "user name is empty"));
    CHECK(contains(problem_of("\"alice\" \"a\0\""sv), "zero byte"));
    CHECK(contains(problem_of("\"alice\" \"SCRAM-SHA-256$4096:broken\""), "damaged"));
}

TEST_CASE("users file: limits hold at both ends") {
    const auto line = [](size_t name_bytes, size_t secret_bytes) {
        return fmt::format("\"{}\" \"{}\"", std::string(name_bytes, 'n'),
                           std::string(secret_bytes, 's'));
    };
    CHECK(problem_of(line(63, 1)) == "no problem");
    CHECK(contains(problem_of(line(64, 1)), "64 bytes"));
    CHECK(problem_of(line(1, 65'535)) == "no problem");
    CHECK(contains(problem_of(line(1, 65'536)), "65536 bytes"));
    // It is the name that counts, not how it is quoted.
    std::string quotes;
    for (int i = 0; i < 63; ++i) quotes += "\"\"";
    CHECK(problem_of("\"" + quotes + "\" \"s\"") == "no problem");
}

TEST_CASE("users file: no problem ever prints a secret") {
    const std::string_view secret = "hunter2-hunter2";
    const std::string word{secret};
    for (const std::string& line :
         {word, "\"alice\" " + word, "\"alice\" \"" + word, "\"" + word,
          "\"alice\" \"" + word + "\0\""s, "\"alice\" \"SCRAM-SHA-256$" + word + "\"",
          "\"" + word + word + word + word + word + "\" \"\"",
          "\"alice\" \"" + word + std::string(70'000, 'x') + "\""}) {
        const auto message = problem_of(line);
        CAPTURE(message);
        CHECK(message != "no problem");
        CHECK_FALSE(contains(message, secret));
    }
    const auto swapped = parse_users_file("\"" + word + "\" \"a\"\n\"" + word + "\" \"b\"").second;
    REQUIRE(swapped.size() == 1);
    CHECK_FALSE(contains(swapped.front().message, secret));
}

TEST_CASE("users file: a file that is something else stops early") {
    std::string text;
    for (int line = 0; line < 5000; ++line) text += "x\n";
    const auto [users, problems] = parse_users_file(text);
    CHECK(users.size() == 0);
    REQUIRE(problems.size() == kUsersFileProblemsMax + 1);
    CHECK(contains(problems.back().message, "too many problems"));
}

TEST_CASE("users file: text that only resembles a verifier is a plain password") {
    CHECK(kind_of_secret("md5") == SecretKind::Plain);
    CHECK(kind_of_secret("md55F4DCC3B5AA765D61D8327DEB882CF99") == SecretKind::Plain);
    CHECK(kind_of_secret("SCRAM-SHA-256") == SecretKind::Plain);
    CHECK(kind_of_secret("") == SecretKind::Plain);
    CHECK(problem_of("\"a\" \"SCRAM-SHA-256\"") == "no problem");
}

}  // namespace pgweir::auth
