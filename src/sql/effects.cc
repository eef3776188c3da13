#include "pgweir/sql/effects.h"

#include "sql/harmless_functions.h"
#include "sql/keywords.h"
#include "sql/lexer.h"

#include <algorithm>
#include <array>

namespace pgweir::sql {
namespace {

constexpr Effects kSeen = Effect::MayChangeSession;
constexpr Effects kKept = Effect::MayChangeSession | Effect::MayPin;
constexpr Effects kDoubt = Effect::MayChangeSession | Effect::MayHideSettings;

/// What a text says that cannot be trusted to end where it seems to.
constexpr Effects kUnreadable = kDoubt | Effect::MayForgetStatements;

struct CommandRow {
    Keyword command;
    Effects effects;
};

// SET, PREPARE and EXPLAIN depend on what follows; a command that is neither here nor has
// Trait::Command (RESET, DO, CALL and the unknown) is a doubt.
// clang-format off
constexpr auto kCommands = std::to_array<CommandRow>({
    {Keyword::Close,      Effect::MayFree},
    {Keyword::Deallocate, Effect::MayChangeSession | Effect::MayForgetStatements | Effect::MayFree},
    {Keyword::Discard,    Effect::MayChangeSession | Effect::MayForgetStatements | Effect::MayFree |
                              Effect::MayReset},
    {Keyword::Drop,       Effect::MayFree},
    {Keyword::Execute,    kDoubt},
    {Keyword::Listen,     Effect::MayChangeSession},
    {Keyword::Load,       kKept | Effect::BindsForGood},
    {Keyword::Reset,      Effect::MayChangeSession | Effect::MayReset},
    {Keyword::Unlisten,   Effect::MayChangeSession | Effect::MayFree},
});

// clang-format on

struct FunctionRow {
    std::string_view name;
    Effects effects;
};

constexpr Effects kBinds = kKept | Effect::BindsForGood;
constexpr Effects kUnlocks = kSeen | Effect::MayFree;

// A lock that is only tried keeps no server if somebody else has it, and whoever tries it does not
// want to wait: it is not MayPin.
// Functions that do more than the doubt that each unknown one is. Those that bind leave what no
// view shows: a seed, an origin, a base backup, slots that may be temporary, links by name.
constexpr auto kFunctions = std::to_array<FunctionRow>({
    {"currval",                             Effect::ReadsSequenceState},
    {"dblink_connect",                      kBinds                    },
    {"dblink_connect_u",                    kBinds                    },
    {"lastval",                             Effect::ReadsSequenceState},
    {"nextval",                             Effect::MovesSequences    },
    {"pg_advisory_lock",                    kKept                     },
    {"pg_advisory_lock_shared",             kKept                     },
    {"pg_advisory_unlock",                  kUnlocks                  },
    {"pg_advisory_unlock_all",              kUnlocks                  },
    {"pg_advisory_unlock_shared",           kUnlocks                  },
    {"pg_backend_pid",                      Effect::AsksProcess       },
    {"pg_backup_start",                     kBinds                    },
    {"pg_copy_logical_replication_slot",    kBinds                    },
    {"pg_copy_physical_replication_slot",   kBinds                    },
    {"pg_create_logical_replication_slot",  kBinds                    },
    {"pg_create_physical_replication_slot", kBinds                    },
    {"pg_replication_origin_session_setup", kBinds                    },
    {"pg_start_backup",                     kBinds                    },
    {"pg_try_advisory_lock",                kSeen                     },
    {"pg_try_advisory_lock_shared",         kSeen                     },
    {"setseed",                             kBinds                    },
    {"setval",                              Effect::MovesSequences    },
});

/// The effects that a function's name is known for, or nullptr.
const FunctionRow* find_function(std::string_view name) {
    for (const FunctionRow& function : kFunctions) {
        if (same_word(name, function.name)) return &function;
    }
    return nullptr;
}

/// pg_temp, or the name that it stands for, such as pg_temp_3.
bool is_temporary_schema(std::string_view name) {
    constexpr std::string_view kPrefix = "pg_temp";
    if (name.size() < kPrefix.size() || fold(name[0]) != 'p') return false;
    if (!same_word(name.substr(0, kPrefix.size()), kPrefix)) return false;
    return name.size() == kPrefix.size() || name[kPrefix.size()] == '_';
}

/// Reads a text from left to right, knowing little more than the last two tokens.
class Reader {
public:
    explicit Reader(std::string_view sql) : lexer_(sql) {}

