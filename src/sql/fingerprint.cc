#include "pgweir/sql/fingerprint.h"

#include "pgweir/base/bytes.h"
#include "sql/lexer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pgweir::sql {
namespace {

bool is_value(TokenKind kind) {
    return kind == TokenKind::String || kind == TokenKind::Body || kind == TokenKind::Number ||
           kind == TokenKind::Parameter;
}

/// The lexer gives operators one character at a time: "<-" is one, "< -" are two.
bool goes_on(const Token& before, const Token& token) {
    return token.kind == TokenKind::Operator && before.kind == TokenKind::Operator &&
           before.text.data() + before.text.size() == token.text.data();
}

/// Gives the sink the tokens that make a shape. put_value() stands for one or a list of them,
/// go_on() for what belongs to the operator before.
template <class Sink>
bool put_shape(std::string_view sql, Sink& sink) {
    Lexer lexer(sql);
    Token before{};
    Token held{};  // a comma behind a value, or a semicolon: may be left out
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        const bool value = is_value(token.kind);
        const bool of_list = value && held.kind == TokenKind::Comma;
        const bool again = token.kind == TokenKind::Semicolon && held.kind == token.kind;
        if (!of_list && !again) {
            if (held.kind != TokenKind::End) sink.put(held);
            held = {};
            const bool behind_value = token.kind == TokenKind::Comma && is_value(before.kind);
            if (token.kind == TokenKind::Semicolon || behind_value) {
                held = token;
            } else if (value) {
                sink.put_value();
            } else if (goes_on(before, token)) {
                sink.go_on(token);
            } else {
                sink.put(token);
            }
        }
        if (of_list) held = {};
        before = token;
    }
    if (held.kind == TokenKind::Comma) sink.put(held);
    return !lexer.doubtful();
}

/// Eight bytes with A to Z in small letters, as fold() has words.
uint64_t folded(uint64_t bytes) {
    constexpr uint64_t kEach = 0x0101010101010101;
    constexpr uint64_t kHigh = 0x80 * kEach;
    const uint64_t low = bytes & ~kHigh;
    const uint64_t from_a = low + (0x80 - 'A') * kEach;
    const uint64_t behind_z = low + (0x7f - 'Z') * kEach;
    const uint64_t capitals = (from_a ^ behind_z) & ~bytes & kHigh;
    return bytes | (capitals >> 2);
}

/// Tokens on their way to the hash, in pieces.
class Hashed {
public:
    explicit Hashed(std::string_view sql)
        : sql_end_(sql.data() + sql.size()), fits_(kMostOfEach * sql.size() + kStride <= kPiece) {}

    void put(const Token& token) {
        if (fits_) {
            put_all(token);
        } else {
            put_in_pieces(token);
        }
    }

    void put_value() { put(static_cast<char>(TokenKind::Parameter)); }

    void go_on(const Token& token) { put(token.text.front()); }

    Fingerprint finish() {
        if (!flushed_) {
            const XXH128_hash_t hash = XXH3_128bits(bytes_.data(), used_);
            return {hash.high64, hash.low64};
        }
        flush();
        const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
        return {hash.high64, hash.low64};
    }

private:
    /// Where there is room for all that the text can become: 16 bytes at a time, and what is too
    /// much is written over. (memcpy() would be called for each of them, to be checked.)
    void put_all(const Token& token) {
        char* to = bytes_.data() + used_;
        *to++ = static_cast<char>(token.kind);
        const char* from = token.text.data();
        const size_t size = token.text.size();
        if (token.kind == TokenKind::QuotedName) {
            *to++ = static_cast<char>(size);
            *to++ = static_cast<char>(size >> 8);
            *to++ = static_cast<char>(size >> 16);
        }
        const bool folds = token.kind == TokenKind::Word;
        used_ = static_cast<size_t>(to - bytes_.data()) + size;
        size_t done = 0;
        while (done < size && sql_end_ - (from + done) >= static_cast<ptrdiff_t>(kStride)) {
            std::array<uint64_t, 2> bytes;
            __builtin_memcpy(bytes.data(), from + done, kStride);
            if (folds) bytes = {folded(bytes[0]), folded(bytes[1])};
            __builtin_memcpy(to + done, bytes.data(), kStride);
            done += kStride;
        }
        for (; done < size; ++done) {
            to[done] = folds ? static_cast<char>(fold(from[done])) : from[done];
        }
    }

