#include "auth/errors.h"
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

constexpr std::string_view kGs2Header = "n,,";  // no channel binding, no authorization identity

struct ServerFirst {
    std::string_view nonce;
    std::string salt;
    uint32_t iterations;
};

/// What both of a server's messages have in common.
Result<void> check_server_message(std::string_view message) {
    if (message.size() > kSaslMessageBytesMax) {
        return fail(invalid_server_scram_message("The message is too long."));
    }
    if (const auto reason = AttributeReader{message}.take('e')) {
        return fail(server_reported_scram_error(*reason));
    }
    return {};
}

/// r=nonce, s=salt, i=iterations, and no more: libpq takes no extensions here either.
Result<ServerFirst> parse_server_first(std::string_view message, std::string_view client_nonce) {
    if (auto checked = check_server_message(message); !checked) {
        return fail(std::move(checked.error()));
    }
    AttributeReader reader{message};
    const auto nonce = reader.take('r');
    const auto salt_text = reader.take('s');
    const auto iterations_text = reader.take('i');
    if (!nonce || !salt_text || !iterations_text || reader.rest()) {
        return fail(invalid_server_scram_message("It does not consist of r=, s= and i=."));
    }
    if (!is_nonce(*nonce) || !nonce->starts_with(client_nonce) ||
        nonce->size() <= client_nonce.size()) {
        return fail(invalid_server_scram_message("The nonce does not extend ours."));
    }
    auto salt = base64_decode(*salt_text);
    if (!salt || salt->empty()) {
        return fail(invalid_server_scram_message("The salt is empty or not base64."));
    }
    const auto iterations = parse_iterations(*iterations_text, kServerIterationsMax);
    if (!iterations) return fail(server_iterations_out_of_range(*iterations_text));
    return ServerFirst{.nonce = *nonce, .salt = std::move(*salt), .iterations = *iterations};
}

}  // namespace

ScramKeys ScramKeyCache::keys_for(const Secret& password,
                                  std::string_view salt,
                                  uint32_t iterations) {
    std::array<uint8_t, 4> count{};
    store_be32(count.data(), iterations);
    const Digest128 key = digest128({as_bytes(password.reveal()), as_bytes(salt), count});
    if (const auto found = entries_.find(key); found != entries_.end()) return found->second;

    ++misses_;
    const ScramKeys keys = derive_scram_keys(password.reveal(), salt, iterations);
    if (entries_.size() >= entries_max_) entries_.clear();
    if (entries_max_ > 0) entries_.emplace(key, keys);
    return keys;
}

ScramClient::ScramClient(Secret password, std::string client_nonce, ScramKeyCache* cache)
    : password_(std::move(password)), nonce_(std::move(client_nonce)), cache_(cache) {
    PGW_CHECK(is_nonce(nonce_));
}

ScramClient::ScramClient(const ScramKeys& keys, std::string client_nonce)
    : given_keys_(keys), nonce_(std::move(client_nonce)) {
    PGW_CHECK(is_nonce(nonce_));
}

std::string ScramClient::first_bare() const {
    return fmt::format("n=,r={}", nonce_);
}

std::string ScramClient::client_first() const {
    return fmt::format("{}{}", kGs2Header, first_bare());
}

ScramKeys ScramClient::derive(std::string_view salt, uint32_t iterations) const {
    if (given_keys_) return *given_keys_;
    if (cache_ != nullptr) return cache_->keys_for(password_, salt, iterations);
    return derive_scram_keys(password_.reveal(), salt, iterations);
}

Result<std::string> ScramClient::on_server_first(std::string_view message) {
    const Stage before = std::exchange(stage_, Stage::Failed);
    if (before != Stage::ExpectFirst) return fail(scram_message_out_of_order());

    PGW_TRY(first, parse_server_first(message, nonce_));
    const ScramKeys keys = derive(first.salt, first.iterations);
    std::string reply = fmt::format("c={},r={}", base64_encode(kGs2Header), first.nonce);
    const std::string auth_message = fmt::format("{},{},{}", first_bare(), message, reply);
    server_signature_ = hmac_sha256(as_text(keys.server_key), auth_message);
    reply += ",p=";
    reply += base64_encode(as_text(client_proof(keys.client_key, auth_message)));
    stage_ = Stage::ExpectFinal;
    return reply;
}

Result<void> ScramClient::on_server_final(std::string_view message) {
    const Stage before = std::exchange(stage_, Stage::Failed);
    if (before != Stage::ExpectFinal) return fail(scram_message_out_of_order());

    if (auto checked = check_server_message(message); !checked) return checked;
    AttributeReader reader{message};
    const auto text = reader.take('v');
    const auto signature = text && !reader.rest() ? parse_key(*text) : std::nullopt;
    if (!signature) {
        return fail(invalid_server_scram_message("It does not consist of a signature (v=)."));
    }
    if (!equal_in_constant_time(as_text(*signature), as_text(server_signature_))) {
        return fail(server_signature_wrong());
    }
    stage_ = Stage::Done;
    return {};
}

}  // namespace pgweir::auth
