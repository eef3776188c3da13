#include "pgweir/session/census.h"

#include "pgweir/sql/effects.h"
#include "pgweir/wire/reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace pgweir::session {
namespace {

// A census that the session's own statement_timeout ended is asked again without one. Inside, that
// setting is then of the transaction, and so it is read before.
constexpr std::string_view kUnlimited =
    "SELECT 's','statement_timeout',setting FROM pg_catalog.pg_settings "
    "WHERE name OPERATOR(pg_catalog.=) 'statement_timeout' AND "
    "source OPERATOR(pg_catalog.=) 'session';SET LOCAL statement_timeout=0;";
// A role is read before it is laid down; both come back with the end of the query.
constexpr std::string_view kAsLogin =
    "SELECT 's','role',pg_catalog.encode(pg_catalog.convert_to(r,"
    "pg_catalog.getdatabaseencoding()),'escape') FROM pg_catalog.current_setting('role') r "
    "WHERE r OPERATOR(pg_catalog.<>) 'none';"
    "SET LOCAL SESSION AUTHORIZATION DEFAULT;SET LOCAL ROLE NONE;";
constexpr std::string_view kWithoutTimeout =
    " AND name OPERATOR(pg_catalog.<>) 'statement_timeout'";

// More than this many bytes of settings are not carried from server to server.
constexpr size_t kSettingsBytesMax = 262144;

// Names of custom settings that are found in functions.
constexpr size_t kOfFunctionsMax = 256;

// Every name is qualified: what a search_path holds must not be called with the session's rights.
// Values come in the encoding of the database and in ASCII, whatever client_encoding is.
constexpr std::string_view kBegin =
    "WITH c AS MATERIALIZED ("
    "SELECT 's'::pg_catalog.text AS k,name AS n,setting AS v FROM pg_catalog.pg_settings "
    "WHERE source OPERATOR(pg_catalog.=) 'session' AND name OPERATOR(pg_catalog.<>) ALL "
    "(ARRAY['seed','transaction_isolation','transaction_read_only','transaction_deferrable'])";
constexpr std::string_view kState =
    " UNION ALL SELECT 's','role',r FROM pg_catalog.current_setting('role') r "
    "WHERE r OPERATOR(pg_catalog.<>) 'none'"
    " UNION ALL SELECT 'T','','' WHERE pg_catalog.pg_my_temp_schema() "
    "OPERATOR(pg_catalog.<>) 0::pg_catalog.oid"
    // Whatever lives in a schema depends on it.
    " UNION ALL SELECT 't','','' WHERE CASE WHEN pg_catalog.pg_my_temp_schema() "
    "OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN false ELSE "
    "EXISTS (SELECT FROM pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) "
    "'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid OPERATOR(pg_catalog.=) "
    "pg_catalog.pg_my_temp_schema()) END"
    " UNION ALL SELECT 'a','','' WHERE EXISTS (SELECT FROM pg_catalog.pg_locks "
    "WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) "
    "pg_catalog.pg_backend_pid())"
    " UNION ALL SELECT 'c','','' WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors "
    "WHERE is_holdable)"
    " UNION ALL SELECT 'p',name,statement FROM pg_catalog.pg_prepared_statements WHERE from_sql"
    " UNION ALL SELECT 'l','',h.c FROM pg_catalog.pg_listening_channels() h(c)"
    " WHERE h.c OPERATOR(pg_catalog.<>) 'pgweir.mark'";

// Only functions of users: their oids begin at 16384. E'' because a session may read backslashes in
// its own way.
constexpr std::string_view kBodies =
    " UNION ALL SELECT 'b',b.n,pg_catalog.current_setting(b.n,true) FROM ("
    "SELECT DISTINCT pg_catalog.lower(COALESCE(m[1],m[2])) AS n FROM pg_catalog.pg_proc p,"
    "LATERAL pg_catalog.regexp_matches(p.prosrc,"
    "E'\\'([a-z_][a-z0-9_$]*[.][a-z0-9_$.]*)\\'|"
    "set\\\\s+(?:(?:local|session)\\\\s+)?([a-z_][a-z0-9_$]*[.][a-z0-9_$.]*)','gi') m "
    "WHERE p.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND p.prosrc "
    "OPERATOR(pg_catalog.~*) E'\\\\mset(_config)?\\\\M' LIMIT 1000) b";

// Everybody may read there why the session stays in its backend.
constexpr std::string_view kEnd =
    ") SELECT k,n,pg_catalog.encode(pg_catalog.convert_to(v,pg_catalog.getdatabaseencoding()),"
    "'escape') FROM c UNION ALL SELECT 'z','',pg_catalog.set_config('pgweir.pinned',"
    "pg_catalog.concat_ws(', ',(SELECT pg_catalog.string_agg(DISTINCT CASE k";

constexpr std::array<std::pair<char, Pin>, 5> kKinds{
    {{'t', Pin::TemporaryTable},
     {'a', Pin::AdvisoryLock},
     {'c', Pin::HoldableCursor},
     {'p', Pin::PreparedStatement},
     {'l', Pin::Channel}}
};

void append_end(std::string& sql, Pins known) {
    sql += kEnd;
    for (const auto& [kind, pin] : kKinds) {
        sql += fmt::format(" WHEN '{}' THEN '{}'", kind, kPinNames[static_cast<size_t>(pin)]);
    }
    sql += " END,', ') FROM c)";
    if (known.any()) sql += fmt::format(",'{}'", known.to_text());
    sql += "),false)";
}

void append_names(std::string& sql,
                  std::span<const std::string> names,
                  std::string_view condition) {
    if (names.empty()) return;
    sql +=
        " UNION ALL SELECT 's',n,pg_catalog.current_setting(n,true) FROM "
        "pg_catalog.unnest(ARRAY[";
    for (size_t i = 0; i < names.size(); ++i) {
        // They are letters, digits, '_', '$' and dots: no quote can be among them.
        sql += fmt::format("{}'{}'", i == 0 ? "" : ",", names[i]);
    }
    sql += "]::pg_catalog.text[]) n WHERE pg_catalog.current_setting(n,true) ";
    sql += condition;
}

/// Undoes encode(..., 'escape'); nullopt: it is none.
std::optional<std::string> unescape(std::string_view text) {
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    plain.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            plain.push_back(text[i]);
        } else if (i + 1 < text.size() && text[i + 1] == '\\') {
            plain.push_back('\\');
            ++i;
        } else if (i + 3 < text.size() && text[i + 1] <= '3' && octal(text[i + 1]) &&
                   octal(text[i + 2]) && octal(text[i + 3])) {
            plain.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                              (text[i + 3] - '0')));
            i += 3;
        } else {
            return std::nullopt;
        }
    }
    return plain;
}

