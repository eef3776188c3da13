#include "sim/fake_client.h"

#include "sim/fake_postgres.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

constexpr std::array<std::string_view, 5> kTexts{"select s0 $1", "select s1 $1", "select s2 $1",
                                                 "big $1 5", "show $1"};
constexpr std::array<std::string_view, 5> kTextsOfCounts{
    "select n from counts where who = $1", "select n from counts where who = $1 and many",
    "select $1", "update counts set n = n + 1 where who = $1", "select bump($1)"};
constexpr std::array<std::string_view, 4> kNames{"a", "b", "pgweir_c", ""};

// More than this is not sent ahead.
constexpr size_t kSentMax = 60;

}  // namespace

void FakeClient::fail(const std::string& what) {
    violations_.add(fmt::format("client {}: {}", number_, what));
}

std::string FakeClient::token() {
    return fmt::format("c{}r{}", number_, ++requests_);
}

void FakeClient::put(char type, std::string body) {
    Frame frame{type, std::move(body)};
    if (violations_.tracing())
        fmt::print("            client {} sends {}\n", number_, printable(frame));
    std::string bytes;
    append_frame(bytes, frame);
    link_->send_to_engine(bytes);
    sent_.push_back(std::move(frame));
}

void FakeClient::start(Link& link, std::string database, std::string user) {
    link_ = &link;
    database_ = std::move(database);
    user_ = std::move(user);
    state_ = State::LoggingIn;
    if (prng_.chance(40)) asked_["TimeZone"] = fmt::format("zone{}", prng_.below(3));
    if (prng_.chance(3)) asked_["TimeZone"] = "bad";
    if (prng_.chance(30)) asked_["search_path"] = fmt::format("schema{}", prng_.below(3));
    if (prng_.chance(40)) asked_["application_name"] = fmt::format("app{}", prng_.below(4));
    bad_startup_ = asked_.contains("TimeZone") && asked_["TimeZone"] == "bad";
    std::string body;
    put_u32(body, 3u << 16);
    for (const auto& [name, value] : {
             std::pair{"user",     user_    },
             {"database", database_}
    }) {
        put_text(body, name);
        put_text(body, value);
    }
    for (const auto& [name, value] : asked_) {
        put_text(body, name);
        put_text(body, value);
    }
    body.push_back('\0');
    std::string packet;
    put_u32(packet, static_cast<uint32_t>(body.size() + 4));
    link.send_to_engine(packet + body);
}

// --- what it sends ---

void FakeClient::act() {
    if (state_ != State::Ready || sent_.size() > kSentMax || misled_) return;
    if (alone_ && owed()) return;
    alone_ = false;
    if (copying_) {
        go_on_copying();
    } else if (batch_open_) {
        if (std::exchange(flushed_, false)) {
            go_on_behind_flush();
        } else if (prng_.chance(50)) {
            extended_message();
        } else {
            put('S');
            batch_open_ = false;
        }
    } else if (reads_left_ > 0) {
        go_on_reading();
    } else if (requests_left > 0 && (sent_.size() < 2 || prng_.chance(25))) {
        --requests_left;
        request();
    }
}

bool FakeClient::wind_up(FakeNetwork& network) {
    if (misled_ && state_ != State::Gone) {
        vanish(network);
        return true;
    }
    if (state_ != State::Ready) return false;
    requests_left = 0;
    if (copying_) {
        go_on_copying();
        return true;
    }
    if (reads_left_ > 0) {
        go_on_reading();
        return true;
    }
    if (batch_open_) {
        put('S');
        batch_open_ = false;
        return true;
    }
    if (owed()) return false;
    if (!may_miss_ && !due_in_end_.empty()) return false;  // they have to come yet
    if (own_->status() != 'I') {
        query("rollback");
    } else if (mishaps_.draining) {
        return false;  // it has to be sent away
    } else if (prng_.chance(50)) {
        query("show " + token());
    } else {
        put('X');
        state_ = State::Leaving;
    }
    return true;
}

