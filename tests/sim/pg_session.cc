#include "sim/pg_session.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

std::string_view take_word(std::string_view& text) {
    const size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return word;
}

uint32_t to_number(std::string_view text) {
    uint32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

bool returns_rows(std::string_view text) {
    if (starts_with(text, "/*")) text.remove_prefix(text.find("*/ ") + 3);
    const std::string_view verb = take_word(text);
    return verb == "select" || verb == "show" || verb == "big" || verb == "sleep";
}

/// Reads E'…' with its \xNN at the front of the text.
std::string take_literal(std::string_view& text) {
    std::string value;
    if (!starts_with(text, "E'")) return value;
    text.remove_prefix(2);
    while (!text.empty() && text[0] != '\'') {
        if (starts_with(text, "\\x") && text.size() > 4) {
            uint32_t byte = 0;
            std::from_chars(text.data() + 2, text.data() + 4, byte, 16);
            value.push_back(static_cast<char>(byte));
            text.remove_prefix(4);
        } else {
            value.push_back(text[0]);
            text.remove_prefix(1);
        }
    }
    if (!text.empty()) text.remove_prefix(1);
    return value;
}

bool is_one_text(std::string_view body) {
    return !body.empty() && body.find('\0') == body.size() - 1;
}

/// True exactly when PostgreSQL would find each field of it, and nothing behind them. Of Bind only
/// what stands in front of the formats: the rest is read when the statement is known.
bool is_well_formed(const Frame& message) {
    const std::string_view body = message.body;
    const size_t first_end = body.find('\0');
    const bool has_text = first_end != std::string_view::npos;
    switch (message.type) {
        case 'Q': return is_one_text(body);
        case 'S':
        case 'H': return body.empty();
        case 'D':
        case 'C':
            return !body.empty() && (body[0] == 'S' || body[0] == 'P') &&
                   is_one_text(body.substr(1));
        case 'E': return has_text && body.size() == first_end + 5;
        case 'B': return has_text && body.find('\0', first_end + 1) != std::string_view::npos;
        case 'P': {
            if (!has_text) return false;
            const size_t second_end = body.find('\0', first_end + 1);
            if (second_end == std::string_view::npos) return false;
            Fields rest(body.substr(second_end + 1));
            const bool counted = body.size() >= second_end + 3;
            return counted && body.size() == second_end + 3 + size_t{4} * rest.number(2);
        }
    }
    return true;
}

/// Reads formats, parameters and formats again, as they follow the names of a Bind.
bool are_parameters(std::string_view rest) {
    const auto number = [&](size_t bytes) -> std::optional<uint32_t> {
        if (rest.size() < bytes) return std::nullopt;
        const uint32_t value = Fields(rest).number(bytes);
        rest.remove_prefix(bytes);
        return value;
    };
    for (const bool values : {false, true, false}) {
        const auto count = number(2);
        if (!count) return false;
        for (uint32_t i = 0; i < *count; ++i) {
            const auto length = number(values ? 4 : 2);
            if (!length) return false;
            if (!values || *length == UINT32_MAX) continue;  // a format, or a null
            if (rest.size() < *length) return false;
            rest.remove_prefix(*length);
        }
    }
    return rest.empty();
}

}  // namespace

const SettingMap& PgSession::server_defaults() {
    static const SettingMap defaults{
        {"DateStyle",                   "ISO, MDY"},
        {"TimeZone",                    "GMT"     },
        {"application_name",            ""        },
        {"client_encoding",             "UTF8"    },
        {"is_superuser",                "off"     },
        {"search_path",                 "public"  },
        {"server_encoding",             "UTF8"    },
        {"server_version",              "15.4"    },
        {"standard_conforming_strings", "on"      }
    };
    return defaults;
}

std::optional<std::string> PgSession::accepted(std::string_view name, std::string_view value) {
    if (name != "TimeZone") return std::string(value);
    if (starts_with(value, "bad")) return std::nullopt;
    // Like PostgreSQL, which reports zones as it spells them and not as they were written.
    std::string spelled(value);
    for (char& c : spelled) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return spelled;
}

PgSession::PgSession(SettingMap session_defaults)
    : defaults_(std::move(session_defaults)), settings_(defaults_), told_(defaults_) {}

