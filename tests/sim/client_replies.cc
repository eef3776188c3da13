#include "sim/fake_client.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

/// What a client is answered, held against what its own PostgreSQL session would say.
namespace pgweir::sim {
namespace {

constexpr std::string_view kCancelled = "canceling statement due to user request";

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::string read_front_error(const std::deque<Frame>& output) {
    if (output.empty() || output.front().type != 'E') return "";
    return std::string(read_report(output.front().body).message);
}

/// What may come between any two replies.
bool is_aside(const Frame& frame) {
    return frame.type == 'S' || frame.type == 'A';
}

}  // namespace

void FakeClient::on_far_bytes(Bytes bytes) {
    if (misled_) return;
    replies_.append(bytes);
    while (const auto frame = replies_.next()) {
        on_frame(*frame);
        if (violations_.any() || state_ == State::Gone) return;
    }
}

void FakeClient::on_far_closed() {
    const bool in_a_message = !replies_.empty();
    const bool cut_off = fault_met_ || mishaps_.killing || mishaps_.primary_changes;
    if (in_a_message && !cut_off) fail("a message was cut off");
    const bool explained = misled_ || told_fatal_ || state_ == State::Leaving || in_a_message;
    if (state_ != State::Gone && !explained) fail("it was closed without a word");
    state_ = State::Gone;
    link_->far = nullptr;
    link_->far_told = true;
    link_ = nullptr;
}

void FakeClient::on_frame(const Frame& frame) {
    if (violations_.tracing())
        fmt::print("            client {} gets {}\n", number_, printable(frame));
    if (told_fatal_) {
        fail("more after a FATAL error: " + printable(frame));
        return;
    }
    if (frame.type == 'S') {
        Fields fields(frame.body);
        const std::string name(fields.text());
        view_[name] = fields.text();
        return;
    }
    if (frame.type == 'A') {
        hear(frame);
        return;
    }
    if (frame.type == 'E') {
        // An error in front of it has it skipped; behind it, PostgreSQL keeps what was parsed.
        unnamed_sure_ = unnamed_sure_ && !unnamed_owed_;
        failed_in_batch_ = true;
    }
    ReportFields report;
    if (frame.type == 'E' || frame.type == 'N') report = read_report(frame.body);
    if (frame.type == 'N' && has(report.message, "no server is free")) return;
    if (frame.type == 'N' && has(report.message, "notifications may")) {
        may_miss_ = true;
        may_repeat_ = may_repeat_ || report.severity == "WARNING";
        if (!mishaps_.connections_break) fail("it may miss notifications, and nothing happened");
        return;
    }
    if (report.severity == "FATAL") {
        on_fatal(report);
        return;
    }
    if (state_ == State::LoggingIn) {
        on_login_frame(frame);
    } else if (frame.type == 'E' && has(report.message, "can be kept")) {
        if (!mishaps_.pins_are_refused) fail("it was refused a place that it did not ask for");
        take_back_request();
    } else if (!take_cancel(frame, report)) {
        if (report.sqlstate == "0A000" && has(report.message, "cached plan")) {
            if (!mishaps_.tables_change) fail("its plan is stale, and no table changed");
            own_->find_plan_stale();
        }
        compare(frame, report);
    }
}

void FakeClient::on_login_frame(const Frame& frame) {
    Fields fields(frame.body);
    switch (frame.type) {
        case 'R':
            if (fields.number(4) != 0) fail("it was asked for a password");
            return;
        case 'K':
            pid_ = fields.number(4);
            key_ = fields.bytes(256);
            return;
        case 'Z': break;
        default: fail("during its login it got " + printable(frame)); return;
    }
    SettingMap defaults = PgSession::server_defaults();
    for (const auto& [name, value] : asked_) {
        const auto accepted = PgSession::accepted(name, value);
        if (!accepted) {
            fail("it was welcomed with settings that the server refuses");
            return;
        }
        defaults[name] = *accepted;
    }
    own_ = std::make_unique<PgSession>(std::move(defaults));
    state_ = State::Ready;
    check_view();
}

void FakeClient::on_fatal(const ReportFields& report) {
    told_fatal_ = true;
    if (report.sqlstate == "57P03" && has(report.message, "shutting down") && own_ != nullptr) {
        skip_asides();
        if (!own_->at_rest() || !own_->output.empty()) fail("a drain cut off a transaction");
    }
    if (is_allowed(report)) return;
    fail(fmt::format("{} {} ({})", report.sqlstate, report.message, report.detail));
}

bool FakeClient::is_allowed(const ReportFields& report) const {
    const std::string_view code = report.sqlstate;
    if (has(report.message, "do not fit")) return deceived_;
    if (has(report.message, "is not the primary any more")) return mishaps_.primary_changes;
    if (has(report.message, "cannot be done on standby")) return mishaps_.standbys;
    if (code == "25006" && has(report.message, "no primary is known")) {
        return (mishaps_.primary_changes || mishaps_.standbys) && mishaps_.waits_end;
    }
    // While it was asked what its session holds, nobody can say that any more.
    if (code == "08006" && has(report.detail, "no standby that answers")) return mishaps_.standbys;
    if (code == "08006") {
        return fault_met_ || (mishaps_.servers_are_slow && has(report.detail, "timeout expired"));
    }
    if (code == "57P01") return fault_met_ || mishaps_.killing;
    if (code == "22023") return bad_startup_;
    if (code == "53300") {
        if (has(report.message, "queue")) return mishaps_.queue_fills;
        if (has(report.message, "keep a server")) return mishaps_.pins_are_refused;
        if (has(report.message, "can be kept")) return mishaps_.pins_wait && mishaps_.waits_end;
        return has(report.message, "no server came free") ? mishaps_.waits_end : mishaps_.too_many;
    }
    if (code == "57P03") {
        if (has(report.message, "can be reached")) return mishaps_.waits_end;
        return has(report.message, "shutting down") ? mishaps_.draining : mishaps_.killing;
    }
    if (code == "25P03") return mishaps_.transactions_end;
    if (code == "08P01") return mishaps_.logins_end && state_ == State::LoggingIn;
    return code == "0A000" && mishaps_.statement_mode;
}

void FakeClient::hear(const Frame& frame) {
    Fields fields(frame.body);
    fields.number(4);
    const std::string_view channel = fields.text();
    if (channel != this->channel()) fail("it heard of channel " + std::string(channel));
    const std::string payload(fields.text());
    heard_.insert(payload);
    const auto begin = said_.begin() + static_cast<std::ptrdiff_t>(heard_up_to_);
    auto said = std::find(begin, said_.end(), payload);
    // Whoever tells from here on may be behind the one that was lost, and goes back that once.
    if (said == said_.end() && std::exchange(may_repeat_, false)) {
        said = std::find(said_.begin(), said_.end(), payload);
    }
    if (said == said_.end()) {
        fail("it heard twice, or out of turn, of " + payload);
        return;
    }
    heard_up_to_ = static_cast<size_t>(said - said_.begin()) + 1;
    if (const auto due = due_in_end_.find(payload); due != due_in_end_.end()) {
        due_in_end_.erase(due);
    }
}

std::string FakeClient::channel() const {
    return fmt::format("ch{}", number_);
}

void FakeClient::on_notified(const std::string& database,
                             const std::string& channel,
                             const std::string& payload) {
    if (database != database_ || channel != this->channel()) return;
    said_.push_back(payload);
    // Whoever has asked for something else meanwhile may listen or not.
    const bool surely = state_ == State::Ready && own_ != nullptr && own_->listens() &&
                        sent_.empty() && own_->output.empty() && own_->at_rest();
    if (surely) due_in_end_.insert(payload);
}

void FakeClient::skip_asides() {
    auto& output = own_->output;
    while (!output.empty() && is_aside(output.front())) {
        if (output.front().type == 'A') {
            Fields fields(output.front().body);
            fields.number(4);
            fields.text();
            due_.emplace(fields.text());
        }
        output.pop_front();
    }
}

/// What a session tells itself comes before the end of its request.
void FakeClient::check_heard() {
    for (const std::string& payload : std::exchange(due_, {})) {
        if (!heard_.contains(payload)) fail("it did not hear itself say " + payload);
    }
}

/// Tells the session of its own what was sent until it has something to say.
void FakeClient::expect_more(bool through_copy) {
    auto& output = own_->output;
    while (true) {
        skip_asides();
        if (!output.empty() || sent_.empty() || own_->runs()) return;
        if (own_->mode() == PgSession::Mode::CopyIn && !through_copy) return;
        own_->take(sent_.front());
        sent_.pop_front();
    }
}

bool FakeClient::owed() {
    if (own_ == nullptr) return false;
    const auto speaks = [](const PgSession& session) {
        return session.runs() || std::any_of(session.output.begin(), session.output.end(),
                                             [](const Frame& frame) { return !is_aside(frame); });
    };
    if (speaks(*own_)) return true;
    // Thought through on a copy: what was sent may still be taken back by a cancel.
    PgSession later = *own_;
    for (const Frame& frame : sent_) {
        later.take(frame);
        if (speaks(later)) return true;
    }
    return later.mode() == PgSession::Mode::CopyIn && !copying_;
}

/// A cancel strikes at the server, or takes back what still waits for one; or it comes too late.
bool FakeClient::take_cancel(const Frame& frame, const ReportFields& report) {
    if (frame.type != 'E' || report.message != kCancelled) return false;
    if (cancels_taken_ >= cancels_sent_) return false;
    ++cancels_taken_;
    if (has(report.detail, "still waiting") || has(report.detail, "not asked elsewhere")) {
        take_back_request();
        return true;
    }
    auto& output = own_->output;
    skip_asides();
    if (families.has(Family::LazyBegins) && own_->untouched() && own_->status() == 'T' &&
        output.empty()) {
        own_->cancel_next();  // it hit the BEGIN in front of its first statement
    }
    expect_more(false);
    if (read_front_error(output) == kCancelled) {
        compare(frame, report);
        return true;
    }
    if (!output.empty() || own_->mode() == PgSession::Mode::Ready) return false;
    if (own_->mode() == PgSession::Mode::CopyIn) doubt_syncs(true);
    own_->cancel();
    compare(frame, report);
    return true;
}

/// Nobody knows which of the Syncs amid the data of a COPY came before its error, and so were
/// ignored, and which behind it: each may be answered or not, but for the one at the end.
void FakeClient::doubt_syncs(bool all) {
    if (copying_) copy_syncs_ = false;
    if (!all && syncs_amid_copy_ == 0) return;
    bool in_copy = true;
    std::erase_if(sent_, [&](const Frame& sent) {
        if (sent.type == 'c' || sent.type == 'f') in_copy = false;
        return in_copy && sent.type == 'S';
    });
    spare_readies_ += syncs_amid_copy_ + (copy_sync_ahead_ ? 1 : 0);
    syncs_amid_copy_ = 0;
    copy_sync_ahead_ = false;
}

/// One of the answers that may come or not.
bool FakeClient::take_spare_ready(const Frame& frame) {
    if (frame.type != 'Z' || spare_readies_ == 0 || frame.body != spare_status_) return false;
    --spare_readies_;
    return true;
}

/// The request that waited was never sent: all of it is forgotten, and answered by ReadyForQuery.
void FakeClient::take_back_request() {
    auto& output = own_->output;
    skip_asides();
    const bool waits = own_->at_rest() || (families.has(Family::LazyBegins) && own_->untouched());
    if (!output.empty() || !waits) fail("a request was taken back that was under way");
    while (!sent_.empty()) {
        const char type = sent_.front().type;
        sent_.pop_front();
        if (type == 'Q' || type == 'S') break;
    }
    own_->take_back_request();
}

void FakeClient::compare(const Frame& frame, const ReportFields& report) {
    const bool copied = own_->mode() == PgSession::Mode::CopyIn;
    expect_more(true);
    if (own_->output.empty() && own_->runs()) {
        if (own_->mode() == PgSession::Mode::Sleeping) {
            own_->wake();
        } else {
            own_->copy_row_out();
        }
        expect_more(true);
    }
    auto& output = own_->output;
    if (output.empty()) {
        if (take_spare_ready(frame)) return;
        fail("nothing was owed, it got " + printable(frame));
        return;
    }
    const Frame expected = std::move(output.front());
    output.pop_front();
    bool same = frame.type == expected.type && frame.body == expected.body;
    if (!same && frame.type == 'E' && expected.type == 'E') {
        // PostgreSQL quotes the statement's name, which is not the client's. And a name that is
        // taken is parsed again with the text it was taken for, which may fail for another reason.
        const auto wanted = read_report(expected.body).sqlstate;
        const auto of_parse = [](std::string_view code) {
            return code == "42P05" || code == "25P02" || code == "42601";
        };
        same = wanted == report.sqlstate && (wanted == "26000" || wanted == "42P05");
        same = same || (of_parse(wanted) && of_parse(report.sqlstate));
    }
    if (!same && take_spare_ready(frame)) {
        output.push_front(expected);
        return;
    }
    if (!same) {
        fail(fmt::format("expected {}, got {}", printable(expected), printable(frame)));
        return;
    }
    if (frame.type == 'E' && copied && !has(report.message, "COPY from stdin failed")) {
        doubt_syncs(false);
        spare_status_ = std::string(1, own_->status());
    }
    if (frame.type == 'C' && (has(frame.body, "DISCARD ALL") || has(frame.body, "RESET"))) {
        view_lags_ = true;
    }
    if (frame.type != 'Z') return;
    check_heard();
    check_view();
}

void FakeClient::check_view() {
    // After DISCARD ALL and RESET the settings come back one round trip later.
    if (std::exchange(view_lags_, false)) return;
    for (const auto& [name, value] : own_->settings()) {
        if (!PgSession::reported(name) || view_[name] == value) continue;
        fail(fmt::format("it was told that {} is \"{}\", not \"{}\"", name, view_[name], value));
    }
}

}  // namespace pgweir::sim
