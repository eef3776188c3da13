#include "sim/pg_session.h"

#include <utility>

#include <fmt/format.h>

/// What a session of the model holds beyond its transactions: temporary tables, locks, statements
/// of SQL's PREPARE; and what it answers when it is asked for all of it.
namespace pgweir::sim {
namespace {

bool begins(std::string_view text, std::string_view with) {
    return text.substr(0, with.size()) == with;
}

std::string plain(std::string_view name) {
    return std::string(begins(name, "\"") ? name.substr(1, name.size() - 2) : name);
}

/// The argument in name(argument).
std::string argument_of(std::string_view call) {
    const size_t open = call.find('(');
    return std::string(call.substr(open + 1, call.size() - open - 2));
}

}  // namespace

bool PgSession::keeps_state() const {
    return !held_.temporary.empty() || !locks_.empty();
}

/// As SHOW tells it, so that whoever sees another's is found out.
std::string PgSession::state_text() const {
    std::string text = " temp:";
    for (const std::string& name : held_.temporary) text += name + ",";
    text += " locks:";
    for (const auto& [key, count] : locks_) text += fmt::format("{}x{},", key, count);
    text += " prepared:";
    for (const auto& [name, statement] : prepared_) text += name + ",";
    return text;
}

std::optional<PgSession::Outcome> PgSession::run_lock(std::string_view call) {
    const bool locks = begins(call, "pg_advisory_lock(");
    if (!locks && !begins(call, "pg_advisory_unlock(")) return std::nullopt;
    const std::string key = argument_of(call);
    const bool held = locks_.contains(key);
    if (locks) ++locks_[key];
    if (!locks && held && --locks_[key] == 0) locks_.erase(key);
    if (!extended_) emit_row_description();
    emit_row(locks ? "" : held ? "t" : "f");
    complete("SELECT 1");
    return Outcome::Done;
}

PgSession::Outcome PgSession::run_temporary(std::string_view verb, std::string_view rest) {
    // create temp table NAME, drop table NAME
    const std::string name(rest.substr(rest.rfind(' ') + 1));
    const bool creates = verb == "create";
    if (creates == held_.temporary.contains(name)) {
        return creates ? fail("42P07", "relation already exists")
                       : fail("42P01", "relation does not exist");
    }
    if (creates) {
        held_.temporary.insert(name);
        had_temporary_ = true;
        complete("CREATE TABLE");
    } else {
        held_.temporary.erase(name);
        complete("DROP TABLE");
    }
    return Outcome::Done;
}

PgSession::Outcome PgSession::run_prepared(std::string_view verb, std::string_view rest) {
    const std::string name = plain(rest.substr(0, rest.find(' ')));
    if (verb == "prepare") {
        if (prepared_.contains(name)) return fail("42P05", "prepared statement already exists");
        // PostgreSQL keeps the text of the whole query, too.
        prepared_[name] = {query_, std::string(rest.substr(rest.rfind(' ') + 1))};
        complete("PREPARE");
        return Outcome::Done;
    }
    const auto found = prepared_.find(name);
    if (found == prepared_.end()) return fail("26000", "prepared statement does not exist");
    if (verb == "execute") {
        if (!extended_) emit_row_description();
        emit_row(found->second.answer);
        complete("SELECT 1");
    } else {
        prepared_.erase(found);
        complete("DEALLOCATE");
    }
    return Outcome::Done;
}

/// Commits are counted for each client, so that what it is shown says whether it is out of date.
std::optional<PgSession::Outcome> PgSession::run_counts(std::string_view verb,
                                                        std::string_view rest) {
    const bool updates = verb == "update";
    const bool bumps = verb == "select" && begins(rest, "bump(");
    const bool reads = verb == "select" && begins(rest, "n from counts");
    if (!updates && !bumps && !reads) return std::nullopt;
    // "… who = c3", or what a client says of itself: "c3r7"
    uint32_t who = 0;
    for (const char c : rest.substr(rest.rfind('c') + 1)) {
        if (c < '0' || c > '9') break;
        who = who * 10 + static_cast<uint32_t>(c - '0');
    }
    if (updates || bumps) {
        // Judged by its text, an update is for the primary; what a function does nobody can see.
        if (place_.is_standby() && updates && !read_only_) offence_ = "a write at a standby";
        if (place_.is_standby() || read_only_ || read_only_by_default_) {
            return fail("25006", "cannot execute UPDATE in a read-only transaction");
        }
        ++pending_[who];
    }
    if (!updates) {
        if (!extended_) emit_row_description();
        const uint32_t committed = place_.log == nullptr
                                       ? counts_[who]
                                       : place_.log->count(place_.database, who, place_.shown());
        const uint32_t rows = rest.find("many") != std::string_view::npos ? 5 : 1;
        for (uint32_t i = 0; i < rows; ++i) {
            emit_row(fmt::format("{} of c{}{}", committed + pending_[who], who,
                                 std::string(rows > 1 ? 40 : 0, 'z')));
        }
        complete(fmt::format("SELECT {}", rows));
    } else {
        complete("UPDATE 1");
    }
    return Outcome::Done;
}

void PgSession::settle_counts(bool commit) {
    for (const auto& [who, times] : std::exchange(pending_, {})) {
        for (uint32_t i = 0; commit && i < times; ++i) {
            ++counts_[who];
            if (place_.log != nullptr) place_.log->append(place_.database, who);
        }
    }
}

std::optional<PgSession::Outcome> PgSession::run_state(std::string_view verb,
                                                       std::string_view rest) {
    if (verb == "create" || verb == "drop") return run_temporary(verb, rest);
    if (verb == "deallocate" && rest == "all") return std::nullopt;
    if (verb == "prepare" || verb == "execute" || verb == "deallocate") {
        return run_prepared(verb, rest);
    }
    if (verb == "DEALLOCATE" && rest != "ALL") return run_prepared(verb, rest);
    return std::nullopt;
}

void PgSession::discard_state() {
    held_ = {};
    locks_.clear();
    prepared_.clear();
}

/// What pgweir asks after a transaction that may have changed the session.
void PgSession::run_census() {
    const auto row = [&](std::string_view kind, std::string_view name, std::string_view value) {
        std::string body;
        put_u16(body, 3);
        for (const auto column : {kind, name, value}) {
            put_u32(body, static_cast<uint32_t>(column.size()));
            body += column;
        }
        emit('D', std::move(body));
    };
    emit_row_description();
    for (const std::string& name : set_here_) row("s", name, settings_[name]);
    for (const std::string& channel : channels_) {
        if (channel != "pgweir.mark") row("l", "", channel);
    }
    if (had_temporary_) row("T", "", "");
    if (!held_.temporary.empty()) row("t", "", "");
    if (!locks_.empty()) row("a", "", "");
    for (const auto& [name, statement] : prepared_) row("p", name, statement.text);
    row("z", "", "");
    complete("SELECT 1");
}

}  // namespace pgweir::sim
