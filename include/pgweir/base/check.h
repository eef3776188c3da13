#pragma once

namespace pgweir {

/// Logs the broken invariant and ends the process: to go on would risk a client's data.
[[noreturn, gnu::cold]] void check_failed(const char* condition, const char* file, int line);

}  // namespace pgweir

/// For our own invariants only, always on; never for what the network, a disk or an operator can
/// cause.
#define PGW_CHECK(condition)                           \
    (__builtin_expect(static_cast<bool>(condition), 1) \
         ? static_cast<void>(0)                        \
         : ::pgweir::check_failed(#condition, __FILE__, __LINE__))
