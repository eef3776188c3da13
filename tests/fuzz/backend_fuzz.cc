#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/wire/backend.h"

#include <cstddef>
#include <string>

namespace pgweir::fuzz_backend {
namespace {

std::string body(wire::Writer& out) {
    return out.take().substr(5);
}

void small_messages_are_stable(Bytes data) {
    wire::Writer out;
    if (const auto status = wire::decode_ready(data)) {
        wire::encode_ready(out, *status);
        PGW_CHECK(body(out) == as_text(data));
    }
    if (const auto status = wire::decode_parameter_status(data)) {
        wire::encode_parameter_status(out, status->name, status->value);
        PGW_CHECK(body(out) == as_text(data));
    }
    if (const auto key = wire::decode_backend_key(data)) {
        wire::encode_backend_key(out, key->pid, key->key);
        PGW_CHECK(body(out) == as_text(data));
    }
    if (const auto heard = wire::decode_notification(data)) {
        PGW_CHECK(data.size() == 4 + heard->channel.size() + heard->payload.size() + 2);
        PGW_CHECK(heard->pid == load_be32(data.data()));
    }
    if (const auto message = wire::decode_authentication(data)) {
        wire::encode_authentication(out, static_cast<wire::AuthenticationKind>(message->kind),
                                    as_text(message->data));
        PGW_CHECK(body(out) == as_text(data));
    }
}

/// A server's error that is passed on as our own says the same, with a SQLSTATE that is one.
void errors_survive(Bytes data) {
    const auto fields = wire::decode_error(data);
    if (!fields) return;
    const Error error = wire::to_error(*fields, Severity::Fatal);
    for (const char c : error.sqlstate.text()) {
        PGW_CHECK((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'));
    }
    wire::Writer out;
    wire::encode_error(out, error);
    const std::string written = body(out);
    const auto again = wire::decode_error(as_bytes(written));
    PGW_CHECK(again.has_value());
    PGW_CHECK(again->severity == "FATAL");
    PGW_CHECK(again->sqlstate == error.sqlstate.text());
    PGW_CHECK(again->message == fields->message);
    PGW_CHECK(again->detail == fields->detail);
    PGW_CHECK(again->hint == fields->hint);
}

}  // namespace

void fuzz_one(Bytes data);

void fuzz_one(Bytes data) {
    small_messages_are_stable(data);
    errors_survive(data);
}

}  // namespace pgweir::fuzz_backend

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_backend::fuzz_one({data, size});
    return 0;
}
#endif
