#include "sql/lexer.h"

#include <cstring>

namespace pgweir::sql {
namespace {

enum class Start : uint8_t {
    Nothing,  // no SQL begins with it
    Word,
    Digit,
    Dollar,
    Dot,
    Quote,
    DoubleQuote,
    Colon,
    Operator,
    Sign,  // a token by itself
};

constexpr std::array<Start, 256> kStarts = [] {
    std::array<Start, 256> starts{};
    for (size_t c = 0; c < starts.size(); ++c) {
        const char character = static_cast<char>(c);
        if (begins_word(character)) starts[c] = Start::Word;
        if (is_digit(character)) starts[c] = Start::Digit;
        if (detail::is_sign(detail::kSigns[c])) starts[c] = Start::Sign;
    }
    for (const char c : std::string_view("~!@#^&|`?+-*/%<>=")) {
        starts[static_cast<uint8_t>(c)] = Start::Operator;
    }
    starts['$'] = Start::Dollar;
    starts['.'] = Start::Dot;
    starts['\''] = Start::Quote;
    starts['"'] = Start::DoubleQuote;
    starts[':'] = Start::Colon;
    return starts;
}();

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<size_t>(end - begin)};
}

const char* find(const char* from, const char* end, char wanted) {
    const auto* found = std::memchr(from, wanted, static_cast<size_t>(end - from));
    return static_cast<const char*>(found);
}

}  // namespace

Token Lexer::next_of_any_kind() {
    skip_space_and_comments();
    if (at_end()) return {};
    const bool behind_escapes = behind_escapes_;
    behind_escapes_ = false;
    switch (kStarts[static_cast<uint8_t>(*at_)]) {
        case Start::Word: return word();
        case Start::Digit: return number();
        case Start::Dollar: return dollar();
        case Start::Dot: return is_digit(ahead(1)) ? number() : one(TokenKind::Dot);
        case Start::Quote: doubtful_ = doubtful_ || behind_escapes; return plain_string(at_ + 1);
        case Start::DoubleQuote: return quoted_name(at_ + 1);
        case Start::Colon:
            return ahead(1) == ':' ? one(TokenKind::TypeCast, 2) : one(TokenKind::Operator);
        case Start::Operator: return one(TokenKind::Operator);
        case Start::Sign: return one(detail::kSigns[static_cast<uint8_t>(*at_)]);
        case Start::Nothing: break;
    }
    doubtful_ = true;
    return one(TokenKind::Operator);
}

/// Comments begin in the middle of operators too, so looking before each character is enough.
void Lexer::skip_space_and_comments() {
    while (!at_end()) {
        if (is_space(*at_)) {
            ++at_;
        } else if (*at_ == '-' && ahead(1) == '-') {
            skip_line();
        } else if (*at_ == '/' && ahead(1) == '*') {
            skip_block();
        } else {
            return;
        }
    }
}

void Lexer::skip_line() {
    while (!at_end() && *at_ != '\n' && *at_ != '\r') ++at_;
}

/// Block comments nest.
void Lexer::skip_block() {
    size_t open = 0;
    do {
        if (*at_ == '/' && ahead(1) == '*') {
            ++open;
            at_ += 2;
        } else if (*at_ == '*' && ahead(1) == '/') {
            --open;
            at_ += 2;
        } else {
            ++at_;
        }
    } while (open > 0 && !at_end());
    doubtful_ = doubtful_ || open > 0;
}

Token Lexer::word() {
    const char* begin = at_;
    const char* at = at_ + 1;
    while (at != end_ && fold(*at) != 0) ++at;
    at_ = at;
    const bool may_be_prefix = at - begin == 1 && at != end_ && (*at == '\'' || *at == '&');
    if (!may_be_prefix) return {TokenKind::Word, between(begin, at)};
    return prefixed(static_cast<char>(fold(*begin)), {TokenKind::Word, between(begin, at)});
}

