#pragma once

#include "config/scalar.h"
#include "pgweir/base/check.h"
#include "pgweir/config/model.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The types of the table of fields, and what the loader asks it.
namespace pgweir::config {

/// A database as the file says it, before a cluster is made of its host and port.
struct DatabaseEntry {
    Database database;
    std::string host;
    std::optional<uint16_t> port;
};

/// The object whose members a row sets.
using Owner = std::variant<Config*,
                           ListenAddress*,
                           Cluster*,
                           Node*,
                           RoutingRule*,
                           DatabaseEntry*,
                           User*,
                           Application*>;

/// Says of a member pointer which class it belongs to.
template <class Class, class Member>
Class class_of(Member Class::*);

/// The member that a row sets: member<&Config::limits, &Limits::clients>.
template <auto kFirst, auto... kRest>
Slot member(const Owner& owner) {
    using Root = decltype(class_of(kFirst));
    Root* const* root = std::get_if<Root*>(&owner);
    PGW_CHECK(root != nullptr);
    return &(((**root).*kFirst).*....*kRest);
}

enum class Reload : uint8_t { AtOnce, NewConnections, Restart };

/// One scalar key. '*' in a key stands for a name of the file's, or for an item of a list.
struct Field {
    std::string_view key;
    Slot (*slot)(const Owner&);
    Rule rule;
    Reload reload;
    std::string_view doc;
};

/// A key that the design knows and this version does not.
struct LaterKey {
    std::string_view key;
    std::string_view doc;
};

std::span<const Field> fields();
std::span<const LaterKey> later_keys();

const Field* find_field(std::string_view key);
const LaterKey* find_later_key(std::string_view key);

/// True exactly when some field's key begins with `prefix`.
bool any_field_under(std::string_view prefix);

/// The names that may stand right behind `prefix` ("limits." or "").
std::vector<std::string_view> names_under(std::string_view prefix);

/// The whole key that was probably meant by a name which is unknown where it stands: a neighbour
/// with a like name, the same name in another section, or what PgBouncer's setting is called here.
std::optional<std::string> meant_key(std::string_view prefix, std::string_view name);

/// "10.0.0.5:5432", "[::1]:5432", "/run/postgresql:5432"
std::string address_text(std::string_view host, uint16_t port);

/// Where pgweir listens when the file does not say.
std::vector<ListenAddress> default_listen();

/// A default-constructed model, to ask a row for its default and its type.
class BlankModel {
public:
    Slot slot_of(const Field& field);

private:
    Config config_;
    ListenAddress listen_;
    Node node_;
    Cluster cluster_;
    DatabaseEntry database_;
    User user_;
    Application application_;
    RoutingRule rule_;
};

}  // namespace pgweir::config