    Effects read() {
        for (Token token = lexer_.next(); token.kind != TokenKind::End; token = lexer_.next()) {
            take(token);
        }
        take({TokenKind::Semicolon, {}});  // a PREPARE that ends here has no string behind it
        if (lexer_.doubtful()) found_.add(kUnreadable);
        return found_;
    }

private:
    /// What the next token is expected to be.
    enum class Phase : uint8_t {
        Command,             // the first word of a statement
        Explained,           // behind EXPLAIN: options, then the first word
        Set,                 // behind SET: its scope or the setting
        Scoped,              // behind SET LOCAL: the setting, unless a dot makes LOCAL its begin
        Prepare,             // behind PREPARE: the name, or TRANSACTION
        PrepareTransaction,  // behind PREPARE TRANSACTION: its string, or else it was a name
        Inside,              // anything
    };

    enum class Qualifier : uint8_t { None, PgCatalog, Other };

    /// What remains of a token when it is the last or the one before.
    struct Mark {
        TokenKind kind = TokenKind::Semicolon;
        // True exactly when this is the ) of OPERATOR(…) or ON (…), behind which an expression may
        // begin: elsewhere nothing is called directly behind a ).
        bool expression_follows = false;
        Keyword keyword = Keyword::None;
        uint8_t traits = 0;

        bool is_name() const {
            return kind == TokenKind::QuotedName ||
                   (kind == TokenKind::Word && keyword == Keyword::None);
        }
    };

    /// The last name, with its qualifiers as far as they count.
    struct Name {
        Token token;
        const KeywordRow* row = nullptr;  // of a word that no dot is in front of
        Mark lead;                        // the token in front of the name and its qualifiers
        Qualifier qualifier = Qualifier::None;
        bool is_command = false;
    };

    // Bits of parens_: deeper ones are forgotten, so a text that goes deeper is a doubt.
    static constexpr size_t kDepthMax = 64;

    void take(const Token& token);
    void take_in_phase(const Token& token, const KeywordRow* row);
    void take_command(const KeywordRow& row);
    void take_name(const Token& token, const KeywordRow* row);
    void take_keyword(const KeywordRow& row);
    void open_paren();
    Mark close_paren();
    void end_statement();
    bool is_syntax() const;
    bool is_called();
    void call();

