#pragma once

#include "pgweir/base/check.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace pgweir {

/// Names a slot of a slab; a slot that was given back and taken again has another generation.
struct Handle {
    uint32_t index = UINT32_MAX;
    uint32_t generation = 0;

    bool operator==(const Handle&) const = default;
};

/// Memory for many objects of one type: addresses never change, slots are used again, and the
/// blocks stay until the slab ends. Owned by one thread.
template <class T, size_t kBlockSlots = 64>
class Slab {
public:
    Slab() = default;
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;

    ~Slab() {
        for (uint32_t index = 0; index < slot_count(); ++index) {
            if (slot(index).used) object(index)->~T();
        }
    }

    template <class... Args>
    std::pair<Handle, T*> make(Args&&... args) {
        if (free_ == kNone) add_block();
        const uint32_t index = free_;
        Slot& taken = slot(index);
        free_ = taken.next_free;
        T* made = new (taken.storage) T(std::forward<Args>(args)...);
        taken.used = true;
        ++used_;
        return {
            Handle{index, taken.generation},
            made
        };
    }

    void destroy(Handle handle) {
        PGW_CHECK(find(handle) != nullptr);
        object(handle.index)->~T();
        Slot& freed = slot(handle.index);
        freed.used = false;
        ++freed.generation;
        freed.next_free = free_;
        free_ = handle.index;
        --used_;
    }

    /// nullptr when the slot was given back since.
    T* find(Handle handle) {
        if (handle.index >= slot_count()) return nullptr;
        Slot& named = slot(handle.index);
        return named.used && named.generation == handle.generation ? object(handle.index) : nullptr;
    }

    /// Whoever lives in the slot now, or nullptr.
    T* find_at(uint32_t index) {
        if (index >= slot_count()) return nullptr;
        return slot(index).used ? object(index) : nullptr;
    }

    size_t size() const { return used_; }

    template <class Visitor>
    void for_each(Visitor&& visit) {
        for (uint32_t index = 0; index < slot_count(); ++index) {
            if (slot(index).used) visit(*object(index));
        }
    }

private:
    static constexpr uint32_t kNone = UINT32_MAX;

    struct Slot {
        alignas(T) unsigned char storage[sizeof(T)];
        uint32_t generation = 0;
        uint32_t next_free = kNone;
        bool used = false;
    };

    using Block = std::array<Slot, kBlockSlots>;

    uint32_t slot_count() const { return static_cast<uint32_t>(blocks_.size() * kBlockSlots); }

    Slot& slot(uint32_t index) { return (*blocks_[index / kBlockSlots])[index % kBlockSlots]; }

    T* object(uint32_t index) {
        return std::launder(static_cast<T*>(static_cast<void*>(slot(index).storage)));
    }

    void add_block() {
        const uint32_t first = slot_count();
        blocks_.push_back(std::make_unique<Block>());
        for (uint32_t offset = kBlockSlots; offset-- > 0;) {
            slot(first + offset).next_free = free_;
            free_ = first + offset;
        }
    }

    std::vector<std::unique_ptr<Block>> blocks_;
    uint32_t free_ = kNone;
    size_t used_ = 0;
};

}  // namespace pgweir
