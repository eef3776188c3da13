#pragma once

#include "pgweir/base/bytes.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace pgweir::wire {

/// Builds messages one behind the other. Lengths are filled in by end().
class Writer {
public:
    Writer& begin(char type) {
        out_.push_back(type);
        return begin_untyped();
    }

    /// For the startup packets, which have no type byte.
    Writer& begin_untyped() {
        length_at_ = out_.size();
        out_.append(4, '\0');
        return *this;
    }

    Writer& u8(uint8_t value) {
        out_.push_back(static_cast<char>(value));
        return *this;
    }

    Writer& u16(uint16_t value) {
        return u8(static_cast<uint8_t>(value >> 8)).u8(static_cast<uint8_t>(value));
    }

    Writer& u32(uint32_t value) {
        return u16(static_cast<uint16_t>(value >> 16)).u16(static_cast<uint16_t>(value));
    }

    Writer& raw(std::string_view bytes) {
        out_.append(bytes);
        return *this;
    }

    /// The text up to its first NUL, and a NUL.
    Writer& text(std::string_view value) {
        out_.append(value.substr(0, value.find('\0')));
        out_.push_back('\0');
        return *this;
    }

    Writer& end() {
        const auto length = static_cast<uint32_t>(out_.size() - length_at_);
        for (size_t i = 0; i < 4; ++i) {
            out_[length_at_ + i] = static_cast<char>(length >> (24 - 8 * i));
        }
        return *this;
    }

    Bytes bytes() const { return as_bytes(out_); }

    bool empty() const { return out_.empty(); }

    void clear() { out_.clear(); }

    std::string take() { return std::move(out_); }

private:
    std::string out_;
    size_t length_at_ = 0;
};

}  // namespace pgweir::wire
