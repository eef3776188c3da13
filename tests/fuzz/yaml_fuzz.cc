#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/config/loader.h"

#include <cstddef>
#include <cstdint>

namespace pgweir::fuzz_yaml {
namespace {

/// A world with one secret file, one that everybody can read, and one variable.
class FuzzEnvironment : public config::Environment {
public:
    tl::expected<File, std::string> read_file(const std::string& path) const override {
        if (path == "p") return File{.text = "secret\n", .mode = 0600};
        if (path == "w") return File{.text = "secret\n", .mode = 0644};
        return tl::unexpected<std::string>("No such file or directory");
    }

    std::optional<std::string> env(const std::string& name) const override {
        if (name == "P") return "secret";
        return std::nullopt;
    }
};

}  // namespace

/// Whatever the text: a configuration, or at least one problem with its line, and no exception.
void fuzz_one(Bytes data);

void fuzz_one(Bytes data) {
    const FuzzEnvironment environment;
    const config::Loaded loaded = config::load_text(as_text(data), "fuzz.yaml", environment);

    PGW_CHECK(loaded.config.has_value() == loaded.problems.empty());
    for (const config::Diagnostic& problem : loaded.problems) {
        PGW_CHECK(problem.line >= 1);
        PGW_CHECK(!problem.what.empty());
        PGW_CHECK(problem.to_line().find('\n') == std::string::npos);
    }
    if (loaded.config) {
        PGW_CHECK(!loaded.config->databases.empty());
        for (const auto& [name, database] : loaded.config->databases) {
            PGW_CHECK(loaded.config->clusters.contains(database.cluster));
        }
    }
}

}  // namespace pgweir::fuzz_yaml

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_yaml::fuzz_one({data, size});
    return 0;
}
#endif
