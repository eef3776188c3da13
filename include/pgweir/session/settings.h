#pragma once

#include "pgweir/base/error.h"
#include "pgweir/config/model.h"
#include "pgweir/sql/hints.h"
#include "pgweir/wire/startup.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

/// What a session has set: the parameters that the server reports, and those that the client asked
/// for at its start. Like sets are one object, so "does this server fit this client" is one
/// comparison of pointers.
/// Thread: one worker's; lent servers carry plain lists and are interned again where they arrive.
namespace pgweir::session {

using Setting = std::pair<std::string, std::string>;
using SettingList = std::vector<Setting>;  // sorted by name, each name once

/// In front of the name of a statement that SQL's PREPARE made: it moves like a setting, and its
/// value is its text.
inline constexpr char kPreparedMark = '\x01';

/// In front of the name of a setting that the client asked for at its start and has set since, to
/// what the server has anyway: it is set there all the same, so that a RESET of it can be told from
/// a server that was never told.
inline constexpr char kSetMark = '\x02';

/// What a client may SET to say where it wants to read, and that it wants to be told.
inline constexpr std::string_view kRouteSetting = "pgweir.route";
inline constexpr std::string_view kTraceSetting = "pgweir.trace_route";
inline constexpr std::string_view kConsistencySetting = "pgweir.consistency";

/// The session's token. It is none of its settings: taken when it is set, and put into the server
/// when it is asked for.
inline constexpr std::string_view kTokenSetting = "pgweir.token";

/// One of pgweir's own that has a choice of values, and what people are told of them.
struct KnownValues {
    std::string_view setting;
    std::string_view values;
};

inline constexpr std::string_view kRouteValues = "primary, standby or auto";  // hints have the same

inline constexpr std::array<KnownValues, 3> kKnownValues{
    {{kRouteSetting, kRouteValues},
     {kConsistencySetting, "eventual, session or database"},
     {kTraceSetting, "on or off"}}
};

/// False: it is as if the setting were not set. An empty value is what RESET leaves.
bool is_understood(std::string_view setting, std::string_view value);

class SettingsTable;

struct SettingSet {
    SettingList values;
    bool temporary_path = false;  // True exactly when search_path leads to pg_temp.
    bool plain_strings = false;   // True exactly when a backslash in '…' is one.
    bool utf8 = false;            // True exactly when texts come in UTF-8.
    bool serializable = false;    // True exactly when its transactions are, by default.
    bool traces = false;          // True exactly when the client wants to be told where it reads.
    sql::Wish wish = sql::Wish::Auto;
    std::optional<config::Consistency> consistency;  // nullopt: as the cluster has it
    std::optional<config::Reads> reads;  // what its application_name reads; nullopt: not said
    size_t hash = 0;
    uint32_t references = 0;
    SettingsTable* table = nullptr;
};

/// A counted reference to an interned set; empty for "not known yet".
class SettingsRef {
public:
    SettingsRef() = default;

    SettingsRef(const SettingsRef& other) : set_(other.set_) { retain(); }

    SettingsRef(SettingsRef&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}

    SettingsRef& operator=(SettingsRef other) noexcept {
        std::swap(set_, other.set_);
        return *this;
    }

    ~SettingsRef() { release(); }

    explicit operator bool() const { return set_ != nullptr; }

    bool operator==(const SettingsRef& other) const { return set_ == other.set_; }

    const SettingList& values() const { return set_->values; }

    bool holds(std::string_view name) const;

    /// True exactly when temporary objects can be made in it without a word that says so.
    bool temporary_path() const { return set_ != nullptr && set_->temporary_path; }

    bool plain_strings() const { return set_ != nullptr && set_->plain_strings; }

    bool utf8() const { return set_ != nullptr && set_->utf8; }

    bool serializable() const { return set_ != nullptr && set_->serializable; }

    bool traces() const { return set_ != nullptr && set_->traces; }

    /// Where it wants its statements to run.
    sql::Wish wish() const { return set_ != nullptr ? set_->wish : sql::Wish::Auto; }

    /// What its reads on standbys have to show; nullopt: as the cluster has it.
    std::optional<config::Consistency> consistency() const {
        return set_ != nullptr ? set_->consistency : std::nullopt;
    }

    /// Where its application reads; nullopt: not said.
    std::optional<config::Reads> reads() const {
        return set_ != nullptr ? set_->reads : std::nullopt;
    }

    /// The value, or empty when the set does not hold the name.
    std::string_view find(std::string_view name) const;

private:
    friend class SettingsTable;

    explicit SettingsRef(SettingSet* set) : set_(set) { retain(); }

    void retain() {
        if (set_ != nullptr) ++set_->references;
    }

    void release();

    SettingSet* set_ = nullptr;
};

class SettingsTable {
public:
    SettingsTable() = default;
    SettingsTable(const SettingsTable&) = delete;
    SettingsTable& operator=(const SettingsTable&) = delete;
    ~SettingsTable();

    /// `values` need not be sorted; a later value of a name replaces an earlier one.
    SettingsRef intern(SettingList values);

    /// The same set with one value changed.
    SettingsRef with(const SettingsRef& base, std::string_view name, std::string_view value);

    /// The same set less this name.
    SettingsRef without(const SettingsRef& base, std::string_view name);

    /// What is said of applications from now on. Lifetime: until the next ones.
    void use_applications(const config::Applications& applications);

    size_t size() const { return sets_.size(); }

private:
    friend class SettingsRef;
    void forget(SettingSet& set);
    void find_application(SettingSet& set) const;

    std::unordered_multimap<size_t, SettingSet*> sets_;
    const config::Applications* applications_ = nullptr;
};

/// The parameters of a startup packet that are settings, with PostgreSQL's spelling of the names it
/// reports, `options` taken apart, and application_name cleaned as PostgreSQL cleans it.
/// Errors: 42601 for command-line options that are not settings.
/// See: protocol-flow.html, runtime-config-preset.html
Result<SettingList> startup_settings(const wire::Parameters& parameters);

/// True exactly when it is reported, but nothing that can be set.
bool report_only(std::string_view name);

/// What makes a session that `owner` opened, with `current`, look like `wanted`; empty when it
/// does. All of it holds or nothing does. Roles are given back before anything is set, since what
/// was set with more rights can only be set again with them, and taken at the end.
/// The text is ASCII whatever the values hold, so no client_encoding can change its meaning.
std::string settings_query(const SettingList& current,
                           const SettingList& wanted,
                           std::string_view owner);

/// The same for a session that may also hold settings that nobody can see: `base` is what it has
/// when all of them are reset.
std::string clean_settings_query(const SettingList& current,
                                 const SettingList& base,
                                 const SettingList& wanted,
                                 std::string_view owner);

/// The texts of PREPARE that the session lacks. Each is sent alone, behind the rest: PostgreSQL
/// keeps the text of the whole request, and one that fails takes nothing else with it. Lifetime: as
/// long as `wanted`.
std::vector<std::string_view> missing_prepares(const SettingList& current,
                                               const SettingList& wanted);

}  // namespace pgweir::session
