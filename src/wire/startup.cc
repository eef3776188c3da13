#include "pgweir/wire/startup.h"

#include "pgweir/base/error_catalogue.h"
#include "pgweir/wire/reader.h"

#include <fmt/format.h>

namespace pgweir::wire {
namespace {

// The codes stand where a protocol version would: their major half is 1234.
constexpr uint32_t kCancelCode = (1234u << 16) | 5678u;
constexpr uint32_t kSslCode = (1234u << 16) | 5679u;
constexpr uint32_t kGssEncCode = (1234u << 16) | 5680u;

// Length and code.
constexpr uint32_t kPacketBytesMin = 8;

Error bad_startup(std::string detail) {
    return make_error(ErrorId::StartupPacket, {}, std::move(detail),
                      "Is the peer a PostgreSQL client?");
}

Result<FirstPacket> decode_cancel(Bytes body) {
    Reader reader(body);
    CancelRequest cancel;
    cancel.pid = reader.u32();
    cancel.key = reader.rest();
    if (!reader.ok() || cancel.key.size() < 4 || cancel.key.size() > kCancelKeyBytesMax) {
        return fail(
            bad_startup("A cancel request carries a process id and 4 to 256 bytes of key."));
    }
    return cancel;
}

Result<FirstPacket> decode_startup_message(uint32_t version, Bytes body) {
    StartupMessage startup;
    startup.major = static_cast<uint16_t>(version >> 16);
    startup.minor = static_cast<uint16_t>(version & 0xffff);
    if (startup.major != kProtocolMajor) {
        return fail(make_error(ErrorId::ProtocolVersion,
                               {fmt::format("{}.{}", startup.major, startup.minor)},
                               "pgweir speaks the protocol's versions 3.0 to 3.2.",
                               "Use a client of PostgreSQL 7.4 or later."));
    }
    Reader reader(body);
    while (reader.ok()) {
        const std::string_view name = reader.text();
        if (name.empty()) break;
        const std::string_view value = reader.text();
        startup.parameters.emplace_back(name, value);
    }
    if (!reader.ok() || !reader.at_end()) {
        return fail(bad_startup("The list of parameters does not end where the packet does."));
    }
    return startup;
}

}  // namespace

Result<std::optional<FirstPacketScan>> decode_first_packet(Bytes input) {
    if (input.size() < 4) return std::nullopt;
    const uint32_t length = load_be32(input.data());
    if (length < kPacketBytesMin || length > kStartupBytesMax) {
        return fail(bad_startup(fmt::format("Its length is {}, not between {} and {}.", length,
                                            kPacketBytesMin, kStartupBytesMax)));
    }
    if (input.size() < length) return std::nullopt;

    const uint32_t code = load_be32(input.data() + 4);
    const Bytes body = input.subspan(kPacketBytesMin, length - kPacketBytesMin);
    if (code == kSslCode || code == kGssEncCode) {
        if (!body.empty()) return fail(bad_startup("An encryption request has 8 bytes."));
        if (code == kSslCode) return FirstPacketScan{SslRequest{}, length};
        return FirstPacketScan{GssEncRequest{}, length};
    }
    auto packet = code == kCancelCode ? decode_cancel(body) : decode_startup_message(code, body);
    if (!packet) return fail(std::move(packet.error()));
    return FirstPacketScan{std::move(*packet), length};
}

void encode_startup(Writer& out, uint16_t minor, const Parameters& parameters) {
    out.begin_untyped().u16(kProtocolMajor).u16(minor);
    for (const auto& [name, value] : parameters) out.text(name).text(value);
    out.u8(0).end();
}

void encode_cancel_request(Writer& out, uint32_t pid, Bytes key) {
    out.begin_untyped().u32(kCancelCode).u32(pid).raw(as_text(key)).end();
}

std::string_view find_parameter(const Parameters& parameters, std::string_view name) {
    for (const auto& [key, value] : parameters) {
        if (key == name) return value;
    }
    return {};
}

}  // namespace pgweir::wire
