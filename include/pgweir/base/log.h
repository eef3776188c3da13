#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

/// The process's log: one line for each event that an operator would ask about.
/// Thread: any.
/// Writing is marked as cold, like errors and ends of connections: the compiler then puts what
/// leads to it apart from what each transaction runs, which keeps the byte path close together.
namespace pgweir::log {

enum class Level : uint8_t { Debug, Info, Warning, Error, Off };

/// Where lines go: empty is stderr, otherwise a file that is opened for appending.
/// Returns what went wrong, or an empty string.
std::string open(std::string_view file, Level level);
void set_level(Level level);
bool enabled(Level level);
[[gnu::cold]] void write(Level level, std::string_view line);
void flush();

template <class... Args>
[[gnu::cold]] void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Debug))
        write(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[gnu::cold]] void info(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Info)) write(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[gnu::cold]] void warning(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Warning)) {
        write(Level::Warning, fmt::format(format, std::forward<Args>(args)...));
    }
}

template <class... Args>
[[gnu::cold]] void error(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Error))
        write(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace pgweir::log
