#include "pgweir/wire/backend.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::wire {
namespace {

using namespace std::string_literals;

Error sample() {
    return {.sqlstate = sqlstate::kTooManyConnections,
            .severity = Severity::Fatal,
            .message = "no server is free",
            .detail = "10 clients wait.",
            .hint = "Wait."};
}

}  // namespace

TEST_CASE("backend: ReadyForQuery has one of three states") {
    CHECK(decode_ready(as_bytes("I")) == TransactionStatus::Idle);
    CHECK(decode_ready(as_bytes("T")) == TransactionStatus::Open);
    CHECK(decode_ready(as_bytes("E")) == TransactionStatus::Failed);
    CHECK_FALSE(decode_ready(as_bytes("X")).has_value());
    CHECK_FALSE(decode_ready(as_bytes("II")).has_value());
    CHECK_FALSE(decode_ready({}).has_value());
    Writer out;
    encode_ready(out, TransactionStatus::Open);
    CHECK(out.take() == "Z\0\0\0\5T"s);
}

TEST_CASE("backend: authentication messages carry their kind and data") {
    Writer out;
    encode_authentication(out, AuthenticationKind::Md5Password, "salt");
    const std::string bytes = out.take();
    const auto message = decode_authentication(as_bytes(bytes).subspan(5));
    REQUIRE(message.has_value());
    CHECK(message->kind == 5);
    CHECK(as_text(message->data) == "salt");
    CHECK_FALSE(decode_authentication(as_bytes("\0\0\0"s)).has_value());
    encode_sasl_mechanisms(out, "SCRAM-SHA-256");
    CHECK(out.take() == "R\0\0\0\x17\0\0\0\12SCRAM-SHA-256\0\0"s);
}

TEST_CASE("backend: ParameterStatus is a name and a value") {
    Writer out;
    encode_parameter_status(out, "TimeZone", "UTC");
    const std::string bytes = out.take();
    const auto status = decode_parameter_status(as_bytes(bytes).subspan(5));
    REQUIRE(status.has_value());
    CHECK(status->name == "TimeZone");
    CHECK(status->value == "UTC");
    CHECK(decode_parameter_status(as_bytes("a\0\0"s)).has_value());
    CHECK_FALSE(decode_parameter_status(as_bytes("\0value\0"s)).has_value());
    CHECK_FALSE(decode_parameter_status(as_bytes("a\0b"s)).has_value());
    CHECK_FALSE(decode_parameter_status(as_bytes("a\0b\0c"s)).has_value());
}

TEST_CASE("backend: keys have 4 to 256 bytes") {
    Writer out;
    encode_backend_key(out, 4711, as_bytes("key!"));
    const std::string bytes = out.take();
    const auto key = decode_backend_key(as_bytes(bytes).subspan(5));
    REQUIRE(key.has_value());
    CHECK(key->pid == 4711);
    CHECK(as_text(key->key) == "key!");
    const std::string pid(4, '\0');
    CHECK(decode_backend_key(as_bytes(pid + std::string(256, 'k'))).has_value());
    CHECK_FALSE(decode_backend_key(as_bytes(pid + std::string(257, 'k'))).has_value());
    CHECK_FALSE(decode_backend_key(as_bytes(pid + "key")).has_value());
    CHECK_FALSE(decode_backend_key(as_bytes("pid")).has_value());
}

TEST_CASE("backend: an error has its fields in PostgreSQL's order") {
    Writer out;
    encode_error(out, sample());
    CHECK(out.take().substr(5) ==
          "SFATAL\0VFATAL\0C53300\0Mno server is free\0D10 clients wait.\0HWait.\0\0"s);
    Error bare = sample();
    bare.severity = Severity::Error;
    bare.detail.clear();
    bare.hint.clear();
    encode_error(out, bare);
    CHECK(out.take().substr(5) == "SERROR\0VERROR\0C53300\0Mno server is free\0\0"s);
}

TEST_CASE("backend: a text with a NUL cannot end its message early") {
    Error error = sample();
    error.message = "name \"a\0b\" is odd"s;
    Writer out;
    encode_error(out, error);
    const std::string bytes = out.take();
    const auto fields = decode_error(as_bytes(bytes).subspan(5));
    REQUIRE(fields.has_value());
    CHECK(fields->message == "name \"a");
    CHECK(fields->detail == "10 clients wait.");
}

