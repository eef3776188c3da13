#pragma once

#include <uv.h>

namespace pgweir::net {

/// libuv's handles share their first members; this is the cast that its manual prescribes.
template <class T>
uv_handle_t* handle_of(T& handle) {
    return static_cast<uv_handle_t*>(static_cast<void*>(&handle));
}

}  // namespace pgweir::net
