#include "sql/lexer.h"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::sql {
namespace {

using namespace std::string_literals;
using Texts = std::vector<std::string>;

struct Lexed {
    std::string kinds;  // a letter each
    Texts texts;
    bool doubtful = false;
};

char letter_of(TokenKind kind) {
    constexpr std::string_view kLetters = "!wqsb$no:;.,()[]";
    return kLetters[static_cast<size_t>(kind)];
}

Lexed lex(std::string_view sql) {
    Lexed lexed;
    Lexer lexer(sql);
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        lexed.kinds += letter_of(token.kind);
        lexed.texts.emplace_back(token.text);
    }
    lexed.doubtful = lexer.doubtful();
    return lexed;
}

void check(std::string_view sql, std::string_view kinds, const Texts& texts) {
    CAPTURE(sql);
    const Lexed lexed = lex(sql);
    CHECK(lexed.kinds == kinds);
    CHECK(lexed.texts == texts);
    CHECK_FALSE(lexed.doubtful);
}

bool doubtful(std::string_view sql) {
    return lex(sql).doubtful;
}

}  // namespace

TEST_CASE("lexer: words, names, numbers and signs") {
    check("SELECT a.b, $1", "ww.w,$", {"SELECT", "a", ".", "b", ",", "$1"});
    check("f(x)[1];", "w(w)[n];", {"f", "(", "x", ")", "[", "1", "]", ";"});
    check("a$1 _b \xc3\xa9t\xc3\xa9", "www", {"a$1", "_b", "\xc3\xa9t\xc3\xa9"});
    check("x::int4", "w:w", {"x", "::", "int4"});
    check("a<=b", "woow", {"a", "<", "=", "b"});
    check("", "", {});
    check(" \t\r\n\f\v", "", {});
}

TEST_CASE("lexer: a number ends where a word begins, as before PostgreSQL 15") {
    check("1FROM t", "nww", {"1", "FROM", "t"});
    check(".5 1.5e3", "nnw", {".5", "1.5", "e3"});
    check("1E'\\''", "ns", {"1", "\\'"});
}

TEST_CASE("lexer: quoted names keep their doubled quotes") {
    check(R"("a""b"."c")", "q.q", {R"(a""b)", ".", "c"});
    check(R"("it's" x)", "qw", {"it's", "x"});
    CHECK(doubtful(R"("a)"));
    CHECK(doubtful(R"("a"")"));
}

TEST_CASE("lexer: a name with escapes may be any name") {
    CHECK(doubtful(R"(U&"d\0061t")"));
    CHECK(doubtful(R"(SELECT u&"x"())"));
    check("u & 1", "won", {"u", "&", "1"});
    check("u&x", "wow", {"u", "&", "x"});
}

TEST_CASE("lexer: a string ends at a quote that is not doubled") {
    check("'it''s' x", "sw", {"it''s", "x"});
    check("'' x", "sw", {"", "x"});
    check("b'1' X'f' n'x' U&'\\0061'", "ssss", {"1", "f", "x", "\\0061"});
    check("'a'\n'b'", "ss", {"a", "b"});
    CHECK(doubtful("'a"));
    CHECK(doubtful("'a''"));
    CHECK(doubtful("'"));
}

TEST_CASE("lexer: whether a backslash hides a quote depends on a setting") {
    CHECK(doubtful(R"('it\'s')"));
    CHECK(doubtful(R"('C:\')"));
    CHECK_FALSE(doubtful(R"('C:\dir')"));
    CHECK(lex(R"('C:\'; x)").kinds == "s;w");
}

TEST_CASE("lexer: in E strings a backslash hides what follows") {
    check(R"(E'it\'s' x)", "sw", {R"(it\'s)", "x"});
    check(R"(e'\\' x)", "sw", {R"(\\)", "x"});
    check(R"(e'it''s' x)", "sw", {"it''s", "x"});
    check(R"(name'x')", "ws", {"name", "x"});
    CHECK(doubtful(R"(E'\')"));
    CHECK(doubtful(R"(E'\)"));
}

TEST_CASE("lexer: a continued string has the escapes of its begin") {
    CHECK(doubtful("E'a'\n'b\\'c'"));
    CHECK(doubtful("U&'a' -- x\n'b'"));
    CHECK_FALSE(doubtful("E'a', 'b'"));
    CHECK_FALSE(doubtful("E'a' x 'b'"));
}

TEST_CASE("lexer: a backslash behind a byte above ASCII may be half a character") {
    CHECK(doubtful("E'\x83\\' ; SET x = 1; --'"));
    CHECK_FALSE(doubtful("E'\xc3\xa9 \\n'"));
}

TEST_CASE("lexer: dollar quotes end at their own tag") {
    check("$$it's$$ x", "bw", {"it's", "x"});
    check("$a$ $$ $b$ $a$ x", "bw", {" $$ $b$ ", "x"});
    check("$a$$a$", "b", {""});
    check("$a$x$a$$b$y$b$", "bb", {"x", "y"});
    check("$1$2", "$$", {"$1", "$2"});
    check("a$b$ c", "ww", {"a$b$", "c"});
    CHECK(doubtful("$a$ $A$"));
    CHECK(doubtful("$a$ $a"));
    CHECK(doubtful("$"));
    CHECK(doubtful("$a"));
    CHECK(doubtful("$a b$"));
}

TEST_CASE("lexer: comments separate words and nest") {
    check("a/*x*/b", "ww", {"a", "b"});
    check("a/*/* */ ; */b", "ww", {"a", "b"});
    check("a--;\nb", "ww", {"a", "b"});
    check("a--;\rb", "ww", {"a", "b"});
    check("a --", "w", {"a"});
    check("1+--;\n-/*;*/2", "noon", {"1", "+", "-", "2"});
    check("'--' '/*'", "ss", {"--", "/*"});
    check("/**/a", "w", {"a"});
    check("/* **/a", "w", {"a"});
    CHECK(doubtful("/*"));
    CHECK(doubtful("/* /* */"));
    CHECK(doubtful("/*/"));
}

TEST_CASE("lexer: bytes that begin nothing are a doubt") {
    CHECK(doubtful("\0"s));
    CHECK(doubtful("SELECT 1\0; SET x = 1"s));
    CHECK(doubtful("{"));
    CHECK(doubtful("\\d"));
    CHECK(doubtful("\x01"));
}

}  // namespace pgweir::sql
