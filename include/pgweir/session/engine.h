#pragma once

#include "pgweir/auth/scram.h"
#include "pgweir/auth/verifier_cache.h"
#include "pgweir/base/buffer.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/base/prng.h"
#include "pgweir/base/slab.h"
#include "pgweir/session/client.h"
#include "pgweir/session/client_directory.h"
#include "pgweir/session/pool.h"
#include "pgweir/session/server.h"
#include "pgweir/session/shell.h"
#include "pgweir/session/stop_orders.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::session {

/// What all engines of a process share besides pools.
struct ProcessShare {
    std::atomic<uint32_t> clients{0};
    std::atomic<uint32_t> logins{0};
    std::atomic<uint32_t> clients_behind{0};  // see ClientState::Behind
    std::atomic<uint32_t> pools{0};           // pairs of database and user that were ever served
    std::atomic<uint64_t> next_id{1};
    ClientDirectory directory;

    /// Clients that have left one worker and are not in the next one yet.
    std::atomic<uint32_t> clients_under_way{0};

    /// Statements that clients prepare from now on are others than those of older epochs, although
    /// their texts are the same: a table has changed under one of these.
    std::atomic<uint32_t> statement_epoch{0};

    /// PostgreSQL calls a statement of `epoch` out of date.
    void outdate_statements(uint32_t epoch) {
        statement_epoch.compare_exchange_strong(epoch, epoch + 1, std::memory_order_relaxed);
    }
};

struct Listening;

/// How an engine takes new clients.
enum class Admission : uint8_t { Open, Draining };

/// Whether the last message to a server went out as a whole: nothing may follow half of one.
enum class Upstream : uint8_t { Whole, Broken };

/// Counters of one worker that belong to no pool.
struct EngineStats {
    uint64_t accepted = 0;
    uint64_t refused = 0;
    uint64_t login_failures = 0;
    uint64_t protocol_errors = 0;
    uint64_t cancels_received = 0;
    uint64_t cancels_unknown = 0;
    uint64_t clients_moved = 0;          // to other workers
    uint64_t addresses_passed_over = 0;  // see net::Loop
};

/// The sessions of one worker: its clients, its pools and their servers. It does what has to be
/// done when something happened; what happens is told by streams, by the shell and by other
/// engines. The parts are in files of their own; src/session/parts.h says which is where.
/// Thread: one worker's.
class Engine {
public:
    Engine(uint32_t worker,
           Shell& shell,
           ProcessShare& process,
           std::unique_ptr<const Setup> setup,
           Secret process_secret);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Told by the shell.
    /// `reads`: of those who come by this listener.
    void accept(Stream& stream, std::optional<config::Reads> reads = std::nullopt);
    void tick();
    void reap();
    void receive(PeerMessage message);
    void console_reply(Handle client, Bytes reply, bool close_after);

    /// Clients that have asked for something since then, or wait.
    uint32_t active_clients(Instant since);

    /// Hands clients to another worker, those that were last active first: at most `count` of those
    /// that were active since then, as far as they can move now, and not more at once than both
    /// workers can handle between two requests of others.
    /// Units: clients that went.
    uint32_t give_clients(uint32_t worker, uint32_t count, Instant active_since);
    static constexpr uint32_t kMovedMax = 256;
    static constexpr size_t kMovedBytesMax = 1 << 20;  // of statements; the last one may be larger

    // Ordered by the control loop, the same in every worker.
    void reload(std::unique_ptr<const Setup> setup);
    void drain();
    void pause(std::string_view database);
    bool resume(std::string_view database);
    void reconnect(std::string_view database);
    void kill(std::string_view database);

    /// The cluster's servers are opened there from now on. In another epoch those that are open at
    /// the primary of before are cut off at once, and their clients told 08006. Without a primary
    /// clients wait for one. Standbys that take reads get them; who waits for one that does not is
    /// sent elsewhere.
    void follow_cluster(std::string_view cluster, Topology topology);

    /// Standbys show more than before: clients that wait for it may go on.
    void progress_made();

    /// The cluster is watched no more: of several nodes none is known to be its primary.
    void forget_cluster(std::string_view cluster);

    /// What reads of this database, as the server calls it, are judged by, until another one comes.
    /// nullptr: none leaves the primary.
    void use_catalogue(std::string_view cluster,
                       std::string_view database,
                       const route::Catalogue* catalogue);
    bool kill_client(uint64_t id);
    void close_everything();

    /// Servers of the database (empty: of all) that PAUSE still waits for.
    uint32_t servers_left(std::string_view database);

    /// Of orders that outdate servers; the same in every worker.
    uint32_t generation() const { return generation_; }

    const Setup& setup() const { return *setup_; }

    const config::Config& config() const { return setup_->config; }

    uint32_t worker() const { return worker_; }

    Instant now() const { return shell_.now(); }

    size_t client_count() const { return clients_.size(); }

    /// Those that a stop waits for: whoever asked for it on the console may watch until the end.
    size_t clients_to_drain() { return clients_.size() - in(ClientState::Console).size(); }

    // --- what the parts of the engine use; not for others ---

    Shell& shell() { return shell_; }

    ProcessShare& process() { return process_; }

    BufferPool& buffers() { return buffers_; }

    SettingsTable& settings() { return settings_; }

    StatementCache& statements() { return statements_; }

    /// What a client prepares now.
    StatementRef intern(Bytes query_and_types) {
        return statements_.intern(query_and_types,
                                  process_.statement_epoch.load(std::memory_order_relaxed));
    }

