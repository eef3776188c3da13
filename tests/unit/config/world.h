#pragma once

#include "pgweir/config/loader.h"

#include <initializer_list>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::config {

/// An environment that is made up: files by path, variables by name.
class World : public Environment {
public:
    std::map<std::string, File> files;
    std::map<std::string, std::string> variables;

    tl::expected<File, std::string> read_file(const std::string& path) const override {
        const auto found = files.find(path);
        if (found == files.end()) return tl::unexpected<std::string>("No such file or directory");
        return found->second;
    }

    std::optional<std::string> env(const std::string& name) const override {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
    }
};

/// Lines of text that a failing test can show.
class Lines {
public:
    Lines() = default;

    Lines(std::initializer_list<std::string> lines) : lines_(lines) {}

    void add(std::string line) { lines_.push_back(std::move(line)); }

    bool empty() const { return lines_.empty(); }

    size_t size() const { return lines_.size(); }

    const std::string& front() const { return lines_.front(); }

    auto begin() const { return lines_.begin(); }

    auto end() const { return lines_.end(); }

    bool operator==(const Lines&) const = default;

private:
    std::vector<std::string> lines_;
};

inline std::ostream& operator<<(std::ostream& out, const Lines& lines) {
    for (const std::string& line : lines) out << "\n    " << line;
    return out;
}

/// The problems of a text as lines; "c.yaml:" is left out.
inline Lines problems_of(std::string_view yaml, const World& world = {}) {
    const Loaded loaded = load_text(yaml, "/etc/pgweir/c.yaml", world);
    Lines lines;
    for (const Diagnostic& problem : loaded.problems) {
        lines.add(problem.to_line().substr(std::string_view("/etc/pgweir/c.yaml:").size()));
    }
    return lines;
}

/// The same for a text that is otherwise right: three lines that make it so come behind it.
inline Lines problems_in(std::string_view yaml, const World& world = {}) {
    return problems_of(std::string(yaml) +
                           "\nauth: {method: trust}\n"
                           "databases: {app: {host: db}}\n",
                       world);
}

}  // namespace pgweir::config
