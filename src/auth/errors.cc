#include "auth/errors.h"

#include "pgweir/auth/client_auth.h"
#include "pgweir/auth/scram.h"
#include "pgweir/base/error_catalogue.h"

#include <string>

#include <fmt/format.h>

namespace pgweir::auth {

namespace {

constexpr size_t kQuotedBytesMax = 64;

/// Foreign text for a message: short, and nothing in it can disturb a log or a terminal.
std::string quotable(std::string_view text) {
    std::string safe;
    for (const char letter : text.substr(0, kQuotedBytesMax)) {
        const bool printable = letter >= 0x20 && letter < 0x7F && letter != '"';
        safe += printable ? letter : '?';
    }
    return safe;
}

}  // namespace

Error malformed_scram_message(std::string_view what) {
    return make_error(ErrorId::ScramMalformed, {}, std::string{what});
}

Error scram_message_too_long(size_t bytes) {
    return malformed_scram_message(fmt::format("The message has {} bytes; at most {} are accepted.",
                                               bytes, kSaslMessageBytesMax));
}

Error scram_message_out_of_order() {
    return make_error(ErrorId::ScramOutOfOrder, {}, "The exchange is at another step, or over.");
}

Error channel_binding_not_offered() {
    return make_error(
        ErrorId::ScramBinding, {},
        "The client asked for channel binding, which pgweir does not speak.",
        "Use channel_binding=prefer or channel_binding=disable in the connection string.");
}

Error wrong_scram_proof() {
    return make_error(ErrorId::ScramProofWrong);
}

Error password_authentication_failed(std::string_view user) {
    return make_error(ErrorId::PasswordWrong, {user});
}

Error invalid_server_scram_message(std::string_view what) {
    return make_error(ErrorId::ServerScramInvalid, {}, std::string{what});
}

Error server_iterations_out_of_range(std::string_view iterations) {
    return make_error(ErrorId::ServerScramIterations, {},
                      fmt::format("It asks for \"{}\"; 1 to {} are accepted.", quotable(iterations),
                                  kServerIterationsMax),
                      "Lower scram_iterations on the server and set the password again.");
}

Error server_reported_scram_error(std::string_view reason) {
    return make_error(ErrorId::ServerScramRefused, {},
                      fmt::format("It says \"{}\".", quotable(reason)));
}

Error server_signature_wrong() {
    return make_error(ErrorId::ServerScramUnproved, {},
                      "Its SCRAM signature is wrong: it may not be the server it claims to be.");
}

}  // namespace pgweir::auth
