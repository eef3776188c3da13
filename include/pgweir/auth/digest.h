#pragma once

#include "pgweir/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>

namespace pgweir::auth {

using Digest128 = std::array<uint8_t, 16>;

/// For hash tables: a digest is uniform already, so its first bytes do.
struct DigestHash {
    size_t operator()(const Digest128& digest) const noexcept {
        size_t hash = 0;
        std::memcpy(&hash, digest.data(), sizeof hash);
        return hash;
    }
};

/// The first 16 bytes of SHA-256 over the parts. Each part is preceded by its length, so {"ab",
/// "c"} and {"a", "bc"} differ. Thread: any; each thread keeps one OpenSSL object of its own.
Digest128 digest128(std::initializer_list<Bytes> parts);

/// Fills with bytes that nobody can guess; ends the process if the system has none.
void fill_random(std::span<uint8_t> out);

/// 18 random bytes as 24 characters of base64, as PostgreSQL makes its SCRAM nonces.
std::string random_nonce();

}  // namespace pgweir::auth
