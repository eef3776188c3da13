#pragma once

#include "config/field.h"
#include "config/problems.h"
#include "config/yaml_tree.h"
#include "pgweir/config/loader.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace pgweir::config {

/// The model as far as it could be read, and where each key stood.
struct Draft {
    Config config;
    std::map<std::string, DatabaseEntry, std::less<>> databases;  // move to config when validated
    std::map<std::string, size_t, std::less<>> lines;             // "limits.clients" -> its line
    std::set<std::string, std::less<>> broken;  // keys with a problem of their own

    bool has(std::string_view key) const { return lines.find(key) != lines.end(); }

    bool is_broken(std::string_view key) const { return broken.find(key) != broken.end(); }

    /// The line of the key, or of the nearest thing around it that stands in the file.
    size_t line_of(std::string_view key) const;
};

/// A name of the file's as messages show it: on one line, and not endless.
std::string shown_name(std::string_view name);

/// The item of a list as messages and Draft::lines know it: "listen.1" has index 0.
std::string item_key(std::string_view list, size_t index);

/// Walks the tree along the table of fields: every key is known, every value fits its row.
/// Lifetime: one file.
class Reader {
public:
    Reader(std::string path, const Environment& environment, Problems& problems);

    Draft read(const YamlNode& root);

private:
    /// Where in the file: as the table writes it ("databases.*") and as the reader of a message
    /// knows it ("databases.mastodon").
    struct Place {
        std::string key;
        std::string shown;
    };

    void refuse(size_t line, const Place& place, const std::string& what, std::string fix);
    void read_map(const YamlNode& map, const Place& place, const Owner& owner);
    void read_entry(const YamlEntry& entry, const Place& parent, const Owner& owner);
    void read_named(const YamlNode& map, const Place& place);
    void read_listed(const YamlNode& list, const Place& place, const Owner& owner);
    void read_field(const YamlNode& node,
                    const Place& place,
                    const Field& field,
                    const Owner& owner);
    void read_list(const YamlNode& node, const Place& place, const Rule& rule, const Slot& slot);
    void read_secret(const YamlNode& node, const Place& place, const Rule& rule, const Slot& slot);
    void read_scalar(const YamlNode& node, const Place& place, const Rule& rule, const Slot& slot);

    bool is_map(const YamlNode& node, const Place& place);
    Owner make_named(const Place& place, const std::string& name);
    Owner make_listed(const Place& place, const Owner& owner);
    void refuse_unknown(const YamlEntry& entry, const Place& parent);
    std::optional<std::string> secret_text(const YamlEntry& source, const Place& place);
    std::optional<std::string> file_text(const YamlNode& node, const Place& place);
    std::string resolved(std::string_view path) const;

    std::string path_;
    const Environment& environment_;
    Problems& problems_;
    Draft draft_;
};

}  // namespace pgweir::config
