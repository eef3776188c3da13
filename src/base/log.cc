#include "pgweir/base/log.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace pgweir::log {
namespace {

std::atomic<Level> threshold{Level::Info};

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::Debug: return spdlog::level::debug;
        case Level::Info: return spdlog::level::info;
        case Level::Warning: return spdlog::level::warn;
        case Level::Error: return spdlog::level::err;
        case Level::Off: return spdlog::level::off;
    }
    return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> make_logger(const std::string& file) {
    // A broken log target (a full disk) must never stop the data path: spdlog reports and goes on.
    spdlog::sink_ptr sink;
    if (file.empty()) {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
        sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    }
    auto logger = std::make_shared<spdlog::logger>("pgweir", std::move(sink));
    // The process's number is the same on each line: %P would ask the system for it each time.
    logger->set_pattern(fmt::format("%Y-%m-%d %H:%M:%S.%e %z [{}] %l: %v", ::getpid()));
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::info);
    return logger;
}

std::shared_ptr<spdlog::logger>& current_logger() {
    static std::shared_ptr<spdlog::logger> logger = make_logger("");
    return logger;
}

}  // namespace

std::string open(std::string_view file, Level level) {
    // spdlog would make missing folders; a path that is not there is more likely a slip.
    if (!file.empty() && !std::ofstream(std::string(file), std::ios::app))
        return std::strerror(errno);
    try {
        current_logger() = make_logger(std::string(file));
    } catch (const spdlog::spdlog_ex& problem) {
        return problem.what();
    }
    threshold.store(level, std::memory_order_relaxed);
    return {};
}

void set_level(Level level) {
    threshold.store(level, std::memory_order_relaxed);
}

bool enabled(Level level) {
    return level >= threshold.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view line) {
    // What clients send may hold line breaks and terminal escapes: one event stays one line.
    std::string clean;
    clean.reserve(line.size());
    for (const char c : line) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            fmt::format_to(std::back_inserter(clean), "\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            clean.push_back(c);
        }
    }
    current_logger()->log(to_spdlog(level), "{}", clean);
}

void flush() {
    current_logger()->flush();
}

}  // namespace pgweir::log
