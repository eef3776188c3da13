#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// PostgreSQL's words, strings and signs, one after the other, without memory of its own.
/// See: sql-syntax-lexical.html
namespace pgweir::sql {

enum class TokenKind : uint8_t {
    End,
    Word,        // a key word or a name without quotes
    QuotedName,  // "…", text without the outer quotes
    String,  // '…', E'…', B'…', X'…', N'…', U&'…', text without prefix and outer quotes
    Body,    // $tag$…$tag$, text without the tags
    Parameter,  // $1
    Number,
    Operator,  // one character of it
    TypeCast,  // ::
    Semicolon,
    Dot,
    Comma,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
};

struct Token {
    TokenKind kind = TokenKind::End;
    std::string_view text{};
};

namespace detail {

/// For bytes of words: the byte in lower case; 0: not one of a word. Bytes above ASCII are letters.
constexpr std::array<uint8_t, 256> word_bytes() {
    std::array<uint8_t, 256> folded{};
    for (size_t c = 'a'; c <= 'z'; ++c) folded[c] = static_cast<uint8_t>(c);
    for (size_t c = 'A'; c <= 'Z'; ++c) folded[c] = static_cast<uint8_t>(c - 'A' + 'a');
    for (size_t c = '0'; c <= '9'; ++c) folded[c] = static_cast<uint8_t>(c);
    for (size_t c = 0x80; c <= 0xff; ++c) folded[c] = static_cast<uint8_t>(c);
    folded['_'] = '_';
    folded['$'] = '$';
    return folded;
}

}  // namespace detail

inline constexpr std::array<uint8_t, 256> kWordBytes = detail::word_bytes();

constexpr uint8_t fold(char c) {
    return kWordBytes[static_cast<uint8_t>(c)];
}

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// A word may begin with it: digits and $ are for its rest only.
constexpr bool begins_word(char c) {
    return fold(c) != 0 && !is_digit(c) && c != '$';
}

/// Whether `word`, in any case, is `lower`.
constexpr bool same_word(std::string_view word, std::string_view lower) {
    if (word.size() != lower.size()) return false;
    for (size_t i = 0; i < word.size(); ++i) {
        if (fold(word[i]) != static_cast<uint8_t>(lower[i])) return false;
    }
    return true;
}

namespace detail {

/// By the first byte: tokens of one byte; Word and QuotedName, which it begins; End: any other.
constexpr std::array<TokenKind, 256> signs() {
    std::array<TokenKind, 256> kinds{};
    for (size_t c = 0; c < kinds.size(); ++c) {
        if (begins_word(static_cast<char>(c))) kinds[c] = TokenKind::Word;
    }
    kinds['"'] = TokenKind::QuotedName;
    kinds[';'] = TokenKind::Semicolon;
    kinds[','] = TokenKind::Comma;
    kinds['('] = TokenKind::OpenParen;
    kinds[')'] = TokenKind::CloseParen;
    kinds['['] = TokenKind::OpenBracket;
    kinds[']'] = TokenKind::CloseBracket;
    return kinds;
}

inline constexpr std::array<TokenKind, 256> kSigns = signs();

constexpr bool is_sign(TokenKind of_first_byte) {
    return of_first_byte != TokenKind::End && of_first_byte != TokenKind::Word &&
           of_first_byte != TokenKind::QuotedName;
}

}  // namespace detail

class Lexer {
public:
    explicit Lexer(std::string_view sql)
        : begin_(sql.data()), at_(sql.data()), end_(sql.data() + sql.size()) {}

    /// Lifetime: the token's text is part of the SQL.
    Token next() {
        // What most texts are made of, where the compiler can see it: words, quoted names, signs.
        while (at_ != end_ && *at_ == ' ') ++at_;
        const char* const begin = at_;
        if (begin != end_) {
            const TokenKind sign = detail::kSigns[static_cast<uint8_t>(*begin)];
            if (sign == TokenKind::Word) {
                const char* at = begin + 1;
                while (at != end_ && fold(*at) != 0) ++at;
                // One letter may be the prefix of a string, or of a name.
                if (at - begin > 1) return take(TokenKind::Word, begin, at, at);
            } else if (sign == TokenKind::QuotedName) {
                const char* at = begin + 1;
                while (at != end_ && *at != '"') ++at;
                const bool ends = end_ - at > 1 && at[1] != '"';
                if (ends) return take(TokenKind::QuotedName, begin + 1, at, at + 1);
            } else if (sign != TokenKind::End) {
                return take(sign, begin, begin + 1, begin + 1);
            }
        }
        return next_of_any_kind();
    }

    /// True exactly when something so far has no end, cannot be SQL, or ends in another place under
    /// another setting (standard_conforming_strings) or encoding.
    bool doubtful() const { return doubtful_; }

private:
    Token take(TokenKind kind, const char* begin, const char* end, const char* behind) {
        at_ = behind;
        behind_escapes_ = false;
        return {
            kind, {begin, static_cast<size_t>(end - begin)}
        };
    }

    Token next_of_any_kind();

    bool at_end() const { return at_ == end_; }

    char ahead(ptrdiff_t distance) const { return end_ - at_ > distance ? at_[distance] : '\0'; }

    void skip_space_and_comments();
    void skip_line();
    void skip_block();
    Token word();
    Token prefixed(char prefix, const Token& word);
    Token quoted_name(const char* content);
    Token plain_string(const char* content);
    Token escape_string(const char* content);
    Token dollar();
    Token body(const char* tag_begin, size_t tag_bytes);
    Token number();
    Token one(TokenKind kind, ptrdiff_t bytes = 1);
    Token unterminated(TokenKind kind, const char* content);

    const char* begin_;
    const char* at_;
    const char* end_;
    bool doubtful_ = false;
    // True exactly when the token before is a string in which a backslash means something: a
    // string that continues it on another line has the same rules without saying so.
    bool behind_escapes_ = false;
};

}  // namespace pgweir::sql