std::optional<std::string_view> take_column(wire::Reader& reader) {
    const uint32_t length = reader.u32();
    if (length == UINT32_MAX) return std::string_view{};
    const Bytes value = reader.bytes(length);
    if (!reader.ok()) return std::nullopt;
    return as_text(value);
}

std::optional<Pin> pin_of(char kind) {
    for (const auto& [letter, pin] : kKinds) {
        if (letter == kind) return pin;
    }
    return std::nullopt;
}

}  // namespace

bool Census::holds(std::string_view name) const {
    return std::any_of(settings.begin(), settings.end(),
                       [name](const Setting& setting) { return setting.first == name; });
}

std::string census_query(const CensusQuestion& question) {
    std::string sql;
    if (question.patience == Patience::Unlimited) sql += kUnlimited;
    if (question.rights == Rights::OfLogin) sql += kAsLogin;
    sql += kBegin;
    if (question.patience == Patience::Unlimited) sql += kWithoutTimeout;
    sql += kState;
    append_names(sql, question.custom, "IS NOT NULL");
    append_names(sql, question.of_functions, "OPERATOR(pg_catalog.<>) ''");
    if (question.bodies == FunctionBodies::Search) sql += kBodies;
    append_end(sql, question.known);
    return sql;
}

bool take_census_row(Census& census, Bytes body) {
    wire::Reader reader(body);
    if (reader.u16() != 3) return false;
    const auto kind = take_column(reader);
    const auto name = take_column(reader);
    const auto escaped = take_column(reader);
    if (!kind || !name || !escaped || !reader.ok() || !reader.at_end() || kind->size() != 1) {
        return false;
    }
    const char letter = kind->front();
    const auto pin = pin_of(letter);
    if (pin) census.pins.add(*pin);
    const bool prepared = pin == Pin::PreparedStatement;
    const bool channel = pin == Pin::Channel;
    census.temporary_schema = census.temporary_schema || letter == 'T';
    if ((pin && !prepared && !channel) || letter == 'z' || letter == 'T') return true;
    auto value = unescape(*escaped);
    const bool named = letter == 's' || letter == 'b' || prepared;
    if ((!named && !channel) || name->empty() == named || !value) return false;
    const bool custom = !prepared && name->find('.') != std::string_view::npos;
    if (custom && !sql::is_custom_setting_name(*name)) {
        // None that can be asked for by its name.
        census.complete = census.complete && letter == 'b';
        return true;
    }
    if (letter == 'b' && census.of_functions.size() < kOfFunctionsMax) {
        census.of_functions.emplace_back(*name);
    }
    if (letter == 'b' && value->empty()) return true;
    if (!prepared && census.holds(*name))
        return true;  // a name that was asked for, and found in a function
    census.bytes += name->size() + value->size();
    if (census.bytes > kSettingsBytesMax) {
        census.complete = false;
        return true;
    }
    if (channel) {
        census.channels.push_back(std::move(*value));
        return true;
    }
    SettingList& list = prepared ? census.prepared : census.settings;
    list.emplace_back(*name, std::move(*value));
    return true;
}

}  // namespace pgweir::session
