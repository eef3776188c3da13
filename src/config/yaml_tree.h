#pragma once

#include "config/problems.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The file as a tree of text: what YAML guesses about types is not asked for, so that `0123`,
/// `1e3` or `yes` stay what somebody typed.
namespace pgweir::config {

inline constexpr size_t kDepthMax = 16;  // maps and lists inside each other; the model needs five

struct YamlEntry;

struct YamlNode {
    enum class Kind : uint8_t { Nothing, Scalar, List, Map };

    Kind kind = Kind::Nothing;
    size_t line = 1;  // counts from 1
    bool quoted = false;
    std::string text;                // of a Scalar
    std::vector<YamlNode> items;     // of a List
    std::vector<YamlEntry> entries;  // of a Map, in the order of the file, each key once
};

struct YamlEntry {
    std::string key;
    size_t line = 1;
    YamlNode value;
};

/// Reads one document. What is not allowed in a configuration (anchors, aliases, tags, merge keys,
/// duplicate keys, a second document, deep nesting, control characters) becomes a problem.
/// nullopt: it could not be read to its end; there is at least one problem then.
/// Nothing is thrown, whatever the text.
std::optional<YamlNode> parse_yaml(std::string_view text, Problems& problems);

}  // namespace pgweir::config
