#include "pgweir/session/settings.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace pgweir::session {
namespace {

// Reported by the server, but nothing that a session can set.
constexpr std::array<std::string_view, 5> kReportOnly{
    "in_hot_standby", "integer_datetimes", "is_superuser", "server_encoding", "server_version"};

// With whose rights the session acts. The first is reported, the second is not.
constexpr std::string_view kSessionUser = "session_authorization";
constexpr std::string_view kRole = "role";

// Names are case-insensitive; these are reported with capitals.
constexpr std::array<std::string_view, 3> kSpelling{"DateStyle", "IntervalStyle", "TimeZone"};

// NAMEDATALEN less its NUL.
constexpr size_t kApplicationNameBytesMax = 63;

bool equal_ignoring_case(std::string_view left, std::string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) ==
               std::tolower(static_cast<unsigned char>(b));
    });
}

std::string spell(std::string_view name) {
    for (const auto known : kSpelling) {
        if (equal_ignoring_case(known, name)) return std::string(known);
    }
    std::string lower(name);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return lower;
}

// PostgreSQL 15 replaces what is not printable ASCII, so that logs stay readable.
std::string clean_application_name(std::string_view value) {
    std::string clean(value.substr(0, kApplicationNameBytesMax));
    for (char& c : clean) {
        if (c < 0x20 || c > 0x7e) c = '?';
    }
    return clean;
}

/// Letters, digits, '_', '$' and the dot of an extension's own: what a parameter's name can be.
bool can_be_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x80 && (std::isalnum(byte) != 0 || c == '_' || c == '.' || c == '$');
    });
}

void put(SettingList& list, std::string_view name, std::string_view value) {
    std::string spelled = spell(name);
    std::string stored =
        spelled == "application_name" ? clean_application_name(value) : std::string(value);
    list.emplace_back(std::move(spelled), std::move(stored));
}

// Splits at blanks; a backslash makes the next character plain.
std::vector<std::string> split_options(std::string_view options) {
    std::vector<std::string> words;
    std::string word;
    bool inside = false;
    for (size_t i = 0; i < options.size(); ++i) {
        const char c = options[i];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            if (inside) words.push_back(std::exchange(word, {}));
            inside = false;
            continue;
        }
        inside = true;
        if (c == '\\' && i + 1 < options.size()) ++i;
        word.push_back(options[i]);
    }
    if (inside) words.push_back(std::move(word));
    return words;
}

Error bad_option(std::string_view word) {
    return Error{.sqlstate = sqlstate::kSyntaxError,
                 .severity = Severity::Fatal,
                 .message = fmt::format("invalid command-line argument in options: {}", word),
                 .detail = "Only -c name=value and --name=value can be given for a pooled session.",
                 .hint = "Set the parameter by its name."};
}

Error bad_name(std::string_view name) {
    return Error{.sqlstate = sqlstate::kUndefinedObject,
                 .severity = Severity::Fatal,
                 .message = fmt::format("unrecognized configuration parameter \"{}\"", name),
                 .detail = "The startup packet asked for it.",
                 .hint = {}};
}

Result<void> put_options(SettingList& list, std::string_view options) {
    const auto words = split_options(options);
    for (size_t i = 0; i < words.size(); ++i) {
        std::string_view word = words[i];
        std::string_view assignment;
        if (word.substr(0, 2) == "--") {
            assignment = word.substr(2);
        } else if (word == "-c" && i + 1 < words.size()) {
            assignment = words[++i];
        } else if (word.substr(0, 2) == "-c") {
            assignment = word.substr(2);
        }
        const size_t equals = assignment.find('=');
        if (equals == 0 || equals == std::string_view::npos) return fail(bad_option(word));
        std::string name(assignment.substr(0, equals));
        std::replace(name.begin(), name.end(), '-', '_');
        if (!can_be_name(name)) return fail(bad_option(word));
        put(list, name, assignment.substr(equals + 1));
    }
    return {};
}

void append_literal(std::string& sql, std::string_view value) {
    sql += "E'";
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte > 0x7e || c == '\'' || c == '\\') {
            fmt::format_to(std::back_inserter(sql), "\\x{:02x}", byte);
        } else {
            sql.push_back(c);
        }
    }
    sql += '\'';
}

void append_assignment(std::string& sql, std::string_view name, std::string_view value) {
    sql += sql.empty() ? "SELECT pg_catalog.set_config(" : ",pg_catalog.set_config(";
    append_literal(sql, name);
    sql += ',';
    append_literal(sql, value);
    sql += ",false)";
}

std::string_view value_of(const SettingList& values, std::string_view name) {
    for (const auto& [key, value] : values) {
        if (key == name) return value;
    }
    return {};
}

bool is_right(std::string_view name) {
    return name == kSessionUser || name == kRole;
}

