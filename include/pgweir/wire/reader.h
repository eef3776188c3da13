#pragma once

#include "pgweir/base/bytes.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace pgweir::wire {

/// Takes fields off the front of a message's body. A field that is not there turns the reader
/// bad and reads as empty; look at ok() once, at the end.
class Reader {
public:
    explicit Reader(Bytes body) : rest_(body) {}

    bool ok() const { return ok_; }

    bool at_end() const { return rest_.empty(); }

    Bytes rest() const { return rest_; }

    uint8_t u8() {
        const Bytes field = bytes(1);
        return field.empty() ? uint8_t{0} : field[0];
    }

    uint16_t u16() {
        const Bytes field = bytes(2);
        return field.empty() ? uint16_t{0} : load_be16(field.data());
    }

    uint32_t u32() {
        const Bytes field = bytes(4);
        return field.empty() ? 0 : load_be32(field.data());
    }

    Bytes bytes(size_t count) {
        if (!ok_ || rest_.size() < count) {
            ok_ = false;
            return {};
        }
        const Bytes field = rest_.first(count);
        rest_ = rest_.subspan(count);
        return field;
    }

    /// A string up to its NUL, which is taken too.
    std::string_view text() {
        const std::string_view all = as_text(rest_);
        const size_t end = all.find('\0');
        if (!ok_ || end == std::string_view::npos) {
            ok_ = false;
            return {};
        }
        rest_ = rest_.subspan(end + 1);
        return all.substr(0, end);
    }

private:
    Bytes rest_;
    bool ok_ = true;
};

}  // namespace pgweir::wire
