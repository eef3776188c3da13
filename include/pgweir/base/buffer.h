#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pgweir {

/// Memory for bytes that must wait: blocks of a few sizes that are used again, and the heap for
/// what is larger. Owned by one thread.
class BufferPool {
public:
    struct Block {
        uint8_t* memory = nullptr;
        uint32_t capacity = 0;
    };

    BufferPool() = default;
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;
    ~BufferPool();

    Block take(size_t bytes_min);
    void give_back(Block block);

    /// Units: bytes in blocks that are lent out now.
    size_t bytes_in_use() const { return bytes_in_use_; }

private:
    static constexpr std::array<uint32_t, 3> kClassBytes{512, 4096, 32768};
    // Per class; what is beyond goes back to the heap, so that a burst is not kept for ever.
    static constexpr size_t kSparesMax = 64;

    std::array<std::vector<uint8_t*>, kClassBytes.size()> spares_;
    size_t bytes_in_use_ = 0;
};

/// A queue of bytes that owns memory only while it is not empty.
class Buffer {
public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    ~Buffer() { PGW_CHECK(block_.memory == nullptr); }

    bool empty() const { return begin_ == end_; }

    size_t size() const { return end_ - begin_; }

    Bytes view() const { return {block_.memory + begin_, size()}; }

    void append(BufferPool& pool, Bytes bytes);
    void consume(BufferPool& pool, size_t count);

    void clear(BufferPool& pool) { consume(pool, size()); }

private:
    BufferPool::Block block_;
    uint32_t begin_ = 0;
    uint32_t end_ = 0;
};

}  // namespace pgweir
