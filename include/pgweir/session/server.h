#pragma once

#include "pgweir/auth/scram.h"
#include "pgweir/base/buffer.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/error.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/base/slab.h"
#include "pgweir/base/stream.h"
#include "pgweir/session/census.h"
#include "pgweir/session/client.h"
#include "pgweir/session/pins.h"
#include "pgweir/session/pipeline.h"
#include "pgweir/session/prepared.h"
#include "pgweir/session/server_fsm.h"
#include "pgweir/session/settings.h"
#include "pgweir/session/shell.h"
#include "pgweir/sql/effects.h"
#include "pgweir/wire/backend.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pgweir::session {

struct ClientSession;
struct SharedListener;

/// A batch that begins with a Bind, kept until its replies begin: if all that comes back is that
/// the plan of its statement is out of date, it is sent once more; and again, for others may have
/// prepared the statement after one change of its table and before the next.
struct KeptBatch {
    /// Units: bytes; a larger one is not kept.
    static constexpr size_t kMax = 4096;

    /// Units: times that it is sent again.
    static constexpr uint8_t kTries = 2;

    enum class State : uint8_t {
        Nothing,
        Growing,  // its Sync has not been sent
        Whole,
        Due,  // the plan was out of date: when ReadyForQuery is there it is sent again
    };

    State state = State::Nothing;
    bool describes = false;  // True exactly when the client asks what the rows look like.
    uint8_t sent_again = 0;  // times
    std::string bytes;       // as the client sent them
};

/// One connection to PostgreSQL.
/// Lifecycle: server_fsm.h; the object is in its pool's list of its state.
/// Thread: its worker's, until it is lent to another one as PortableServer.
struct ServerConn final : StreamEvents, PipelineEvents, ListHook, ServerFacts {
    ServerConn(Engine& its_engine, Pool& its_pool) : engine(its_engine), pool(its_pool) {}

    void on_bytes(Bytes bytes) override;
    void on_connected() override;
    void on_drained() override;
    void on_lost(std::string_view reason) override;

    void on_confirmed(const Expected& entry) override;
    void on_skipped(const Expected& entry) override;
    void on_unnamed_lost(bool by_client) override;

    /// True unless bytes of it are still on their way here: then it can change workers.
    bool can_move() const { return stream->backlog() == 0 && inbox.empty() && passing == 0; }

    /// True exactly when what was sent is about to be sent once more, here or elsewhere: until then
    /// nothing is sent behind it.
    bool repeats() const { return retry_due || kept.state == KeptBatch::State::Due; }

    /// True exactly when it is not known whether the BEGIN in front of a first statement was run,
    /// or whether one that has failed before has failed here: until then nothing is sent behind it.
    bool begin_undecided() const {
        return began.state == Begun::State::Failed ||
               (first_sent && (pipeline.owes_begin() || begin_failed));
    }

    Engine& engine;
    Pool& pool;
    Stream* stream = nullptr;
    ClientSession* client = nullptr;
    SharedListener* shared = nullptr;  // whose connection it is, or was opened to be
    Handle handle;
    ServerState state = ServerState::Connecting;
    wire::TransactionStatus status = wire::TransactionStatus::Idle;
    bool passing_forward = false;  // True exactly when the message passing goes to the client.
    bool said_farewell = false;    // True exactly when a FATAL error of it reached its client.
    bool ending = false;           // True exactly when it has said FATAL, and nobody was told.
    bool impatient = false;        // True exactly when its census failed and is asked again.
    bool as_login = false;         // True exactly when its census is asked with its login's rights.
    bool preparing = false;        // True exactly when its client's PREPAREs are under way.
    bool inherited = false;        // True exactly when another client than this one had it last.
    bool unlistening = false;      // True exactly when it tells its client nothing any more.
    bool raw = false;              // True exactly when it is a walsender of one client for good.
    bool cancel_lost = false;      // True exactly when a cancel that was given up may still hit it.
    bool permitted = false;        // True exactly when it counts in its pool's permits.
    bool wrote = false;            // True exactly when its transaction may have, as far as it went.
    bool refused = false;          // True exactly when it called that no read.
    bool cancelled = false;        // True exactly when that was to end anyway.
    bool end_bound = false;        // True exactly when what ends its transaction is, in this batch.
    bool retry_due = false;        // True exactly when `request` is asked elsewhere once it rests.
    bool changes_catalogue = false;  // True exactly when what it runs does.
    bool sync_due = false;           // True exactly when a Sync follows what its client sends now.
    bool first_sent = false;         // True exactly when a request of its client was, to its end.
    bool begin_failed = false;       // True exactly when the BEGIN in front of its request did.
    Errand errand = Errand::Any;     // that it is lent for
    Begun began{};                   // what it was told in front of the request under way
    uint32_t passing = 0;            // bytes of a message still to be handled as they come
    uint32_t cancels = 0;            // cancel connections under way that are aimed at it
    Buffer inbox;
    Pipeline pipeline;
    ServerStatements statements;
    KeptBatch kept;
    std::string held_back;  // what it said before it said anything of weight
    std::string request;    // on a standby: what it was lent for, while it may be asked elsewhere
    SettingsRef base;       // as reported at login: what RESET ALL leads to
    SettingsRef settings;   // as they are now
    SettingList reported;   // while it logs in
    Pins pins;              // why it stays with its client between transactions
    SettingList prepared_in_sql;     // statements of PREPARE, by name, while it is kept
    std::unique_ptr<Census> census;  // while one is under way

    static constexpr uint64_t kSeveral = UINT64_MAX;

    /// One more, as sole_client and temporary_of write it down.
    static void note_client(uint64_t& whose, uint64_t client) {
        whose = whose == 0 || whose == client ? client : kSeveral;
    }

    std::optional<auth::ScramClient> scram;
    std::optional<Error> failure;  // what an internal query was told
    uint64_t unnamed_version = 0;  // of the unnamed statement it holds, as a client counts it
    Instant state_since;
    Instant transaction_started;
    Instant flushed;  // when it had answered all of a batch that goes on
};

/// A connection that carries one cancel request to PostgreSQL.
struct CancelConn final : StreamEvents, ListHook {
    CancelConn(Engine& its_engine, Handle its_target) : engine(its_engine), target(its_target) {}

    void on_bytes(Bytes) override {}

    void on_connected() override;

    void on_drained() override {}

    void on_lost(std::string_view reason) override;

    Engine& engine;
    Stream* stream = nullptr;
    Handle handle;
    Handle target;  // the server that it is aimed at
    ServerKey key;
    Instant deadline = kNever;
    bool sent = false;  // True exactly when the request went out.
    bool over = false;  // True exactly when its target was told that it has ended.
};

}  // namespace pgweir::session
