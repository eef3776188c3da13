#include "pgweir/wire/startup.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::wire {
namespace {

using namespace std::string_literals;

constexpr uint32_t kSpecial = 1234u << 16;

std::string packet(uint32_t code, std::string_view body) {
    Writer out;
    out.begin_untyped().u32(code).raw(body).end();
    return out.take();
}

FirstPacket must(std::string_view bytes) {
    auto scan = decode_first_packet(as_bytes(bytes));
    REQUIRE(scan.has_value());
    REQUIRE(scan->has_value());
    CHECK((*scan)->bytes == bytes.size());
    return (*scan)->packet;
}

SqlState refused(std::string_view bytes) {
    const auto scan = decode_first_packet(as_bytes(bytes));
    REQUIRE_FALSE(scan.has_value());
    CHECK(scan.error().severity == Severity::Fatal);
    return scan.error().sqlstate;
}

}  // namespace

TEST_CASE("startup: what is encoded is decoded, in its order") {
    Writer out;
    encode_startup(out, 2,
                   {
                       {"user",     "ann"},
                       {"database", "app"},
                       {"options",  ""   }
    });
    const std::string bytes = out.take();
    const auto startup = std::get<StartupMessage>(must(bytes));
    CHECK(startup.major == 3);
    CHECK(startup.minor == 2);
    CHECK(startup.parameters == Parameters{
                                    {"user",     "ann"},
                                    {"database", "app"},
                                    {"options",  ""   }
    });
    CHECK(find_parameter(startup.parameters, "database") == "app");
    CHECK(find_parameter(startup.parameters, "nothing").empty());
}

TEST_CASE("startup: an incomplete packet is no error, and more than one is not taken") {
    Writer out;
    encode_startup(out, 0,
                   {
                       {"user", "ann"}
    });
    const std::string bytes = out.take();
    for (size_t count = 0; count < bytes.size(); ++count) {
        const auto scan = decode_first_packet(as_bytes(bytes).first(count));
        REQUIRE(scan.has_value());
        CHECK_FALSE(scan->has_value());
    }
    const auto scan = decode_first_packet(as_bytes(bytes + "more"));
    CHECK((*scan)->bytes == bytes.size());
}

TEST_CASE("startup: requests for encryption have exactly eight bytes") {
    CHECK(std::holds_alternative<SslRequest>(must(packet(kSpecial | 5679, ""))));
    CHECK(std::holds_alternative<GssEncRequest>(must(packet(kSpecial | 5680, ""))));
    CHECK(refused(packet(kSpecial | 5679, "x")) == sqlstate::kProtocolViolation);
    CHECK(refused(packet(kSpecial | 5680, "x")) == sqlstate::kProtocolViolation);
}

TEST_CASE("startup: a cancel request has a process id and 4 to 256 bytes of key") {
    Writer out;
    encode_cancel_request(out, 77, as_bytes("key!"));
    const std::string bytes = out.take();
    CHECK(bytes.size() == 16);
    const auto cancel = std::get<CancelRequest>(must(bytes));
    CHECK(cancel.pid == 77);
    CHECK(as_text(cancel.key) == "key!");

    const std::string pid(4, '\1');
    CHECK(std::get<CancelRequest>(must(packet(kSpecial | 5678, pid + std::string(256, 'k'))))
              .key.size() == 256);
    CHECK(refused(packet(kSpecial | 5678, pid + std::string(257, 'k'))) ==
          sqlstate::kProtocolViolation);
    CHECK(refused(packet(kSpecial | 5678, pid + "key")) == sqlstate::kProtocolViolation);
    CHECK(refused(packet(kSpecial | 5678, "pid")) == sqlstate::kProtocolViolation);
}

TEST_CASE("startup: the length is judged before the packet is there") {
    CHECK(refused("\0\0\0\0"s) == sqlstate::kProtocolViolation);
    CHECK(refused("\0\0\0\x07"s) == sqlstate::kProtocolViolation);
    CHECK(refused("\0\0\x27\x11"s) == sqlstate::kProtocolViolation);  // 10001
    CHECK(refused("GET / HTTP/1.1") == sqlstate::kProtocolViolation);
    CHECK_FALSE(decode_first_packet(as_bytes("\0\0\x27\x10"s))->has_value());  // 10000
}

TEST_CASE("startup: other major versions are not spoken") {
    for (const uint32_t major : {0u, 1u, 2u, 4u, 0xffffu}) {
        CHECK(refused(packet(major << 16, std::string(1, '\0'))) == sqlstate::kFeatureNotSupported);
    }
}

TEST_CASE("startup: a newer minor version is read, who takes it decides") {
    CHECK(std::get<StartupMessage>(must(packet((3u << 16) | 9, std::string(1, '\0')))).minor == 9);
}

TEST_CASE("startup: the list of parameters ends where the packet does") {
    constexpr uint32_t kVersion = 3u << 16;
    CHECK(refused(packet(kVersion, "")) == sqlstate::kProtocolViolation);
    CHECK(refused(packet(kVersion, "user\0ann\0"s)) == sqlstate::kProtocolViolation);
    CHECK(refused(packet(kVersion, "user\0"s)) == sqlstate::kProtocolViolation);
    CHECK(refused(packet(kVersion, "user"s)) == sqlstate::kProtocolViolation);
    CHECK(refused(packet(kVersion, "user\0ann\0\0more"s)) == sqlstate::kProtocolViolation);
}

}  // namespace pgweir::wire