    /// Parse, Bind and Execute of BEGIN with these modes, unnamed.
    const std::string& begin_messages(const sql::TransactionModes& modes);

    auth::ScramKeyCache& scram_keys() { return scram_keys_; }

    auth::VerifierCache& verifiers() { return verifiers_; }

    Prng& prng() { return prng_; }

    Listening& listening() { return *listening_; }

    EngineStats& stats() { return stats_; }

    Admission admission() const { return admission_; }

    bool globally_paused() const { return paused_; }

    /// The two doors: nothing else changes a state, and each state is a list.
    void move(ClientSession& client, ClientEvent event);
    void move(ServerConn& server, ServerEvent event);

    /// An Idle client was answered without a server: it rests since now.
    void rest_anew(ClientSession& client);

    IntrusiveList<ClientSession>& in(ClientState state) {
        return clients_in_[static_cast<size_t>(state)];
    }

    Pool& pool(std::string_view database, std::string_view user) {
        return pool(PoolName{std::string(database), std::string(user)});
    }

    Pool& pool(const PoolName& name);

    /// nullptr: the cluster is not watched.
    const Topology* topology_of(std::string_view cluster) const {
        const auto known = topologies_.find(cluster);
        return known == topologies_.end() ? nullptr : &known->second;
    }

    Pool* find_pool(const PoolShare& share);

    Pool* find_pool(std::string_view database, std::string_view user) {
        return find_pool(PoolName{std::string(database), std::string(user)});
    }

    Pool* find_pool(const PoolName& name);

    std::map<PoolName, std::unique_ptr<Pool>>& pools() { return pools_; }

    /// By cluster and database, as the server calls it.
    std::map<std::pair<std::string, std::string>, route::Decisions>& decisions() {
        return decisions_;
    }

    void publish_idle(Pool& pool);
    ClientSession& make_client();
    ServerConn& make_server(Pool& pool);
    CancelConn& make_cancel(Handle target);

    ServerConn* find_server(Handle handle) { return servers_.find(handle); }

    ClientSession* find_client_at(uint32_t index);

    /// A client that has left for another worker: the slot is given back at the end of the turn.
    void forget(ClientSession& client);

    size_t cancels_in_flight() const { return cancels_.size(); }

    IntrusiveList<CancelConn>& cancels() { return cancels_under_way_; }

    /// Ends a client: an error goes out first, if there is one. Safe to call twice.
    [[gnu::cold]] void close(ClientSession& client, const Error* error, std::string_view reason);

    /// Cuts a server off at once: it is lost already, or not to be trusted.
    [[gnu::cold]] void close(ServerConn& server, std::string_view reason);

    /// Tells a server to go. It keeps its permit until PostgreSQL has let go of it, so that a pool
    /// never has more backends than its size; a query under way is cancelled first.
    [[gnu::cold]] void retire(ServerConn& server,
                              std::string_view reason,
                              Upstream upstream = Upstream::Whole);
    void finish(CancelConn& cancel);

    void send(ClientSession& client, Bytes bytes);

    /// Before the loop waits again, clients that wait until fewer servers are kept try again.
    void retry_places_soon() {
        places_freed_ = true;
        shell_.reap_soon();
    }

    uint64_t next_unnamed_version() { return ++unnamed_versions_; }

    StatementChange* make_change(StatementChange change);
    void drop_change(StatementChange* change);

private:
    template <class Visitor>
    void for_each_active(Instant since, Visitor&& visit);
    void part_from_client(ServerConn& server);
    void leave_list(ClientSession& client);
    void enter_list(ClientSession& client);
    void apply_setup(Pool& pool);
    void apply_address(Pool& pool, const config::Database& database);
    void apply_place(Pool& pool, const config::Database& database);
    void apply_routes(Pool& pool, const config::Database& database);
    void forget_tokens(const Pool& pool, Routes& routes, uint64_t sample);
    void apply_topology(std::string_view cluster);

    uint32_t worker_;
    Shell& shell_;
    ProcessShare& process_;
    std::unique_ptr<const Setup> setup_;
    BufferPool buffers_;
    SettingsTable settings_;
    StatementCache statements_;
    std::array<std::string, 45> begins_;  // by what their modes say
    auth::ScramKeyCache scram_keys_;
    auth::VerifierCache verifiers_;
    Prng prng_;
    std::unique_ptr<Listening> listening_;
    EngineStats stats_;
    Admission admission_ = Admission::Open;
    bool paused_ = false;
    bool places_freed_ = false;  // True exactly when some client may find a place now.
    StopOrders stop_orders_;
    std::map<std::string, Topology, std::less<>> topologies_;  // of clusters that are watched
    std::map<std::pair<std::string, std::string>, route::Decisions> decisions_;
    std::map<std::pair<std::string, std::string>, const route::Catalogue*> catalogues_;
    uint64_t unnamed_versions_ = 0;
    uint32_t generation_ = 0;
    uint64_t setups_ = 1;  // that it was given

    std::map<PoolName, std::unique_ptr<Pool>> pools_;
    Slab<ClientSession> clients_;
    Slab<ServerConn> servers_;
    Slab<CancelConn> cancels_;
    std::array<IntrusiveList<ClientSession>, kClientStates> clients_in_;
    IntrusiveList<ServerConn> closed_servers_;
    IntrusiveList<CancelConn> cancels_under_way_;
    IntrusiveList<CancelConn> finished_cancels_;
};

}  // namespace pgweir::session
