#include "pgweir/auth/verifier_cache.h"

#include "pgweir/base/bytes.h"

#include <utility>

namespace pgweir::auth {

VerifierCache::VerifierCache(Secret process_secret, size_t entries_max)
    : process_secret_(std::move(process_secret)), entries_max_(entries_max) {}

ScramVerifier VerifierCache::verifier_for(std::string_view user, const UserEntry* entry) {
    if (entry != nullptr && !entry->secret.empty()) {
        if (entry->kind == SecretKind::Plain) return from_plain(user, entry->secret);
        if (entry->kind == SecretKind::Scram) {
            if (auto stored = parse_scram_verifier(entry->secret.reveal())) return *stored;
        }
    }
    return mock_verifier(user, process_secret_.reveal());
}

ScramVerifier VerifierCache::from_plain(std::string_view user, const Secret& password) {
    const Digest128 key = digest128({as_bytes(user), as_bytes(password.reveal())});
    if (const auto found = entries_.find(key); found != entries_.end()) return found->second;

    ++misses_;
    ScramVerifier made = make_scram_verifier(
        password.reveal(), mock_salt(user, process_secret_.reveal()), kScramIterations);
    if (entries_.size() >= entries_max_) entries_.clear();
    if (entries_max_ > 0) entries_.emplace(key, made);
    return made;
}

}  // namespace pgweir::auth
