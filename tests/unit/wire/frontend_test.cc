#include "pgweir/wire/frontend.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::wire {
namespace {

using namespace std::string_literals;

/// The body of the one message that was written.
std::string body(Writer& out) {
    return out.take().substr(5);
}

}  // namespace

TEST_CASE("frontend: Parse with its types") {
    const std::string bytes = "s1\0SELECT $1\0\0\1\0\0\0\x17"s;
    const auto parse = decode_parse(as_bytes(bytes));
    REQUIRE(parse.has_value());
    CHECK(parse->statement == "s1");
    CHECK(parse->query == "SELECT $1");
    CHECK(as_text(parse->query_and_types) == "SELECT $1\0\0\1\0\0\0\x17"s);
}

TEST_CASE("frontend: Parse that was rewritten reads the same but for its name") {
    const std::string query_and_types = "SELECT 1\0\0\0"s;
    Writer out;
    encode_parse(out, "other", as_bytes(query_and_types));
    const std::string bytes = body(out);
    const auto parse = decode_parse(as_bytes(bytes));
    REQUIRE(parse.has_value());
    CHECK(parse->statement == "other");
    CHECK(as_text(parse->query_and_types) == query_and_types);
}

TEST_CASE("frontend: Parse whose fields do not fill it exactly is malformed") {
    const std::string whole = "s1\0SELECT $1\0\0\1\0\0\0\x17"s;
    for (size_t count = 0; count < whole.size(); ++count) {
        CHECK_FALSE(decode_parse(as_bytes(whole).first(count)).has_value());
    }
    CHECK_FALSE(decode_parse(as_bytes(whole + "x")).has_value());
    CHECK_FALSE(decode_parse(as_bytes("\0\0\xff\xff"s)).has_value());
}

TEST_CASE("frontend: Bind needs both names, its values may still be on their way") {
    const std::string bytes = "portal\0s1\0rest"s;
    const auto bind = decode_bind(as_bytes(bytes));
    REQUIRE(bind.has_value());
    CHECK(bind->portal == "portal");
    CHECK(bind->statement == "s1");
    CHECK(as_text(bind->rest) == "rest");
    CHECK(decode_bind(as_bytes("\0\0"s)).has_value());
    CHECK_FALSE(decode_bind(as_bytes("portal\0s1"s)).has_value());
    CHECK_FALSE(decode_bind({}).has_value());
}

TEST_CASE("frontend: Describe and Close name a statement or a portal") {
    for (const Target target : {Target::Statement, Target::Portal}) {
        Writer out;
        encode_describe(out, 'D', target, "name");
        CHECK(out.bytes()[0] == 'D');
        const std::string bytes = body(out);
        const auto describe = decode_describe(as_bytes(bytes));
        REQUIRE(describe.has_value());
        CHECK(describe->target == target);
        CHECK(describe->name == "name");
    }
    CHECK_FALSE(decode_describe(as_bytes("Xname\0"s)).has_value());
    CHECK_FALSE(decode_describe(as_bytes("Sname"s)).has_value());
    CHECK_FALSE(decode_describe(as_bytes("Sname\0more"s)).has_value());
    CHECK_FALSE(decode_describe({}).has_value());
}

TEST_CASE("frontend: a message of one text ends with its NUL") {
    Writer out;
    encode_query(out, "SELECT 1");
    const std::string bytes = body(out);
    CHECK(decode_text(as_bytes(bytes)) == "SELECT 1");
    CHECK_FALSE(decode_text(as_bytes("SELECT 1")).has_value());
    CHECK_FALSE(decode_text(as_bytes("SELECT 1\0;"s)).has_value());
    CHECK_FALSE(decode_text({}).has_value());
}

TEST_CASE("frontend: SASLInitialResponse with data, and without") {
    Writer out;
    encode_sasl_initial(out, "SCRAM-SHA-256", "n,,n=,r=nonce");
    const std::string bytes = body(out);
    const auto response = decode_sasl_initial(as_bytes(bytes));
    REQUIRE(response.has_value());
    CHECK(response->mechanism == "SCRAM-SHA-256");
    CHECK(response->data == "n,,n=,r=nonce");

    const auto without = decode_sasl_initial(as_bytes("M\0\xff\xff\xff\xff"s));
    REQUIRE(without.has_value());
    CHECK(without->data.empty());
}

TEST_CASE("frontend: SASLInitialResponse whose length lies is malformed") {
    CHECK_FALSE(decode_sasl_initial(as_bytes("M\0\0\0\0\5data"s)).has_value());
    CHECK_FALSE(decode_sasl_initial(as_bytes("M\0\0\0\0\3data"s)).has_value());
    CHECK_FALSE(decode_sasl_initial(as_bytes("M\0\xff\xff\xff\xff!"s)).has_value());
    CHECK_FALSE(decode_sasl_initial(as_bytes("M\0\xff\xff\xff\xfe"s)).has_value());
    CHECK_FALSE(decode_sasl_initial(as_bytes("M\0\0\0"s)).has_value());
    CHECK_FALSE(decode_sasl_initial(as_bytes("M")).has_value());
}

TEST_CASE("frontend: small messages as PostgreSQL expects them") {
    Writer out;
    encode_sync(out);
    encode_terminate(out);
    encode_password(out, "secret");
    encode_sasl_response(out, "c=biws");
    CHECK(out.take() == "S\0\0\0\4X\0\0\0\4p\0\0\0\13secret\0p\0\0\0\12c=biws"s);
}

}  // namespace pgweir::wire
