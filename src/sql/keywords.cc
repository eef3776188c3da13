#include "sql/keywords.h"

#include "sql/lexer.h"

#include <array>
#include <cstddef>

/// See: sql-keywords-appendix.html
namespace pgweir::sql {
namespace {

constexpr unsigned kCommand = static_cast<unsigned>(Trait::Command);
constexpr unsigned kNoExpressions = static_cast<unsigned>(Trait::NoExpressions);
constexpr unsigned kSyntax = static_cast<unsigned>(Trait::Syntax);
constexpr unsigned kNameFollows = static_cast<unsigned>(Trait::NameFollows);

constexpr KeywordRow row(std::string_view name, Keyword keyword, unsigned traits = 0) {
    return {name, keyword, static_cast<uint8_t>(traits)};
}

// Syntax: words that PostgreSQL does not take as a function's name without quotes, and a few more
// that stand before parentheses in clauses, after which nobody names a function.
constexpr auto kKeywords = std::to_array<KeywordRow>({
    row("abort", Keyword::Other, kCommand),
    row("aggregate", Keyword::Other, kNameFollows),
    row("all", Keyword::Other, kSyntax),
    row("alter", Keyword::Alter, kCommand),
    row("analyse", Keyword::Analyze, kCommand | kNoExpressions | kSyntax | kNameFollows),
    row("analyze", Keyword::Analyze, kCommand | kNoExpressions | kSyntax | kNameFollows),
    row("and", Keyword::Other, kSyntax),
    row("any", Keyword::Other, kSyntax),
    row("array", Keyword::Other, kSyntax),
    row("as", Keyword::As, kSyntax | kNameFollows),
    row("asc", Keyword::Other, kSyntax),
    row("asymmetric", Keyword::Other, kSyntax),
    row("begin", Keyword::Other, kCommand),
    row("between", Keyword::Other, kSyntax),
    row("bigint", Keyword::Other, kSyntax),
    row("bit", Keyword::Character, kSyntax),
    row("boolean", Keyword::Other, kSyntax),
    row("both", Keyword::Other, kSyntax),
    row("by", Keyword::By, kSyntax),
    row("case", Keyword::Other, kSyntax),
    row("cast", Keyword::Other, kSyntax),
    row("char", Keyword::Character, kSyntax),
    row("character", Keyword::Character, kSyntax),
    row("check", Keyword::Other, kSyntax),
    row("checkpoint", Keyword::Other, kCommand | kNoExpressions),
    row("close", Keyword::Close, kCommand | kNoExpressions),
    row("cluster", Keyword::Other, kCommand | kNoExpressions),
    row("coalesce", Keyword::Other, kSyntax),
    row("collate", Keyword::Other, kSyntax),
    row("column", Keyword::Other, kSyntax),
    row("comment", Keyword::Comment, kCommand | kNoExpressions),
    row("commit", Keyword::Other, kCommand),
    row("conflict", Keyword::Conflict),
    row("constraint", Keyword::Other, kSyntax),
    row("constraints", Keyword::Constraints),
    row("copy", Keyword::Copy, kCommand | kNameFollows),
    row("create", Keyword::Create, kCommand | kSyntax),
    row("cross", Keyword::Other, kSyntax),
    row("cube", Keyword::Other, kSyntax),
    row("current_catalog", Keyword::Other, kSyntax),
    row("current_date", Keyword::Other, kSyntax),
    row("current_role", Keyword::Other, kSyntax),
    row("current_time", Keyword::Other, kSyntax),
    row("current_timestamp", Keyword::Other, kSyntax),
    row("database", Keyword::Database),
    row("deallocate", Keyword::Deallocate),
    row("dec", Keyword::Other, kSyntax),
    row("decimal", Keyword::Other, kSyntax),
    row("declare", Keyword::Other, kCommand),
    row("default", Keyword::Default, kSyntax),
    row("deferrable", Keyword::Other, kSyntax),
    row("delete", Keyword::Other, kCommand),
    row("desc", Keyword::Other, kSyntax),
    row("discard", Keyword::Discard),
    row("distinct", Keyword::Other, kSyntax),
    row("do", Keyword::Other, kSyntax),
    row("drop", Keyword::Drop, kCommand | kNoExpressions),
    row("else", Keyword::Other, kSyntax),
    row("end", Keyword::Other, kCommand | kSyntax),
    row("escape", Keyword::Other, kSyntax),
    row("except", Keyword::Other, kSyntax),
    row("execute", Keyword::Execute),
    row("exists", Keyword::Other, kSyntax | kNameFollows),
    row("explain", Keyword::Explain, kCommand),
    row("extract", Keyword::Other, kSyntax),
    row("false", Keyword::Other, kSyntax),
    row("fetch", Keyword::Other, kCommand | kNoExpressions | kSyntax),
    row("float", Keyword::Other, kSyntax),
    row("for", Keyword::Other, kSyntax),
    row("foreign", Keyword::Foreign, kSyntax),
    row("from", Keyword::From, kSyntax),
    row("full", Keyword::Other, kSyntax),
    row("function", Keyword::Other, kNameFollows),
    row("global", Keyword::Global),
    row("grant", Keyword::Other, kCommand | kNoExpressions | kSyntax),
    row("greatest", Keyword::Other, kSyntax),
    row("group", Keyword::Other, kSyntax),
    row("grouping", Keyword::Other, kSyntax),
    row("hash", Keyword::Hash),
    row("having", Keyword::Other, kSyntax),
    row("hold", Keyword::Hold),
    row("ilike", Keyword::Other, kSyntax),
    row("import", Keyword::Other, kCommand | kNoExpressions),
    row("in", Keyword::Other, kSyntax),
    row("index", Keyword::Index),
    row("initially", Keyword::Other, kSyntax),
    row("inner", Keyword::Other, kSyntax),
    row("inout", Keyword::Other, kSyntax),
    row("insert", Keyword::Insert, kCommand),
    row("int", Keyword::Other, kSyntax),
    row("integer", Keyword::Other, kSyntax),
    row("intersect", Keyword::Other, kSyntax),
    row("interval", Keyword::Other, kSyntax),
    row("into", Keyword::Into, kSyntax | kNameFollows),
    row("is", Keyword::Other, kSyntax),
    row("isnull", Keyword::Other, kSyntax),
    row("join", Keyword::Other, kSyntax),
    row("key", Keyword::Key),
    row("lateral", Keyword::Other, kSyntax),
    row("leading", Keyword::Other, kSyntax),
    row("least", Keyword::Other, kSyntax),
    row("limit", Keyword::Other, kSyntax),
    row("list", Keyword::List),
    row("listen", Keyword::Listen),
    row("load", Keyword::Load),
    row("local", Keyword::Local),
    row("localtime", Keyword::Other, kSyntax),
    row("localtimestamp", Keyword::Other, kSyntax),
    row("lock", Keyword::Other, kCommand | kNoExpressions),
    row("materialized", Keyword::Other, kSyntax),
    row("merge", Keyword::Merge, kCommand),
    row("move", Keyword::Other, kCommand | kNoExpressions),
    row("national", Keyword::Other, kSyntax),
    row("natural", Keyword::Other, kSyntax),
    row("nchar", Keyword::Character, kSyntax),
    row("none", Keyword::Other, kSyntax),
    row("normalize", Keyword::Other, kSyntax),
    row("not", Keyword::Other, kSyntax),
    row("notify", Keyword::Other, kCommand | kNoExpressions),
    row("notnull", Keyword::Other, kSyntax),
    row("null", Keyword::Other, kSyntax),
    row("nullif", Keyword::Other, kSyntax),
    row("numeric", Keyword::Other, kSyntax),
    row("of", Keyword::Other, kNameFollows),
    row("offset", Keyword::Other, kSyntax),
    row("on", Keyword::On, kSyntax),
    row("only", Keyword::Only, kSyntax),
    row("operator", Keyword::Operator),
    row("or", Keyword::Other, kSyntax),
    row("order", Keyword::Other, kSyntax),
    row("out", Keyword::Other, kSyntax),
    row("outer", Keyword::Other, kSyntax),
    row("overlay", Keyword::Other, kSyntax),
    row("pg_catalog", Keyword::PgCatalog),
    row("placing", Keyword::Other, kSyntax),
    row("position", Keyword::Other, kSyntax),
    row("precision", Keyword::Other, kSyntax),
    row("prepare", Keyword::Prepare),
    row("primary", Keyword::Primary, kSyntax),
    row("procedure", Keyword::Other, kNameFollows),
    row("range", Keyword::Range),
    row("real", Keyword::Other, kSyntax),
    row("reassign", Keyword::Other, kCommand | kNoExpressions),
    row("recursive", Keyword::Other, kNameFollows),
    row("references", Keyword::Other, kSyntax | kNameFollows),
    row("refresh", Keyword::Other, kCommand),
    row("reindex", Keyword::Other, kCommand | kNoExpressions),
    row("release", Keyword::Other, kCommand | kNoExpressions),
    row("replace", Keyword::Replace),
    row("reset", Keyword::Reset),
    row("returning", Keyword::Other, kSyntax),
    row("revoke", Keyword::Other, kCommand | kNoExpressions),
    row("rollback", Keyword::Other, kCommand),
    row("rollup", Keyword::Other, kSyntax),
    row("routine", Keyword::Other, kNameFollows),
    row("row", Keyword::Other, kSyntax),
    row("savepoint", Keyword::Other, kCommand | kNoExpressions),
    row("security", Keyword::Other, kCommand | kNoExpressions),
    row("select", Keyword::Other, kCommand | kSyntax),
    row("session", Keyword::Session),
    row("set", Keyword::Set),
    row("setof", Keyword::Other, kSyntax),
    row("sets", Keyword::Other, kSyntax),
    row("show", Keyword::Other, kCommand | kNoExpressions),
    row("similar", Keyword::Other, kSyntax),
    row("smallint", Keyword::Other, kSyntax),
    row("some", Keyword::Other, kSyntax),
    row("start", Keyword::Other, kCommand),
    row("stdin", Keyword::Stdin),
    row("stdout", Keyword::Stdin),
    row("substring", Keyword::Other, kSyntax),
    row("symmetric", Keyword::Other, kSyntax),
    row("table", Keyword::Other, kCommand | kSyntax | kNameFollows),
    row("tablesample", Keyword::Other, kNameFollows),
    row("temp", Keyword::Temp),
    row("temporary", Keyword::Temp),
    row("then", Keyword::Then, kSyntax),
    row("time", Keyword::Other, kSyntax),
    row("timestamp", Keyword::Other, kSyntax),
    row("to", Keyword::To, kSyntax),
    row("trailing", Keyword::Other, kSyntax),
    row("transaction", Keyword::Transaction),
    row("treat", Keyword::Other, kSyntax),
    row("trim", Keyword::Other, kSyntax),
    row("true", Keyword::Other, kSyntax),
    row("truncate", Keyword::Other, kCommand | kNoExpressions),
    row("type", Keyword::Other, kNameFollows),
    row("union", Keyword::Other, kSyntax),
    row("unique", Keyword::Unique, kSyntax),
    row("unlisten", Keyword::Unlisten),
    row("update", Keyword::Update, kCommand),
    row("user", Keyword::Other, kSyntax),
    row("using", Keyword::Using, kSyntax),
    row("vacuum", Keyword::Other, kCommand | kNoExpressions | kNameFollows),
    row("values", Keyword::Other, kCommand | kSyntax),
    row("varchar", Keyword::Other, kSyntax),
    row("variadic", Keyword::Other, kSyntax),
    row("varying", Keyword::Varying),
    row("verbose", Keyword::Other, kNameFollows),
    row("view", Keyword::Other, kNameFollows),
    row("when", Keyword::Other, kSyntax),
    row("where", Keyword::Other, kSyntax),
    row("window", Keyword::Other, kSyntax),
    row("with", Keyword::With, kCommand | kSyntax | kNameFollows),
    row("xmlattributes", Keyword::Other, kSyntax),
    row("xmlconcat", Keyword::Other, kSyntax),
    row("xmlelement", Keyword::Other, kSyntax),
    row("xmlexists", Keyword::Other, kSyntax),
    row("xmlforest", Keyword::Other, kSyntax),
    row("xmlnamespaces", Keyword::Other, kSyntax),
    row("xmlparse", Keyword::Other, kSyntax),
    row("xmlpi", Keyword::Other, kSyntax),
    row("xmlroot", Keyword::Other, kSyntax),
    row("xmlserialize", Keyword::Other, kSyntax),
    row("xmltable", Keyword::Other, kSyntax),
    row("zone", Keyword::Other, kSyntax),
});

// A power of two that leaves most slots empty: nearly every word of a statement is a name.
constexpr size_t kSlots = 2048;
static_assert(kKeywords.size() * 8 < kSlots);
constexpr uint8_t kEmpty = 0xff;
static_assert(kKeywords.size() < kEmpty);

constexpr size_t kKeywordBytesMax = [] {
    size_t longest = 0;
    for (const auto& keyword : kKeywords) {
        longest = keyword.name.size() > longest ? keyword.name.size() : longest;
    }
    return longest;
}();

/// Looks at three letters and the length only: this runs for each word of each statement. The
/// factor is 2^32 by the golden ratio, of whose product the high bits are the well mixed ones.
constexpr size_t slot_of(std::string_view word) {
    const uint32_t letters = static_cast<uint32_t>(fold(word.front())) |
                             static_cast<uint32_t>(fold(word[word.size() / 2])) << 8 |
                             static_cast<uint32_t>(fold(word.back())) << 16;
    return ((letters + (static_cast<uint32_t>(word.size()) << 24)) * 2654435769u) >> 21;
}

static_assert(kSlots == size_t{1} << (32 - 21));

constexpr std::array<uint8_t, kSlots> kTable = [] {
    std::array<uint8_t, kSlots> table{};
    for (auto& slot : table) slot = kEmpty;
    for (size_t keyword = 0; keyword < kKeywords.size(); ++keyword) {
        size_t slot = slot_of(kKeywords[keyword].name);
        while (table[slot] != kEmpty) slot = (slot + 1) % kSlots;
        table[slot] = static_cast<uint8_t>(keyword);
    }
    return table;
}();

constexpr KeywordRow kName;

}  // namespace

const KeywordRow& find_keyword(std::string_view word) {
    if (word.empty() || word.size() > kKeywordBytesMax) return kName;
    for (size_t slot = slot_of(word); kTable[slot] != kEmpty; slot = (slot + 1) % kSlots) {
        const KeywordRow& keyword = kKeywords[kTable[slot]];
        if (same_word(word, keyword.name)) return keyword;
    }
    return kName;
}

}  // namespace pgweir::sql
