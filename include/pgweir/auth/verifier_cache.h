#pragma once

#include "pgweir/auth/digest.h"
#include "pgweir/auth/scram.h"
#include "pgweir/auth/users_file.h"
#include "pgweir/base/secret.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace pgweir::auth {

/// Gives every login name a SCRAM verifier: the stored one, one made from a plain-text secret and
/// kept, or one that always fails. It survives a reload of the users file, because the secret is
/// part of the key, and forgets everything when full. Limitation: the first login of a plain-text
/// user on a worker takes 1 to 2 ms longer than that of a stranger; SCRAM secrets in the users file
/// have no such difference. Thread: owned by one worker.
class VerifierCache {
public:
    /// `process_secret` has 16 bytes or more and is the same in all workers; see mock_verifier.
    explicit VerifierCache(Secret process_secret, size_t entries_max = 4096);

    /// `entry` is nullptr when there is no such user. An md5 or an empty secret gets the verifier
    /// that always fails too.
    ScramVerifier verifier_for(std::string_view user, const UserEntry* entry);

    size_t size() const { return entries_.size(); }

    /// How often a verifier had to be made.
    uint64_t misses() const { return misses_; }

private:
    ScramVerifier from_plain(std::string_view user, const Secret& password);

    Secret process_secret_;
    std::unordered_map<Digest128, ScramVerifier, DigestHash> entries_;
    size_t entries_max_;
    uint64_t misses_ = 0;
};

}  // namespace pgweir::auth