/// As PostgreSQL reads a truth value: a part of the word is enough, if it is no part of another.
std::optional<bool> truth(std::string_view value) {
    const auto begins = [&](std::string_view word, size_t least) {
        return value.size() >= least && value.size() <= word.size() &&
               equal_ignoring_case(value, word.substr(0, value.size()));
    };
    if (begins("true", 1) || begins("yes", 1) || begins("on", 2) || value == "1") return true;
    if (begins("false", 1) || begins("no", 1) || begins("off", 2) || value == "0") return false;
    return std::nullopt;
}

/// Whatever it does not know is as if nothing were said.
std::optional<config::Consistency> consistency_of(std::string_view value) {
    using enum config::Consistency;
    if (equal_ignoring_case(value, "eventual")) return Eventual;
    if (equal_ignoring_case(value, "session")) return Session;
    if (equal_ignoring_case(value, "database")) return Database;
    return std::nullopt;
}

bool is_any_of(std::string_view value, std::initializer_list<std::string_view> known) {
    return std::any_of(known.begin(), known.end(),
                       [&](std::string_view each) { return equal_ignoring_case(value, each); });
}

void append_reset(std::string& sql, std::string_view name) {
    sql += "RESET \"";
    for (const char c : name) sql.append(c == '"' ? 2 : 1, c);
    sql += "\";";
}

bool is_prepared(std::string_view name) {
    return !name.empty() && name.front() == kPreparedMark;
}

std::string give_rights_back(const SettingList& current, std::string_view owner) {
    std::string sql;
    const auto user = value_of(current, kSessionUser);
    if (!user.empty() && user != owner) sql += "RESET SESSION AUTHORIZATION;";
    if (!value_of(current, kRole).empty()) append_reset(sql, kRole);
    return sql;
}

bool is_set_mark(std::string_view name) {
    return !name.empty() && name.front() == kSetMark;
}

bool is_setting(std::string_view name) {
    return !report_only(name) && !is_right(name) && !is_prepared(name) && !is_set_mark(name);
}

/// Statements of SQL's PREPARE that the session has and shall not have. No rollback brings them
/// back: nothing that can fail may come behind this.
std::string deallocate_others(const SettingList& current, const SettingList& wanted) {
    std::string sql;
    for (const auto& [name, text] : current) {
        if (!is_prepared(name) || value_of(wanted, name) == text) continue;
        sql += "DEALLOCATE \"";
        for (const char c : std::string_view(name).substr(1)) sql.append(c == '"' ? 2 : 1, c);
        sql += "\";";
    }
    return sql;
}

/// What sets all but rights: first what is to be set, in one statement, then what is to be reset.
std::string plain_settings_query(const SettingList& current, const SettingList& wanted) {
    std::string sets;
    std::string resets;
    auto have = current.begin();
    auto want = wanted.begin();
    while (have != current.end() || want != wanted.end()) {
        const bool only_want = have == current.end();
        const bool only_have = want == wanted.end();
        const int order = only_want ? 1 : only_have ? -1 : have->first.compare(want->first);
        if (order < 0) {  // the server has it from another client, this one never named it
            if (is_setting(have->first)) {
                append_reset(resets, have->first);
            }
            ++have;
            continue;
        }
        const bool same = order == 0 && have->second == want->second;
        if (!same && is_set_mark(want->first)) {
            append_assignment(sets, want->first.substr(1), want->second);
        }
        if (!same && is_setting(want->first)) {
            append_assignment(sets, want->first, want->second);
        }
        if (order == 0) ++have;
        ++want;
    }
    if (!sets.empty()) sets += ';';
    return sets + resets;
}

std::string take_rights(const SettingList& wanted, std::string_view owner) {
    std::string sql;
    const auto user = value_of(wanted, kSessionUser);
    if (!user.empty() && user != owner) append_assignment(sql, kSessionUser, user);
    const auto role = value_of(wanted, kRole);
    if (!role.empty()) append_assignment(sql, kRole, role);
    if (!sql.empty()) sql += ';';
    return sql;
}

std::string without_last_semicolon(std::string sql) {
    if (!sql.empty() && sql.back() == ';') sql.pop_back();
    return sql;
}

size_t hash_of(const SettingList& values) {
    size_t hash = 0;
    for (const auto& [name, value] : values) {
        hash = hash * 1099511628211ULL + std::hash<std::string_view>{}(name);
        hash = hash * 1099511628211ULL + std::hash<std::string_view>{}(value);
    }
    return hash;
}

}  // namespace

bool is_understood(std::string_view setting, std::string_view value) {
    if (value.empty()) return true;
    if (setting == kRouteSetting) return is_any_of(value, {"primary", "standby", "auto"});
    if (setting == kConsistencySetting) return consistency_of(value).has_value();
    return truth(value).has_value();
}

void SettingsRef::release() {
    if (set_ != nullptr && --set_->references == 0) set_->table->forget(*set_);
}

bool SettingsRef::holds(std::string_view name) const {
    if (set_ == nullptr) return false;
    return std::any_of(set_->values.begin(), set_->values.end(),
                       [name](const Setting& setting) { return setting.first == name; });
}

