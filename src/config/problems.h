#pragma once

#include "pgweir/config/loader.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::config {

inline constexpr size_t kProblemsMax = 100;  // more are not read by anybody, but cost time

/// Text of the file's inside a message: in quotes, on one line, and not endless.
std::string in_quotes(std::string_view text);

/// The same, up to the first of `stops`: a forgotten colon glues the next line or word to a value,
/// and that may be a password.
std::string head_in_quotes(std::string_view text, std::string_view stops = " \t");

/// Collects what is wrong with one file.
class Problems {
public:
    explicit Problems(std::string file) : file_(std::move(file)) {}

    void add(size_t line, std::string what, std::string fix);

    bool empty() const { return problems_.empty(); }

    bool full() const { return problems_.size() >= kProblemsMax; }

    /// In the order of the file.
    std::vector<Diagnostic> take();

private:
    std::string file_;
    std::vector<Diagnostic> problems_;
};

}  // namespace pgweir::config
