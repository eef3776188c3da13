#pragma once

#include "pgweir/auth/scram.h"
#include "pgweir/auth/users_file.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/secret.h"
#include "pgweir/base/slab.h"
#include "pgweir/base/stream.h"
#include "pgweir/cluster/progress.h"
#include "pgweir/config/model.h"
#include "pgweir/session/prepared.h"
#include "pgweir/session/settings.h"
#include "pgweir/session/share.h"
#include "pgweir/sql/effects.h"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What sessions ask of the world outside, and what the engines of several workers tell each other.
/// worker/ implements it on epoll and sockets; tests/sim on a fake network and a fake clock.
namespace pgweir::session {

/// One generation of the configuration, with the files that it names read in.
struct Setup {
    config::Config config;
    auth::UserList users;
};

/// What a node is good for besides writes.
enum class Reading : uint8_t {
    Takes,   // a standby that is well
    Drains,  // nothing new; what runs there may end
    Lost,    // it does not answer, or is no standby of this cluster: nothing of it is to be used
};

/// What a watched cluster looks like, as the control loop believes.
struct Topology {
    std::optional<config::Node> primary;  // nullopt: none is known now
    uint32_t epoch = 0;  // another one: what was meant for the old primary must not reach it

    struct Node {
        std::string name;
        Reading reading = Reading::Drains;
        Instant since{};  // it is good for that
    };

    std::vector<Node> nodes{};                    // as `progress` numbers them
    const cluster::Progress* progress = nullptr;  // nullptr: nobody reads from standbys
};

/// The cancel key that a server gave us.
struct ServerKey {
    uint32_t pid = 0;
    std::string key;
};

/// The key by which a client can have its query cancelled.
struct ClientKey {
    std::array<uint8_t, 32> bytes{};
    uint8_t size = 4;
};

/// What is true of a server in whichever worker it is: it goes along as a whole.
struct ServerFacts {
    config::Node node;  // where it is; that its pool opens servers elsewhere now changes nothing
    ServerKey key;
    uint64_t id = 0;
    uint64_t last_client = 0;   // the id of whoever has it, or had it last
    uint64_t sole_client = 0;   // whose sequences it knows: zero for nobody, kSeveral for several
    uint64_t temporary_of = 0;  // who used temporary objects there, the same way
    Instant opened;
    uint32_t epoch = 0;           // RECONNECT closes servers of an older one
    std::string cluster;          // that it was opened in
    uint32_t primary_epoch = 0;   // of that cluster then
    sql::Effects effects;         // that what it was sent since the last census may have had
    bool doubtful = false;        // True exactly when it may hold settings that nobody can see.
    bool bound_for_good = false;  // True exactly when its session left what nothing can wipe.
};

/// A server on its way to another worker: everything that its next owner has to know.
struct PortableServer : ServerFacts {
    std::unique_ptr<DetachedStream> stream;
    SettingList base;                          // as at its login
    SettingList settings;                      // as they are now
    std::vector<CarriedStatement> statements;  // oldest use first
    Instant idle_since;
};

/// "A client of mine waits; if you have an idle server of this pool, lend it."
struct WantServer {
    PoolShare* pool;
    uint32_t from;
};

struct LentServer {
    PoolShare* pool;
    std::unique_ptr<PortableServer> server;
};

/// What is true of a client in whichever worker it is: it goes along as a whole.
struct ClientFacts {
    std::string user;
    ClientKey key;
    uint32_t pid = 0;  // as it was told; see ClientDirectory. Zero: not logged in
    uint64_t id = 0;
    std::unique_ptr<std::vector<std::string>> custom_settings;  // names it may have set; sorted
    std::string unnamed_statement;  // query and types of its last unnamed Parse
    uint64_t unnamed_version = 0;   // changes with each unnamed Parse; zero: it has none
    Instant connected_at;
    Instant query_started;           // first byte of the request under way
    uint64_t must_show = 0;          // what a standby has to show it, see cluster::Progress
    sql::Effects unnamed_effects;    // of that statement
    bool sets_temp_buffers = false;  // True exactly when it needs a server that can.
    bool used_temporary = false;     // True exactly when its PREPAREs may name temporary tables.
    std::optional<config::Reads> reads;  // of those who came by its listener
    bool settings_lost = false;  // True exactly when it has more custom ones than are followed.
    bool hint_told = false;      // True exactly when it was warned of a hint that is none.
};

/// A client on its way to another worker: everything that its next owner has to know.
struct PortableClient : ClientFacts {
    struct Statement {
        std::string name;
        std::string query_and_types;
        uint32_t epoch;
    };

