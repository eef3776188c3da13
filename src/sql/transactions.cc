#include "pgweir/sql/transactions.h"

#include "sql/lexer.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace pgweir::sql {
namespace {

constexpr std::array<std::string_view, 5> kIsolations{"", "READ UNCOMMITTED", "READ COMMITTED",
                                                      "REPEATABLE READ", "SERIALIZABLE"};

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// What is no space to PostgreSQL before 16, or may be no character at all.
bool is_uncommon(char c) {
    return c == '\v' || static_cast<uint8_t>(c) >= 0x80;
}

/// Reads one command; what it does not expect makes it None.
class Reader {
public:
    explicit Reader(std::string_view sql) : lexer_(sql), token_(lexer_.next()) {}

    TransactionCommand command() {
        TransactionCommand found;
        if (takes("begin")) {
            found.verb = TransactionVerb::Begin;
            takes_any_of({"work", "transaction"});
            modes(found.modes);
        } else if (takes("start")) {
            found.verb = TransactionVerb::Start;
            valid_ = takes("transaction");
            modes(found.modes);
        } else if (takes("set")) {
            found.verb = TransactionVerb::SetTransaction;
            valid_ = takes("transaction");
            modes(found.modes);
            valid_ = valid_ && found.modes != TransactionModes{};
        } else if (takes_any_of({"commit", "end"})) {
            found.verb = TransactionVerb::Commit;
            end_of_transaction(found);
        } else if (takes_any_of({"rollback", "abort"})) {
            found.verb = TransactionVerb::Rollback;
            end_of_transaction(found);
        } else if (takes("prepare")) {
            found.verb = TransactionVerb::Prepare;
            // A prefix of the string is for PostgreSQL to judge.
            valid_ = takes("transaction") && token_.kind == TokenKind::String &&
                     is_blank(token_.text.data()[-2]);
            step();
        }
        if (token_.kind == TokenKind::Semicolon) step();
        const bool whole = token_.kind == TokenKind::End && valid_ && !lexer_.doubtful();
        return whole ? found : TransactionCommand{};
    }

private:
    void step() { token_ = lexer_.next(); }

    bool takes(std::string_view word) {
        if (token_.kind != TokenKind::Word || !same_word(token_.text, word)) return false;
        step();
        return true;
    }

    bool takes_any_of(std::initializer_list<std::string_view> words) {
        for (const std::string_view word : words) {
            if (takes(word)) return true;
        }
        return false;
    }

    /// Separated by commas or nothing, each once.
    void modes(TransactionModes& found) {
        while (valid_ && token_.kind == TokenKind::Word) {
            if (takes("isolation")) {
                valid_ = takes("level") && found.isolation == Isolation::Unsaid;
                found.isolation = isolation();
                valid_ = valid_ && found.isolation != Isolation::Unsaid;
            } else if (takes("read")) {
                valid_ = found.read_only == Said::Nothing;
                found.read_only = takes("only") ? Said::Yes : Said::No;
                if (found.read_only == Said::No) valid_ = takes("write") && valid_;
            } else {
                valid_ = found.deferrable == Said::Nothing;
                found.deferrable = takes("not") ? Said::No : Said::Yes;
                valid_ = takes("deferrable") && valid_;
            }
            if (token_.kind != TokenKind::Comma) continue;
            step();
            valid_ = valid_ && token_.kind == TokenKind::Word;
        }
    }

    Isolation isolation() {
        if (takes("serializable")) return Isolation::Serializable;
        if (takes("repeatable")) return takes("read") ? Isolation::RepeatableRead : unknown();
        if (!takes("read")) return unknown();
        if (takes("committed")) return Isolation::ReadCommitted;
        return takes("uncommitted") ? Isolation::ReadUncommitted : unknown();
    }

    Isolation unknown() {
        valid_ = false;
        return Isolation::Unsaid;
    }

    void end_of_transaction(TransactionCommand& found) {
        takes_any_of({"work", "transaction"});
        if (!takes("and")) return;
        found.chains = !takes("no");
        valid_ = takes("chain");
    }

    Lexer lexer_;
    Token token_;
    bool valid_ = true;
};

/// What begins with a letter begins with a word.
bool may_be_one(std::string_view sql) {
    constexpr std::array<std::string_view, 8> kBeginnings{"beg", "sta", "set", "com",
                                                          "end", "rol", "abo", "pre"};
    const bool is_word = !sql.empty() && begins_word(sql.front());
    return !is_word || std::any_of(kBeginnings.begin(), kBeginnings.end(), [&](auto beginning) {
        return same_word(sql.substr(0, beginning.size()), beginning);
    });
}

}  // namespace

void TransactionModes::override_with(const TransactionModes& later) {
    if (later.isolation != Isolation::Unsaid) isolation = later.isolation;
    if (later.read_only != Said::Nothing) read_only = later.read_only;
    if (later.deferrable != Said::Nothing) deferrable = later.deferrable;
}

TransactionCommand transaction_command(std::string_view sql) {
    if (!may_be_one(sql)) return {};
    const TransactionCommand found = Reader(sql).command();
    const bool sure = std::none_of(sql.begin(), sql.end(), is_uncommon);
    return sure ? found : TransactionCommand{};
}

std::string begin_text(const TransactionModes& modes) {
    std::string text = "BEGIN";
    if (modes.isolation != Isolation::Unsaid) {
        text.append(" ISOLATION LEVEL ").append(kIsolations[static_cast<size_t>(modes.isolation)]);
    }
    if (modes.read_only == Said::Yes) text += " READ ONLY";
    if (modes.read_only == Said::No) text += " READ WRITE";
    if (modes.deferrable == Said::Yes) text += " DEFERRABLE";
    if (modes.deferrable == Said::No) text += " NOT DEFERRABLE";
    return text;
}

}  // namespace pgweir::sql