void FakeClient::vanish(FakeNetwork& network) {
    if (link_ == nullptr || state_ == State::Gone) return;
    if (prng_.chance(60)) link_->to_engine.resize(prng_.below(link_->to_engine.size() + 1));
    link_->far = nullptr;
    state_ = State::Gone;
    if (prng_.chance(50)) {
        link_->far_closed = true;
    } else {
        network.cut(*link_, false);
    }
}

void FakeClient::request() {
    if (families.has(Family::Standbys) && !owed() && own_->status() == 'I' && prng_.chance(20)) {
        reads_left_ = 2 + static_cast<uint32_t>(prng_.below(4));
        query("begin read only");
        return;
    }
    if (families.has(Family::LazyBegins) && prng_.chance(30)) {
        transaction_command();
        return;
    }
    if (families.has(Family::PipelinedDiscards) && prng_.chance(25)) {
        discard_amid_requests();
        return;
    }
    const bool prepares = families.has(Family::StalePlans) && prng_.chance(60);
    if (prepares && prng_.chance(20) && !owed()) {
        begin_batch();
        put_parse("", fmt::format("set TimeZone mine{}", prng_.below(4)));
        put_bind("", "");
        put('E', std::string(5, '\0'));
        put('H');
        flushed_ = true;
        alone_ = true;
        return;
    }
    const uint64_t choice = prng_.below(100);
    if (choice < 45 && !prepares) {
        simple_request();
    } else if (choice < 90) {
        extended_request();
    } else {
        begin_copy();
    }
}

/// What ran in front of the Flush belongs to the same implicit transaction.
void FakeClient::go_on_behind_flush() {
    put_bind("", usable_name());
    put('D', std::string("P\0", 2));
    put('E', std::string(5, '\0'));
    put('S');
    batch_open_ = false;
}

/// One that begins a transaction or ends it, alone in its request, as drivers send it.
void FakeClient::transaction_command() {
    std::string text = prng_.chance(30) ? "begin read only" : "begin";
    if (own_->status() != 'I' && !prng_.chance(10)) {
        const uint64_t choice = prng_.below(10);
        text = choice < 2 ? "set transaction read only" : choice < 7 ? "commit" : "rollback";
    }
    if (prng_.chance(60)) {
        query(text);
        return;
    }
    begin_batch();
    put_parse("", text);
    put_bind("", "");
    if (prng_.chance(50)) put('D', std::string("P\0", 2));
    put('E', std::string(5, '\0'));
    put('S');
    batch_open_ = false;
}

/// Everybody listens on a channel of his own only.
std::string FakeClient::text_of_notification(const std::string& token) {
    const uint64_t choice = prng_.below(10);
    if (choice < 4) return fmt::format("listen ch{}", number_);
    if (choice < 5) return prng_.chance(50) ? "unlisten *" : fmt::format("unlisten ch{}", number_);
    return fmt::format("notify ch{} {}", prng_.chance(40) ? number_ : prng_.below(8), token);
}

/// Locks are its own, so that nobody waits for one.
std::string FakeClient::text_of_state(const std::string& token) {
    switch (prng_.below(14)) {
        case 0:
        case 1: return fmt::format("create temp table t{}", prng_.below(3));
        case 2: return fmt::format("drop table t{}", prng_.below(3));
        case 3: return fmt::format("select pg_advisory_lock({})", number_);
        case 4:
        case 5: return fmt::format("select pg_advisory_unlock({})", number_);
        case 6:
        case 7: return fmt::format("prepare q{} as select {}", prng_.below(3), token);
        case 8:
        case 9: return fmt::format("execute q{}", prng_.below(3));
        case 10: return fmt::format("deallocate q{}", prng_.below(3));
        // Keeps its server while nobody waits for one.
        case 11:
        case 12: return "select pg_backend_pid() " + token;
        default: return "show " + token;
    }
}

/// What it has committed, and how often it is shown that.
std::string FakeClient::text_of_counts() {
    switch (prng_.below(12)) {
        case 0:
        case 1:
        case 2: return fmt::format("update counts set n = n + 1 where who = c{}", number_);
        case 3: return fmt::format("select bump(c{})", number_);
        case 4:
            return fmt::format("/* pgweir: primary */ select n from counts where who = c{}",
                               number_);
        case 5: return fmt::format("select n from counts where many and who = c{}", number_);
        default: return fmt::format("select n from counts where who = c{}", number_);
    }
}

