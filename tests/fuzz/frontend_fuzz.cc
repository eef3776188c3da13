#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/wire/frontend.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace pgweir::fuzz_frontend {
namespace {

/// The body of the message that was written, without type and length.
std::string body(wire::Writer& out) {
    return out.take().substr(5);
}

void parse_is_stable(Bytes data) {
    const auto parse = wire::decode_parse(data);
    if (!parse) return;
    wire::Writer out;
    wire::encode_parse(out, parse->statement, parse->query_and_types);
    PGW_CHECK(body(out) == as_text(data));
    PGW_CHECK(as_text(parse->query_and_types).substr(0, parse->query.size()) == parse->query);
    PGW_CHECK(!wire::decode_parse(data.first(data.size() - 1)));
}

/// A Bind reads the same as soon as its names are there, however much follows.
void bind_is_stable(Bytes data) {
    const auto bind = wire::decode_bind(data);
    if (!bind) return;
    const size_t names = bind->portal.size() + bind->statement.size() + 2;
    PGW_CHECK(names + bind->rest.size() == data.size());
    const auto early = wire::decode_bind(data.first(names));
    PGW_CHECK(early && early->portal == bind->portal && early->statement == bind->statement);
    PGW_CHECK(!wire::decode_bind(data.first(names - 1)));
}

void describe_is_stable(Bytes data) {
    const auto describe = wire::decode_describe(data);
    if (!describe) return;
    wire::Writer out;
    wire::encode_describe(out, 'D', describe->target, describe->name);
    PGW_CHECK(body(out) == as_text(data));
}

void text_is_stable(Bytes data) {
    const auto text = wire::decode_text(data);
    if (!text) return;
    wire::Writer out;
    wire::encode_query(out, *text);
    PGW_CHECK(body(out) == as_text(data));
}

void sasl_is_stable(Bytes data) {
    const auto initial = wire::decode_sasl_initial(data);
    if (!initial || initial->data.empty()) return;  // without data there are two ways to say so
    wire::Writer out;
    wire::encode_sasl_initial(out, initial->mechanism, initial->data);
    PGW_CHECK(body(out) == as_text(data));
}

}  // namespace

void fuzz_one(Bytes data);

/// What can be read is what would be written, byte for byte, so nothing hides in a message.
void fuzz_one(Bytes data) {
    parse_is_stable(data);
    bind_is_stable(data);
    describe_is_stable(data);
    text_is_stable(data);
    sasl_is_stable(data);
}

}  // namespace pgweir::fuzz_frontend

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_frontend::fuzz_one({data, size});
    return 0;
}
#endif
