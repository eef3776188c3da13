#include "config/reader.h"

#include <filesystem>
#include <utility>

#include <fmt/core.h>

namespace pgweir::config {
namespace {

constexpr uint64_t kNameBytesMax = 63;  // PostgreSQL's NAMEDATALEN - 1
constexpr const char* kSecretForms = "write {file: PATH} or {env: NAME}";
constexpr uint32_t kOthersMode = 0007;  // what chmod calls o=rwx

std::string joined(std::string_view prefix, std::string_view name) {
    return prefix.empty() ? std::string(name) : fmt::format("{}.{}", prefix, name);
}

std::string prefix_of(std::string_view key) {
    return key.empty() ? std::string() : fmt::format("{}.", key);
}

bool is_listed(std::string_view key) {
    return key == "listen" || key == "clusters.*.nodes" || key == "clusters.*.routing.rules";
}

// Text where a section should be may be a password in the wrong place: it is never shown.
std::string kind_words(YamlNode::Kind kind) {
    switch (kind) {
        case YamlNode::Kind::Nothing: return "has no value";
        case YamlNode::Kind::Scalar: return "is a single value";
        case YamlNode::Kind::List: return "is a list";
        case YamlNode::Kind::Map: return "is a map of keys";
    }
    return {};
}

std::string list_example(std::string_view key) {
    if (key == "listen") return "write a list, such as [{host: 127.0.0.1, port: 6432}]";
    if (key == "clusters.*.nodes") return "write a list, such as [{host: 10.0.0.5, port: 5432}]";
    if (key == "clusters.*.routing.rules") {
        return "write a list, such as [{pattern: \"select * from f(*)\", route: standby}]";
    }
    if (key.ends_with(".samples")) return "write a list of statements, such as [\"SELECT 1\"]";
    return "write a list of names, such as [ops]";
}

void strip_line_break(std::string& text) {
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
}

}  // namespace

std::string shown_name(std::string_view name) {
    const std::string quoted = in_quotes(name);
    return quoted.substr(1, quoted.size() - 2);
}

std::string item_key(std::string_view list, size_t index) {
    return fmt::format("{}.{}", list, index + 1);
}

size_t Draft::line_of(std::string_view key) const {
    while (true) {
        const auto found = lines.find(key);
        if (found != lines.end()) return found->second;
        const size_t dot = key.rfind('.');
        if (dot == std::string_view::npos) return 1;
        key = key.substr(0, dot);
    }
}

Reader::Reader(std::string path, const Environment& environment, Problems& problems)
    : path_(std::move(path)), environment_(environment), problems_(problems) {
    draft_.config.path = path_;
}

Draft Reader::read(const YamlNode& root) {
    if (root.kind == YamlNode::Kind::Nothing) {
        problems_.add(root.line, "the configuration is empty", "start from conf/minimal.yaml");
    } else if (root.kind != YamlNode::Kind::Map) {
        problems_.add(root.line, fmt::format("the configuration {}", kind_words(root.kind)),
                      "write keys with values, as in conf/minimal.yaml");
    } else {
        read_map(root, Place{}, &draft_.config);
    }
    return std::move(draft_);
}

/// What is the matter with this very place; what follows from it is then not reported as well.
void Reader::refuse(size_t line, const Place& place, const std::string& what, std::string fix) {
    problems_.add(line, place.shown + what, std::move(fix));
    draft_.broken.insert(place.shown);
}

void Reader::read_map(const YamlNode& map, const Place& place, const Owner& owner) {
    if (!is_map(map, place)) return;
    for (const YamlEntry& entry : map.entries) read_entry(entry, place, owner);
}

void Reader::read_entry(const YamlEntry& entry, const Place& parent, const Owner& owner) {
    const Place place{.key = joined(parent.key, entry.key),
                      .shown = joined(parent.shown, shown_name(entry.key))};
    // The table's own signs are no names: a key "limits.clients" or "*" would find its row.
    const bool plain = entry.key.find_first_of(".*") == std::string::npos;
    if (plain && find_later_key(place.key) != nullptr) {
        problems_.add(entry.line,
                      fmt::format("{} is not supported by this version yet", place.shown),
                      "remove the key");
        return;
    }
    const Field* field = plain ? find_field(place.key) : nullptr;
    const bool is_section = plain && any_field_under(place.key + ".");
    if (field == nullptr && !is_section) {
        refuse_unknown(entry, parent);
        return;
    }
    draft_.lines.emplace(place.shown, entry.line);
    if (field != nullptr) {
        read_field(entry.value, place, *field, owner);
    } else if (is_listed(place.key)) {
        read_listed(entry.value, place, owner);
    } else if (any_field_under(place.key + ".*.")) {
        read_named(entry.value, place);
    } else {
        read_map(entry.value, place, owner);
    }
}

void Reader::read_named(const YamlNode& map, const Place& place) {
    if (!is_map(map, place)) return;
    for (const YamlEntry& entry : map.entries) {
        const Place item{.key = place.key + ".*",
                         .shown = joined(place.shown, shown_name(entry.key))};
        draft_.lines.emplace(item.shown, entry.line);
        const Rule rule{.kind = place.key == "clusters" ? Kind::Name : Kind::Text,
                        .max = kNameBytesMax};
        std::string name;
        if (const auto mistake = assign(Slot(&name), rule, Scalar{.text = entry.key})) {
            problems_.add(entry.line, fmt::format("a name in {}: {}", place.shown, mistake->what),
                          mistake->fix);
            continue;
        }
        read_map(entry.value, item, make_named(place, name));
    }
}

void Reader::read_listed(const YamlNode& list, const Place& place, const Owner& owner) {
    if (list.kind != YamlNode::Kind::List) {
        refuse(list.line, place, fmt::format(" {}", kind_words(list.kind)),
               list_example(place.key));
        return;
    }
    if (list.items.empty()) refuse(list.line, place, " is empty", list_example(place.key));
    for (size_t i = 0; i < list.items.size(); ++i) {
        const Place item{.key = place.key + ".*", .shown = item_key(place.shown, i)};
        draft_.lines.emplace(item.shown, list.items[i].line);
        read_map(list.items[i], item, make_listed(place, owner));
    }
}

Owner Reader::make_named(const Place& place, const std::string& name) {
    if (place.key == "clusters") {
        Cluster& cluster = draft_.config.clusters[name];
        cluster.name = name;
        return &cluster;
    }
    if (place.key == "databases") {
        DatabaseEntry& entry = draft_.databases[name];
        entry.database.name = name;
        return &entry;
    }
    if (place.key == "applications") return &draft_.config.applications[name];
    User& user = draft_.config.users[name];
    user.name = name;
    return &user;
}

Owner Reader::make_listed(const Place& place, const Owner& owner) {
    if (place.key == "listen") return &draft_.config.listen.emplace_back();
    Cluster* const* cluster = std::get_if<Cluster*>(&owner);
    PGW_CHECK(cluster != nullptr);
    if (place.key == "clusters.*.routing.rules") {
        return &(*cluster)->routing.rules.emplace_back();
    }
    return &(*cluster)->nodes.emplace_back();
}

void Reader::read_field(const YamlNode& node,
                        const Place& place,
                        const Field& field,
                        const Owner& owner) {
    const Slot slot = field.slot(owner);
    if (field.rule.kind == Kind::List) {
        read_list(node, place, field.rule, slot);
    } else if (field.rule.kind == Kind::Secret) {
        read_secret(node, place, field.rule, slot);
    } else {
        read_scalar(node, place, field.rule, slot);
    }
}

void Reader::read_list(const YamlNode& node,
                       const Place& place,
                       const Rule& rule,
                       const Slot& slot) {
    if (node.kind != YamlNode::Kind::List) {
        refuse(node.line, place, fmt::format(" {}", kind_words(node.kind)),
               list_example(place.key));
        return;
    }
    for (const YamlNode& item : node.items) read_scalar(item, place, rule, slot);
}

void Reader::read_scalar(const YamlNode& node,
                         const Place& place,
                         const Rule& rule,
                         const Slot& slot) {
    if (node.kind != YamlNode::Kind::Scalar) {
        const bool nothing = node.kind == YamlNode::Kind::Nothing;
        refuse(node.line, place, fmt::format(" {}", kind_words(node.kind)),
               nothing ? "give it one, or remove the key" : "write one value");
        return;
    }
    std::string text = node.text;
    if (rule.kind == Kind::Path && !text.empty()) text = resolved(text);
    if (auto mistake = assign(slot, rule, Scalar{.text = text, .quoted = node.quoted})) {
        refuse(node.line, place, ": " + mistake->what, mistake->fix);
    }
}

void Reader::read_secret(const YamlNode& node,
                         const Place& place,
                         const Rule& rule,
                         const Slot& slot) {
    if (node.kind != YamlNode::Kind::Map) {
        read_scalar(node, place, rule, slot);
        return;
    }
    if (node.entries.size() != 1) {
        refuse(node.line, place, " needs exactly one source", kSecretForms);
        return;
    }
    const YamlEntry& source = node.entries.front();
    const std::optional<std::string> text = secret_text(source, place);
    if (!text) return;
    if (auto mistake = assign(slot, rule, Scalar{.text = *text, .quoted = true})) {
        const bool is_file = source.key == "file";
        refuse(source.line, place, (is_file ? ": the file " : ": the variable ") + mistake->what,
               is_file ? "write the password into the file" : "set the variable");
    }
}

// Returns the secret's text, or reports why there is none.
std::optional<std::string> Reader::secret_text(const YamlEntry& source, const Place& place) {
    const bool is_file = source.key == "file";
    if (!is_file && source.key != "env") {
        // What stands here may be a password, so it is not repeated.
        refuse(source.line, place, " has an unknown source", kSecretForms);
        return std::nullopt;
    }
    if (source.value.kind != YamlNode::Kind::Scalar || source.value.text.empty()) {
        refuse(source.line, place, " has a source without a value", kSecretForms);
        return std::nullopt;
    }
    if (is_file) return file_text(source.value, place);

    std::optional<std::string> value = environment_.env(source.value.text);
    if (!value) {
        refuse(source.line, place,
               fmt::format(": the environment has no variable {}", in_quotes(source.value.text)),
               "set it before pgweir starts");
    }
    return value;
}

std::optional<std::string> Reader::file_text(const YamlNode& node, const Place& place) {
    const std::string path = resolved(node.text);
    tl::expected<Environment::File, std::string> file = environment_.read_file(path);
    if (!file) {
        refuse(node.line, place, fmt::format(": cannot read {}: {}", in_quotes(path), file.error()),
               "a relative path starts from the configuration file's folder");
        return std::nullopt;
    }
    if ((file->mode & kOthersMode) != 0) {
        refuse(node.line, place,
               fmt::format(": {} is accessible to everybody (mode {:04o})", in_quotes(path),
                           file->mode),
               "chmod o-rwx on it");
        return std::nullopt;
    }
    strip_line_break(file->text);
    return std::move(file->text);
}

bool Reader::is_map(const YamlNode& node, const Place& place) {
    if (node.kind == YamlNode::Kind::Map) return true;
    const bool nothing = node.kind == YamlNode::Kind::Nothing;
    refuse(node.line, place, fmt::format(" {}", kind_words(node.kind)),
           nothing ? "give it keys, or remove it" : "write keys with values below it");
    return false;
}

void Reader::refuse_unknown(const YamlEntry& entry, const Place& parent) {
    if (problems_.full()) return;  // looking for a like name is the costly part
    const std::string prefix = prefix_of(parent.key);
    const std::string where =
        parent.shown.empty() ? std::string() : fmt::format(" in {}", parent.shown);
    std::string fix = "remove it; docs/config.md has all keys";
    const size_t dot = entry.key.find('.');
    if (dot != std::string::npos && find_field(prefix + entry.key) != nullptr) {
        fix = fmt::format("write it in two levels: {}: {{{}: ...}}", entry.key.substr(0, dot),
                          entry.key.substr(dot + 1));
    } else if (const auto meant = meant_key(prefix, entry.key)) {
        fix = fmt::format("did you mean {}?", *meant);
    }
    problems_.add(entry.line,
                  fmt::format("unknown key {}{}", head_in_quotes(entry.key, " \t:="), where),
                  std::move(fix));
}

std::string Reader::resolved(std::string_view path) const {
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    return (folder / std::filesystem::path(path)).string();
}

}  // namespace pgweir::config
