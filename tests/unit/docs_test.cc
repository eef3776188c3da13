// Pages that the program prints about itself must be in docs/ as it prints them: run scripts/docs.
#include "pgweir/base/error_catalogue.h"
#include "pgweir/config/fields.h"
#include "pgweir/metrics/catalogue.h"
#include "pgweir/session/client_fsm.h"
#include "pgweir/session/server_fsm.h"

#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>

namespace pgweir {
namespace {

std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE_MESSAGE(file.is_open(), path);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("docs: the generated pages are what the program prints (run scripts/docs)") {
    CHECK(text_of("docs/config.md") == config::config_markdown());
    CHECK(text_of("docs/metrics.md") == metrics::metrics_markdown());
    CHECK(text_of("docs/errors.md") == errors_markdown());
    CHECK(text_of("docs/fsm/client.mmd") == session::client_diagram());
    CHECK(text_of("docs/fsm/server.mmd") == session::server_diagram());
}

}  // namespace pgweir
