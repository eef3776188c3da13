#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace pgweir {

/// A password, a key or a verifier. It cannot be printed by accident: there is no formatter and no
/// conversion; reveal() is the one door, easy to search for.
class Secret {
public:
    Secret() = default;

    explicit Secret(std::string value) : value_(std::move(value)) {}

    Secret(const Secret&) = default;
    Secret(Secret&&) = default;
    Secret& operator=(const Secret&) = default;
    Secret& operator=(Secret&&) = default;
    ~Secret();

    bool empty() const { return value_.empty(); }

    std::string_view reveal() const { return value_; }

private:
    std::string value_;
};

/// Compares without telling by its time where the first difference is.
bool equal_in_constant_time(std::string_view left, std::string_view right);

}  // namespace pgweir