    void put_in_pieces(const Token& token) {
        // No byte of a token looks like a kind, but in names that are quoted: two shapes never
        // become the same bytes.
        put(static_cast<char>(token.kind));
        if (token.kind == TokenKind::Word) {
            for (std::string_view text = token.text; !text.empty();) {
                char* to = room();
                const size_t now = std::min(text.size(), bytes_.size() - used_);
                for (size_t i = 0; i < now; ++i) to[i] = static_cast<char>(fold(text[i]));
                used_ += now;
                text.remove_prefix(now);
            }
            return;
        }
        if (token.kind == TokenKind::QuotedName) {
            const size_t bytes = token.text.size();  // of 64 kB at most
            for (const int shift : {0, 8, 16}) put(static_cast<char>(bytes >> shift));
        }
        for (std::string_view text = token.text; !text.empty();) {
            char* to = room();
            const size_t now = std::min(text.size(), bytes_.size() - used_);
            std::memcpy(to, text.data(), now);
            used_ += now;
            text.remove_prefix(now);
        }
    }

    void put(char byte) {
        *room() = byte;
        ++used_;
    }

    /// One byte at least.
    char* room() {
        if (used_ == bytes_.size()) flush();
        return bytes_.data() + used_;
    }

    void flush() {
        if (!flushed_) XXH3_128bits_reset(&state_);
        flushed_ = true;
        XXH3_128bits_update(&state_, bytes_.data(), used_);
        used_ = 0;
    }

    static constexpr size_t kPiece = 4096;
    static constexpr size_t kStride = 16;
    static constexpr size_t kMostOfEach = 2;  // a sign becomes its kind and itself

    const char* const sql_end_;
    const bool fits_;

    // Neither is set before it is used: both are larger than most statements.
    std::array<char, kPiece> bytes_;
    XXH3_state_t state_;
    size_t used_ = 0;
    bool flushed_ = false;
};

/// Tokens as a text, with spaces where people expect them.
class Written {
public:
    explicit Written(size_t bytes_max) : bytes_max_(bytes_max) {}

    void put(const Token& token) {
        if (text_.size() >= bytes_max_) return;
        const bool tight = token.kind == TokenKind::Comma || token.kind == TokenKind::CloseParen ||
                           token.kind == TokenKind::Dot || token.kind == TokenKind::TypeCast ||
                           token.kind == TokenKind::OpenBracket ||
                           token.kind == TokenKind::CloseBracket ||
                           token.kind == TokenKind::Semicolon;
        const bool opens = before_ == TokenKind::OpenParen || before_ == TokenKind::Dot ||
                           before_ == TokenKind::TypeCast || before_ == TokenKind::OpenBracket ||
                           before_ == TokenKind::End;
        const bool call = before_ == TokenKind::Word && token.kind == TokenKind::OpenParen;
        if (!tight && !opens && !call) text_ += ' ';
        if (token.kind == TokenKind::QuotedName) {
            text_ += '"';
            text_ += token.text;
            text_ += '"';
        } else if (token.kind == TokenKind::Word) {
            for (const char c : token.text) text_ += static_cast<char>(fold(c));
        } else {
            text_ += token.text;
        }
        before_ = token.kind;
    }

    /// Numbered, as pg_stat_statements does.
    void put_value() {
        const std::string number = fmt::format("${}", ++values_);
        put({TokenKind::Parameter, number});
    }

    void go_on(const Token& token) {
        if (text_.size() < bytes_max_) text_ += token.text;
    }

    std::string finish() {
        text_.resize(head_of(text_, bytes_max_).size());
        return std::move(text_);
    }

private:
    size_t bytes_max_;
    std::string text_;
    size_t values_ = 0;
    TokenKind before_ = TokenKind::End;
};

}  // namespace

std::string to_text(const Fingerprint& fingerprint) {
    return fmt::format("{:016x}", fingerprint.high ^ fingerprint.low);
}

Fingerprint digest_of(std::string_view text) {
    const XXH128_hash_t digest = XXH3_128bits(text.data(), text.size());
    return {digest.high64, digest.low64};
}

std::optional<Fingerprint> fingerprint(std::string_view sql) {
    if (sql.size() > kFingerprintedBytesMax) return std::nullopt;
    Hashed sink(sql);
    if (!put_shape(sql, sink)) return std::nullopt;
    return sink.finish();
}

std::string shape_of(std::string_view sql, size_t bytes_max) {
    Written sink(bytes_max);
    put_shape(sql, sink);
    return sink.finish();
}

}  // namespace pgweir::sql