void PgSession::emit_row_description() {
    std::string body;
    put_u16(body, 1);
    put_text(body, "value");
    put_u32(body, 0);
    put_u16(body, 0);
    put_u32(body, 25);
    put_u16(body, 0xffff);
    put_u32(body, 0xffffffff);
    put_u16(body, 0);
    emit('T', std::move(body));
}

void PgSession::emit_row(const std::string& value) {
    std::string body;
    put_u16(body, 1);
    put_u32(body, static_cast<uint32_t>(value.size()));
    body += value;
    emit('D', std::move(body));
}

void PgSession::complete(std::string_view tag) {
    std::string body;
    put_text(body, tag);
    emit('C', std::move(body));
}

void PgSession::open_implicit() {
    if (before_) return;
    before_ = settings_;
    set_before_ = set_here_;
    held_before_ = held_;
}

void PgSession::end_transaction(bool commit) {
    if (!commit) take_back_settings();
    settle_notes(commit);
    settle_counts(commit);
    read_only_ = false;
    before_.reset();
    portals_.clear();
    status_ = 'I';
}

PgSession::Outcome PgSession::fail(std::string_view sqlstate, std::string_view message) {
    output.push_back(make_report('E', "ERROR", sqlstate, message));
    if (status_ == 'I') {
        end_transaction(false);
    } else {
        take_back_settings();
        portals_.clear();
        status_ = 'E';
    }
    mode_ = Mode::Ready;
    rest_.clear();  // a statement that failed takes the rest of its query with it
    if (extended_) skipping_ = true;
    return Outcome::Failed;
}

void PgSession::ready() {
    begin_cancelled_ = false;  // what hits nothing of a request does not hit the next one
    for (const auto& [name, value] : settings_) {
        if (!reported(name) || told_[name] == value) continue;
        told_[name] = value;
        std::string body;
        put_text(body, name);
        put_text(body, value);
        emit('S', std::move(body));
    }
    if (status_ == 'I') {
        // In the order of the queue: what others have said before stands in front.
        for (Frame& note : arrived) output.push_back(std::move(note));
        arrived.clear();
        for (const Note& note : committed_) {
            if (listens_on(note.channel)) output.push_back(notification(note));
        }
        published.insert(published.end(), committed_.begin(), committed_.end());
        committed_.clear();
    }
    emit('Z', std::string(1, status_));
    has_run_ = false;
}

Frame PgSession::notification(const Note& note) {
    Frame frame{'A'};
    put_u32(frame.body, 0);
    put_text(frame.body, note.channel);
    put_text(frame.body, note.payload);
    return frame;
}

/// LISTEN and NOTIFY are of their transaction.
void PgSession::settle_notes(bool commit) {
    for (const std::string& channel : wished_channels_) {
        if (!commit) break;
        if (channel.empty()) {
            channels_.clear();
        } else if (channel.front() == '-') {
            channels_.erase(channel.substr(1));
        } else {
            channels_.insert(channel);
        }
    }
    if (commit) committed_.insert(committed_.end(), notes_.begin(), notes_.end());
    wished_channels_.clear();
    notes_.clear();
}

bool PgSession::run_notification(std::string_view verb, std::string_view rest) {
    // pgweir quotes names, and its statements are in capitals.
    const auto unquoted = [](std::string_view name) {
        return std::string(starts_with(name, "\"") ? name.substr(1, name.size() - 2) : name);
    };
    if (verb == "listen" || verb == "LISTEN") {
        wished_channels_.push_back(unquoted(rest));
        complete("LISTEN");
    } else if (verb == "unlisten" || verb == "UNLISTEN") {
        wished_channels_.push_back(rest == "*" ? "" : "-" + unquoted(rest));
        complete("UNLISTEN");
    } else if (verb == "notify") {
        const std::string channel(take_word(rest));
        notes_.push_back({channel, std::string(rest)});
        complete("NOTIFY");
    } else if (verb == "NOTIFY") {
        const size_t comma = rest.find(',');
        notes_.push_back({unquoted(rest.substr(0, comma)),
                          std::string(rest.substr(comma + 2, rest.size() - comma - 3))});
        complete("NOTIFY");
    } else {
        return false;
    }
    return true;
}

