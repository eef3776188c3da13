#include "auth/scram_crypto.h"
#include "auth/scram_text.h"
#include "pgweir/auth/base64.h"
#include "pgweir/auth/scram.h"
#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"

#include <utility>

#include <fmt/format.h>

namespace pgweir::auth {

namespace {

constexpr size_t kProcessSecretBytesMin = 16;

/// Takes the text before `delimiter` off the front, and the delimiter too.
std::optional<std::string_view> take_until(std::string_view& rest, char delimiter) {
    const size_t at = rest.find(delimiter);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view taken = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    return taken;
}

/// 32 bytes that follow from `user` and the process secret, others for each purpose.
ScramKey mock_bytes(std::string_view purpose,
                    std::string_view user,
                    std::string_view process_secret) {
    PGW_CHECK(process_secret.size() >= kProcessSecretBytesMin);
    return hmac_sha256(process_secret, fmt::format("pgweir mock {}:{}", purpose, user));
}

}  // namespace

std::optional<ScramVerifier> parse_scram_verifier(std::string_view text) {
    std::string_view rest = text;
    const auto mechanism = take_until(rest, '$');
    if (!mechanism || *mechanism != kScramMechanism) return std::nullopt;
    const auto iterations_text = take_until(rest, ':');
    const auto salt_text = take_until(rest, '$');
    const auto stored_text = take_until(rest, ':');
    if (!iterations_text || !salt_text || !stored_text) return std::nullopt;

    const auto iterations = parse_iterations(*iterations_text, kVerifierIterationsMax);
    auto salt = base64_decode(*salt_text);
    const auto stored_key = parse_key(*stored_text);
    const auto server_key = parse_key(rest);
    if (!iterations || !salt || !stored_key || !server_key) return std::nullopt;
    if (salt->empty() || salt->size() > kScramSaltBytesMax) return std::nullopt;

    return ScramVerifier{.iterations = *iterations,
                         .salt = std::move(*salt),
                         .stored_key = *stored_key,
                         .server_key = *server_key};
}

std::string to_text(const ScramVerifier& verifier) {
    return fmt::format("{}${}:{}${}:{}", kScramMechanism, verifier.iterations,
                       base64_encode(verifier.salt), base64_encode(as_text(verifier.stored_key)),
                       base64_encode(as_text(verifier.server_key)));
}

ScramVerifier make_scram_verifier(std::string_view password,
                                  std::string_view salt,
                                  uint32_t iterations) {
    PGW_CHECK(!salt.empty() && salt.size() <= kScramSaltBytesMax);
    const ScramKeys keys = derive_scram_keys(password, salt, iterations);
    return ScramVerifier{.iterations = iterations,
                         .salt = std::string{salt},
                         .stored_key = sha256(as_text(keys.client_key)),
                         .server_key = keys.server_key};
}

std::string mock_salt(std::string_view user, std::string_view process_secret) {
    const ScramKey bytes = mock_bytes("salt", user, process_secret);
    return std::string{as_text(bytes).substr(0, kScramMockSaltBytes)};
}

ScramVerifier mock_verifier(std::string_view user, std::string_view process_secret) {
    return ScramVerifier{.iterations = kScramIterations,
                         .salt = mock_salt(user, process_secret),
                         .stored_key = mock_bytes("stored key", user, process_secret),
                         .server_key = mock_bytes("server key", user, process_secret)};
}

}  // namespace pgweir::auth
