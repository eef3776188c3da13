#pragma once

#include "pgweir/config/model.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace pgweir::config {

inline constexpr size_t kFileBytesMax = size_t{1} << 20;

/// One thing that is wrong with a configuration file.
struct Diagnostic {
    std::string file;
    size_t line = 1;   // counts from 1
    std::string what;  // names the key; never shows a secret
    std::string fix;   // what to do; may be empty

    /// "file:line: what; fix"
    std::string to_line() const;

    bool operator==(const Diagnostic&) const = default;
};

/// Where the loader gets what is outside of its text: tests give it a made-up world.
class Environment {
public:
    struct File {
        std::string text;
        uint32_t mode = 0;  // the permission bits of chmod
    };

    Environment() = default;
    Environment(const Environment&) = default;
    Environment& operator=(const Environment&) = default;
    virtual ~Environment() = default;

    /// Errors: why it cannot be read, in the system's words; also when it exceeds kFileBytesMax.
    virtual tl::expected<File, std::string> read_file(const std::string& path) const = 0;

    /// The value of an environment variable; nullopt when it is not set.
    virtual std::optional<std::string> env(const std::string& name) const = 0;
};

/// The real one. Thread: env() reads the process's environment, which nobody changes after start.
class SystemEnvironment : public Environment {
public:
    tl::expected<File, std::string> read_file(const std::string& path) const override;
    std::optional<std::string> env(const std::string& name) const override;
};

/// A configuration, or the reasons why there is none.
struct Loaded {
    std::optional<Config> config;      // Invariant: set exactly when there is no problem
    std::vector<Diagnostic> problems;  // all of them, in the order of the file
};

/// Reads and validates; path names the text in problems, and relative paths start from its folder.
/// Pure but for `environment`, which is asked for secrets that are files or variables.
Loaded load_text(std::string_view yaml, std::string path, const Environment& environment);

Loaded load_file(const std::string& path);

}  // namespace pgweir::config
