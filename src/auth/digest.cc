#include "pgweir/auth/digest.h"

#include "pgweir/auth/base64.h"
#include "pgweir/base/check.h"

#include <algorithm>
#include <climits>

#include <openssl/evp.h>
#include <openssl/rand.h>

namespace pgweir::auth {

namespace {

/// Looking SHA-256 up costs OpenSSL more than hashing a short text, so each thread does it once.
class Sha256 {
public:
    Sha256() : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), state_(EVP_MD_CTX_new()) {
        PGW_CHECK(algorithm_ != nullptr && state_ != nullptr);
        PGW_CHECK(EVP_DigestInit_ex(state_, algorithm_, nullptr) == 1);
    }

    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    ~Sha256() {
        EVP_MD_CTX_free(state_);
        EVP_MD_free(algorithm_);
    }

    void restart() { PGW_CHECK(EVP_DigestInit_ex(state_, nullptr, nullptr) == 1); }

    void update(Bytes bytes) {
        PGW_CHECK(EVP_DigestUpdate(state_, bytes.data(), bytes.size()) == 1);
    }

    std::array<uint8_t, 32> finish() {
        std::array<uint8_t, 32> whole{};
        unsigned int size = 0;
        PGW_CHECK(EVP_DigestFinal_ex(state_, whole.data(), &size) == 1 && size == whole.size());
        return whole;
    }

private:
    EVP_MD* algorithm_;
    EVP_MD_CTX* state_;
};

}  // namespace

Digest128 digest128(std::initializer_list<Bytes> parts) {
    thread_local Sha256 sha256;
    sha256.restart();
    for (const Bytes part : parts) {
        std::array<uint8_t, 8> size{};
        store_be32(size.data(), static_cast<uint32_t>(static_cast<uint64_t>(part.size()) >> 32));
        store_be32(size.data() + 4, static_cast<uint32_t>(part.size() & UINT32_MAX));
        sha256.update(size);
        sha256.update(part);
    }
    const auto whole = sha256.finish();
    Digest128 digest{};
    std::copy_n(whole.begin(), digest.size(), digest.begin());
    return digest;
}

void fill_random(std::span<uint8_t> out) {
    PGW_CHECK(out.size() <= INT_MAX);
    PGW_CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
}

std::string random_nonce() {
    std::array<uint8_t, 18> bytes{};
    fill_random(bytes);
    return base64_encode(as_text(bytes));
}

}  // namespace pgweir::auth
