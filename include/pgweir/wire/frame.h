#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/base/error.h"

#include <array>
#include <cstdint>

/// Framing: where a message begins, what it is, and how long. No body is looked at here.
/// See: protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS
namespace pgweir::wire {

/// Type byte and length word.
inline constexpr size_t kHeaderBytes = 5;

/// The length word counts itself.
inline constexpr uint32_t kLengthWordBytes = 4;

/// PostgreSQL's own ceiling for a message is 1 GB less one byte (PQ_LARGE_MESSAGE_LIMIT).
inline constexpr uint32_t kMessageBytesMax = (1u << 30) - 1;

struct FrameHeader {
    char type = 0;
    uint32_t body_bytes = 0;

    size_t total_bytes() const { return size_t{1} + kLengthWordBytes + body_bytes; }
};

enum class Framing : uint8_t {
    Complete,  // the header is there; the body may still be on its way
    Short,     // fewer than kHeaderBytes, which is not an error
    Invalid,   // a length below 4 or above the limit
};

/// Reads the header of the next message.
/// Units: bytes. Lean on purpose: this runs for each message that passes.
inline Framing read_header(Bytes input, uint32_t message_bytes_max, FrameHeader& header) {
    if (input.size() < kHeaderBytes) return Framing::Short;
    const uint32_t length = load_be32(input.data() + 1);
    if (length < kLengthWordBytes || length - kLengthWordBytes > message_bytes_max) {
        return Framing::Invalid;
    }
    header = {static_cast<char>(input[0]), length - kLengthWordBytes};
    return Framing::Complete;
}

/// Explains an Invalid header.
/// Errors: 08P01.
Error bad_length(Bytes input, uint32_t message_bytes_max);

/// How much of a message has to be seen before it may pass.
enum class Handling : uint8_t {
    Reject,  // no such message in this direction, or not in this phase
    Stream,  // its header is enough
    Whole,   // wanted whole: small, or to be rewritten
};

using HandlingTable = std::array<Handling, 256>;

extern const HandlingTable kClientMessages;
extern const HandlingTable kServerMessages;

/// What a client may send after login.
/// See: protocol-message-formats.html
inline Handling client_message(char type) {
    return kClientMessages[static_cast<uint8_t>(type)];
}

/// What a server may send after login.
inline Handling server_message(char type) {
    return kServerMessages[static_cast<uint8_t>(type)];
}

}  // namespace pgweir::wire
