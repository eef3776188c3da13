#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/route/rules.h"
#include "pgweir/route/token.h"
#include "pgweir/sql/classify.h"
#include "pgweir/sql/hints.h"

#include <array>
#include <string>
#include <string_view>

namespace pgweir::fuzz_hints {

void fuzz_one(Bytes data);

namespace {

// As classify() names what is no read.
constexpr auto kChanges = std::to_array<std::string_view>(
    {"alter_table_stmt", "alter_function_stmt", "rename_stmt", "drop_stmt", "create_function_stmt",
     "alter_object_schema_stmt", "create_cast_stmt", "create_trig_stmt"});

/// By the book, and slowly.
bool is_like_slowly(std::string_view text, std::string_view pattern) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*') {
        return is_like_slowly(text, pattern.substr(1)) ||
               (!text.empty() && is_like_slowly(text.substr(1), pattern));
    }
    return !text.empty() && text[0] == pattern[0] &&
           is_like_slowly(text.substr(1), pattern.substr(1));
}

void check_patterns(std::string_view text) {
    constexpr size_t kLongest = 12;  // the slow way takes forever soon
    const size_t middle = text.find('\n');
    if (middle == std::string_view::npos) return;
    std::string one(text.substr(0, middle).substr(0, kLongest));
    std::string other(text.substr(middle + 1).substr(0, kLongest));
    for (std::string* each : {&one, &other}) {
        for (char& c : *each) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    PGW_CHECK(route::is_like(one, other) == is_like_slowly(one, other));
}

}  // namespace

/// What a text says besides what it does, held against PostgreSQL's own grammar.
void fuzz_one(Bytes data) {
    const std::string sql(as_text(data));
    const sql::Classification judged = sql::classify(sql);
    const bool known = !judged.why.starts_with("it ");
    if (sql::shows(sql, "pgweir.token")) PGW_CHECK(!known || judged.of_session);
    if (!sql::changes_catalogue(sql)) {
        for (const std::string_view change : kChanges) {
            PGW_CHECK(!judged.why.starts_with(std::string(change) + " is no read"));
        }
    }
    sql::hint_of(sql);
    sql::misplaced_on_standby(sql);
    check_patterns(sql);
    const auto token = route::token_of(sql);
    PGW_CHECK(!token || route::token_of(to_text(*token)) == token);
}

}  // namespace pgweir::fuzz_hints

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_hints::fuzz_one({data, size});
    return 0;
}
#endif