TEST_CASE("backend: an error that is read is the one that was written") {
    Writer out;
    encode_error(out, sample());
    const std::string bytes = out.take();
    const auto fields = decode_error(as_bytes(bytes).subspan(5));
    REQUIRE(fields.has_value());
    CHECK(fields->severity == "FATAL");
    const Error error = to_error(*fields, Severity::Error);
    CHECK(error.sqlstate == sqlstate::kTooManyConnections);
    CHECK(error.severity == Severity::Error);
    CHECK(error.message == sample().message);
    CHECK(error.detail == sample().detail);
    CHECK(error.hint == sample().hint);
}

TEST_CASE("backend: the untranslated severity counts, wherever it stands") {
    CHECK(decode_error(as_bytes("SFATALE\0VFATAL\0\0"s))->severity == "FATAL");
    CHECK(decode_error(as_bytes("VFATAL\0SFATALE\0\0"s))->severity == "FATAL");
    CHECK(decode_error(as_bytes("SPANIC\0\0"s))->severity == "PANIC");
}

TEST_CASE("backend: fields that are not known are skipped, an error without end is malformed") {
    CHECK(decode_error(as_bytes("Fpostgres.c\0L42\0Mhello\0\0"s))->message == "hello");
    CHECK(decode_error(as_bytes("\0"s)).has_value());
    CHECK_FALSE(decode_error(as_bytes("Mhello\0"s)).has_value());
    CHECK_FALSE(decode_error(as_bytes("Mhello"s)).has_value());
    CHECK_FALSE(decode_error({}).has_value());
}

TEST_CASE("backend: a SQLSTATE that is none becomes XX000") {
    for (const char* code : {"", "4260", "426011", "4260a", "42 01", "4260\xe9"}) {
        ErrorFields fields;
        fields.sqlstate = code;
        CHECK(to_error(fields, Severity::Error).sqlstate == sqlstate::kInternalError);
    }
    ErrorFields fields;
    fields.sqlstate = "0LP01";
    CHECK(to_error(fields, Severity::Error).sqlstate.text() == "0LP01");
}

TEST_CASE("backend: NegotiateProtocolVersion names the version and what is not known") {
    Writer out;
    encode_negotiate_version(out, 2, {"_pq_.a", "_pq_.b"});
    CHECK(out.take() == "v\0\0\0\x1a\0\3\0\2\0\0\0\2_pq_.a\0_pq_.b\0"s);
}

TEST_CASE("backend: a notice is an error by another name") {
    Writer out;
    encode_notice(out, "NOTICE", sample());
    const std::string bytes = out.take();
    CHECK(bytes[0] == 'N');
    CHECK(decode_error(as_bytes(bytes).subspan(5))->severity == "NOTICE");
}

TEST_CASE("backend: a table of the console") {
    Writer out;
    const std::vector<Column> columns{
        {"name"           },
        { "count", ColumnType::Int4},
        { "bytes", ColumnType::Int8}
    };
    encode_row_description(out, columns);
    CHECK(out.take().substr(5) ==
          "\0\3"
          "name\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
          "count\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"
          "bytes\0\0\0\0\0\0\0\0\0\0\x14\0\10\xff\xff\xff\xff\0\0"s);
    encode_data_row(out, columns, {"app", "", "12"});
    CHECK(out.take() ==
          "D\0\0\0\x17\0\3\0\0\0\3app\xff\xff\xff\xff\0\0\0\2"
          "12"s);
    encode_data_row(out, columns, {"", "1\0002"s, "7"});
    CHECK(out.take() ==
          "D\0\0\0\x16\0\3\0\0\0\0\0\0\0\3\x31\0\x32\0\0\0\1"
          "7"s);
    encode_command_complete(out, "SHOW");
    CHECK(out.take() == "C\0\0\0\11SHOW\0"s);
}

TEST_CASE("backend: a notification has a process, a channel, a payload and nothing else") {
    const std::string whole = std::string("\0\0\1\2", 4) + std::string("news\0hello\0", 11);
    const auto heard = decode_notification(as_bytes(whole));
    REQUIRE(heard.has_value());
    CHECK(heard->pid == 258);
    CHECK(heard->channel == "news");
    CHECK(heard->payload == "hello");
    CHECK_FALSE(decode_notification(as_bytes(whole + "x")).has_value());
    for (size_t size = 0; size < whole.size(); ++size) {
        CHECK_FALSE(decode_notification(as_bytes(whole.substr(0, size))).has_value());
    }
}

}  // namespace pgweir::wire
