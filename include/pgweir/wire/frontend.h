#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/wire/writer.h"

#include <cstdint>
#include <optional>
#include <string_view>

/// Messages that clients send, as far as a pooler looks into them. Decoders take the body, without
/// type and length, and answer nullopt when it is malformed; views live as long as the body.
/// See: protocol-message-formats.html
namespace pgweir::wire {

struct ParseMessage {
    std::string_view statement;  // empty: the unnamed one
    Bytes query_and_types;       // query text, its NUL, and the parameter types as they came
    std::string_view query;
};

struct BindMessage {
    std::string_view portal;
    std::string_view statement;
    Bytes rest;  // formats, values and result formats
};

enum class Target : char { Statement = 'S', Portal = 'P' };

struct DescribeMessage {  // Close has the same shape
    Target target;
    std::string_view name;
};

std::optional<ParseMessage> decode_parse(Bytes body);

/// `body` may be only the beginning of the message, if it holds both names.
std::optional<BindMessage> decode_bind(Bytes body);
std::optional<DescribeMessage> decode_describe(Bytes body);

/// A body of one string: Query, PasswordMessage.
std::optional<std::string_view> decode_text(Bytes body);

struct SaslInitialResponse {
    std::string_view mechanism;
    std::string_view data;
};

std::optional<SaslInitialResponse> decode_sasl_initial(Bytes body);

void encode_query(Writer& out, std::string_view sql);
void encode_parse(Writer& out, std::string_view statement, Bytes query_and_types);
/// One parameter, as text; results as text.
void encode_bind(Writer& out,
                 std::string_view portal,
                 std::string_view statement,
                 std::string_view parameter);

void encode_describe(Writer& out, char type, Target target, std::string_view name);

/// To its end.
void encode_execute(Writer& out, std::string_view portal);
void encode_sync(Writer& out);
void encode_terminate(Writer& out);
void encode_password(Writer& out, std::string_view password);
void encode_sasl_initial(Writer& out, std::string_view mechanism, std::string_view data);
void encode_sasl_response(Writer& out, std::string_view data);

}  // namespace pgweir::wire
