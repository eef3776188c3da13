#include "pgweir/sql/hints.h"

#include "sql/lexer.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace pgweir::sql {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n\f";
    const size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool is_letter(char c) {
    return fold(c) >= 'a' && fold(c) <= 'z';
}

bool is_any_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view each) { return same_word(word, each); });
}

/// What begins with a letter begins with a word, and this one is neither ALTER nor CREATE nor DROP.
bool begins_harmlessly(std::string_view sql) {
    if (sql.empty() || !is_letter(sql[0])) return false;
    const char first = static_cast<char>(fold(sql[0]));
    return first != 'a' && first != 'c' && first != 'd';
}

/// Errs towards false: a semicolon may stand in a literal.
bool ends_at_first_semicolon(std::string_view sql) {
    const size_t semicolon = sql.find(';');
    return semicolon == std::string_view::npos || semicolon + 1 == sql.size();
}

}  // namespace

Wish wish_of(std::string_view word) {
    if (same_word(word, "primary")) return Wish::Primary;
    if (same_word(word, "standby")) return Wish::Standby;
    return Wish::Auto;
}

Hint hint_of(std::string_view sql) {
    constexpr std::string_view kName = "pgweir";
    constexpr std::string_view kOpen = "/*";
    const size_t begin = sql.find_first_not_of(" \t\r\n\f");
    if (begin == std::string_view::npos || sql.substr(begin, kOpen.size()) != kOpen) {
        return {};
    }
    std::string_view comment = sql.substr(begin + kOpen.size());
    comment = trimmed(comment.substr(0, comment.find("*/")));
    if (!same_word(comment.substr(0, kName.size()), kName)) return {};
    comment = trimmed(comment.substr(kName.size()));
    if (comment.empty() || comment.front() != ':') return {};
    const std::string_view word = trimmed(comment.substr(1));
    const Wish wish = wish_of(word);
    const bool known = wish != Wish::Auto || same_word(word, "auto");
    return {wish, known ? std::string_view() : word};
}

bool chains(std::string_view sql) {
    Lexer lexer(sql);
    bool behind_and = false;
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        const bool word = token.kind == TokenKind::Word;
        if (behind_and && word && same_word(token.text, "chain")) return true;
        behind_and = word && same_word(token.text, "and");
    }
    return false;
}

bool misplaced_on_standby(std::string_view sql) {
    const bool several = sql.find(';') != std::string_view::npos;
    if (!several && sql.find('(') == std::string_view::npos) return false;
    Lexer lexer(sql);
    bool begins = true;  // a statement
    bool ended = false;  // the transaction
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        if (token.kind == TokenKind::Semicolon) {
            begins = true;
            continue;
        }
        const bool first = std::exchange(begins, false);
        if (first && ended) return true;
        if (token.kind != TokenKind::Word) continue;
        ended = ended || (first && is_any_of(token.text, {"commit", "end", "rollback", "abort"}));
        for (const std::string_view lock : {"pg_advisory_", "pg_try_advisory_"}) {
            if (same_word(token.text.substr(0, lock.size()), lock)) return true;
        }
    }
    return false;
}

bool shows(std::string_view sql, std::string_view setting) {
    // What begins with a letter begins with a word.
    const bool other =
        sql.size() > 1 && is_letter(sql[0]) && (fold(sql[0]) != 's' || fold(sql[1]) != 'h');
    if (other) return false;
    Lexer lexer(sql);
    const Token verb = lexer.next();
    if (verb.kind != TokenKind::Word || !same_word(verb.text, "show")) return false;
    const auto is_end = [](const Token& token) {
        return token.kind == TokenKind::End || token.kind == TokenKind::Semicolon;
    };
    const Token first = lexer.next();
    if (first.kind == TokenKind::QuotedName && first.text == setting) return is_end(lexer.next());
    const size_t dot = setting.find('.');
    const auto is_part = [](const Token& token, std::string_view part) {
        return token.kind == TokenKind::QuotedName ? token.text == part
                                                   : same_word(token.text, part);
    };
    return is_part(first, setting.substr(0, dot)) && lexer.next().kind == TokenKind::Dot &&
           is_part(lexer.next(), setting.substr(dot + 1)) && is_end(lexer.next());
}

bool changes_catalogue(std::string_view sql) {
    if (begins_harmlessly(sql) && ends_at_first_semicolon(sql)) return false;
    Lexer lexer(sql);
    bool begins = true;    // a statement
    bool creates = false;  // the word before was CREATE
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        if (creates && !is_any_of(token.text, {"temp", "temporary", "local", "global"}))
            return true;
        creates = false;
        if (token.kind == TokenKind::Semicolon) {
            begins = true;
            continue;
        }
        if (!std::exchange(begins, false) || token.kind != TokenKind::Word) continue;
        if (is_any_of(token.text, {"alter", "drop"})) return true;
        creates = same_word(token.text, "create");
        // Most texts are one statement, and their first word says all.
        if (!creates && sql.find(';') == std::string_view::npos) return false;
    }
    return creates;
}

}  // namespace pgweir::sql
