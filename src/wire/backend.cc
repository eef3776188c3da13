#include "pgweir/wire/backend.h"

#include "pgweir/wire/reader.h"

namespace pgweir::wire {
namespace {

void put_field(Writer& out, char code, std::string_view value) {
    if (!value.empty()) out.u8(static_cast<uint8_t>(code)).text(value);
}

void encode_report(Writer& out, char type, std::string_view severity, const Error& report) {
    out.begin(type);
    put_field(out, 'S', severity);
    put_field(out, 'V', severity);
    put_field(out, 'C', report.sqlstate.text());
    put_field(out, 'M', report.message);
    put_field(out, 'D', report.detail);
    put_field(out, 'H', report.hint);
    out.u8(0).end();
}

SqlState to_sqlstate(std::string_view text) {
    if (text.size() != 5) return sqlstate::kInternalError;
    for (const char c : text) {
        const bool valid = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
        if (!valid) return sqlstate::kInternalError;
    }
    const char code[6] = {text[0], text[1], text[2], text[3], text[4], '\0'};
    return SqlState(code);
}

}  // namespace

std::optional<TransactionStatus> decode_ready(Bytes body) {
    if (body.size() != 1) return std::nullopt;
    const char status = static_cast<char>(body[0]);
    if (status != 'I' && status != 'T' && status != 'E') return std::nullopt;
    return static_cast<TransactionStatus>(status);
}

std::optional<AuthenticationMessage> decode_authentication(Bytes body) {
    Reader reader(body);
    AuthenticationMessage message;
    message.kind = reader.u32();
    message.data = reader.rest();
    if (!reader.ok()) return std::nullopt;
    return message;
}

std::optional<ParameterStatus> decode_parameter_status(Bytes body) {
    Reader reader(body);
    ParameterStatus status;
    status.name = reader.text();
    status.value = reader.text();
    if (!reader.ok() || !reader.at_end() || status.name.empty()) return std::nullopt;
    return status;
}

std::optional<BackendKeyData> decode_backend_key(Bytes body) {
    Reader reader(body);
    BackendKeyData key;
    key.pid = reader.u32();
    key.key = reader.rest();
    if (!reader.ok() || key.key.size() < 4 || key.key.size() > 256) return std::nullopt;
    return key;
}

std::optional<NotificationMessage> decode_notification(Bytes body) {
    Reader reader(body);
    NotificationMessage notification;
    notification.pid = reader.u32();
    notification.channel = reader.text();
    notification.payload = reader.text();
    if (!reader.ok() || !reader.at_end()) return std::nullopt;
    return notification;
}

std::optional<ErrorFields> decode_error(Bytes body) {
    Reader reader(body);
    ErrorFields fields;
    while (reader.ok()) {
        const auto code = static_cast<char>(reader.u8());
        if (code == '\0') break;
        const std::string_view value = reader.text();
        if (code == 'S' && fields.severity.empty()) fields.severity = value;
        if (code == 'V') fields.severity = value;
        if (code == 'C') fields.sqlstate = value;
        if (code == 'M') fields.message = value;
        if (code == 'D') fields.detail = value;
        if (code == 'H') fields.hint = value;
        if (code == 'R') fields.routine = value;
    }
    if (!reader.ok()) return std::nullopt;
    return fields;
}

Error to_error(const ErrorFields& fields, Severity severity) {
    return Error{.sqlstate = to_sqlstate(fields.sqlstate),
                 .severity = severity,
                 .message = std::string(fields.message),
                 .detail = std::string(fields.detail),
                 .hint = std::string(fields.hint)};
}

void encode_authentication(Writer& out, AuthenticationKind kind, std::string_view data) {
    out.begin('R').u32(static_cast<uint32_t>(kind)).raw(data).end();
}

void encode_sasl_mechanisms(Writer& out, std::string_view mechanism) {
    out.begin('R').u32(static_cast<uint32_t>(AuthenticationKind::Sasl)).text(mechanism).u8(0).end();
}

void encode_parameter_status(Writer& out, std::string_view name, std::string_view value) {
    out.begin('S').text(name).text(value).end();
}

void encode_backend_key(Writer& out, uint32_t pid, Bytes key) {
    out.begin('K').u32(pid).raw(as_text(key)).end();
}

void encode_ready(Writer& out, TransactionStatus status) {
    out.begin('Z').u8(static_cast<uint8_t>(status)).end();
}

void encode_error(Writer& out, const Error& error) {
    encode_report(out, 'E', error.severity == Severity::Fatal ? "FATAL" : "ERROR", error);
}

void encode_notice(Writer& out, std::string_view severity, const Error& notice) {
    encode_report(out, 'N', severity, notice);
}

void encode_negotiate_version(Writer& out,
                              uint16_t minor,
                              const std::vector<std::string_view>& unknown_options) {
    out.begin('v').u16(3).u16(minor);
    out.u32(static_cast<uint32_t>(unknown_options.size()));
    for (const auto option : unknown_options) out.text(option);
    out.end();
}

void encode_command_complete(Writer& out, std::string_view tag) {
    out.begin('C').text(tag).end();
}

void encode_row_description(Writer& out, const std::vector<Column>& columns) {
    out.begin('T').u16(static_cast<uint16_t>(columns.size()));
    for (const auto& column : columns) {
        const uint16_t bytes = column.type == ColumnType::Int8   ? 8
                               : column.type == ColumnType::Int4 ? 4
                                                                 : UINT16_MAX;
        out.text(column.name).u32(0).u16(0).u32(static_cast<uint32_t>(column.type));
        out.u16(bytes).u32(UINT32_MAX).u16(0);
    }
    out.end();
}

void encode_data_row(Writer& out,
                     const std::vector<Column>& columns,
                     const std::vector<std::string>& values) {
    constexpr uint32_t kNull = UINT32_MAX;
    out.begin('D').u16(static_cast<uint16_t>(values.size()));
    for (size_t i = 0; i < values.size(); ++i) {
        if (values[i].empty() && columns[i].type != ColumnType::Text) {
            out.u32(kNull);
        } else {
            out.u32(static_cast<uint32_t>(values[i].size())).raw(values[i]);
        }
    }
    out.end();
}

}  // namespace pgweir::wire