std::string_view SettingsRef::find(std::string_view name) const {
    if (set_ == nullptr) return {};
    for (const auto& [key, value] : set_->values) {
        if (key == name) return value;
    }
    return {};
}

SettingsTable::~SettingsTable() {
    for (auto& [hash, set] : sets_) delete set;
}

SettingsRef SettingsTable::intern(SettingList values) {
    std::stable_sort(values.begin(), values.end(), [](const Setting& left, const Setting& right) {
        return left.first < right.first;
    });
    SettingList unique;
    unique.reserve(values.size());
    for (auto& setting : values) {
        if (!unique.empty() && unique.back().first == setting.first) unique.pop_back();
        unique.push_back(std::move(setting));
    }
    const size_t hash = hash_of(unique);
    const auto [first, last] = sets_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
        if (it->second->values == unique) return SettingsRef(it->second);
    }
    auto* set = new SettingSet;
    set->values = std::move(unique);
    set->temporary_path =
        value_of(set->values, "search_path").find("pg_temp") != std::string_view::npos;
    set->plain_strings = value_of(set->values, "standard_conforming_strings") == "on";
    set->utf8 = value_of(set->values, "client_encoding") == "UTF8";
    set->serializable =
        equal_ignoring_case(value_of(set->values, "default_transaction_isolation"), "serializable");
    set->wish = sql::wish_of(value_of(set->values, kRouteSetting));
    set->consistency = consistency_of(value_of(set->values, kConsistencySetting));
    set->traces = truth(value_of(set->values, kTraceSetting)).value_or(false);
    find_application(*set);
    set->hash = hash;
    set->table = this;
    sets_.emplace(hash, set);
    return SettingsRef(set);
}

SettingsRef SettingsTable::with(const SettingsRef& base,
                                std::string_view name,
                                std::string_view value) {
    SettingList values = base ? base.values() : SettingList{};
    values.emplace_back(name, value);
    return intern(std::move(values));
}

SettingsRef SettingsTable::without(const SettingsRef& base, std::string_view name) {
    if (!base.holds(name)) return base;
    SettingList values = base.values();
    std::erase_if(values, [name](const Setting& setting) { return setting.first == name; });
    return intern(std::move(values));
}

void SettingsTable::use_applications(const config::Applications& applications) {
    applications_ = &applications;
    for (auto& [hash, set] : sets_) find_application(*set);
}

void SettingsTable::find_application(SettingSet& set) const {
    if (applications_ == nullptr || applications_->empty()) {
        set.reads.reset();
        return;
    }
    const auto known = applications_->find(value_of(set.values, "application_name"));
    set.reads = known != applications_->end() ? known->second.reads : std::nullopt;
}

void SettingsTable::forget(SettingSet& set) {
    const auto [first, last] = sets_.equal_range(set.hash);
    for (auto it = first; it != last; ++it) {
        if (it->second != &set) continue;
        sets_.erase(it);
        break;
    }
    delete &set;
}

Result<SettingList> startup_settings(const wire::Parameters& parameters) {
    SettingList list;
    // The order is PostgreSQL's: options first, so that a parameter of its own wins.
    const auto options = wire::find_parameter(parameters, "options");
    if (auto done = put_options(list, options); !done) return fail(std::move(done.error()));
    for (const auto& [name, value] : parameters) {
        const bool setting = name != "user" && name != "database" && name != "options" &&
                             name != "replication" && name.substr(0, 5) != "_pq_.";
        if (!setting) continue;
        if (!can_be_name(name)) return fail(bad_name(name));
        put(list, name, value);
    }
    return list;
}

bool report_only(std::string_view name) {
    return std::find(kReportOnly.begin(), kReportOnly.end(), name) != kReportOnly.end();
}

std::string settings_query(const SettingList& current,
                           const SettingList& wanted,
                           std::string_view owner) {
    const std::string plain = plain_settings_query(current, wanted);
    const std::string deallocate = deallocate_others(current, wanted);
    const bool same_rights = value_of(current, kSessionUser) == value_of(wanted, kSessionUser) &&
                             value_of(current, kRole) == value_of(wanted, kRole);
    if (plain.empty() && deallocate.empty() && same_rights) return {};
    return without_last_semicolon(give_rights_back(current, owner) + plain +
                                  take_rights(wanted, owner) + deallocate);
}

std::string clean_settings_query(const SettingList& current,
                                 const SettingList& base,
                                 const SettingList& wanted,
                                 std::string_view owner) {
    return without_last_semicolon(give_rights_back(current, owner) + "RESET ALL;" +
                                  plain_settings_query(base, wanted) + take_rights(wanted, owner) +
                                  deallocate_others(current, wanted));
}

std::vector<std::string_view> missing_prepares(const SettingList& current,
                                               const SettingList& wanted) {
    std::vector<std::string_view> texts;
    for (const auto& [name, text] : wanted) {
        if (is_prepared(name) && value_of(current, name) != text) texts.push_back(text);
    }
    return texts;
}

}  // namespace pgweir::session
