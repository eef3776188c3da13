#include "pgweir/base/secret.h"

#include <cstddef>

namespace pgweir {

Secret::~Secret() {
    volatile char* at = value_.data();
    for (size_t i = 0; i < value_.size(); ++i) at[i] = 0;
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
    if (left.size() != right.size()) return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < left.size(); ++i) {
        difference =
            static_cast<unsigned char>(difference | (static_cast<unsigned char>(left[i]) ^
                                                     static_cast<unsigned char>(right[i])));
    }
    // The volatile read keeps a compiler from turning the loop into an early exit.
    const volatile unsigned char result = difference;
    return result == 0;
}

}  // namespace pgweir
