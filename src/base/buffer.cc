#include "pgweir/base/buffer.h"

#include <cstring>

namespace pgweir {

BufferPool::~BufferPool() {
    for (auto& spares : spares_) {
        for (uint8_t* memory : spares) delete[] memory;
    }
}

BufferPool::Block BufferPool::take(size_t bytes_min) {
    for (size_t i = 0; i < kClassBytes.size(); ++i) {
        if (bytes_min > kClassBytes[i]) continue;
        bytes_in_use_ += kClassBytes[i];
        if (spares_[i].empty()) return {new uint8_t[kClassBytes[i]], kClassBytes[i]};
        uint8_t* memory = spares_[i].back();
        spares_[i].pop_back();
        return {memory, kClassBytes[i]};
    }
    PGW_CHECK(bytes_min <= UINT32_MAX);
    bytes_in_use_ += bytes_min;
    return {new uint8_t[bytes_min], static_cast<uint32_t>(bytes_min)};
}

void BufferPool::give_back(Block block) {
    PGW_CHECK(bytes_in_use_ >= block.capacity);
    bytes_in_use_ -= block.capacity;
    for (size_t i = 0; i < kClassBytes.size(); ++i) {
        if (block.capacity == kClassBytes[i] && spares_[i].size() < kSparesMax) {
            spares_[i].push_back(block.memory);
            return;
        }
    }
    delete[] block.memory;
}

void Buffer::append(BufferPool& pool, Bytes bytes) {
    if (bytes.empty()) return;
    if (size_t{end_} + bytes.size() > block_.capacity && size() + bytes.size() <= block_.capacity) {
        std::memmove(block_.memory, block_.memory + begin_, size());
        end_ = static_cast<uint32_t>(size());
        begin_ = 0;
    } else if (size_t{end_} + bytes.size() > block_.capacity) {
        const size_t needed = size() + bytes.size();
        // Doubling keeps the copying linear when a large message arrives in small pieces.
        const size_t wanted = needed > block_.capacity ? needed + needed / 2 : needed;
        const auto larger = pool.take(wanted);
        if (size() > 0) std::memcpy(larger.memory, block_.memory + begin_, size());
        end_ = static_cast<uint32_t>(size());
        begin_ = 0;
        if (block_.memory != nullptr) pool.give_back(block_);
        block_ = larger;
    }
    std::memcpy(block_.memory + end_, bytes.data(), bytes.size());
    end_ += static_cast<uint32_t>(bytes.size());
}

void Buffer::consume(BufferPool& pool, size_t count) {
    PGW_CHECK(count <= size());
    begin_ += static_cast<uint32_t>(count);
    if (!empty() || block_.memory == nullptr) return;
    pool.give_back(block_);
    block_ = {};
    begin_ = 0;
    end_ = 0;
}

}  // namespace pgweir
