#pragma once

#include "sim/frame.h"
#include "sim/shared_log.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// PostgreSQL's side of the protocol as a pure model: one session, a message in, replies out. The
/// fake backends are made of it, and so is each client's own idea of what it must be answered: a
/// pooler is right when nobody can tell it from a session of one's own.
/// See: protocol-flow.html, and exec_*_message() in PostgreSQL's tcop/postgres.c
namespace pgweir::sim {

using SettingMap = std::map<std::string, std::string>;

class PgSession {
public:
    enum class Mode : uint8_t {
        Ready,
        Sleeping,  // in a statement that ends by itself or by a cancel
        CopyIn,
        CopyOut,  // rows follow one by one
    };

    /// What a server without any client's wishes begins with.
    static const SettingMap& server_defaults();

    /// True for parameters whose changes are told by ParameterStatus.
    static bool reported(std::string_view name) { return name != "search_path"; }

    /// PostgreSQL's spelling of a value; nullopt: it refuses it.
    static std::optional<std::string> accepted(std::string_view name, std::string_view value);

    explicit PgSession(SettingMap session_defaults);

    /// From its begin; without, it is a primary of its own.
    void live_at(Place place) { place_ = std::move(place); }

    /// What its startup packet asked for.
    void be_read_only() { read_only_by_default_ = true; }

    /// The next statement is ended for a conflict with what is replayed, if nothing of its request
    /// was told so far.
    void conflict() { conflicts_ = true; }

    /// What it has prepared so far returns other columns from now on.
    void change_tables();

    /// The next use of a statement fails because its table changed; or the one that was just
    /// described, whose parameters have been told already.
    void find_plan_stale();

    /// The next message of the client; not while it sleeps.
    void take(const Frame& message);

    /// The end of a sleep, and a cancel that hits what runs.
    void wake();
    void cancel();

    /// A cancel that came while what was sent stands in front of it: of a session that a pooler
    /// has, it hits a BEGIN that is next; of a client's own, whatever is.
    void cancel_begin() { begin_cancelled_ = true; }

    void forget_cancel() { begin_cancelled_ = false; }

    void cancel_next() { next_cancelled_ = true; }

    /// The request that waits is taken back, and a transaction that it belonged to has failed.
    void take_back_request();

    /// True exactly when its transaction has begun, or failed since, and no statement was run.
    bool untouched() const { return untouched_ && status_ != 'I'; }

    /// The next row of a COPY OUT, or its end.
    void copy_row_out();

    /// True exactly when it goes on by itself, without a further message.
    bool runs() const { return mode_ == Mode::Sleeping || mode_ == Mode::CopyOut; }

    Mode mode() const { return mode_; }

    char status() const { return status_; }

    bool skipping() const { return skipping_; }

    /// Outside of transactions and of batches: whoever comes next finds a fresh protocol.
    bool at_rest() const {
        return status_ == 'I' && mode_ == Mode::Ready && !skipping_ && !batch_open_ &&
               rest_.empty();
    }

    const SettingMap& settings() const { return settings_; }

    size_t statement_count() const { return statements_.size(); }

    /// The first argument of the statement that sleeps or copies: it names its client.
    const std::string& running() const { return running_; }

    /// What no client may ever send, or empty.
    const std::string& offence() const { return offence_; }

    /// True exactly when its last output is the end of it: it cannot tell messages any more.
    bool dead() const { return dead_; }

    /// Any name of a statement that it holds, or empty.
    std::string statement_name() const {
        return statements_.empty() ? "" : statements_.rbegin()->first;
    }

    std::deque<Frame> output;

    struct Note {
        std::string channel;
        std::string payload;
    };

    static Frame notification(const Note& note);

    /// True exactly when it has what no other session may find there.
    bool keeps_state() const;

    bool listens() const { return !channels_.empty(); }

    bool listens_on(const std::string& channel) const { return channels_.contains(channel); }

    std::vector<Note> published;  // for other sessions
    std::deque<Frame> arrived;    // from other sessions, told between transactions

private:
    enum class Outcome : uint8_t { Done, Failed, Paused };

    /// What a transaction that fails takes back.
    struct Held {
        std::set<std::string> temporary;
    };

