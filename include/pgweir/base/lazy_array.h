#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace pgweir {

/// Room for `Count` of a type, of which each is made when it is first put in: an array of them all
/// would be filled with nothing each time that one stands on the stack.
/// Invariant: what is read was put in before.
template <class Type, size_t Count>
class LazyArray {
public:
    static_assert(std::is_trivially_copyable_v<Type>);

    static constexpr size_t size() { return Count; }

    void put(size_t place, const Type& value) { std::construct_at(at(place), value); }

    Type& operator[](size_t place) { return *std::launder(at(place)); }

    const Type* data() const {
        return std::launder(static_cast<const Type*>(static_cast<const void*>(bytes_.data())));
    }

private:
    Type* at(size_t place) {
        return static_cast<Type*>(static_cast<void*>(bytes_.data() + place * sizeof(Type)));
    }

    alignas(Type) std::array<std::byte, Count * sizeof(Type)> bytes_;
};

}  // namespace pgweir
