#pragma once

#include "pgweir/auth/scram.h"

#include <cstdint>
#include <string_view>

/// The formulas of RFC 5802, section 3, with SHA-256.
namespace pgweir::auth {

ScramKey sha256(std::string_view message);
ScramKey hmac_sha256(std::string_view key, std::string_view message);

/// XOR: a proof is the client key hidden by a signature, and back.
ScramKey combine(const ScramKey& left, const ScramKey& right);

ScramKeys derive_scram_keys(std::string_view password, std::string_view salt, uint32_t iterations);

/// What the client sends to prove that it has the client key.
ScramKey client_proof(const ScramKey& client_key, std::string_view auth_message);

}  // namespace pgweir::auth
