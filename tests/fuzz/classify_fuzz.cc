#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/sql/classify.h"

#include <array>
#include <string>
#include <string_view>

#include <pg_query.h>

namespace pgweir::fuzz_classify {
namespace {

// As libpg_query's JSON writes nodes; in a value the quotes would have a backslash before them.
constexpr auto kWriters = std::to_array<std::string_view>({
    "{\"InsertStmt\":",
    "{\"UpdateStmt\":",
    "{\"DeleteStmt\":",
    "{\"MergeStmt\":",
    "\"intoClause\":",
    "{\"LockingClause\":",
    "{\"CreateTableAsStmt\":",
    "{\"VariableSetStmt\":",
    "{\"DoStmt\":",
    "{\"CallStmt\":",
    "{\"ExecuteStmt\":",
    "{\"PrepareStmt\":",
    "{\"TransactionStmt\":",
    "{\"String\":{\"sval\":\"nextval\"}}]",
    "{\"String\":{\"sval\":\"setval\"}}]",
    "{\"String\":{\"sval\":\"set_config\"}}]",
    "{\"String\":{\"sval\":\"pg_advisory_lock\"}}]",
});

/// Another way to the same tree: what is called a read has nothing of these in it.
void is_free_of_writers(const std::string& sql) {
    PgQueryParseResult parsed = pg_query_parse(sql.c_str());
    PGW_CHECK(parsed.error == nullptr);
    const std::string_view tree(parsed.parse_tree);
    for (const std::string_view writer : kWriters) {
        // A column may be called as a function is.
        const bool name = writer.find("sval") != std::string_view::npos;
        const std::string called = "\"funcname\":[" + std::string(writer);
        PGW_CHECK(tree.find(name ? std::string_view(called) : writer) == std::string_view::npos);
    }
    PGW_CHECK(tree.find("\"stmts\":[{\"stmt\":") != std::string_view::npos);
    pg_query_free_parse_result(parsed);
}

}  // namespace

void fuzz_one(Bytes data);

/// A text has its class whatever comment is before it.
void fuzz_one(Bytes data) {
    const std::string sql(as_text(data));
    const sql::Classification found = sql::classify(sql);
    PGW_CHECK(found.reads == found.why.empty());
    if (!found.reads) return;
    is_free_of_writers(sql);
    const sql::Classification behind_comment = sql::classify("/* /* */ */ " + sql);
    const bool too_long = behind_comment.why.starts_with("it is too long to be looked into");
    PGW_CHECK(too_long || behind_comment.reads);
}

}  // namespace pgweir::fuzz_classify

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_classify::fuzz_one({data, size});
    return 0;
}
#endif
