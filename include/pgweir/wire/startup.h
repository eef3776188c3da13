#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/base/error.h"
#include "pgweir/wire/writer.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// The packets that open a connection; they have a length but no type.
/// See: protocol-flow.html#id-1.10.6.7.3, protocol-message-formats.html
namespace pgweir::wire {

/// PostgreSQL's MAX_STARTUP_PACKET_LENGTH.
inline constexpr uint32_t kStartupBytesMax = 10000;

inline constexpr uint16_t kProtocolMajor = 3;
inline constexpr uint16_t kProtocolMinorMax = 2;

/// Keys are 4 bytes up to protocol 3.1 and up to 256 from 3.2 on.
inline constexpr size_t kCancelKeyBytesMax = 256;

struct SslRequest {};

struct GssEncRequest {};

struct CancelRequest {
    uint32_t pid = 0;
    Bytes key;
};

using Parameters = std::vector<std::pair<std::string_view, std::string_view>>;

struct StartupMessage {
    uint16_t major = 0;
    uint16_t minor = 0;
    Parameters parameters;  // in the order of the packet, "user" among them
};

using FirstPacket = std::variant<SslRequest, GssEncRequest, CancelRequest, StartupMessage>;

struct FirstPacketScan {
    FirstPacket packet;
    size_t bytes = 0;  // taken from the input
};

/// Decodes the next opening packet; nullopt: not all of it is there.
/// Lifetime: the views live as long as `input`.
/// Errors: 08P01 for a length or layout that cannot be, 0A000 for another major version.
Result<std::optional<FirstPacketScan>> decode_first_packet(Bytes input);

void encode_startup(Writer& out, uint16_t minor, const Parameters& parameters);
void encode_cancel_request(Writer& out, uint32_t pid, Bytes key);

/// The value of a parameter, or empty.
std::string_view find_parameter(const Parameters& parameters, std::string_view name);

}  // namespace pgweir::wire