/// Its read-only transaction, step by step: what may be at a standby, and what it takes along.
void FakeClient::go_on_reading() {
    if (--reads_left_ == 0) {
        query(prng_.chance(70) ? "commit" : "rollback");
        return;
    }
    switch (prng_.below(12)) {
        case 0: query("show " + token()); break;
        case 1: query(fmt::format("set TimeZone mine{}", prng_.below(4))); break;
        case 2: query("error " + token()); break;
        case 3: query(fmt::format("update counts set n = n + 1 where who = c{}", number_)); break;
        case 4:
        case 5:
        case 6:
            begin_batch();
            put_parse("", "select n from counts where who = $1");
            put_bind("", "");
            put('D', std::string("P\0", 2));
            put('E', std::string(5, '\0'));
            put('S');
            batch_open_ = false;
            break;
        default: query(fmt::format("select n from counts where who = c{}", number_));
    }
}

std::string FakeClient::text_for_query() {
    const std::string mine = token();
    if (families.has(Family::CopyErrors) && prng_.chance(12)) {
        return fmt::format("copyslow {} {}{}", mine, 1 + prng_.below(12),
                           prng_.chance(30) ? " fail" : "");
    }
    if (families.has(Family::Notifications) && prng_.chance(60)) return text_of_notification(mine);
    if (families.has(Family::SessionState) && prng_.chance(40)) return text_of_state(mine);
    if (families.has(Family::Standbys) && prng_.chance(60)) return text_of_counts();
    switch (prng_.below(22)) {
        case 0:
        case 1:
        case 2: return "begin";
        case 3:
        case 4: return "commit";
        case 5: return "rollback";
        case 6:
        case 7: return "error " + mine;
        case 8: return fmt::format("set TimeZone mine{}", prng_.below(4));
        case 9:
            return prng_.chance(50) ? fmt::format("set application_name name{}", prng_.below(4))
                                    : fmt::format("set search_path path{}", prng_.below(4));
        case 10: return fmt::format("big {} {}", mine, prng_.chance(20) ? 120 : 6);
        case 11: return "notice " + mine;
        case 12: return fmt::format("copyout {} {}", mine, prng_.below(8));
        case 13:
        case 14: return "sleep " + mine;
        case 15:
        case 16:
        case 17: return "show " + mine;
        default: return "select " + mine;
    }
}

void FakeClient::simple_request() {
    const uint64_t choice = prng_.below(100);
    if (choice < 4) {
        query("");
    } else if (choice < 11 && may_discard && !owed()) {
        // What is sent ahead of its answer would be run before pgweir has set things right again.
        query(choice < 8 ? "discard all" : "deallocate all");
        alone_ = true;
    } else if (choice < 14 && may_discard && !owed() && own_->status() == 'I') {
        query(choice < 12 ? "reset TimeZone" : choice < 13 ? "reset search_path" : "reset all");
        alone_ = true;
    } else if (choice < 25) {
        query(text_for_query() + ";" + text_for_query());
    } else {
        query(text_for_query());
    }
}

/// All in one go: settings, the command that forgets them, and what a session begins with.
void FakeClient::discard_amid_requests() {
    for (uint64_t left = prng_.below(3); left > 0; --left) {
        const bool zone = prng_.chance(50);
        query(fmt::format("set {} {}{}", zone ? "TimeZone" : "application_name",
                          zone ? "mine" : "name", prng_.below(4)));
    }
    query(prng_.chance(70) ? "discard all" : "deallocate all");
    for (uint64_t left = prng_.below(4); left > 0; --left) {
        if (prng_.chance(40)) {
            query(prng_.chance(50) ? "show " + token() : text_for_query());
            continue;
        }
        begin_batch();
        if (prng_.chance(60)) {
            // If the command failed in a transaction, the name may be taken: nobody relies on it.
            const std::string name(kNames[prng_.below(kNames.size())]);
            put_parse(name, prng_.chance(50) ? "show $1" : "select s0 $1");
            put_bind("", name);
        } else {
            put_bind("", usable_name());
        }
        put('D', std::string("P\0", 2));
        put('E', std::string(5, '\0'));
        put('S');
        batch_open_ = false;
    }
}

