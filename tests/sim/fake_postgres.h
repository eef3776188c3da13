#pragma once

#include "sim/fake_network.h"
#include "sim/pg_session.h"
#include "sim/standbys.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace pgweir::sim {

class FakePostgres;

/// Learns which client's statement a cancel has hit.
/// What the world wants to know of its servers.
class ServerEvents {
public:
    virtual void on_cancel_hit(const std::string& token) = 0;

    /// A transaction that says this to whoever listens was committed.
    virtual void on_notified(const std::string& database,
                             const std::string& channel,
                             const std::string& payload) = 0;

protected:
    ~ServerEvents() = default;
};

/// One backend process: startup, then a PgSession; or the short life of a cancel request.
class Backend final : public FarEnd {
public:
    Backend(FakePostgres& its_postgres, Link& its_link, uint32_t its_pid)
        : postgres(its_postgres), link(&its_link), pid(its_pid) {}

    void on_far_bytes(Bytes bytes) override { inbox.append(bytes); }

    void on_far_closed() override { left = true; }

    /// Bytes that it was sent and does not take while its own output is stuck.
    bool reading() const override { return !stuck(); }

    bool stuck() const { return link->to_engine.size() > kOutputMax; }

    /// True exactly when whoever uses it next finds nothing of whoever used it before.
    /// What is left of a COPY that failed may still come: PostgreSQL drops it. Notifications may be
    /// under way while it listens; `begun` is what its peer has of the first.
    bool clean(std::string_view begun = {}) const;

    static constexpr size_t kOutputMax = 4096;

    FakePostgres& postgres;
    Link* link;  // nullptr once it is dead
    uint32_t pid;
    uint32_t key = 0;
    FrameReader inbox;
    std::unique_ptr<PgSession> session;  // from the startup packet on
    std::string database;
    bool walsender = false;
    uint32_t rows_sent = 0;  // by a walsender, of its own accord
    std::string held;        // replies not flushed yet
    bool left = false;       // True exactly when its peer is gone or was told to go.
    bool done = false;       // True exactly when it has read all that it ever will.
};

class FakePostgres {
public:
    FakePostgres(Prng& prng, FakeNetwork& network, Violations& violations, ServerEvents& events)
        : prng_(prng), network_(network), violations_(violations), events_(events) {}

    /// Decides what becomes of connects that are pending. False: there was none.
    bool answer_connects();

    /// Lets one backend do one thing. False: nobody has anything to do.
    bool work_once();

    /// Lets a backend say something between its replies that is none.
    void lie(Backend& backend, bool plausibly);

    /// Another session alters what everybody's statements ask of.
    void change_tables();

    /// Ends what runs at this node.
    void kill_all_at(std::string_view node);

    /// Ends what runs at standbys that have gone.
    void kill_lost();

    /// The name of a statement that some backend holds, or empty.
    std::string spy_statement_name();

    /// Ends a backend as an administrator or a crash would.
    void kill(Backend& backend, bool politely);

    std::vector<std::unique_ptr<Backend>>& backends() { return backends_; }

    bool up = true;
    bool starting = false;         // accepts, and says 57P03
    bool hanging = false;          // does not even answer
    Standbys* standbys = nullptr;  // whose backends these are, too
    bool sleepers_wake = true;     // False exactly when only cancels end a sleep.

private:
    bool work(Backend& backend);
    bool replicate(Backend& backend);
    bool is_up(const std::string& node) const;
    bool is_hanging(const std::string& node) const;
    static bool has_work(const Backend& backend);
    static void leave(Backend& backend);
    void begin(Backend& backend);
    void cancel(uint32_t pid, uint32_t key);
    void reply(Backend& backend);
    void publish(Backend& from);
    void bury(Backend& backend);

    Prng& prng_;
    FakeNetwork& network_;
    Violations& violations_;
    ServerEvents& events_;
    std::vector<std::unique_ptr<Backend>> backends_;
    uint32_t next_pid_ = 1000;
    bool flush_wanted_ = false;  // True exactly when the message under way is a Flush.
};

}  // namespace pgweir::sim
