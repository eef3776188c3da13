#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace pgweir {

/// Bytes that somebody else owns. A view of input dies when its input is consumed.
using Bytes = std::span<const uint8_t>;

inline uint16_t load_be16(const uint8_t* at) {
    return static_cast<uint16_t>((at[0] << 8) | at[1]);
}

inline uint32_t load_be32(const uint8_t* at) {
    return (static_cast<uint32_t>(at[0]) << 24) | (static_cast<uint32_t>(at[1]) << 16) |
           (static_cast<uint32_t>(at[2]) << 8) | static_cast<uint32_t>(at[3]);
}

inline void store_be32(uint8_t* at, uint32_t value) {
    at[0] = static_cast<uint8_t>(value >> 24);
    at[1] = static_cast<uint8_t>(value >> 16);
    at[2] = static_cast<uint8_t>(value >> 8);
    at[3] = static_cast<uint8_t>(value);
}

// The one place where bytes turn into text and back: both are plain memory, and uint8_t may alias.
inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// At most this much of a text in UTF-8, and no part of a character.
inline std::string_view head_of(std::string_view text, size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    const auto continues = [&] { return (static_cast<uint8_t>(text[bytes_max]) & 0xc0) == 0x80; };
    while (bytes_max > 0 && continues()) --bytes_max;
    return text.substr(0, bytes_max);
}

inline const char* as_chars(const uint8_t* bytes) {
    return reinterpret_cast<const char*>(bytes);
}

}  // namespace pgweir
