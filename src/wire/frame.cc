#include "pgweir/wire/frame.h"

#include "pgweir/base/error_catalogue.h"

#include <fmt/format.h>

namespace pgweir::wire {
namespace {

constexpr void set_all(HandlingTable& table, std::string_view types, Handling handling) {
    for (const char type : types) table[static_cast<uint8_t>(type)] = handling;
}

constexpr HandlingTable client_table() {
    HandlingTable table{};
    set_all(table, "QFSHEXdcf", Handling::Stream);
    set_all(table, "PBDC", Handling::Whole);  // they carry a statement's name
    return table;
}

constexpr HandlingTable server_table() {
    HandlingTable table{};
    set_all(table, "123sntTDCINAEGHWcdV", Handling::Stream);
    set_all(table, "ZS", Handling::Whole);
    return table;
}

}  // namespace

constinit const HandlingTable kClientMessages = client_table();
constinit const HandlingTable kServerMessages = server_table();

Error bad_length(Bytes input, uint32_t message_bytes_max) {
    const uint32_t length = load_be32(input.data() + 1);
    return make_error(ErrorId::MessageLength, {fmt::format("{}", length)},
                      fmt::format("A message of type 0x{:02X} may have 4 to {} bytes.", input[0],
                                  uint64_t{message_bytes_max} + kLengthWordBytes),
                      "The peer does not speak PostgreSQL's protocol, or the stream is damaged.");
}

}  // namespace pgweir::wire
