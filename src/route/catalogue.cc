#include "pgweir/route/catalogue.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace pgweir::route {
namespace {

constexpr size_t kColumns = 6;
constexpr std::string_view kTaint = "casts, checks or comparisons call a VOLATILE function";

struct Fact {
    std::string_view kind;
    uint64_t id = 0;
    sql::Name name{};
    std::string_view flags;
    uint64_t used = 0;

    bool has(char flag) const { return flags.find(flag) != std::string_view::npos; }
};

std::optional<uint64_t> read_id(std::string_view text) {
    uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<Fact> read_fact(Catalogue::Row row) {
    if (std::any_of(row.begin(), row.end(), [](const auto& cell) { return !cell; })) {
        return std::nullopt;
    }
    const auto id = read_id(*row[1]);
    const auto used = read_id(*row[5]);
    if (!id || !used) return std::nullopt;
    return Fact{
        *row[0], *id, {std::string(*row[2]), std::string(*row[3])},
          *row[4], *used
    };
}

bool is_of_postgres(const sql::Name& name) {
    return name.schema == "pg_catalog";
}

/// For telling whether anything has changed; nobody chooses rows to deceive it.
uint64_t digest_of(Catalogue::Row row) {
    constexpr uint64_t kPrime = 0x100000001b3;  // FNV-1a
    uint64_t digest = 0xcbf29ce484222325;
    for (const auto& cell : row) {
        for (const char c : cell.value_or("\x01")) {
            digest = (digest ^ static_cast<unsigned char>(c)) * kPrime;
        }
        digest = (digest ^ 0xff) * kPrime;
    }
    return digest;
}

}  // namespace

/// Sees all rows before it judges: a view may come before what it uses.
class Catalogue::Builder {
public:
    bool add(const Fact& fact);
    Catalogue finish();

private:
    struct Function {
        sql::Name name{};
        std::string why{};  // it is unfit
        bool of_extension = false;
        bool as_column = false;  // t.f means f(t)
    };

    struct Relation {
        sql::Name name{};
        std::string why{};              // it is unfit
        std::vector<uint64_t> users{};  // views and parents
    };

    struct Call {
        uint64_t relation = 0;
        uint64_t function = 0;
        sql::Name name{};
    };

    void add_function(const Fact& fact);
    void add_operator(const Fact& fact);
    void add_type(const Fact& fact);
    void add_relation(const Fact& fact);
    void add_default(const Fact& fact);
    void object(uint64_t relation, std::string why);
    void judge_calls();
    void spread();