    Lexer lexer_;
    Effects found_;
    Phase phase_ = Phase::Command;
    Mark previous_;
    Mark earlier_;
    Name name_;
    KeywordRow command_;
    // True exactly when the table or method of a CREATE INDEX is still to come.
    bool index_target_ = false;
    bool updates_ = false;
    bool names_settings_ = false;
    uint64_t parens_ = 0;  // a bit for each open one: expression_follows of its )
    size_t depth_ = 0;
};

void Reader::take(const Token& token) {
    Mark mark{.kind = token.kind};
    const bool is_word = token.kind == TokenKind::Word;
    const KeywordRow* row = nullptr;
    if (is_word && previous_.kind != TokenKind::Dot) {  // behind a dot each word is a name
        row = &find_keyword(token.text);
        mark.keyword = row->keyword;
        mark.traits = row->traits;
    }
    if (is_word || token.kind == TokenKind::QuotedName) take_name(token, row);
    if (phase_ != Phase::Inside) take_in_phase(token, row);
    if (token.kind == TokenKind::OpenParen) open_paren();
    if (token.kind == TokenKind::CloseParen) mark = close_paren();
    if (token.kind == TokenKind::Semicolon) end_statement();
    earlier_ = previous_;
    previous_ = mark;
}

void Reader::take_in_phase(const Token& token, const KeywordRow* row) {
    const Keyword keyword = row != nullptr ? row->keyword : Keyword::None;
    const Phase phase = phase_;
    if (phase == Phase::Command) {
        if (token.kind == TokenKind::OpenParen || token.kind == TokenKind::Semicolon) return;
        phase_ = Phase::Inside;
        row != nullptr ? take_command(*row) : found_.add(kDoubt);
    } else if (phase == Phase::Explained) {
        const bool is_command = row != nullptr && row->has(Trait::Command);
        if (keyword == Keyword::Execute || (is_command && keyword != Keyword::Analyze)) {
            phase_ = Phase::Inside;
            take_command(*row);
        }
    } else if (phase == Phase::Set) {
        const bool is_scope = keyword == Keyword::Local || keyword == Keyword::Transaction ||
                              keyword == Keyword::Constraints;
        phase_ = is_scope ? Phase::Scoped : Phase::Inside;
        if (!is_scope) found_.add(kSeen);
    } else if (phase == Phase::Scoped) {
        phase_ = Phase::Inside;
        if (token.kind == TokenKind::Dot) found_.add(kSeen);
    } else if (phase == Phase::Prepare && keyword == Keyword::Transaction) {
        phase_ = Phase::PrepareTransaction;
    } else {
        phase_ = Phase::Inside;
        const bool ends_transaction =
            phase == Phase::PrepareTransaction &&
            (token.kind == TokenKind::String || token.kind == TokenKind::Body);
        if (!ends_transaction) found_.add(kSeen);
    }
}

void Reader::take_command(const KeywordRow& row) {
    command_ = row;
    name_.is_command = true;
    if (row.keyword == Keyword::Set) {
        phase_ = Phase::Set;
    } else if (row.keyword == Keyword::Prepare) {
        phase_ = Phase::Prepare;
    } else if (row.keyword == Keyword::Explain) {
        phase_ = Phase::Explained;
    } else if (row.keyword != Keyword::Other) {
        for (const CommandRow& command : kCommands) {
            if (command.command == row.keyword) return found_.add(command.effects);
        }
    }
    const bool is_known = row.has(Trait::Command) || phase_ != Phase::Inside;
    if (!is_known) found_.add(kDoubt);
}

void Reader::take_name(const Token& token, const KeywordRow* row) {
    if (previous_.kind == TokenKind::Dot) {
        name_.qualifier =
            earlier_.keyword == Keyword::PgCatalog ? Qualifier::PgCatalog : Qualifier::Other;
    } else {
        name_.lead = previous_;
        name_.qualifier = Qualifier::None;
    }
    name_.token = token;
    name_.row = row;
    name_.is_command = false;
    if (row != nullptr && row->keyword != Keyword::None) return take_keyword(*row);

    if (is_temporary_schema(token.text)) found_.add(kKept);
    // A rule of PostgreSQL's makes an update of this view a call of set_config().
    names_settings_ = names_settings_ || same_word(token.text, "pg_settings");
    if (names_settings_ && updates_) found_.add(kSeen);
}

/// Words that mean the same wherever they stand in a statement.
void Reader::take_keyword(const KeywordRow& row) {
    const Keyword lead = previous_.keyword;
    if (row.keyword == Keyword::Database) {
        const bool whole =
            lead == Keyword::Drop || lead == Keyword::Create || lead == Keyword::Alter;
        if (whole) found_.add(Effect::NeedsDatabaseAlone);
    }
    if (row.keyword == Keyword::Temp) {
        const bool inserts =
            command_.keyword == Keyword::Insert || command_.keyword == Keyword::Merge;
        if (lead == Keyword::Create || lead == Keyword::Replace || lead == Keyword::Local ||
            lead == Keyword::Global || (lead == Keyword::Into && !inserts)) {
            found_.add(kKept);
        }
    } else if (row.keyword == Keyword::Hold) {
        if (lead == Keyword::With) found_.add(kKept);
    } else if (row.keyword == Keyword::Execute) {  // CREATE TABLE … AS EXECUTE
        if (lead == Keyword::As) found_.add(kDoubt);
    } else if (row.keyword == Keyword::Default) {
        if (command_.keyword == Keyword::Set) found_.add(Effect::MayReset);
    } else if (row.keyword == Keyword::Index) {
        index_target_ = lead == Keyword::Create || lead == Keyword::Unique;
    } else if (row.keyword == Keyword::Update) {
        updates_ = true;
        if (names_settings_) found_.add(kSeen);
    }
}

void Reader::open_paren() {
    if (previous_.kind == TokenKind::Word || previous_.kind == TokenKind::QuotedName) {
        if (is_called()) call();
    }
    const bool expression_follows =
        previous_.keyword == Keyword::Operator || previous_.keyword == Keyword::On;
    parens_ = (parens_ << 1) | (expression_follows ? 1 : 0);
    if (++depth_ > kDepthMax) found_.add(kDoubt);
}

Reader::Mark Reader::close_paren() {
    const Mark mark{.kind = TokenKind::CloseParen, .expression_follows = (parens_ & 1) != 0};
    parens_ >>= 1;
    if (depth_ > 0) --depth_;
    return mark;
}

/// Parentheses that are open at a semicolon are a rule's or an error: nothing is lost.
void Reader::end_statement() {
    phase_ = Phase::Command;
    command_ = {};
    index_target_ = false;
    updates_ = false;
    names_settings_ = false;
    parens_ = 0;
    depth_ = 0;
}

/// Whether the last word, without qualifiers, is no function's before a parenthesis.
bool Reader::is_syntax() const {
    if (name_.row == nullptr) return false;
    if (name_.is_command || name_.row->has(Trait::Syntax)) return true;
    const Keyword word = name_.row->keyword;
    const Keyword lead = name_.lead.keyword;
    const Keyword command = command_.keyword;
    if (word == Keyword::None || word == Keyword::Other) return false;
    if (word == Keyword::Key) return lead == Keyword::Primary || lead == Keyword::Foreign;
    if (word == Keyword::Conflict) return lead == Keyword::On;
    if (word == Keyword::Set) return lead == Keyword::Update || name_.lead.is_name();
    if (word == Keyword::Stdin) return command == Keyword::Copy;
    if (word == Keyword::Insert) return command == Keyword::Merge && lead == Keyword::Then;
    if (word == Keyword::Varying) return lead == Keyword::Character;
    if (word == Keyword::Range || word == Keyword::List || word == Keyword::Hash) {
        return command == Keyword::Create && lead == Keyword::By;
    }
    return word == Keyword::Operator;
}

/// Whether the last name before a parenthesis is one of a function that is called.
bool Reader::is_called() {
    if (command_.has(Trait::NoExpressions)) return false;
    const Mark& lead = name_.lead;
    if (name_.qualifier == Qualifier::None && is_syntax()) return false;
    if (index_target_ && (lead.keyword == Keyword::On || lead.keyword == Keyword::Only ||
                          lead.keyword == Keyword::Using)) {
        index_target_ = false;
        return false;
    }
    if ((lead.traits & static_cast<uint8_t>(Trait::NameFollows)) != 0) return false;
    if (lead.kind == TokenKind::TypeCast || lead.keyword == Keyword::Prepare) return false;
    // An alias with its columns, OVER (, FILTER (, INCLUDE (
    return lead.kind != TokenKind::CloseParen || lead.expression_follows;
}

void Reader::call() {
    const std::string_view name = name_.token.text;
    const bool is_known =
        name_.token.kind == TokenKind::Word && name_.qualifier != Qualifier::Other;
    if (is_known && is_harmless_function(name)) return;
    const FunctionRow* function = find_function(name);
    if (function != nullptr) found_.add(function->effects);
    // A name in quotes or of another schema may be anybody's.
    if (function == nullptr || !is_known) found_.add(kDoubt);
}

// What a character may be in a SELECT that is not looked into.
enum class Plain : uint8_t { Yes = 0, No = 1, Into = 2, Parameter = 4 };

constexpr Plain operator|(Plain one, Plain two) {
    return static_cast<Plain>(static_cast<uint8_t>(one) | static_cast<uint8_t>(two));
}

constexpr std::array<Plain, 256> kPlain = [] {
    std::array<Plain, 256> plain{};
    plain.fill(Plain::No);
    for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789_ \t\r\n,.=*<>+-%")) {
        plain[static_cast<uint8_t>(c)] = Plain::Yes;
    }
    plain['i'] = Plain::Into;
    plain['I'] = Plain::Into;
    plain['$'] = Plain::Parameter;
    return plain;
}();

/// Letters, numbers and operators behind SELECT, without a parenthesis, a quote, a second
/// statement or INTO: whatever it means, it calls nothing and makes nothing. Most texts of short
/// queries are such, and telling so costs a tenth of reading them.
bool is_plain_select(std::string_view sql) {
    constexpr std::string_view kSelect = "select ";
    if (sql.size() <= kSelect.size() || !same_word(sql.substr(0, 6), "select") || sql[6] != ' ') {
        return false;
    }
    if (sql.back() == ';') sql.remove_suffix(1);
    const auto plain_at = [&](size_t i) { return kPlain[static_cast<uint8_t>(sql[i])]; };
    constexpr size_t kAtOnce = 4;
    for (size_t i = kSelect.size(); i < sql.size();) {
        const size_t end = std::min(i + kAtOnce, sql.size());
        const bool whole = end - i == kAtOnce;
        if (whole &&
            (plain_at(i) | plain_at(i + 1) | plain_at(i + 2) | plain_at(i + 3)) == Plain::Yes) {
            i = end;
            continue;
        }
        for (; i < end; ++i) {
            const Plain plain = plain_at(i);
            if (plain == Plain::Yes) continue;
            if (plain == Plain::No) return false;
            const std::string_view rest = sql.substr(i);
            if (plain == Plain::Into && rest.size() >= 4 && same_word(rest.substr(0, 4), "into")) {
                return false;
            }
            if (plain == Plain::Parameter && (rest.size() < 2 || !is_digit(rest[1]))) return false;
        }
    }
    return true;
}

}  // namespace

