#pragma once

#include "sim/fake_network.h"
#include "sim/family.h"
#include "sim/pg_session.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace pgweir::sim {

class FakePostgres;

/// What the scenario allows to happen to a client that is not the client's own fault.
struct Mishaps {
    bool waits_end = false;          // query_wait is set
    bool queue_fills = false;        // limits.queue is small
    bool too_many = false;           // limits of clients are small
    bool transactions_end = false;   // idle_transaction is set
    bool servers_are_slow = false;   // server_connect may run out
    bool logins_end = false;         // timeouts.login may run out
    bool killing = false;            // an administrator used KILL or KILL_CLIENT
    bool pins_wait = false;          // pinned_max is small, and who wants more waits
    bool pins_are_refused = false;   // the same, and who wants more is told so
    bool connections_break = false;  // servers, the network or administrators end connections
    bool draining = false;           // pgweir was told to end
    bool primary_changes = false;  // servers are cut off, because their node is the primary no more
    bool session_mode = false;
    bool statement_mode = false;
    bool standbys = false;       // reads may go there, and end with them
    bool tables_change = false;  // under statements that were prepared
};

/// A client with a random script, which it writes as drivers do: what it has prepared or closed it
/// does not name again in a further batch before it knows whether that went well. Everything that
/// it sends is also told to a PostgreSQL session of its own, which exists only in its head, and
/// every reply has to be what that one would say.
class FakeClient final : public FarEnd {
public:
    enum class State : uint8_t { Absent, LoggingIn, Ready, Leaving, Gone };

    FakeClient(uint32_t number, Prng& prng, Violations& violations, const Mishaps& mishaps)
        : number_(number), prng_(prng), violations_(violations), mishaps_(mishaps) {}

    void on_far_bytes(Bytes bytes) override;
    void on_far_closed() override;

    bool reading() const override { return reading_; }

    /// Says who it is, over a link that was just made.
    void start(Link& link, std::string database, std::string user);

    /// Does something that a client might do now.
    void act();

    /// Brings what is open to an end, then leaves. False: it has to wait for an answer.
    bool wind_up(FakeNetwork& network);

    /// Vanishes, perhaps in the middle of a message.
    void vanish(FakeNetwork& network);

    /// Notes that a cancel request is on its way. False: it has no key, or no reason.
    bool wants_cancel();
    std::string cancel_packet() const;

    void set_reading(bool reading) { reading_ = reading; }

    void excuse() { fault_met_ = true; }

    /// Its server has said what nobody asked for. If that could be taken for an answer, no reply
    /// means anything any more.
    void deceive(bool plausibly) {
        deceived_ = true;
        misled_ = misled_ || plausibly;
    }

    void on_cancel_hit();

    /// A server of this database has told all who listen.
    void on_notified(const std::string& database,
                     const std::string& channel,
                     const std::string& payload);

    State state() const { return state_; }

    uint32_t number() const { return number_; }

    Link* link() { return link_; }

    bool owed();
    std::string describe();

    uint32_t requests_left = 0;
    Families families;
    bool may_discard = true;
    FakePostgres* spied_on = nullptr;  // whose statements it tries to use

private:
    void put(char type, std::string body = {});

    void query(std::string_view text) { put('Q', std::string(text) + '\0'); }

    std::string token();
    std::string text_for_query();
    std::string text_of_notification(const std::string& token);
    std::string text_of_state(const std::string& token);
    std::string text_of_counts();
    void go_on_reading();
    void go_on_behind_flush();
    std::string prepared_text();

    void request();
    void simple_request();
    void discard_amid_requests();
    void transaction_command();
    void extended_request();
    void extended_message();
    void begin_batch();
    void put_parse(const std::string& name, const std::string& text);
    void put_bind(const std::string& portal, const std::string& name);
    std::string usable_name();
    void begin_copy();
    void go_on_copying();

    void on_frame(const Frame& frame);
    void on_login_frame(const Frame& frame);
    void on_fatal(const ReportFields& report);
    bool is_allowed(const ReportFields& report) const;
    bool take_cancel(const Frame& frame, const ReportFields& report);
    void take_back_request();
    void doubt_syncs(bool all);
    bool take_spare_ready(const Frame& frame);
    void expect_more(bool through_copy);
    void hear(const Frame& frame);
    std::string channel() const;
    void skip_asides();
    void check_heard();
    void compare(const Frame& frame, const ReportFields& report);
    void check_view();
    void fail(const std::string& what);

    uint32_t number_;
    Prng& prng_;
    Violations& violations_;
    const Mishaps& mishaps_;
    State state_ = State::Absent;
    Link* link_ = nullptr;
    std::string database_;
    std::string user_;
    SettingMap asked_;  // in the startup packet
    SettingMap view_;   // as ParameterStatus told
    FrameReader replies_;
    std::deque<Frame> sent_;          // not told to own_ yet
    std::unique_ptr<PgSession> own_;  // the session it believes to have
    uint32_t requests_ = 0;
    uint32_t pid_ = 0;
    std::string key_;
    uint32_t cancels_sent_ = 0;
    uint32_t cancels_taken_ = 0;  // seen by this client
    uint32_t cancels_hit_ = 0;    // at its backend
    bool reading_ = true;
    bool batch_open_ = false;  // True exactly when it owes a Sync.
    bool copying_ = false;     // True exactly when it owes CopyDone or CopyFail.
    bool copy_extended_ = false;
    bool copy_syncs_ = false;       // True exactly when it sends Syncs amid the data.
    bool copy_sync_ahead_ = false;  // True exactly when one was sent before its first data.
    uint32_t syncs_amid_copy_ = 0;
    uint32_t spare_readies_ = 0;  // ReadyForQuery that may come or not
    std::string spare_status_;
    bool fault_met_ = false;  // True exactly when the world broke a server it held.
    bool deceived_ = false;   // True exactly when its server said what nobody asked for.
    bool misled_ = false;     // True exactly when it believes nothing any more.
    bool told_fatal_ = false;
    bool bad_startup_ = false;
    bool view_lags_ = false;     // True exactly when DISCARD ALL was just answered.
    bool flushed_ = false;       // True exactly when its batch goes on once it is answered so far.
    bool alone_ = false;         // True exactly when it waits for an answer before it goes on.
    bool may_prepare_ = false;   // True exactly when nothing was owed as its batch began.
    bool unnamed_sure_ = false;  // True exactly when nothing made its last Parse of it void.
    bool unnamed_owed_ = false;  // True exactly when that may still happen.
    bool unnamed_in_batch_ = false;
    bool failed_in_batch_ = false;  // True exactly when an error came since its batch began.
    std::set<std::string> unsure_;  // names prepared or closed by what is not answered yet
    uint32_t reads_left_ = 0;       // of its read-only transaction, with its end
    std::string copy_token_;
    std::vector<std::string> said_;  // on its channel, by whomever, in order; perhaps repeatedly
    size_t heard_up_to_ = 0;         // of said_
    bool may_miss_ = false;          // True exactly when it was told that it may.
    bool may_repeat_ = false;        // The same, and the next may be one that it has heard.
    std::multiset<std::string> due_in_end_;  // said while it surely listened, and not heard yet
    std::set<std::string> heard_;            // notifications
    std::set<std::string> due_;  // those that it has to have heard by the end of its request
};

}  // namespace pgweir::sim
