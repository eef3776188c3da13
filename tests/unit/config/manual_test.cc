#include "config/field.h"
#include "pgweir/config/fields.h"
#include "pgweir/config/loader.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

std::string text_of(const std::string& path) {
    const auto file = SystemEnvironment().read_file(path);
    REQUIRE_MESSAGE(file.has_value(), path);
    return file->text;
}

TEST_CASE("manual: every key has exactly one row") {
    const std::string page = config_markdown();
    for (const Field& field : fields()) {
        const std::string row = "| `" + std::string(field.key) + "` |";
        CAPTURE(row);
        const size_t at = page.find(row);
        CHECK(at != std::string::npos);
        CHECK(page.find(row, at + 1) == std::string::npos);
    }
}

TEST_CASE("manual: the example names every key of the process's sections") {
    const std::string example = text_of("conf/pgweir.yaml");
    for (const Field& field : fields()) {
        if (field.key.find('*') != std::string_view::npos) continue;
        const std::string name(field.key.substr(field.key.rfind('.') + 1));
        CAPTURE(field.key);
        CHECK(example.find(name + ":") != std::string::npos);
    }
}

}  // namespace
}  // namespace pgweir::config
