#pragma once

#include "pgweir/auth/digest.h"
#include "pgweir/base/error.h"
#include "pgweir/base/secret.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

/// SCRAM-SHA-256 (RFC 5802 and 7677) as PostgreSQL speaks it, both sides, without channel binding.
/// See: sasl-authentication.html#SASL-SCRAM-SHA-256
namespace pgweir::auth {

inline constexpr std::string_view kScramMechanism = "SCRAM-SHA-256";

inline constexpr uint32_t kScramIterations = 4096;      // PostgreSQL's default
inline constexpr size_t kScramMockSaltBytes = 16;       // PostgreSQL's SCRAM_DEFAULT_SALT_LEN
inline constexpr size_t kScramSaltBytesMax = 1024;      // of a stored verifier
inline constexpr size_t kSaslMessageBytesMax = 65'535;  // of one message, either direction
// PostgreSQL refuses SASL messages above 1024 bytes, so a longer nonce could not be sent back.
inline constexpr size_t kScramNonceBytesMax = 1024;
// Of a verifier: PostgreSQL's own limit; the client does that work, not we.
inline constexpr uint32_t kVerifierIterationsMax = 2'147'483'647;
// Of a server's wish: we do that work, on an event loop; 100,000 take 30 to 50 ms.
inline constexpr uint32_t kServerIterationsMax = 100'000;

using ScramKey = std::array<uint8_t, 32>;

/// What a login as this user needs; as good as the password, towards servers with this verifier.
struct ScramKeys {
    ScramKey client_key{};
    ScramKey server_key{};
};

/// What is stored in place of a password: enough to check a proof, too little to make one.
struct ScramVerifier {
    uint32_t iterations = 0;
    std::string salt{};  // raw bytes
    ScramKey stored_key{};
    ScramKey server_key{};

    bool operator==(const ScramVerifier&) const = default;
};

/// Reads "SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>", the form of pg_authid.
/// nullopt: it is not one; a plain password may look like anything.
std::optional<ScramVerifier> parse_scram_verifier(std::string_view text);

std::string to_text(const ScramVerifier& verifier);

/// Costs `iterations` rounds of HMAC: 1 to 2 ms for PostgreSQL's 4096.
/// Limitation: PostgreSQL first normalises passwords with SASLprep, and uses the raw bytes where
/// that fails. Here they are always raw. That is the same for ASCII and for text that SASLprep
/// leaves alone (most precomposed UTF-8); a password with, say, a no-break space or a full-width
/// letter would not match a verifier that PostgreSQL made.
ScramVerifier make_scram_verifier(std::string_view password,
                                  std::string_view salt,
                                  uint32_t iterations);

/// The salt shown for `user` whenever none is stored: for plain-text secrets and for users that do
/// not exist alike, so that the salt does not tell which. `process_secret` has 16 bytes or more.
std::string mock_salt(std::string_view user, std::string_view process_secret);

/// A verifier that no password fits, always the same for a user. An exchange with it looks like any
/// other and ends in 28P01. A process_secret that changes at a restart changes these salts too,
/// while stored ones stay: whoever probes before and after can tell them apart.
ScramVerifier mock_verifier(std::string_view user, std::string_view process_secret);

/// pgweir as the server of a client. Lifecycle: one login; on_client_first, then on_client_final; a
/// call out of order, or after a failure, fails.
/// Thread: the worker of the session.
class ScramServer {
public:
    /// `server_nonce` is unpredictable and of nonce characters; see random_nonce().
    ScramServer(ScramVerifier verifier, std::string server_nonce);

    /// Takes the SASLInitialResponse and returns the text of AuthenticationSASLContinue. The user
    /// name in it is ignored, as PostgreSQL does: the startup packet's counts. Errors: 08P01.
    Result<std::string> on_client_first(std::string_view message);

    /// Takes the SASLResponse and returns the text of AuthenticationSASLFinal: the login succeeded.
    /// Errors: 08P01, 28P01 when the proof is wrong.
    Result<std::string> on_client_final(std::string_view message);

    /// The keys that the client proved to know, for a login to a server with the same verifier;
    /// nullptr until on_client_final has succeeded.
    const ScramKeys* proven_keys() const { return stage_ == Stage::Done ? &keys_ : nullptr; }

private:
    enum class Stage : uint8_t { ExpectFirst, ExpectFinal, Done, Failed };

    ScramVerifier verifier_;
    ScramKeys keys_;
    std::string server_nonce_;
    std::string nonce_;  // the client's part, then ours
    std::string gs2_header_;
    std::string auth_message_;  // so far: client-first-bare "," server-first ","
    Stage stage_ = Stage::ExpectFirst;
};

/// Remembers keys by password, salt and iterations, because deriving them takes milliseconds that
/// other sessions of the event loop would wait for. It forgets everything when full.
/// Thread: owned by one worker.
class ScramKeyCache {
public:
    explicit ScramKeyCache(size_t entries_max = 1024) : entries_max_(entries_max) {}

    ScramKeys keys_for(const Secret& password, std::string_view salt, uint32_t iterations);

    size_t size() const { return entries_.size(); }

    /// How often keys had to be derived.
    uint64_t misses() const { return misses_; }

private:
    std::unordered_map<Digest128, ScramKeys, DigestHash> entries_;
    size_t entries_max_;
    uint64_t misses_ = 0;
};

/// pgweir as the client of a server, whose messages are untrusted. Lifecycle: one login;
/// client_first, on_server_first, on_server_final; a call out of order, or after a failure, fails.
/// A server that says AuthenticationOk while server_proved() is false has to be refused. Thread:
/// the worker of the server connection.
class ScramClient {
public:
    /// `cache` may be nullptr; otherwise it outlives this object. See random_nonce() for the nonce.
    ScramClient(Secret password, std::string client_nonce, ScramKeyCache* cache = nullptr);

    /// Pass-through: with the keys that a client proved to ScramServer.
    ScramClient(const ScramKeys& keys, std::string client_nonce);

    /// The text of SASLInitialResponse. The user name stays empty, as in libpq.
    std::string client_first() const;

    /// Takes AuthenticationSASLContinue and returns the text of SASLResponse.
    /// Errors: 08P01; 28P01 when the server reports an error.
    Result<std::string> on_server_first(std::string_view message);

    /// Takes AuthenticationSASLFinal.
    /// Errors: 08P01; 28P01 when the server reports an error or does not know the password itself.
    Result<void> on_server_final(std::string_view message);

    /// True exactly when the server has proved that it knows the verifier.
    bool server_proved() const { return stage_ == Stage::Done; }

private:
    enum class Stage : uint8_t { ExpectFirst, ExpectFinal, Done, Failed };

    std::string first_bare() const;
    ScramKeys derive(std::string_view salt, uint32_t iterations) const;

    Secret password_;
    std::optional<ScramKeys> given_keys_;
    std::string nonce_;
    ScramKeyCache* cache_ = nullptr;
    ScramKey server_signature_{};
    Stage stage_ = Stage::ExpectFirst;
};

}  // namespace pgweir::auth