    std::unique_ptr<DetachedStream> stream;
    std::unique_ptr<PortableServer> server;  // where a session keeps its own
    SettingList settings;                    // as this client sees its session
    SettingList login_settings;              // what RESET ALL and DISCARD ALL return to
    std::vector<Statement> statements;
    uint32_t generation = 0;          // of its worker's orders
    uint32_t pool_epoch = 0;          // of its worker's part of the pool, at that generation
    bool server_has_unnamed = false;  // True exactly when its unnamed statement is the client's.
};

/// "This client is yours from now on."
struct MovedClient {
    PoolShare* pool;
    std::unique_ptr<PortableClient> client;
};

/// "A permit came free while a client of yours waits."
struct PermitFreed {
    PoolShare* pool;
};

/// "This statement wants nobody else to be connected to a database that it names: close your idle
/// servers there."
struct LeaveDatabases {
    std::string text;
};

/// "Clients of mine listen on these channels": to the worker with the database's shared connection.
struct ShareChannels {
    PoolShare* pool;  // of one of them, to log in as its user
    uint32_t from;
    std::vector<std::pair<std::string, uint64_t>>
        channels;  // with a serial that the answer repeats
    std::string encoding;
};

/// "The shared connection listens on these from now on."
struct ChannelsShared {
    std::string database;
    std::vector<std::pair<std::string, uint64_t>> channels;
};

/// "No client of mine listens on these any more."
struct LeaveChannels {
    std::string database;
    uint32_t from;
    std::vector<std::string> channels;
};

/// What the shared connection heard for clients of a worker: whole NotificationResponses in order.
struct Notifications {
    std::string database;
    std::string messages;
};

/// "The shared connection is gone; it will be opened again."
struct ListenerLost {
    std::string database;
};

/// "A mark has not come out of the shared connection for too long."
struct ListenerStuck {
    std::string database;
};

struct CancelQuery {
    uint32_t pid;
    std::string key;
};

using PeerMessage = std::variant<WantServer,
                                 LentServer,
                                 MovedClient,
                                 PermitFreed,
                                 LeaveDatabases,
                                 ShareChannels,
                                 ChannelsShared,
                                 LeaveChannels,
                                 Notifications,
                                 ListenerLost,
                                 ListenerStuck,
                                 CancelQuery>;

enum class ConsoleRole : uint8_t { Viewer, Admin };

class Shell {
public:
    virtual Instant now() const = 0;
    /// From a generator that is fit for secrets.
    virtual void fill_random(std::span<uint8_t> out) = 0;

    /// Starts to connect; on_connected or on_lost of `owner` follows, never from inside this call.
    virtual Stream& connect(const config::Node& node, StreamEvents& owner) = 0;
    virtual Stream& adopt(std::unique_ptr<DetachedStream> stream, StreamEvents& owner) = 0;

    virtual void post(uint32_t worker, PeerMessage message) = 0;
    virtual PoolShare& pool_share(const PoolName& name) = 0;
    virtual GroupShare& database_share(std::string_view name) = 0;
    virtual GroupShare& user_share(std::string_view name) = 0;

    /// Hands a console statement over; Engine::console_reply brings the answer.
    virtual void console(Handle client, ConsoleRole role, std::string sql) = 0;

    /// What passed has changed what the catalogue of this database (as the server calls it) tells.
    virtual void catalogue_changed(std::string_view cluster, std::string_view database) = 0;

    /// Requests for this database (the same) would be routed if its catalogue were known. Said
    /// again as long as it is not, also while it is being read.
    virtual void catalogue_missed(std::string_view cluster, std::string_view database) = 0;

    /// Makes the loop call Engine::reap() before it waits again.
    virtual void reap_soon() = 0;

protected:
    ~Shell() = default;
};

}  // namespace pgweir::session
