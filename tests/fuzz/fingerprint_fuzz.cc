#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/sql/classify.h"
#include "pgweir/sql/fingerprint.h"
#include "pgweir/sql/outline.h"

#include <array>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>

namespace pgweir::fuzz_fingerprint {

void fuzz_one(Bytes data);

namespace {

// Values of all kinds.
constexpr auto kValues = std::to_array<std::string_view>({"''", "'/x'", "0", "1.5", "$1", "$$x$$"});

/// Puts the value for $1, $2 and so on, that stand outside of names.
std::string with_values(const std::string& shape, std::string_view value) {
    std::string filled;
    bool in_name = false;
    for (size_t at = 0; at < shape.size(); ++at) {
        in_name ^= shape[at] == '"';
        const bool number = !in_name && shape[at] == '$' && at + 1 < shape.size() &&
                            std::isdigit(static_cast<unsigned char>(shape[at + 1])) != 0 &&
                            (at == 0 || shape[at - 1] == ' ' || shape[at - 1] == '(' ||
                             shape[at - 1] == '[' || shape[at - 1] == '.' || shape[at - 1] == ':');
        if (!number) {
            filled += shape[at];
            continue;
        }
        filled += value;
        while (at + 1 < shape.size() &&
               std::isdigit(static_cast<unsigned char>(shape[at + 1])) != 0) {
            ++at;
        }
    }
    return filled;
}

/// Wherever the text is cut into strides.
void check_outline(const std::string& sql, const std::optional<sql::Fingerprint>& found) {
    static sql::OutlineRoom room;
    const auto outline = sql::outline_of(sql, room);
    if (!outline) return;
    const std::string text(*outline);
    PGW_CHECK(sql::fingerprint(text) == found);
    PGW_CHECK(sql::outline_of(text, room) == text);
    for (size_t spaces = 1; spaces < 16; ++spaces) {
        if (sql.size() + spaces > sql::kOutlinedBytesMax) return;
        const std::string space(spaces, ' ');
        PGW_CHECK(sql::outline_of(space + sql, room) == space + text);
        PGW_CHECK(sql::outline_of(sql + space, room) == text + space);
    }
}

}  // namespace

/// What has the same fingerprint is of the same class, unless one of both cannot be read: a
/// statement, and its own shape with other values.
void fuzz_one(Bytes data) {
    const std::string sql(as_text(data));
    const auto found = sql::fingerprint(sql);
    PGW_CHECK(found == sql::fingerprint(sql));
    check_outline(sql, found);
    if (!found) return;
    PGW_CHECK(sql::fingerprint("/* */" + sql + "\n--") == found ||
              sql.size() + 8 > sql::kFingerprintedBytesMax);
    const sql::Classification whole = sql::classify(sql);
    const std::string shape = sql::shape_of(sql, sql::kFingerprintedBytesMax);
    for (const std::string_view value : kValues) {
        const std::string other = with_values(shape, value);
        const auto again = sql::fingerprint(other);
        if (again != found) continue;  // "a.1" is a number and a name, or it became too long
        const sql::Classification twin = sql::classify(other);
        const bool says_nothing = whole.why.starts_with("it ") || twin.why.starts_with("it ");
        PGW_CHECK(says_nothing || whole.reads == twin.reads);
    }
}

}  // namespace pgweir::fuzz_fingerprint

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_fingerprint::fuzz_one({data, size});
    return 0;
}
#endif
