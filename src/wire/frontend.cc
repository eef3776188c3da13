#include "pgweir/wire/frontend.h"

#include "pgweir/wire/reader.h"

namespace pgweir::wire {

std::optional<ParseMessage> decode_parse(Bytes body) {
    Reader reader(body);
    ParseMessage parse;
    parse.statement = reader.text();
    parse.query_and_types = reader.rest();
    parse.query = reader.text();
    const uint16_t types = reader.u16();
    reader.bytes(size_t{types} * 4);
    if (!reader.ok() || !reader.at_end()) return std::nullopt;
    return parse;
}

std::optional<BindMessage> decode_bind(Bytes body) {
    Reader reader(body);
    BindMessage bind;
    bind.portal = reader.text();
    bind.statement = reader.text();
    bind.rest = reader.rest();
    if (!reader.ok()) return std::nullopt;
    return bind;
}

std::optional<DescribeMessage> decode_describe(Bytes body) {
    Reader reader(body);
    const auto kind = static_cast<char>(reader.u8());
    const std::string_view name = reader.text();
    if (!reader.ok() || !reader.at_end()) return std::nullopt;
    if (kind == 'S') return DescribeMessage{Target::Statement, name};
    if (kind == 'P') return DescribeMessage{Target::Portal, name};
    return std::nullopt;
}

std::optional<std::string_view> decode_text(Bytes body) {
    Reader reader(body);
    const std::string_view text = reader.text();
    if (!reader.ok() || !reader.at_end()) return std::nullopt;
    return text;
}

std::optional<SaslInitialResponse> decode_sasl_initial(Bytes body) {
    Reader reader(body);
    SaslInitialResponse response;
    response.mechanism = reader.text();
    const uint32_t length = reader.u32();
    if (!reader.ok()) return std::nullopt;
    // -1: no data, which for SCRAM is as wrong as a false length; the mechanism will say so.
    if (length == UINT32_MAX) return reader.at_end() ? std::optional(response) : std::nullopt;
    response.data = as_text(reader.bytes(length));
    if (!reader.ok() || !reader.at_end()) return std::nullopt;
    return response;
}

void encode_query(Writer& out, std::string_view sql) {
    out.begin('Q').text(sql).end();
}

void encode_parse(Writer& out, std::string_view statement, Bytes query_and_types) {
    out.begin('P').text(statement).raw(as_text(query_and_types)).end();
}

void encode_describe(Writer& out, char type, Target target, std::string_view name) {
    out.begin(type).u8(static_cast<uint8_t>(target)).text(name).end();
}

void encode_bind(Writer& out,
                 std::string_view portal,
                 std::string_view statement,
                 std::string_view parameter) {
    out.begin('B').text(portal).text(statement);
    out.u16(0).u16(1).u32(static_cast<uint32_t>(parameter.size())).raw(parameter);
    out.u16(0).end();
}

void encode_execute(Writer& out, std::string_view portal) {
    out.begin('E').text(portal).u32(0).end();
}

void encode_sync(Writer& out) {
    out.begin('S').end();
}

void encode_terminate(Writer& out) {
    out.begin('X').end();
}

void encode_password(Writer& out, std::string_view password) {
    out.begin('p').text(password).end();
}

void encode_sasl_initial(Writer& out, std::string_view mechanism, std::string_view data) {
    out.begin('p').text(mechanism).u32(static_cast<uint32_t>(data.size())).raw(data).end();
}

void encode_sasl_response(Writer& out, std::string_view data) {
    out.begin('p').raw(data).end();
}

}  // namespace pgweir::wire