/// A word of one letter directly before a quote may be the prefix of a string or name.
Token Lexer::prefixed(char prefix, const Token& word) {
    if (*at_ == '\'') {
        if (prefix == 'e') return escape_string(at_ + 1);
        if (prefix == 'b' || prefix == 'x' || prefix == 'n') return plain_string(at_ + 1);
        return word;
    }
    if (prefix != 'u') return word;
    if (ahead(1) == '\'') {
        const Token string = plain_string(at_ + 2);
        behind_escapes_ = true;
        return string;
    }
    if (ahead(1) != '"') return word;
    doubtful_ = true;  // which name it is depends on its escapes, and those on what follows
    return quoted_name(at_ + 2);
}

Token Lexer::quoted_name(const char* content) {
    const char* at = content;
    while (const char* quote = find(at, end_, '"')) {
        at_ = quote + 1;
        if (ahead(0) != '"') return {TokenKind::QuotedName, between(content, quote)};
        at = quote + 2;
    }
    return unterminated(TokenKind::QuotedName, content);
}

Token Lexer::plain_string(const char* content) {
    const char* at = content;
    while (const char* quote = find(at, end_, '\'')) {
        at_ = quote + 1;
        // Whether it ends here is up to standard_conforming_strings.
        if (quote > content && quote[-1] == '\\') doubtful_ = true;
        if (ahead(0) != '\'') return {TokenKind::String, between(content, quote)};
        at = quote + 2;
    }
    return unterminated(TokenKind::String, content);
}

Token Lexer::escape_string(const char* content) {
    for (const char* at = content; at < end_; ++at) {
        if (*at == '\\') {
            // In SJIS and its like this backslash may be half a character.
            if (static_cast<uint8_t>(at[-1]) >= 0x80) doubtful_ = true;
            ++at;
        } else if (*at == '\'') {
            if (at + 1 == end_ || at[1] != '\'') {
                at_ = at + 1;
                behind_escapes_ = true;
                return {TokenKind::String, between(content, at)};
            }
            ++at;
        }
    }
    return unterminated(TokenKind::String, content);
}

/// $1, or the begin of $tag$…$tag$; anything else with a $ in front is an error of the client's.
Token Lexer::dollar() {
    const char* tag = at_++;
    if (is_digit(ahead(0))) {
        while (is_digit(ahead(0))) ++at_;
        return {TokenKind::Parameter, between(tag, at_)};
    }
    const char* at = at_;
    if (at != end_ && begins_word(*at)) {
        while (at != end_ && *at != '$' && fold(*at) != 0) ++at;
    }
    if (at != end_ && *at == '$') return body(tag, static_cast<size_t>(at - tag) + 1);
    doubtful_ = true;
    return {TokenKind::Operator, between(tag, at_)};
}

Token Lexer::body(const char* tag_begin, size_t tag_bytes) {
    const char* content = tag_begin + tag_bytes;
    const char* at = content;
    while ((at = find(at, end_, '$')) != nullptr) {
        if (static_cast<size_t>(end_ - at) < tag_bytes) break;
        if (std::memcmp(at, tag_begin, tag_bytes) == 0) {
            at_ = at + tag_bytes;
            return {TokenKind::Body, between(content, at)};
        }
        ++at;
    }
    return unterminated(TokenKind::Body, content);
}

/// Digits and dots. An exponent, or whatever else sticks to them, is a word: that is how servers
/// before 15 read "1FROM", and an exponent as a word does no harm.
Token Lexer::number() {
    const char* begin = at_;
    while (is_digit(ahead(0)) || ahead(0) == '.') ++at_;
    return {TokenKind::Number, between(begin, at_)};
}

Token Lexer::one(TokenKind kind, ptrdiff_t bytes) {
    const char* begin = at_;
    at_ += bytes;
    return {kind, between(begin, at_)};
}

Token Lexer::unterminated(TokenKind kind, const char* content) {
    doubtful_ = true;
    at_ = end_;
    return {kind, between(content, end_)};
}

}  // namespace pgweir::sql
