#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/session/settings.h"
#include "pgweir/wire/startup.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace pgweir::fuzz_startup {
namespace {

bool is_printable_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

/// What a stranger asks for becomes settings that no text can escape from, or a refusal.
void settings_are_safe(const wire::Parameters& parameters) {
    const auto settings = session::startup_settings(parameters);
    if (!settings) {
        PGW_CHECK(settings.error().sqlstate == sqlstate::kSyntaxError ||
                  settings.error().sqlstate == sqlstate::kUndefinedObject);
        return;
    }
    session::SettingsTable table;
    const auto interned = table.intern(*settings);
    for (const auto& [name, value] : interned.values()) {
        if (name != "application_name") continue;
        PGW_CHECK(value.size() <= 63 && is_printable_ascii(value));
    }
    PGW_CHECK(is_printable_ascii(session::settings_query({}, interned.values(), "ann")));
    PGW_CHECK(session::settings_query(interned.values(), interned.values(), "ann").empty());
}

void startup_is_stable(const wire::StartupMessage& startup) {
    PGW_CHECK(startup.major == wire::kProtocolMajor);
    wire::Writer out;
    wire::encode_startup(out, startup.minor, startup.parameters);
    const auto again = wire::decode_first_packet(out.bytes());
    // The same parameters fit into the same length.
    PGW_CHECK(again && *again);
    const auto& read = std::get<wire::StartupMessage>((*again)->packet);
    PGW_CHECK(read.minor == startup.minor && read.parameters == startup.parameters);
    settings_are_safe(startup.parameters);
}

}  // namespace

void fuzz_one(Bytes data);

/// A packet is taken whole or not at all, and reads the same when it is written again.
void fuzz_one(Bytes data) {
    const auto scan = wire::decode_first_packet(data);
    if (!scan) {
        PGW_CHECK(scan.error().sqlstate == sqlstate::kProtocolViolation ||
                  scan.error().sqlstate == sqlstate::kFeatureNotSupported);
        return;
    }
    if (!*scan) return;
    const auto& [packet, bytes] = **scan;
    PGW_CHECK(bytes >= 8 && bytes <= data.size() && bytes <= wire::kStartupBytesMax);
    const auto early = wire::decode_first_packet(data.first(bytes - 1));
    PGW_CHECK(early && !*early);
    if (const auto* startup = std::get_if<wire::StartupMessage>(&packet)) {
        startup_is_stable(*startup);
    } else if (const auto* cancel = std::get_if<wire::CancelRequest>(&packet)) {
        PGW_CHECK(cancel->key.size() >= 4 && cancel->key.size() <= wire::kCancelKeyBytesMax);
        wire::Writer out;
        wire::encode_cancel_request(out, cancel->pid, cancel->key);
        PGW_CHECK(as_text(out.bytes()) == as_text(data.first(bytes)));
    } else {
        PGW_CHECK(bytes == 8);
    }
}

}  // namespace pgweir::fuzz_startup

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_startup::fuzz_one({data, size});
    return 0;
}
#endif
