#include "pgweir/auth/base64.h"
#include "pgweir/auth/scram.h"
#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgweir::fuzz_scram {

namespace {

using auth::base64_decode;
using auth::base64_encode;
using auth::kScramNonceBytesMax;
using auth::kScramSaltBytesMax;
using auth::kVerifierIterationsMax;
using auth::make_scram_verifier;
using auth::parse_scram_verifier;
using auth::ScramClient;
using auth::ScramServer;
using auth::ScramVerifier;
using auth::to_text;

constexpr std::string_view kClientNonce = "client";
constexpr std::string_view kServerNonce = "server";

ScramClient new_client() {
    return ScramClient{Secret{"pencil"}, std::string{kClientNonce}};
}

ScramServer new_server() {
    static const ScramVerifier verifier = make_scram_verifier("pencil", "salt", 4);
    return ScramServer{verifier, std::string{kServerNonce}};
}

void verifiers_are_stable(std::string_view text) {
    const auto verifier = parse_scram_verifier(text);
    if (!verifier) return;
    PGW_CHECK(verifier->iterations >= 1 && verifier->iterations <= kVerifierIterationsMax);
    PGW_CHECK(!verifier->salt.empty() && verifier->salt.size() <= kScramSaltBytesMax);
    PGW_CHECK(to_text(*verifier) == text);
    PGW_CHECK(parse_scram_verifier(text) == verifier);
}

void base64_is_stable(std::string_view text) {
    PGW_CHECK(base64_decode(base64_encode(text)) == std::string{text});
    if (const auto bytes = base64_decode(text)) PGW_CHECK(base64_encode(*bytes) == text);
}

/// Nobody gets in without the password, whatever is said; errors are of the two kinds promised.
void server_survives(std::string_view text) {
    const size_t cut = text.find('\n');
    auto server = new_server();
    const auto first = server.on_client_first(text.substr(0, cut));
    if (!first) {
        PGW_CHECK(first.error().sqlstate == sqlstate::kProtocolViolation);
        return;
    }
    PGW_CHECK(text.size() >= 3 && first->starts_with("r="));
    const auto last =
        server.on_client_final(cut == std::string_view::npos ? "" : text.substr(cut + 1));
    PGW_CHECK(!last && server.proven_keys() == nullptr);
}

/// No server is believed without the password, and none makes us work for long.
void client_survives(std::string_view text) {
    const size_t cut = text.find('\n');
    auto client = new_client();
    const auto reply = client.on_server_first(text.substr(0, cut));
    if (reply) PGW_CHECK(reply->size() <= kScramNonceBytesMax + 100);
    const auto done =
        client.on_server_final(cut == std::string_view::npos ? "" : text.substr(cut + 1));
    PGW_CHECK(!done && !client.server_proved());
}

/// Changes one byte of one message. True when something was changed.
bool tamper(std::string& message, uint8_t position, uint8_t mask) {
    if (mask == 0) return false;
    const size_t at = position % message.size();
    message[at] = static_cast<char>(static_cast<uint8_t>(message[at]) ^ mask);
    return true;
}

/// Runs a login whose message number `which` was changed; true when both sides were satisfied.
bool run_tampered(uint8_t which, uint8_t position, uint8_t mask, bool& changed) {
    const auto pass = [&](std::string message, uint8_t number) {
        if (number == which) changed = tamper(message, position, mask);
        return message;
    };
    auto client = new_client();
    auto server = new_server();
    const auto first = server.on_client_first(pass(client.client_first(), 0));
    if (!first) return false;
    const auto proof = client.on_server_first(pass(*first, 1));
    if (!proof) return false;
    const auto last = server.on_client_final(pass(*proof, 2));
    if (!last) return false;
    const auto done = client.on_server_final(pass(*last, 3));
    return done && client.server_proved() && server.proven_keys() != nullptr;
}

/// Both sides are satisfied exactly when no byte was changed on the way.
void tampering_is_noticed(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    if (bytes.size() < 3) return;
    bool changed = false;
    const bool satisfied =
        run_tampered(static_cast<uint8_t>(bytes[0] % 4), bytes[1], bytes[2], changed);
    PGW_CHECK(satisfied == !changed);
}

}  // namespace

void fuzz_one(Bytes data);

/// The first byte chooses what is tried, the rest is the text.
void fuzz_one(Bytes data) {
    if (data.empty()) return;
    const std::string_view text = as_text(data.subspan(1));
    switch (data[0] % 5) {
        case 0: return verifiers_are_stable(text);
        case 1: return base64_is_stable(text);
        case 2: return server_survives(text);
        case 3: return client_survives(text);
        default: return tampering_is_noticed(text);
    }
}

}  // namespace pgweir::fuzz_scram

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_scram::fuzz_one({data, size});
    return 0;
}
#endif
