#include "pgweir/auth/users_file.h"
#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace pgweir::fuzz_users_file {

namespace {

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char letter : text) {
        result += letter;
        if (letter == '"') result += '"';
    }
    result += '"';
    return result;
}

void check_limits(const auth::UserEntry& entry) {
    const std::string_view secret = entry.secret.reveal();
    PGW_CHECK(!entry.name.empty() && entry.name.size() <= auth::kUserNameBytesMax);
    PGW_CHECK(secret.size() <= auth::kSecretBytesMax);
    PGW_CHECK(entry.name.find('\0') == std::string::npos);
    PGW_CHECK(secret.find('\0') == std::string_view::npos);
    PGW_CHECK(entry.kind == auth::kind_of_secret(secret));
}

}  // namespace

void fuzz_one(Bytes data);

/// Whatever is read obeys the limits, and reads the same when it is written out and read again.
void fuzz_one(Bytes data) {
    const auto [users, problems] = auth::parse_users_file(as_text(data));
    PGW_CHECK(problems.size() <= auth::kUsersFileProblemsMax + 1);

    std::string written;
    for (const auth::UserEntry& entry : users.entries()) {
        check_limits(entry);
        PGW_CHECK(users.find(entry.name) == &entry);
        written += quoted(entry.name) + " " + quoted(entry.secret.reveal()) + "\n";
    }

    const auto [again, new_problems] = auth::parse_users_file(written);
    PGW_CHECK(new_problems.empty());
    PGW_CHECK(again.size() == users.size());
    for (size_t i = 0; i < users.size(); ++i) {
        PGW_CHECK(again.entries()[i].name == users.entries()[i].name);
        PGW_CHECK(again.entries()[i].secret.reveal() == users.entries()[i].secret.reveal());
        PGW_CHECK(again.entries()[i].kind == users.entries()[i].kind);
    }
}

}  // namespace pgweir::fuzz_users_file

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_users_file::fuzz_one({data, size});
    return 0;
}
#endif
