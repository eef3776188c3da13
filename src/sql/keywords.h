#pragma once

#include <cstdint>
#include <string_view>

namespace pgweir::sql {

/// The words that the reader of effects tells apart. Most key words are only what KeywordRow says
/// of them and share an enumerator.
enum class Keyword : uint8_t {
    None,   // a name
    Other,  // a key word that needs no more than its row
    Alter,
    Analyze,
    As,
    By,
    Character,
    Close,
    Comment,
    Conflict,
    Constraints,
    Copy,
    Create,
    Database,
    Deallocate,
    Default,
    Discard,
    Drop,
    Execute,
    Explain,
    Foreign,
    From,
    Global,
    Hash,
    Hold,
    Index,
    Insert,
    Into,
    Key,
    Listen,
    List,
    Load,
    Local,
    Merge,
    On,
    Only,
    Operator,
    PgCatalog,
    Prepare,
    Primary,
    Range,
    Replace,
    Reset,
    Session,
    Set,
    Stdin,
    Temp,
    Then,
    To,
    Transaction,
    Unique,
    Unlisten,
    Update,
    Using,
    Varying,
    With,
};

/// What a word says by its place alone.
enum class Trait : uint8_t {
    Command = 1,        // a statement may begin with it, and it leaves nothing behind by itself
    NoExpressions = 2,  // such a statement calls no functions, whatever its parentheses look like
    Syntax = 4,         // before a parenthesis it is never the name of a function
    NameFollows = 8,    // the name behind it is not called, even before a parenthesis
};

struct KeywordRow {
    std::string_view name;
    Keyword keyword = Keyword::None;
    uint8_t traits = 0;

    constexpr bool has(Trait trait) const { return (traits & static_cast<uint8_t>(trait)) != 0; }
};

/// The row of a word in any case; one with Keyword::None if it is a name.
/// Lifetime: for ever.
const KeywordRow& find_keyword(std::string_view word);

}  // namespace pgweir::sql
