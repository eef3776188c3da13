#include "pgweir/config/loader.h"

#include "config/problems.h"
#include "config/reader.h"
#include "config/validate.h"
#include "config/yaml_tree.h"

#include <utility>

#include <fmt/core.h>

namespace pgweir::config {
namespace {

Loaded only_problem(const std::string& path, std::string what, std::string fix) {
    Problems problems(path);
    problems.add(1, std::move(what), std::move(fix));
    return Loaded{.config = std::nullopt, .problems = problems.take()};
}

}  // namespace

std::string Diagnostic::to_line() const {
    return fmt::format("{}:{}: {}{}{}", file, line, what, fix.empty() ? "" : "; ", fix);
}

Loaded load_text(std::string_view yaml, std::string path, const Environment& environment) {
    if (yaml.size() > kFileBytesMax) {
        return only_problem(path, fmt::format("the file is larger than {} bytes", kFileBytesMax),
                            "make it smaller");
    }
    Problems problems(path);
    const std::optional<YamlNode> root = parse_yaml(yaml, problems);
    if (!root) return Loaded{.config = std::nullopt, .problems = problems.take()};

    Reader reader(std::move(path), environment, problems);
    Draft draft = reader.read(*root);
    // An empty or shapeless file has its one problem; "there is no database" would only be noise.
    const bool shapeless = root->kind != YamlNode::Kind::Map;
    if (shapeless) return Loaded{.config = std::nullopt, .problems = problems.take()};

    Config config = validate(std::move(draft), problems);
    if (!problems.empty()) return Loaded{.config = std::nullopt, .problems = problems.take()};
    return Loaded{.config = std::move(config), .problems = {}};
}

Loaded load_file(const std::string& path) {
    const SystemEnvironment environment;
    const auto file = environment.read_file(path);
    if (!file) {
        return only_problem(path, fmt::format("cannot read the file: {}", file.error()),
                            "name a YAML file that pgweir may read");
    }
    return load_text(file->text, path, environment);
}

}  // namespace pgweir::config
