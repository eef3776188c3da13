#include "pgweir/config/loader.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/core.h>

namespace pgweir::config {

tl::expected<Environment::File, std::string> SystemEnvironment::read_file(
    const std::string& path) const {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (error) return tl::unexpected<std::string>(error.message());
    if (std::filesystem::is_directory(status)) return tl::unexpected<std::string>("is a folder");

    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
        return tl::unexpected<std::string>(
            std::error_code(errno, std::generic_category()).message());
    }
    std::string text(kFileBytesMax + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (stream.bad()) return tl::unexpected<std::string>("read error");
    text.resize(static_cast<size_t>(stream.gcount()));
    if (text.size() > kFileBytesMax) {
        return tl::unexpected<std::string>(fmt::format("is larger than {} bytes", kFileBytesMax));
    }
    const auto mode = static_cast<uint32_t>(status.permissions() & std::filesystem::perms::mask);
    return File{.text = std::move(text), .mode = mode};
}

std::optional<std::string> SystemEnvironment::env(const std::string& name) const {
    // Nobody in the process writes to the environment.
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr) return std::nullopt;
    return std::string(value);
}

}  // namespace pgweir::config
