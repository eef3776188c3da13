#pragma once

#include "pgweir/auth/client_auth.h"
#include "pgweir/auth/scram.h"
#include "pgweir/base/buffer.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/base/slab.h"
#include "pgweir/base/stream.h"
#include "pgweir/route/decisions.h"
#include "pgweir/session/client_fsm.h"
#include "pgweir/session/prepared.h"
#include "pgweir/session/settings.h"
#include "pgweir/session/shell.h"
#include "pgweir/sql/effects.h"
#include "pgweir/sql/transactions.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgweir::session {

class Engine;

/// What a server is lent for.
enum class Errand : uint8_t {
    Any,              // whatever comes, on the primary
    Read,             // one request that only reads
    Forced,           // one request that an application wants there, whatever it is
    ReadTransaction,  // a transaction of reads on a standby
    ReadOnly,         // one that begins READ ONLY, on the primary
};

/// A transaction that its client was told of, and no server; it begins with its first statement.
struct Begun {
    enum class State : uint8_t {
        None,
        Deferred,
        Failed,  // what it sent was refused, or taken back, before a server had it
    };

    State state = State::None;
    bool counted = false;  // True exactly when a server has failed it.
    sql::TransactionModes modes{};

    bool any() const { return state != State::None; }
};

enum class RouteReason : uint8_t;
struct Pool;
struct ServerConn;
struct Subscription;

/// What a login needs and nobody needs afterwards.
struct Login {
    std::string database;
    SettingList settings;  // asked for in the startup packet
    std::string token;     // the same, see kTokenSetting
    uint16_t minor = 0;    // of the protocol
    auth::LoginPlan plan{auth::Exchange::None, false, {}};
    std::array<uint8_t, 4> md5_salt{};
    std::optional<auth::ScramServer> scram;
    bool mechanism_chosen = false;  // True exactly when SASLInitialResponse was taken.
    std::string replication;        // what it asked for: "true", "database"; empty: no walsender
};

/// One client, from accept to close.
/// Lifecycle: client_fsm.h; the object is in the list of its state, or in its pool's queue.
/// Thread: its worker's.
struct ClientSession final : StreamEvents, ListHook, ClientFacts {
    explicit ClientSession(Engine& its_engine);
    ~ClientSession();
    ClientSession(const ClientSession&) = delete;
    ClientSession& operator=(const ClientSession&) = delete;

    void on_bytes(Bytes bytes) override;

    void on_connected() override {}

    void on_drained() override;
    void on_lost(std::string_view reason) override;

    Engine& engine;
    Stream* stream = nullptr;
    Pool* pool = nullptr;   // its home
    Pool* queue = nullptr;  // whose server it wants for its request; set before it asks
    ServerConn* server = nullptr;
    Handle handle;
    Handle last_server;  // that it was attached to
    ClientState state = ClientState::Greeting;
    bool mid_transaction = false;  // True exactly when it is attached and ReadyForQuery was not I.
    bool notified = false;         // True exactly when it was told that it waits.
    bool console_busy = false;     // True exactly when an answer of the console is under way.
    bool holding = false;          // True exactly when its server has to come to rest first.
    bool hold_at_sync = false;     // True exactly when `holding` begins with the next Sync.
    bool names_undecided = false;  // True exactly when a Parse of a name may yet fail.
    bool awaits_place = false;     // True exactly when it waits until fewer servers are kept.
    bool left = false;             // True exactly when it sent Terminate.
    bool just_lent = false;        // True exactly when its server has had no request of it.
    bool told_route = false;       // True exactly when its request was traced.
    bool killed = false;           // True exactly when it ends at its next transaction's end.
    bool being_read = false;       // True exactly when what it sent is being looked at.
    bool read_again = false;       // True exactly when it was resumed meanwhile.
    uint32_t passing = 0;          // bytes of a message still to be forwarded as they come
    uint32_t discarding = 0;       // bytes of a message still to be dropped as they come
    Buffer inbox;                  // what could not be handled yet
    uint32_t request_left = 0;     // bytes of the request that alone may be sent now
    Errand errand = Errand::Any;   // that its next server is for
    std::optional<RouteReason> route_reason{};  // why there; unset: it was not routed
    bool has_waited = false;                    // True exactly when its request has been Behind.
    bool asks_primary = false;  // True exactly when its request was tried on a standby in vain.
    Begun begun{};              // as a rule only while it has no server
    route::Decisions::Ref decision;                // about that request
    SettingsRef settings;                          // as this client sees its session
    SettingsRef login_settings;                    // what RESET ALL and DISCARD ALL return to
    std::unique_ptr<Login> login;                  // only until it is welcomed
    std::unique_ptr<ClientStatements> statements;  // only if it ever named one
    std::unique_ptr<Subscription> subscription;    // only while it listens
    Instant state_since;
    Instant deadline = kNever;  // of the state it is in
    ConsoleRole role = ConsoleRole::Viewer;
};

}  // namespace pgweir::session
