#include "pgweir/wire/reader.h"

#include "pgweir/wire/writer.h"

#include <string>

#include <doctest/doctest.h>

namespace pgweir::wire {
namespace {

using namespace std::string_literals;

}  // namespace

TEST_CASE("reader: fields come off in their order") {
    const std::string bytes = "\1\2\3\4\5\6\7text\0rest"s;
    Reader reader(as_bytes(bytes));
    CHECK(reader.u8() == 1);
    CHECK(reader.u16() == 0x0203);
    CHECK(reader.u32() == 0x04050607);
    CHECK(reader.text() == "text");
    CHECK(as_text(reader.bytes(2)) == "re");
    CHECK(as_text(reader.rest()) == "st");
    CHECK(reader.ok());
    CHECK_FALSE(reader.at_end());
}

TEST_CASE("reader: a field that is not there spoils it for good, and reads as empty") {
    const std::string bytes = "\1\2\3"s;
    Reader reader(as_bytes(bytes));
    CHECK(reader.u32() == 0);
    CHECK_FALSE(reader.ok());
    CHECK(reader.u8() == 0);
    CHECK(reader.bytes(0).empty());
    CHECK(reader.text().empty());
    CHECK_FALSE(reader.ok());
}

TEST_CASE("reader: a text needs its NUL") {
    Reader reader(as_bytes("text"));
    CHECK(reader.text().empty());
    CHECK_FALSE(reader.ok());
    const std::string empty(1, '\0');
    Reader fine(as_bytes(empty));
    CHECK(fine.text().empty());
    CHECK(fine.ok());
    CHECK(fine.at_end());
}

TEST_CASE("reader: no count is too large to be refused") {
    const std::string bytes = "abc";
    Reader reader(as_bytes(bytes));
    CHECK(reader.bytes(SIZE_MAX).empty());
    CHECK_FALSE(reader.ok());
}

TEST_CASE("writer: lengths count themselves but not the type") {
    Writer out;
    out.begin('Q').text("hi").end();
    out.begin_untyped().u16(0x0102).u8(3).u32(0x04050607).raw("x").end();
    CHECK(out.take() == "Q\0\0\0\7hi\0\0\0\0\x0c\1\2\3\4\5\6\7x"s);
    CHECK(out.empty());
}

TEST_CASE("writer: a text ends at its first NUL") {
    Writer out;
    out.text("a\0b"s);
    CHECK(out.take() == "a\0"s);
}

}  // namespace pgweir::wire