std::string FakeClient::prepared_text() {
    const uint64_t choice = prng_.below(100);
    if (choice < 5) return "syntax error";
    if (choice < 50 && families.has(Family::Standbys)) {
        return std::string(kTextsOfCounts[prng_.below(kTextsOfCounts.size())]);
    }
    if (choice < 75) return std::string(kTexts[prng_.below(kTexts.size())]);
    if (choice < 78) return "";
    return text_for_query();
}

/// A name whose meaning is certain; the unnamed one only where it was parsed for sure.
std::string FakeClient::usable_name() {
    if (spied_on != nullptr && prng_.chance(8)) {
        // What pgweir calls a statement at a server is no name that a client could use.
        std::string stolen = spied_on->spy_statement_name();
        if (!stolen.empty()) return stolen;
    }
    const std::string name(kNames[prng_.below(kNames.size())]);
    if (name.empty()) return unnamed_in_batch_ || (may_prepare_ && unnamed_sure_) ? name : "none";
    return may_prepare_ || !unsure_.contains(name) ? name : "none";
}

void FakeClient::begin_batch() {
    may_prepare_ = !owed();
    if (may_prepare_) {
        unsure_.clear();
        unnamed_owed_ = false;
    }
    unnamed_in_batch_ = false;
    failed_in_batch_ = false;
    batch_open_ = true;
}

void FakeClient::put_parse(const std::string& name, const std::string& text) {
    std::string body;
    put_text(body, name);
    put_text(body, text);
    put_u16(body, 0);
    put('P', std::move(body));
    if (name.empty()) {
        unnamed_sure_ = !failed_in_batch_;
        unnamed_in_batch_ = true;
        unnamed_owed_ = true;
    } else {
        unsure_.insert(name);
    }
}

void FakeClient::put_bind(const std::string& portal, const std::string& name) {
    const std::string mine = token();
    std::string body;
    put_text(body, portal);
    put_text(body, name);
    put_u16(body, 0);
    put_u16(body, 1);
    put_u32(body, static_cast<uint32_t>(mine.size()));
    body += mine;
    put_u16(body, 0);
    put('B', std::move(body));
}

void FakeClient::extended_message() {
    std::string body;
    switch (prng_.below(12)) {
        case 0:
        case 1:
        case 2:
            put_parse(may_prepare_ ? std::string(kNames[prng_.below(kNames.size())]) : "",
                      prepared_text());
            break;
        case 3:
        case 4:
        case 5: put_bind(prng_.chance(85) ? "" : "portal", usable_name()); break;
        case 6:
            body.push_back(prng_.chance(70) ? 'S' : 'P');
            put_text(body, body[0] == 'S' ? usable_name() : "");
            put('D', std::move(body));
            break;
        case 7: {
            const std::string name = may_prepare_ ? usable_name() : "";
            body.push_back(prng_.chance(85) && !name.empty() ? 'S' : 'P');
            put_text(body, body[0] == 'S' ? name : "");
            if (body[0] == 'S') unsure_.insert(name);
            put('C', std::move(body));
            break;
        }
        case 8: put('H'); break;
        case 9:
        case 10:
        case 11:
            put_text(body, prng_.chance(85) ? "" : "portal");
            put_u32(body, prng_.chance(15) ? 2 : 0);
            put('E', std::move(body));
            break;
    }
}