void PgSession::take(const Frame& message) {
    if (mode_ == Mode::CopyIn) {
        copy_data(message);
        return;
    }
    if (skipping_ && message.type != 'S') return;
    if (refuses_format(message)) return;
    if (is_cancelled(message.type)) return;
    switch (message.type) {
        case 'Q': simple(Fields(message.body).text()); break;
        case 'P': parse(message.body); break;
        case 'B': bind(message.body); break;
        case 'D': describe(message.body); break;
        case 'E': execute(message.body); break;
        case 'C': close(message.body); break;
        case 'S': sync(); break;
        case 'F':  // it has no functions
            extended_ = false;
            batch_open_ = false;
            fail("42883", "function does not exist");
            ready();
            break;
        case 'H':
        case 'd':
        case 'c':
        case 'f':
        case 'X': break;
        default: offence_ = fmt::format("message of type '{}'", message.type);
    }
}

bool PgSession::is_cancelled(char type) {
    const bool simple = type == 'Q' || type == 'F';
    const bool extended = type == 'P' || type == 'B' || type == 'D' || type == 'E' || type == 'C';
    if (!next_cancelled_ || (!simple && !extended)) return false;
    next_cancelled_ = false;
    extended_ = extended;
    batch_open_ = extended;
    fail("57014", "canceling statement due to user request");
    if (simple) ready();
    return true;
}

void PgSession::take_back_request() {
    if (status_ == 'T') status_ = 'E';
    emit('Z', std::string(1, status_));
}

/// PostgreSQL fails a message that it cannot read like a statement.
bool PgSession::refuses_format(const Frame& message) {
    if (is_well_formed(message)) return false;
    extended_ = message.type != 'Q' && message.type != 'S';
    batch_open_ = extended_;
    if (message.type == 'S') skipping_ = false;
    fail("08P01", "invalid message format");
    if (!extended_) ready();
    return true;
}

/// PostgreSQL has read no more than the type then, and knows not where the next message begins.
void PgSession::lose_synchronization(char type) {
    fail("08P01", fmt::format("unexpected message type \"{}\" during COPY from stdin", type));
    output.push_back(make_report(
        'E', "FATAL", "08P01", "terminating connection because protocol synchronization was lost"));
    dead_ = true;
}

void PgSession::copy_data(const Frame& message) {
    switch (message.type) {
        case 'd':
            // Reckless clients write what they like.
            if (!starts_with(message.body, running_) && !starts_with(running_, "r")) {
                offence_ =
                    fmt::format("COPY data \"{}\" in the COPY of {}", message.body, running_);
            }
            ++copied_;
            if (message.body.find("wrong") != std::string::npos) {
                fail("22P04", "bad copy data " + running_);
                if (!extended_) go_on();
            }
            break;
        case 'c':
            mode_ = Mode::Ready;
            complete(fmt::format("COPY {}", copied_));
            if (!extended_) go_on();
            break;
        case 'f':
            fail("57014", "COPY from stdin failed");
            if (!extended_) go_on();
            break;
        case 'H':
        case 'S': break;
        default: lose_synchronization(message.type);
    }
}

void PgSession::wake() {
    emit_row(running_);
    complete("SELECT 1");
    mode_ = Mode::Ready;
    if (!extended_) go_on();
}

void PgSession::copy_row_out() {
    if (copied_ < rows_out_) {
        emit('d', fmt::format("{}:{}:{}\n", running_, copied_, std::string(copied_ % 40, 'y')));
        ++copied_;
        return;
    }
    if (fails_after_) {
        fail("22P04", "no more rows " + running_);
    } else {
        emit('c');
        complete(fmt::format("COPY {}", copied_));
        mode_ = Mode::Ready;
    }
    if (!extended_) go_on();
}

void PgSession::cancel() {
    fail("57014", "canceling statement due to user request");
    if (!extended_) go_on();
}

