#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/base/error.h"
#include "pgweir/wire/writer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Messages that servers send, as far as a pooler looks into them, and those that pgweir makes.
/// See: protocol-message-formats.html, protocol-error-fields.html
namespace pgweir::wire {

enum class TransactionStatus : char { Idle = 'I', Open = 'T', Failed = 'E' };

enum class AuthenticationKind : uint32_t {
    Ok = 0,
    CleartextPassword = 3,
    Md5Password = 5,
    Sasl = 10,
    SaslContinue = 11,
    SaslFinal = 12,
};

struct AuthenticationMessage {
    uint32_t kind = 0;  // as sent: may be none of AuthenticationKind's
    Bytes data;         // salt, mechanisms or SASL data
};

struct ParameterStatus {
    std::string_view name;
    std::string_view value;
};

struct BackendKeyData {
    uint32_t pid = 0;
    Bytes key;
};

struct NotificationMessage {
    uint32_t pid = 0;  // of the backend that sent it
    std::string_view channel;
    std::string_view payload;
};

/// Fields of ErrorResponse and NoticeResponse; those that are missing are empty.
struct ErrorFields {
    std::string_view severity;  // the untranslated one where the server sends it
    std::string_view sqlstate;
    std::string_view message;
    std::string_view detail;
    std::string_view hint;
    std::string_view routine;  // of PostgreSQL's source, in every language the same
};

std::optional<TransactionStatus> decode_ready(Bytes body);
std::optional<AuthenticationMessage> decode_authentication(Bytes body);
std::optional<ParameterStatus> decode_parameter_status(Bytes body);
std::optional<BackendKeyData> decode_backend_key(Bytes body);
std::optional<NotificationMessage> decode_notification(Bytes body);
std::optional<ErrorFields> decode_error(Bytes body);

/// The error as our own, with `severity`; a missing SQLSTATE becomes XX000.
Error to_error(const ErrorFields& fields, Severity severity);

void encode_authentication(Writer& out, AuthenticationKind kind, std::string_view data = {});
void encode_sasl_mechanisms(Writer& out, std::string_view mechanism);
void encode_parameter_status(Writer& out, std::string_view name, std::string_view value);
void encode_backend_key(Writer& out, uint32_t pid, Bytes key);
void encode_ready(Writer& out, TransactionStatus status);
void encode_error(Writer& out, const Error& error);
void encode_notice(Writer& out, std::string_view severity, const Error& notice);
void encode_negotiate_version(Writer& out,
                              uint16_t minor,
                              const std::vector<std::string_view>& unknown_options);
void encode_command_complete(Writer& out, std::string_view tag);

enum class ColumnType : uint32_t { Int8 = 20, Int4 = 23, Text = 25 };  // PostgreSQL's OIDs

struct Column {
    std::string_view name;
    ColumnType type = ColumnType::Text;
};

/// Values go out as text whatever the type: what the console needs.
void encode_row_description(Writer& out, const std::vector<Column>& columns);
/// An empty value in a column of numbers is NULL.
void encode_data_row(Writer& out,
                     const std::vector<Column>& columns,
                     const std::vector<std::string>& values);

}  // namespace pgweir::wire
