#include "pgweir/sql/outline.h"

#include "sql/lexer.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace pgweir::sql {
namespace {

constexpr size_t kStride = 16;

/// Of up to kStride bytes, a bit for each, the first one lowest.
struct Marks {
    uint32_t word = 0;    // of words, as fold() has it
    uint32_t digits = 0;  // which are of words too
    uint32_t quotes = 0;  // of names
    uint32_t stops = 0;   // where a string begins, or may begin what is none of ours
};

constexpr bool is_stop(char c) {
    return c == '\'' || c == '\\' || c == '$' || c == '-' || c == '/';
}

Marks marks_one_by_one(const char* at, size_t size) {
    Marks marks;
    for (size_t i = 0; i < size; ++i) {
        marks.word |= static_cast<uint32_t>(fold(at[i]) != 0) << i;
        marks.digits |= static_cast<uint32_t>(is_digit(at[i])) << i;
        marks.quotes |= static_cast<uint32_t>(at[i] == '"') << i;
        marks.stops |= static_cast<uint32_t>(is_stop(at[i])) << i;
    }
    return marks;
}

#ifdef __SSE2__
/// 0xff for each byte from `first` on of which there are `count`.
__m128i in_range(__m128i bytes, char first, char count) {
    const __m128i from_first = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
    const __m128i last = _mm_set1_epi8(static_cast<char>(count - 1));
    return _mm_cmpeq_epi8(_mm_min_epu8(from_first, last), from_first);
}

__m128i equal(__m128i bytes, char c) {
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

uint32_t bits(__m128i bytes) {
    return static_cast<uint32_t>(_mm_movemask_epi8(bytes));
}

Marks marks_of_stride(const char* at) {
    __m128i bytes;
    __builtin_memcpy(&bytes, at, kStride);
    const __m128i digits = in_range(bytes, '0', 10);
    const __m128i letters = in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 26);
    const __m128i dollars = equal(bytes, '$');
    const __m128i joins = _mm_or_si128(equal(bytes, '_'), dollars);
    // The highest bit is that of the mask: what is above ASCII is a letter.
    const __m128i word = _mm_or_si128(_mm_or_si128(digits, letters), _mm_or_si128(joins, bytes));
    const __m128i escapes = _mm_or_si128(equal(bytes, '\''), equal(bytes, '\\'));
    const __m128i comments = _mm_or_si128(equal(bytes, '-'), equal(bytes, '/'));
    const __m128i stops = _mm_or_si128(_mm_or_si128(escapes, comments), dollars);
    return {bits(word), bits(digits), bits(equal(bytes, '"')), bits(stops)};
}
#else
Marks marks_of_stride(const char* at) {
    return marks_one_by_one(at, kStride);
}
#endif

/// For each bit whether an odd number of bits is set up to it.
uint32_t odd_so_far(uint32_t bits) {
    for (const int shift : {1, 2, 4, 8}) bits ^= bits << shift;
    return bits;
}

class Outline {
public:
    Outline(std::string_view sql, OutlineRoom& room)
        : begin_(sql.data()), at_(begin_), end_(begin_ + sql.size()), to_(room.data()) {}

    /// False: a lexer has to read it.
    bool draw() {
        while (at_ != end_) {
            const size_t size = std::min<size_t>(kStride, left());
            const Marks marks =
                size == kStride ? marks_of_stride(at_) : marks_one_by_one(at_, size);
            // Where a name in quotes has begun and not ended; its own quotes in it come in pairs.
            const uint32_t in_name = odd_so_far(marks.quotes) ^ (in_name_ ? ~0U : 0U);
            const uint32_t numbers = marks.digits & ~(marks.word << 1 | (in_word_ ? 1U : 0U));
            const uint32_t stops = (marks.stops | numbers) & ~in_name & ((1U << size) - 1);
            const size_t plain = stops != 0 ? static_cast<size_t>(std::countr_zero(stops)) : size;
            if (plain > 0) {
                in_name_ = (in_name >> (plain - 1) & 1) != 0;
                in_word_ = (marks.word >> (plain - 1) & 1) != 0;
            }
            copy(plain, size == kStride);
            if (stops != 0 && !step()) return false;
        }
        return !in_name_;
    }

    const char* end() const { return to_; }

private:
    size_t left() const { return static_cast<size_t>(end_ - at_); }

    char ahead() const { return left() > 1 ? at_[1] : '\0'; }

    /// `whole`: there is a stride to read. (memcpy() of few bytes would be called.)
    void copy(size_t bytes, bool whole) {
        if (whole) {
            __builtin_memcpy(to_, at_, kStride);
        } else {
            std::copy_n(at_, bytes, to_);
        }
        at_ += bytes;
        to_ += bytes;
    }

    bool step() {
        const char c = *at_;
        if (is_digit(c)) {
            *to_++ = '0';
            skip_digits();
            in_word_ = true;
            return true;
        }
        if (c == '\'') return string();
        if (c == '$') {
            if (!is_digit(ahead())) return false;
            const char* const from = at_++;
            skip_digits();
            to_ = std::copy(from, at_, to_);
            in_word_ = true;
            return true;
        }
        if (c == '\\' || (c == '-' && ahead() == '-') || (c == '/' && ahead() == '*')) return false;
        copy(1, false);
        in_word_ = false;
        return true;
    }

    void skip_digits() {
        while (at_ != end_ && is_digit(*at_)) ++at_;
    }

    /// Two quotes in it are as good as two strings.
    bool string() {
        const char before = at_ != begin_ ? at_[-1] : ' ';
        if (fold(before) != 0 || before == '&') return false;
        const char* const content = at_ + 1;
        const auto* const quote = static_cast<const char*>(std::memchr(content, '\'', left() - 1));
        if (quote == nullptr) return false;
        const auto bytes = static_cast<size_t>(quote - content);
        if (std::memchr(content, '\\', bytes) != nullptr) return false;
        *to_++ = '\'';
        *to_++ = '\'';
        at_ = quote + 1;
        in_word_ = false;
        return true;
    }

    const char* const begin_;
    const char* at_;
    const char* const end_;
    char* to_;
    bool in_name_ = false;  // True exactly when what stands before `at_` is of a name in quotes.
    bool in_word_ = false;  // True exactly when the byte before `at_` is of a word.
};

}  // namespace

std::optional<std::string_view> outline_of(std::string_view sql, OutlineRoom& room) {
    if (sql.size() > kOutlinedBytesMax) return std::nullopt;
    Outline outline(sql, room);
    if (!outline.draw()) return std::nullopt;
    return std::string_view(room.data(), static_cast<size_t>(outline.end() - room.data()));
}

}  // namespace pgweir::sql