    Catalogue made_;
    std::unordered_map<uint64_t, Function> functions_;
    std::unordered_map<uint64_t, Relation> relations_;
    std::vector<std::pair<uint64_t, std::string>> defaults_;  // of functions: why they are unfit
    std::vector<Call> calls_;
    std::vector<std::pair<uint64_t, uint64_t>> uses_;
};

bool Catalogue::Builder::add(const Fact& fact) {
    ++made_.rows_;
    if (fact.kind == "function") {
        add_function(fact);
    } else if (fact.kind == "defaults") {
        add_default(fact);
    } else if (fact.kind == "operator") {
        add_operator(fact);
    } else if (fact.kind == "type") {
        add_type(fact);
    } else if (fact.kind == "relation") {
        add_relation(fact);
    } else if (fact.kind == "uses") {
        uses_.emplace_back(fact.id, fact.used);
    } else if (fact.kind == "calls") {
        calls_.push_back({fact.id, fact.used, fact.name});
    } else if (fact.kind == "tainted") {
        object(fact.id, fmt::format("has to do with a type whose {}", kTaint));
    } else if (fact.kind == "locks") {
        object(fact.id, "locks rows");
    } else if (fact.kind == "serializable") {
        if (!fact.name.name.empty()) {
            made_.serializable_roles_.insert(fact.name.name);
        } else {
            made_.against_all_ =
                "its transactions are serializable by default, which no standby can be";
        }
    } else {
        return false;
    }
    return true;
}

void Catalogue::Builder::add_function(const Fact& fact) {
    const std::string& name = fact.name.name;
    if (is_of_postgres(fact.name)) {
        if (sql::is_part_of_reads(name)) return;
        if (fact.has('i')) {
            made_.immutable_functions_.insert(name);
            return;
        }
        made_.functions_[name].emplace_back(fact.name.schema,
                                            fmt::format("{}() is not known to be harmless", name));
        return;
    }
    std::string why;
    if (fact.has('v')) {
        why = fmt::format("{}() is VOLATILE; if it only reads, declare it STABLE",
                          sql::to_text(fact.name));
    } else if (fact.has('t')) {
        why = fmt::format("{}() has to do with a type whose {}", sql::to_text(fact.name), kTaint);
    } else if (sql::runs_text(name)) {
        why = fmt::format("{}() runs a text as SQL", sql::to_text(fact.name));
    }
    functions_[fact.id] = {fact.name, std::move(why), fact.has('e'), fact.has('.')};
}

void Catalogue::Builder::add_default(const Fact& fact) {
    const bool fit =
        is_of_postgres(fact.name) ? sql::is_part_of_reads(fact.name.name) : !fact.has('v');
    if (fit) return;
    defaults_.emplace_back(fact.id, fmt::format("has {}() in a default", sql::to_text(fact.name)));
}

void Catalogue::Builder::add_operator(const Fact& fact) {
    const std::string name = sql::to_text(fact.name);
    std::string why;
    if (fact.has('v')) {
        why = fmt::format("operator {}, or what stands for it, calls a VOLATILE function", name);
    } else if (fact.has('t')) {
        why = fmt::format("operator {} has to do with a type whose {}", name, kTaint);
    }
    made_.operators_[fact.name.name].emplace_back(fact.name.schema, std::move(why));
}

void Catalogue::Builder::add_type(const Fact& fact) {
    if (fact.has('a')) {
        made_.against_all_ = fmt::format("{} is a type whose {}", fact.name.name, kTaint);
        return;
    }
    std::string why;
    if (fact.has('t') || fact.has('v')) {
        why = fmt::format("a cast, check or comparison of {} calls a VOLATILE function",
                          sql::to_text(fact.name));
    }
    made_.types_[fact.name.name].emplace_back(fact.name.schema, std::move(why));
}

void Catalogue::Builder::add_relation(const Fact& fact) {
    relations_[fact.id].name = fact.name;
    if (fact.has('u')) object(fact.id, "is unlogged, and empty on standbys");
    if (fact.flags.starts_with('f')) object(fact.id, "is a foreign table");
    if (fact.has('t')) object(fact.id, fmt::format("has a column of a type whose {}", kTaint));
    if (fact.flags.starts_with('S')) object(fact.id, "is a sequence, and ahead on standbys");
}

void Catalogue::Builder::object(uint64_t relation, std::string why) {
    std::string& known = relations_[relation].why;
    if (known.empty()) known = std::move(why);
}

void Catalogue::Builder::judge_calls() {
    for (auto& [id, why] : defaults_) {
        Function& function = functions_[id];
        if (function.why.empty()) {
            function.why = fmt::format("{}() {}", sql::to_text(function.name), why);
        }
    }
    for (const Call& call : calls_) {
        const auto found = functions_.find(call.function);
        const bool fit = is_of_postgres(call.name)
                             ? sql::is_part_of_reads(call.name.name)
                             : found != functions_.end() && found->second.why.empty();
        if (!fit) object(call.relation, fmt::format("calls {}()", sql::to_text(call.name)));
    }
    for (auto& [id, function] : functions_) {
        const std::string& name = function.name.name;
        if (!function.why.empty()) {
            if (function.as_column) made_.row_functions_.insert(name);
            // Extensions have names of their own, and those that everybody has are harmless.
            if (!function.of_extension) {
                made_.own_functions_[name].emplace_back(function.name.schema, function.why);
            }
        }
        made_.functions_[name].emplace_back(function.name.schema, std::move(function.why));
    }
}

/// What is against a table is against the views and parents that read it.
void Catalogue::Builder::spread() {
    for (const auto& [user, used] : uses_) {
        const auto found = relations_.find(used);
        if (found == relations_.end()) {
            object(user, "reads something that is not in the catalogue");
        } else {
            found->second.users.push_back(user);
        }
    }
    std::vector<uint64_t> pending;
    for (const auto& [id, relation] : relations_) {
        if (!relation.why.empty()) pending.push_back(id);
    }
    while (!pending.empty()) {
        const Relation& unfit = relations_[pending.back()];
        pending.pop_back();
        for (const uint64_t id : unfit.users) {
            const auto user = relations_.find(id);
            // A temporary view is no fact: it is its session's, which is never judged.
            if (user == relations_.end() || !user->second.why.empty()) continue;
            user->second.why =
                fmt::format("reads {}, which {}", sql::to_text(unfit.name), unfit.why);
            pending.push_back(id);
        }
    }
}

Catalogue Catalogue::Builder::finish() {
    judge_calls();
    spread();
    for (auto& [id, relation] : relations_) {
        std::string why;
        if (!relation.why.empty()) {
            why = fmt::format("{} {}", sql::to_text(relation.name), relation.why);
        }
        made_.relations_[relation.name.name].emplace_back(std::move(relation.name.schema),
                                                          std::move(why));
    }
    return std::move(made_);
}

std::optional<Catalogue> Catalogue::from_rows(
    size_t count, const std::vector<std::optional<std::string_view>>& cells) {
    if (cells.size() != count * kColumns || count > kCatalogueRowsMax) return std::nullopt;
    Builder builder;
    uint64_t digest = 0;
    for (size_t row = 0; row < count; ++row) {
        const Row one = Row(cells).subspan(row * kColumns, kColumns);
        const auto fact = read_fact(one);
        if (!fact || !builder.add(*fact)) return std::nullopt;
        digest += digest_of(one);  // the order of rows is not the server's promise
    }
    Catalogue made = builder.finish();
    made.digest_ = digest;
    return made;
}

const Catalogue::Objections* Catalogue::find(const Names& names, const sql::Name& name) {
    const auto found = names.find(name.name);
    return found == names.end() ? nullptr : &found->second;
}

/// unknown: nullptr, or what to say if no schema has the name.
std::string Catalogue::worst(const Names& names, const sql::Name& name, const char* unknown) {
    bool known = false;
    if (const Objections* all = find(names, name)) {
        for (const auto& [schema, why] : *all) {
            if (!name.schema.empty() && schema != name.schema) continue;
            known = true;
            if (!why.empty()) return why;
        }
    }
    if (known || unknown == nullptr) return {};
    return fmt::format("{} {}", sql::to_text(name), unknown);
}

std::string Catalogue::against_function(const sql::Name& name) const {
    const bool known =
        (name.schema.empty() || is_of_postgres(name)) && immutable_functions_.contains(name.name);
    return worst(functions_, name, known ? nullptr : "is no function that the catalogue has");
}

std::string Catalogue::against_harmless_function(const sql::Name& name) const {
    if (is_of_postgres(name)) return {};
    return worst(own_functions_, name, nullptr);
}

std::string Catalogue::against_operator(const sql::Name& name) const {
    return worst(operators_, name, "is no operator that the catalogue has");
}

std::string Catalogue::against_type(const sql::Name& name) const {
    const bool is_row = has_relation(name);
    return worst(types_, name, is_row ? nullptr : "is no type that the catalogue has");
}

std::string Catalogue::against_relation(const sql::Name& name) const {
    return worst(relations_, name, "is no relation that the catalogue has");
}

std::string Catalogue::against_field(const std::string& name) const {
    if (!row_functions_.contains(name)) return {};
    return fmt::format("{} may be called as a column, and is unfit", name);
}

bool Catalogue::has_relation(const sql::Name& name) const {
    return find(relations_, name) != nullptr;
}

}  // namespace pgweir::route
