#include "auth/scram_crypto.h"

#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"

#include <climits>
#include <cstddef>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace pgweir::auth {

ScramKey sha256(std::string_view message) {
    ScramKey digest{};
    unsigned int size = 0;
    PGW_CHECK(EVP_Digest(message.data(), message.size(), digest.data(), &size, EVP_sha256(),
                         nullptr) == 1);
    PGW_CHECK(size == digest.size());
    return digest;
}

ScramKey hmac_sha256(std::string_view key, std::string_view message) {
    PGW_CHECK(key.size() <= INT_MAX);
    ScramKey code{};
    unsigned int size = 0;
    PGW_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(message).data(),
                   message.size(), code.data(), &size) != nullptr);
    PGW_CHECK(size == code.size());
    return code;
}

ScramKey combine(const ScramKey& left, const ScramKey& right) {
    ScramKey result{};
    for (size_t i = 0; i < result.size(); ++i) {
        result[i] = static_cast<uint8_t>(left[i] ^ right[i]);
    }
    return result;
}

ScramKeys derive_scram_keys(std::string_view password, std::string_view salt, uint32_t iterations) {
    PGW_CHECK(password.size() <= INT_MAX && salt.size() <= INT_MAX);
    PGW_CHECK(iterations >= 1 && iterations <= kVerifierIterationsMax);

    ScramKey salted{};
    PGW_CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                                as_bytes(salt).data(), static_cast<int>(salt.size()),
                                static_cast<int>(iterations), EVP_sha256(),
                                static_cast<int>(salted.size()), salted.data()) == 1);
    const ScramKeys keys{.client_key = hmac_sha256(as_text(salted), "Client Key"),
                         .server_key = hmac_sha256(as_text(salted), "Server Key")};
    OPENSSL_cleanse(salted.data(), salted.size());
    return keys;
}

ScramKey client_proof(const ScramKey& client_key, std::string_view auth_message) {
    const ScramKey stored_key = sha256(as_text(client_key));
    return combine(client_key, hmac_sha256(as_text(stored_key), auth_message));
}

}  // namespace pgweir::auth
