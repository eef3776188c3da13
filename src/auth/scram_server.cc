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

struct ClientFirst {
    std::string_view gs2_header;
    std::string_view bare;
    std::string_view nonce;
};

struct ClientFinal {
    std::string_view without_proof;
    std::string_view channel_binding;
    std::string_view nonce;
    ScramKey proof;
};

Result<void> check_size(std::string_view message) {
    if (message.size() > kSaslMessageBytesMax) return fail(scram_message_too_long(message.size()));
    if (message.find('\0') != std::string_view::npos) {
        return fail(malformed_scram_message("The message contains a zero byte."));
    }
    return {};
}

/// gs2-header, then n=user, then r=nonce, then extensions that nobody has to understand.
Result<ClientFirst> parse_client_first(std::string_view message) {
    if (auto sized = check_size(message); !sized) return fail(std::move(sized.error()));
    if (message.starts_with("p=")) return fail(channel_binding_not_offered());
    if (!message.starts_with("n,") && !message.starts_with("y,")) {
        return fail(malformed_scram_message("The channel binding flag is neither n, y nor p."));
    }
    if (message.substr(2, 1) == "a") {
        return fail(malformed_scram_message("An authorization identity is not supported."));
    }
    if (message.substr(2, 1) != ",") {
        return fail(malformed_scram_message("The header before the user name is not complete."));
    }

    const std::string_view bare = message.substr(3);
    AttributeReader reader{bare};
    if (!reader.take('n')) {
        return fail(malformed_scram_message("The user name (n=) is not where it belongs."));
    }
    const auto nonce = reader.take('r');
    if (!nonce || !is_nonce(*nonce)) {
        return fail(malformed_scram_message("The nonce (r=) is missing, unprintable or too long."));
    }
    while (reader.rest()) {
        if (!reader.skip()) return fail(malformed_scram_message("An extension is malformed."));
    }
    return ClientFirst{.gs2_header = message.substr(0, 3), .bare = bare, .nonce = *nonce};
}

/// c=header, then r=nonce, then extensions, then p=proof as the last.
Result<ClientFinal> parse_client_final(std::string_view message) {
    if (auto sized = check_size(message); !sized) return fail(std::move(sized.error()));

    AttributeReader reader{message};
    const auto channel_binding = reader.take('c');
    const auto nonce = reader.take('r');
    if (!channel_binding || !nonce) {
        return fail(malformed_scram_message("It does not begin with c= and r=."));
    }
    auto proof_text = reader.take('p');
    while (!proof_text && reader.rest()) {
        if (!reader.skip()) return fail(malformed_scram_message("An extension is malformed."));
        proof_text = reader.take('p');
    }
    if (!proof_text || reader.rest()) {
        return fail(malformed_scram_message("It does not end with the proof (p=)."));
    }
    const auto proof = parse_key(*proof_text);
    if (!proof) return fail(malformed_scram_message("The proof is not 32 bytes of base64."));

    const size_t proof_bytes = std::string_view{",p="}.size() + proof_text->size();
    return ClientFinal{.without_proof = message.substr(0, message.size() - proof_bytes),
                       .channel_binding = *channel_binding,
                       .nonce = *nonce,
                       .proof = *proof};
}

}  // namespace

ScramServer::ScramServer(ScramVerifier verifier, std::string server_nonce)
    : verifier_(std::move(verifier)), server_nonce_(std::move(server_nonce)) {
    PGW_CHECK(is_nonce(server_nonce_));
    PGW_CHECK(!verifier_.salt.empty() && verifier_.iterations >= 1);
}

Result<std::string> ScramServer::on_client_first(std::string_view message) {
    const Stage before = std::exchange(stage_, Stage::Failed);
    if (before != Stage::ExpectFirst) return fail(scram_message_out_of_order());

    PGW_TRY(first, parse_client_first(message));
    gs2_header_ = first.gs2_header;
    nonce_ = fmt::format("{}{}", first.nonce, server_nonce_);
    std::string reply =
        fmt::format("r={},s={},i={}", nonce_, base64_encode(verifier_.salt), verifier_.iterations);
    auth_message_ = fmt::format("{},{},", first.bare, reply);
    stage_ = Stage::ExpectFinal;
    return reply;
}

Result<std::string> ScramServer::on_client_final(std::string_view message) {
    const Stage before = std::exchange(stage_, Stage::Failed);
    if (before != Stage::ExpectFinal) return fail(scram_message_out_of_order());

    PGW_TRY(given, parse_client_final(message));
    if (given.channel_binding != base64_encode(gs2_header_)) {
        return fail(
            malformed_scram_message("The channel binding (c=) is not what was begun with."));
    }
    if (given.nonce != nonce_) {
        return fail(malformed_scram_message("The nonce (r=) is not the one that was agreed."));
    }

    auth_message_ += given.without_proof;
    const ScramKey signature = hmac_sha256(as_text(verifier_.stored_key), auth_message_);
    const ScramKey client_key = combine(given.proof, signature);
    if (!equal_in_constant_time(as_text(sha256(as_text(client_key))),
                                as_text(verifier_.stored_key))) {
        return fail(wrong_scram_proof());
    }

    keys_ = ScramKeys{.client_key = client_key, .server_key = verifier_.server_key};
    stage_ = Stage::Done;
    const ScramKey proof_of_ours = hmac_sha256(as_text(verifier_.server_key), auth_message_);
    return fmt::format("v={}", base64_encode(as_text(proof_of_ours)));
}

}  // namespace pgweir::auth