void FakeClient::extended_request() {
    const uint64_t batches = 1 + prng_.below(3);
    for (uint64_t batch = 0; batch < batches; ++batch) {
        if (batch > 0) put('S');
        begin_batch();
        const uint64_t style = prng_.below(100);
        if (style < 60) {  // what drivers do
            std::string name = usable_name();
            if (style < 45) {
                name = may_prepare_ ? kNames[prng_.below(kNames.size())] : "";
                put_parse(name, prepared_text());
            }
            put_bind("", name);
            put('D', std::string("P\0", 2));
            put('E', std::string(5, '\0'));
        } else {
            for (uint64_t left = 1 + prng_.below(5); left > 0; --left) extended_message();
        }
    }
    if (prng_.chance(70)) {
        put('S');
        batch_open_ = false;
    } else if (prng_.chance(50)) {
        put('H');
    }
}

void FakeClient::begin_copy() {
    copying_ = true;
    copy_token_ = token();
    copy_extended_ = prng_.chance(50);
    // Which Syncs an error overtakes nobody can know: only where that is what is played.
    const bool errors = families.has(Family::CopyErrors);
    const bool syncs = errors ? families.has(Family::CopySyncs) : cancels_sent_ == 0;
    copy_syncs_ = copy_extended_ && syncs && prng_.chance(40);
    syncs_amid_copy_ = 0;
    copy_sync_ahead_ = false;
    if (!copy_extended_) {
        query("copyin " + copy_token_);
    } else {
        put_parse("", "copyin " + copy_token_);
        unnamed_sure_ = false;  // it is not to be run twice
        unnamed_in_batch_ = false;
        put('B', std::string(8, '\0'));
        put('E', std::string(5, '\0'));
        // libpq's way: the server ignores this Sync if it comes to copy.
        if (syncs && prng_.chance(50)) {
            put('S');
            copy_sync_ahead_ = true;
        }
    }
    while (copying_ && prng_.chance(50)) go_on_copying();
}

void FakeClient::go_on_copying() {
    const uint64_t choice = prng_.below(100);
    if (choice < 50) {
        const bool errors = families.has(Family::CopyErrors);
        const bool wrong = (!copy_syncs_ || errors) && prng_.chance(errors ? 10 : 4);
        put('d', copy_token_ + (wrong ? " wrong" : " data"));
        if (copy_syncs_ && prng_.chance(30)) {
            put('S');
            ++syncs_amid_copy_;
        }
        return;
    }
    if (choice < 90) {
        put('c');
    } else {
        put('f', std::string(1, '\0'));
    }
    copying_ = false;
    if (copy_extended_) put('S');
}

bool FakeClient::wants_cancel() {
    if (state_ != State::Ready || own_ == nullptr || !owed()) return false;
    if (families.has(Family::CopyErrors)) {
        ++cancels_sent_;
        return true;
    }
    if (copying_ || batch_open_) return false;
    const bool copies = std::any_of(sent_.begin(), sent_.end(), [](const Frame& frame) {
        return frame.type == 'd' || frame.type == 'c' || frame.type == 'f';
    });
    if (copies) return false;
    ++cancels_sent_;
    return true;
}

std::string FakeClient::cancel_packet() const {
    std::string packet;
    put_u32(packet, static_cast<uint32_t>(12 + key_.size()));
    put_u32(packet, (1234u << 16) | 5678u);
    put_u32(packet, pid_);
    return packet + key_;
}

void FakeClient::on_cancel_hit() {
    // What a session that is over has left at its server may be cancelled.
    if (state_ == State::Gone || told_fatal_ || link_ == nullptr || link_->engine_closed) return;
    if (++cancels_hit_ > cancels_sent_) fail("a cancel hit it that it had not asked for");
}

std::string FakeClient::describe() {
    constexpr std::array<std::string_view, 5> kStates{"Absent", "LoggingIn", "Ready", "Leaving",
                                                      "Gone"};
    std::string text =
        fmt::format("client {} is {}", number_, kStates[static_cast<size_t>(state_)]);
    if (own_ == nullptr) return text;
    text +=
        fmt::format(", status {}, mode {}, sent ", own_->status(), static_cast<int>(own_->mode()));
    for (const Frame& frame : sent_) text.push_back(frame.type);
    text += ", expects ";
    for (const Frame& frame : own_->output) text.push_back(frame.type);
    for (const std::string& payload : due_in_end_) text += ", has not heard " + payload;
    return text;
}

}  // namespace pgweir::sim