void PgSession::simple(std::string_view text) {
    statements_.erase("");
    portals_.erase("");
    extended_ = false;
    batch_open_ = false;
    rest_.clear();
    query_ = text;
    if (text.empty()) emit('I');
    while (!text.empty()) {
        const size_t end = text.find(';');
        rest_.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    go_on();
}

void PgSession::go_on() {
    while (!rest_.empty()) {
        const std::string text = rest_.front();
        rest_.pop_front();
        const Outcome outcome = run(text, "", 0, nullptr);
        if (outcome == Outcome::Paused) return;
    }
    if (status_ == 'I') end_transaction(true);
    ready();
}

void PgSession::sync() {
    skipping_ = false;
    batch_open_ = false;
    extended_ = false;
    if (status_ == 'I') end_transaction(true);
    ready();
}

bool PgSession::refuses(std::string_view text) const {
    return status_ == 'E' && !starts_with(text, "commit") && !starts_with(text, "rollback") &&
           text != "ROLLBACK" && !text.empty();
}

void PgSession::change_tables() {
    for (const auto& [name, text] : statements_) {
        // pgweir's own, which it writes otherwise, ask of no table.
        if (starts_with(text, "select ")) stale_.insert(name);
    }
}

void PgSession::find_plan_stale() {
    if (!output.empty() && output.front().type == 'T') {
        output.pop_front();
        fail_stale();
    } else {
        finds_stale_ = true;
    }
}

bool PgSession::is_stale(const std::string& name) {
    return std::exchange(finds_stale_, false) || stale_.contains(name);
}

PgSession::Outcome PgSession::fail_stale() {
    const Outcome failed = fail("0A000", "cached plan must not change result type");
    add_field(output.back(), 'R', "RevalidateCachedQuery");
    return failed;
}

void PgSession::parse(std::string_view body) {
    Fields fields(body);
    const std::string name(fields.text());
    const std::string text(fields.text());
    extended_ = true;
    batch_open_ = true;
    open_implicit();
    if (name.empty()) statements_.erase(name);
    if (starts_with(text, "syntax")) {
        fail("42601", "syntax error at " + text);
    } else if (refuses(text)) {
        fail("25P02", "current transaction is aborted");
    } else if (statements_.contains(name)) {
        fail("42P05", "prepared statement exists");
    } else {
        statements_[name] = text;
        stale_.erase(name);
        emit('1');
    }
}

void PgSession::bind(std::string_view body) {
    Fields fields(body);
    const std::string portal(fields.text());
    const std::string name(fields.text());
    extended_ = true;
    batch_open_ = true;
    open_implicit();
    const size_t names_bytes = name.size() + portal.size() + 2;
    fields.number(2);  // no formats
    std::string parameter;
    if (fields.number(2) > 0) parameter = fields.bytes(fields.number(4));
    const auto statement = statements_.find(name);
    if (statement == statements_.end()) {
        fail("26000", "prepared statement does not exist");
    } else if (refuses(statement->second)) {
        fail("25P02", "current transaction is aborted");
    } else if (!are_parameters(body.substr(names_bytes))) {
        fail("08P01", "insufficient data left in message");
    } else if (!portal.empty() && portals_.contains(portal)) {
        fail("42P03", "portal already exists");
    } else if (is_stale(name)) {
        fail_stale();
    } else {
        portals_[portal] = {statement->second, parameter};
        emit('2');
    }
}

void PgSession::describe(std::string_view body) {
    extended_ = true;
    batch_open_ = true;
    open_implicit();
    const bool of_statement = body[0] == 'S';
    const std::string name(Fields(body.substr(1)).text());
    std::string text;
    if (of_statement) {
        const auto found = statements_.find(name);
        if (found == statements_.end()) {
            fail("26000", "prepared statement does not exist");
            return;
        }
        text = found->second;
    } else {
        const auto found = portals_.find(name);
        if (found == portals_.end()) {
            fail("34000", "portal does not exist");
            return;
        }
        text = found->second.text;
    }
    // Stricter than PostgreSQL, which lets statements without rows be described: whether a pooler
    // has to parse them first is not to be seen.
    if (status_ == 'E' && (of_statement || returns_rows(text))) {
        fail("25P02", "current transaction is aborted");
        return;
    }
    if (of_statement) emit('t', std::string(2, '\0'));
    if (!returns_rows(text)) {
        emit('n');
    } else if (of_statement && is_stale(name)) {
        fail_stale();
    } else {
        emit_row_description();
    }
}

void PgSession::execute(std::string_view body) {
    Fields fields(body);
    const std::string name(fields.text());
    const uint32_t rows_max = fields.number(4);
    extended_ = true;
    batch_open_ = true;
    open_implicit();
    const auto portal = portals_.find(name);
    if (portal == portals_.end()) {
        fail("34000", "portal does not exist");
        return;
    }
    if (portal->second.text.empty()) {
        emit('I');
        return;
    }
    if (portal->second.finished) {
        fail("55000", "portal cannot be run");
        return;
    }
    portal->second.finished = !returns_rows(portal->second.text);
    const Portal copy = portal->second;  // the statement may end its transaction and so its portal
    run(copy.text, copy.parameter, rows_max, &portal->second);
}

void PgSession::close(std::string_view body) {
    extended_ = true;
    batch_open_ = true;
    open_implicit();
    const std::string name(Fields(body.substr(1)).text());
    if (body[0] == 'S') {
        statements_.erase(name);
    } else {
        portals_.erase(name);
    }
    emit('3');
}

PgSession::Outcome PgSession::run(const std::string& text,
                                  const std::string& parameter,
                                  uint32_t rows_max,
                                  Portal* portal) {
    open_implicit();
    if (extended_) query_ = text;
    if (std::exchange(conflicts_, false) && !has_run_ && status_ == 'I') {
        return fail("40001", "canceling statement due to conflict with recovery");
    }
    has_run_ = true;
    const bool begin_cancelled = std::exchange(begin_cancelled_, false);
    if (begin_cancelled && starts_with(text, "BEGIN")) {
        return fail("57014", "canceling statement due to user request");
    }
    const bool was_untouched = std::exchange(untouched_, false);
    if (refuses(text)) return fail("25P02", "current transaction is aborted");
    if (starts_with(text, "SELECT pg_catalog.set_config(")) return run_set_config(text);
    if (starts_with(text, "WITH c AS MATERIALIZED")) {
        run_census();
        return Outcome::Done;
    }
    std::string filled = text;
    if (const size_t at = filled.find("$1"); at != std::string::npos)
        filled.replace(at, 2, parameter);
    std::string_view rest = filled;
    if (starts_with(rest, "/*")) rest.remove_prefix(rest.find("*/ ") + 3);
    const std::string_view verb = take_word(rest);
    if (const auto outcome = run_counts(verb, rest)) return *outcome;
    if (verb == "begin" || verb == "BEGIN" || verb == "commit" || verb == "rollback" ||
        verb == "ROLLBACK")
        return run_transaction_verb(verb, rest);
    if (verb == "set" && rest == "transaction read only") {
        untouched_ = was_untouched;
        read_only_ = status_ == 'T';
        complete("SET");
        return Outcome::Done;
    }
    // What pgweir lets fail, so that a transaction fails.
    if (starts_with(text, "SELECT 'pgweir: ") || starts_with(text, " SELECT 'pgweir: "))
        return fail("22P02", "invalid input syntax");
    if (verb == "big") {
        const std::string_view token = take_word(rest);
        return run_big(token, to_number(rest), rows_max, portal);
    }
    if (verb == "select") {
        if (const auto outcome = run_lock(rest)) return *outcome;
    }
    if (const auto outcome = run_state(verb, rest)) return *outcome;
    const bool rows = verb == "select" || verb == "show" || verb == "sleep";
    if (!rows) return run_utility(verb, rest);
    if (!extended_) emit_row_description();
    if (verb == "sleep") {
        running_ = rest;
        mode_ = Mode::Sleeping;
        return Outcome::Paused;
    }
    emit_row(verb == "select" ? std::string(rest)
                              : fmt::format("{} TimeZone={} search_path={} application_name={}{}",
                                            rest, settings_["TimeZone"], settings_["search_path"],
                                            settings_["application_name"], state_text()));
    complete("SELECT 1");
    return Outcome::Done;
}

PgSession::Outcome PgSession::run_transaction_verb(std::string_view verb, std::string_view how) {
    if (verb == "begin" || verb == "BEGIN") {
        untouched_ = status_ == 'I';
        if (status_ == 'I') read_only_ = how == "read only" || how == "READ ONLY";
        if (status_ == 'I') status_ = 'T';
        complete("BEGIN");
        return Outcome::Done;
    }
    const bool commit = verb == "commit" && status_ != 'E';
    end_transaction(commit);
    open_implicit();  // of what follows in the same query or batch
    complete(commit ? "COMMIT" : "ROLLBACK");
    return Outcome::Done;
}

PgSession::Outcome PgSession::run_big(std::string_view token,
                                      uint32_t count,
                                      uint32_t rows_max,
                                      Portal* portal) {
    if (!extended_) emit_row_description();
    uint32_t done = portal != nullptr ? portal->rows_done : 0;
    uint32_t sent = 0;
    while (done < count && (rows_max == 0 || sent < rows_max)) {
        emit_row(fmt::format("{}:{}:{}", token, done, std::string(60 + done % 7, 'x')));
        ++done;
        ++sent;
    }
    if (portal != nullptr) portal->rows_done = done;
    if (done < count || (rows_max != 0 && sent == rows_max)) {
        emit('s');
    } else {
        complete(fmt::format("SELECT {}", sent));
    }
    return Outcome::Done;
}

PgSession::Outcome PgSession::run_utility(std::string_view verb, std::string_view rest) {
    if (verb == "error") return fail("22012", rest);
    if (run_notification(verb, rest)) return Outcome::Done;
    if (verb == "notice") {
        output.push_back(make_report('N', "NOTICE", "00000", rest));
        complete("NOTICE");
    } else if (verb == "SET" && starts_with(rest, "LOCAL ")) {
        complete("SET");
    } else if (verb == "set") {
        const std::string name(take_word(rest));
        if (!set(name, rest)) return fail("22023", "invalid value");
        complete("SET");
    } else if (verb == "copyin" && read_only_) {
        return fail("25006", "cannot execute COPY FROM in a read-only transaction");
    } else if (verb == "copyin") {
        running_ = take_word(rest);
        copied_ = 0;
        mode_ = Mode::CopyIn;
        emit('G', std::string("\0\0\1\0\0", 5));
        return Outcome::Paused;
    } else if (verb == "copyslow") {
        running_ = take_word(rest);
        rows_out_ = to_number(take_word(rest));
        fails_after_ = rest == "fail";
        copied_ = 0;
        mode_ = Mode::CopyOut;
        emit('H', std::string("\0\0\1\0\0", 5));
        return Outcome::Paused;
    } else if (verb == "copyout") {
        const std::string_view token = take_word(rest);
        const uint32_t count = to_number(rest);
        emit('H', std::string("\0\0\1\0\0", 5));
        for (uint32_t i = 0; i < count; ++i) emit('d', fmt::format("{}:{}\n", token, i));
        emit('c');
        complete(fmt::format("COPY {}", count));
    } else if ((verb == "discard" || verb == "DISCARD")) {
        if (status_ != 'I')
            return fail("25001", "DISCARD ALL cannot run inside a transaction block");
        reset("ALL");
        before_ = settings_;
        set_before_.clear();
        statements_.clear();
        portals_.clear();
        channels_.clear();
        discard_state();
        held_before_ = held_;
        complete("DISCARD ALL");
    } else if (verb == "deallocate") {
        statements_.clear();
        prepared_.clear();
        complete("DEALLOCATE ALL");
    } else if (verb == "RESET" || verb == "reset") {
        reset(rest);
        complete("RESET");
    } else {
        return fail("42601", fmt::format("syntax error at {} {}", verb, rest));
    }
    return Outcome::Done;
}

bool PgSession::set(const std::string& name, std::string_view value) {
    auto spelled = accepted(name, value);
    if (!spelled) return false;
    settings_[name] = std::move(*spelled);
    set_here_.insert(name);
    return true;
}

void PgSession::take_back_settings() {
    if (!before_) return;
    settings_ = *before_;
    set_here_ = set_before_;
    held_ = held_before_;
}

void PgSession::reset(std::string_view name) {
    if (name == "ALL" || name == "all") {
        settings_ = defaults_;
        set_here_.clear();
        return;
    }
    const bool quoted = !name.empty() && name.front() == '"';
    const std::string plain(quoted ? name.substr(1, name.size() - 2) : name);
    settings_[plain] = defaults_[plain];
    set_here_.erase(plain);
}

PgSession::Outcome PgSession::run_set_config(std::string_view text) {
    if (!extended_) emit_row_description();
    for (size_t at = text.find("set_config("); at != std::string_view::npos;
         at = text.find("set_config(")) {
        text.remove_prefix(at + std::string_view("set_config(").size());
        const std::string name = take_literal(text);
        text.remove_prefix(1);
        const std::string value = take_literal(text);
        if (!set(name, value)) return fail("22023", "invalid value for parameter " + name);
    }
    emit_row("");
    complete("SELECT 1");
    return Outcome::Done;
}

}  // namespace pgweir::sim
