#pragma once

#include "pgweir/base/error.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Every error of this layer; all of them end the connection.
namespace pgweir::auth {

// About a client's messages.
Error malformed_scram_message(std::string_view what);
Error scram_message_too_long(size_t bytes);
Error scram_message_out_of_order();
Error channel_binding_not_offered();
Error wrong_scram_proof();

// About a server's messages.
Error invalid_server_scram_message(std::string_view what);
Error server_iterations_out_of_range(std::string_view iterations);
Error server_reported_scram_error(std::string_view reason);
Error server_signature_wrong();

}  // namespace pgweir::auth
