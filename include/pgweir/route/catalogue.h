#pragma once

#include "pgweir/sql/classify.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

/// Which reads may go to a standby, and to which.
namespace pgweir::route {

/// Of one database: a catalogue with more rows is not used, and its reads stay on the primary.
inline constexpr size_t kCatalogueRowsMax = 500'000;

/// What the names of one database stand for, as far as reads on a standby mind. A name without a
/// schema may be any of its name, since the search_path is the client's: the worst of them counts.
/// Immutable. Thread: any.
class Catalogue {
public:
    using Row = std::span<const std::optional<std::string_view>>;

    /// kCatalogueQuestion's answer. nullopt: the rows make no sense.
    static std::optional<Catalogue> from_rows(
        size_t count, const std::vector<std::optional<std::string_view>>& cells);

    Catalogue(Catalogue&&) = default;
    Catalogue& operator=(Catalogue&&) = default;

    /// Why a read that mentions it must not go to a standby; empty: it may.
    std::string against_function(const sql::Name& name) const;
    std::string against_harmless_function(const sql::Name& name) const;
    std::string against_operator(const sql::Name& name) const;
    std::string against_type(const sql::Name& name) const;
    std::string against_relation(const sql::Name& name) const;
    std::string against_field(const std::string& name) const;

    /// Why no read of this database may.
    const std::string& against_all() const { return against_all_; }

    /// The transactions of this role are serializable by default: nothing of it may.
    bool is_serializable(const std::string& role) const {
        return !serializable_roles_.empty() && serializable_roles_.contains(role);
    }

    /// It knows a relation of this name.
    bool has_relation(const sql::Name& name) const;

    /// Of its rows: two catalogues with the same one say the same.
    uint64_t digest() const { return digest_; }

    /// Rows that it was made of.
    size_t size() const { return rows_; }

private:
    Catalogue() = default;
    class Builder;

    /// The same name in each schema, with what is against it.
    using Objections = std::vector<std::pair<std::string, std::string>>;
    using Names = std::unordered_map<std::string, Objections>;

    static const Objections* find(const Names& names, const sql::Name& name);
    static std::string worst(const Names& names, const sql::Name& name, const char* unknown);

    size_t rows_ = 0;
    uint64_t digest_ = 0;
    Names functions_;
    std::unordered_set<std::string> immutable_functions_;  // PostgreSQL's, with some overload
    Names own_functions_;  // unfit ones of the users, under names of PostgreSQL's
    Names operators_;
    Names types_;  // but for those of rows
    Names relations_;
    std::unordered_set<std::string> row_functions_;  // unfit, and t.f means f(t)
    std::unordered_set<std::string> serializable_roles_;
    std::string against_all_;
};

}  // namespace pgweir::route