Effects effects_of(std::string_view sql) noexcept {
    return is_plain_select(sql) ? Effects{} : Reader(sql).read();
}

std::string deallocated_name(std::string_view sql) {
    Lexer lexer(sql);
    const Token verb = lexer.next();
    if (verb.kind != TokenKind::Word || !same_word(verb.text, "deallocate")) return {};
    Token name = lexer.next();
    if (name.kind == TokenKind::Word && same_word(name.text, "prepare")) name = lexer.next();
    Token end = lexer.next();
    if (end.kind == TokenKind::Semicolon) end = lexer.next();
    if (end.kind != TokenKind::End || lexer.doubtful()) return {};
    constexpr size_t kNameBytesMax = 63;  // NAMEDATALEN less its NUL
    if (name.text.size() > kNameBytesMax) return {};
    std::string found(name.text);
    if (name.kind == TokenKind::QuotedName) {
        return found.find('"') == std::string::npos ? found : std::string();
    }
    if (name.kind != TokenKind::Word || same_word(name.text, "all")) return {};
    for (char& c : found) {
        if (static_cast<unsigned char>(c) >= 0x80)
            return {};  // folded as the database's locale does
        c = static_cast<char>(fold(c));
    }
    return found;
}

bool is_single_statement(std::string_view sql) noexcept {
    Lexer lexer(sql);
    bool ended = false;
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        if (ended && token.kind != TokenKind::Semicolon) return false;
        ended = token.kind == TokenKind::Semicolon;
    }
    return !lexer.doubtful();
}

}  // namespace pgweir::sql
