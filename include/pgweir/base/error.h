#pragma once

#include "pgweir/base/sqlstate.h"

#include <cstdint>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace pgweir {

/// Error ends a statement, Fatal ends the connection; the words are PostgreSQL's.
enum class Severity : uint8_t { Error, Fatal };

/// What pgweir tells a client or an administrator when it cannot do what was asked.
/// Message without full stop, detail and hint as sentences.
/// See: error-style-guide.html
struct Error {
    SqlState sqlstate;
    Severity severity = Severity::Error;
    std::string message{};
    std::string detail{};
    std::string hint{};
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

}  // namespace pgweir

// The only macro that changes the flow: takes the value out of a Result or hands its error up.
#define PGW_TRY(declaration, expression)                                \
    auto declaration##_result = (expression);                           \
    if (!declaration##_result) {                                        \
        return ::pgweir::fail(std::move(declaration##_result.error())); \
    }                                                                   \
    auto& declaration = *declaration##_result
