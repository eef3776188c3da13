#include "pgweir/wire/frame.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::wire {
namespace {

std::string header(char type, uint32_t length) {
    std::string bytes(5, type);
    for (int i = 0; i < 4; ++i)
        bytes[static_cast<size_t>(i) + 1] = static_cast<char>(length >> (24 - 8 * i));
    return bytes;
}

Framing read(std::string_view bytes, uint32_t limit, FrameHeader& read_into) {
    return read_header(as_bytes(bytes), limit, read_into);
}

}  // namespace

TEST_CASE("frame: the header gives the type and the length without itself") {
    FrameHeader found;
    REQUIRE(read(header('Q', 260), 1000, found) == Framing::Complete);
    CHECK(found.type == 'Q');
    CHECK(found.body_bytes == 256);
    CHECK(found.total_bytes() == 261);
}

TEST_CASE("frame: fewer than five bytes are no error") {
    const std::string bytes = header('Q', 4);
    for (size_t count = 0; count < 5; ++count) {
        FrameHeader found;
        CHECK(read(std::string_view(bytes).substr(0, count), 1000, found) == Framing::Short);
    }
}

TEST_CASE("frame: lengths from 4 to the limit are right, others are not") {
    struct Row {
        uint32_t length;
        Framing framing;
    };

    for (const Row& row : {
             Row{0,           Framing::Invalid },
             Row{3,           Framing::Invalid },
             Row{4,           Framing::Complete},
             Row{104,         Framing::Complete},
             Row{105,         Framing::Invalid },
             Row{0x80000000u, Framing::Invalid },
             Row{0xffffffffu, Framing::Invalid }
    }) {
        CAPTURE(row.length);
        FrameHeader found;
        CHECK(read(header('Q', row.length), 100, found) == row.framing);
    }
}

TEST_CASE("frame: the largest limit lets no length wrap around") {
    FrameHeader found;
    CHECK(read(header('d', 0xffffffffu), UINT32_MAX, found) == Framing::Complete);
    CHECK(found.body_bytes == 0xfffffffbu);
    CHECK(found.total_bytes() == 0x100000000u);
}

TEST_CASE("frame: a bad length is explained") {
    const Error error = bad_length(as_bytes(header('Q', 3)), 100);
    CHECK(error.sqlstate == sqlstate::kProtocolViolation);
    CHECK(error.severity == Severity::Fatal);
    CHECK(error.message == "invalid message length 3");
    CHECK(error.detail == "A message of type 0x51 may have 4 to 104 bytes.");
    CHECK(bad_length(as_bytes(header('Q', 3)), UINT32_MAX).detail.find("4294967299") !=
          std::string::npos);
}

TEST_CASE("frame: what a client may send after its login, and nothing else") {
    const std::string_view streamed = "QFSHEXdcf";
    const std::string_view whole = "PBDC";
    for (int byte = 0; byte < 256; ++byte) {
        const char type = static_cast<char>(byte);
        CAPTURE(byte);
        const Handling expected = streamed.find(type) != std::string_view::npos ? Handling::Stream
                                  : whole.find(type) != std::string_view::npos  ? Handling::Whole
                                                                                : Handling::Reject;
        CHECK(client_message(type) == expected);
    }
}

TEST_CASE("frame: what a server may send after our login, and nothing else") {
    const std::string_view streamed = "123sntTDCINAEGHWcdV";
    const std::string_view whole = "ZS";
    for (int byte = 0; byte < 256; ++byte) {
        const char type = static_cast<char>(byte);
        CAPTURE(byte);
        const Handling expected = streamed.find(type) != std::string_view::npos ? Handling::Stream
                                  : whole.find(type) != std::string_view::npos  ? Handling::Whole
                                                                                : Handling::Reject;
        CHECK(server_message(type) == expected);
    }
}

}  // namespace pgweir::wire