    struct PreparedInSql {
        std::string text;
        std::string answer;
    };

    struct Portal {
        std::string text;
        std::string parameter;
        uint32_t rows_done = 0;
        bool finished = false;  // True exactly when it was run and returns no rows.
    };

    void emit(char type, std::string body = {}) { output.push_back({type, std::move(body)}); }

    void emit_row_description();
    void emit_row(const std::string& value);
    void complete(std::string_view tag);
    Outcome fail(std::string_view sqlstate, std::string_view message);

    void simple(std::string_view text);
    void go_on();
    void parse(std::string_view body);
    void bind(std::string_view body);
    void describe(std::string_view body);
    void execute(std::string_view body);
    void close(std::string_view body);
    void sync();
    void copy_data(const Frame& message);
    void lose_synchronization(char type);
    bool refuses_format(const Frame& message);
    bool is_cancelled(char type);
    void ready();

    Outcome run(const std::string& text,
                const std::string& parameter,
                uint32_t rows_max,
                Portal* portal);
    Outcome run_transaction_verb(std::string_view verb, std::string_view how);
    void settle_counts(bool commit);
    Outcome run_utility(std::string_view verb, std::string_view rest);
    Outcome run_set_config(std::string_view text);
    Outcome run_big(std::string_view token, uint32_t count, uint32_t rows_max, Portal* portal);
    bool set(const std::string& name, std::string_view value);
    void reset(std::string_view name);
    void run_census();
    std::optional<Outcome> run_state(std::string_view verb, std::string_view rest);
    std::optional<Outcome> run_lock(std::string_view call);
    Outcome run_temporary(std::string_view verb, std::string_view rest);
    std::optional<Outcome> run_counts(std::string_view verb, std::string_view rest);
    Outcome run_prepared(std::string_view verb, std::string_view rest);
    std::string state_text() const;
    void discard_state();
    void take_back_settings();
    void open_implicit();
    void end_transaction(bool commit);
    bool refuses(std::string_view text) const;
    bool is_stale(const std::string& name);
    Outcome fail_stale();
    bool run_notification(std::string_view verb, std::string_view rest);
    void settle_notes(bool commit);

    char status_ = 'I';
    bool read_only_ = false;  // the transaction
    bool read_only_by_default_ = false;
    bool conflicts_ = false;
    bool begin_cancelled_ = false;
    bool next_cancelled_ = false;
    bool untouched_ = false;
    bool has_run_ = false;  // True exactly when a statement of this request has.
    Place place_;
    std::map<uint32_t, uint32_t> counts_;   // committed, where no log is shared
    std::map<uint32_t, uint32_t> pending_;  // of the transaction
    Mode mode_ = Mode::Ready;
    bool skipping_ = false;
    bool batch_open_ = false;
    bool extended_ = false;  // True exactly when the statement under way came by Execute.
    SettingMap defaults_;
    SettingMap settings_;
    std::set<std::string> set_here_;    // names whose value is of this session's own making
    SettingMap told_;                   // as the client was last told
    std::optional<SettingMap> before_;  // as it was when the transaction began
    std::set<std::string> set_before_;  // the same
    std::map<std::string, std::string> statements_;
    std::set<std::string> stale_;  // those whose tables changed since they were prepared
    bool finds_stale_ = false;
    std::map<std::string, Portal> portals_;
    std::deque<std::string> rest_;  // statements of a simple query still to be run
    Held held_;
    Held held_before_;  // as it was when the transaction began
    bool had_temporary_ = false;
    std::map<std::string, uint32_t> locks_;  // of the session, which no rollback ends
    std::map<std::string, PreparedInSql> prepared_;
    std::string query_;  // the simple query under way, wholly
    std::set<std::string> channels_;
    std::vector<std::string> wished_channels_;  // from the commit on; empty: none any more
    std::vector<Note> notes_;                   // of the transaction
    std::vector<Note> committed_;               // of the request, told at its end
    std::string running_;
    std::string offence_;
    uint32_t copied_ = 0;
    uint32_t rows_out_ = 0;     // of the COPY OUT under way
    bool fails_after_ = false;  // True exactly when that COPY OUT ends in an error.
    bool dead_ = false;
};

}  // namespace pgweir::sim
