#pragma once

#include "pgweir/session/engine.h"
#include "pgweir/session/listening.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The parts of the engine, each in the file of its name.
namespace pgweir::session {

// No server reports more parameters than this; PostgreSQL 15 reports 14.
inline constexpr size_t kReportedMax = 200;

// client_login.cc: from the first byte to ReadyForQuery.
size_t login_step(Engine& engine, ClientSession& client, Bytes input);
void welcome(Engine& engine, ClientSession& client);
/// The settings that this client's session begins with on a server with `base`.
SettingsRef first_settings(Engine& engine, const ClientSession& client, const SettingsRef& base);
std::string welcome_key(const SettingList& asked);

// client_input.cc: what a client sends, by the state that it is in.
void client_bytes(Engine& engine, ClientSession& client, Bytes input);
void resume_client(Engine& engine, ClientSession& client);

// client_pump.cc: what a client sends to its server.
/// A message of this size is awaited before a server is taken for it: whoever sends one slowly
/// shall not hold a server meanwhile. Units: bytes.
inline constexpr size_t kHeldBackMax = 16384;
/// Names and other small things have to arrive whole; longer ones are nobody's. Units: bytes.
inline constexpr size_t kSmallMessageMax = 65536;

/// Units: bytes of `input` that are dealt with.
size_t pump_client(Engine& engine, ClientSession& client, Bytes input);
/// Units: bytes, the length of a message included.
uint32_t message_bytes_max(const Engine& engine);
/// Closes a client that broke the protocol, or went beyond a limit, with this error.
[[gnu::cold]] void violate(Engine& engine, ClientSession& client, const Error& error);
/// It said goodbye.
[[gnu::cold]] void leave(Engine& engine, ClientSession& client);
/// Sends the batch that the server kept once more.
[[gnu::cold]] void send_again(Engine& engine, ServerConn& server);

// replication.cc: walsenders, one for each client that asks, without pooling.
void open_walsender(Engine& engine, ClientSession& client);
/// The walsender is logged in: its client is told, and from now on bytes pass as they come.
void walsender_ready(Engine& engine, ServerConn& server);
void pass_to_walsender(Engine& engine, ClientSession& client, Bytes bytes);
void pass_from_walsender(Engine& engine, ServerConn& server, Bytes bytes);

// statement_pump.cc: messages that name a statement; see StatementPump there.
/// Answers a Parse and its Sync for an idle client if a server of the pool has accepted the same
/// statement before. Units: bytes taken from `input`, zero when a server has to be asked.
size_t answer_known_parse(Engine& engine, ClientSession& client, Bytes input);

// server_login.cc: from connect to the first ReadyForQuery.
void begin_server_login(Engine& engine, ServerConn& server);
size_t server_login_step(Engine& engine, ServerConn& server, Bytes input);
void server_login_failed(Engine& engine, ServerConn& server, Error error);

// server_pump.cc: what a server sends.
void server_bytes(Engine& engine, ServerConn& server, Bytes input);
/// Sends a Sync, whose answer is the client's, to a server that skips what it is sent.
void end_skipping(ServerConn& server);
/// Answers for the server where the ledger says so.
void deliver_synthesized(ServerConn& server);
enum class MayFail : uint8_t { No, Yes };

/// `may_fail`: whether it matters to nobody if it does.
void send_internal_query(Engine& engine,
                         ServerConn& server,
                         std::string_view sql,
                         MayFail may_fail = MayFail::No);

// server_rest.cc: servers that have answered all that they were asked, or are lost.
/// What happens once a server is at rest; nothing if it is not.
void rest(Engine& engine, ServerConn& server);
/// The same, for one that is.
void rested(Engine& engine, ServerConn& server);
/// The transaction, and what had to be asked after it, is over.
void transaction_over(Engine& engine, ServerConn& server);
/// Parts a lost server and its client, who is told why if there is a place for it.
[[gnu::cold]] void break_up(Engine& engine,
                            ServerConn& server,
                            const Error& error,
                            std::string_view reason);
[[gnu::cold]] void server_gone(Engine& engine, ServerConn& server, std::string_view reason);

// lending.cc: who gets which server.
bool outlived(const Engine& engine, const ServerConn& server);
/// True: the client is attached now. False: it waits, or was refused and is closed.
bool acquire(Engine& engine, ClientSession& client);
/// The client is done with its server, which is at rest outside a transaction.
void release(Engine& engine, ServerConn& server);
/// Between two transactions: closes a client that was killed, or when a stop is under way.
void send_away_if_due(Engine& engine, ClientSession& client);
/// Its server was taken from it between two transactions.
void go_on_without_server(Engine& engine, ClientSession& client);
/// A clean server looks for its next client, here or in another worker.
void offer(Engine& engine, ServerConn& server);
void serve_waiting(Engine& engine, Pool& pool);
void open_servers(Engine& engine, Pool& pool);
enum class Permit : uint8_t { Taken, PoolFull, DatabaseFull, UserFull };

Permit take_permits(Pool& pool, uint32_t limit);
/// Notes that clients of this pool wait for max_servers of `group`, or, nullptr, that none does.
void starve(Pool& pool, GroupShare* group);
/// True exactly when idle servers of this pool keep clients of another one from theirs.
bool blocks_others(const Pool& pool);
void publish_waiting(Engine& engine, Pool& pool);
void settings_applied(Engine& engine, ServerConn& server);
/// Makes the server take the settings of its client.
void send_settings(Engine& engine, ServerConn& server);
/// True exactly when the server is as the client left it, or as it would have it.
bool fits(const ServerConn& server, const ClientSession& client);
/// Takes a server on which temporary objects were used from a client that has sent nothing yet and
/// wants to set temp_buffers, which PostgreSQL refuses there; it waits for another.
[[gnu::cold]] void exchange_server(Engine& engine, ClientSession& client);
inline constexpr std::string_view kTempBuffers = "temp_buffers";
inline constexpr std::string_view kInHotStandby = "in_hot_standby";  // reported since 14
inline constexpr std::string_view kReadOnlyByDefault = "default_transaction_read_only";  // the same
void after_server_closed(Engine& engine, Pool& pool);
void adopt_server(Engine& engine, Pool& pool, PortableServer& portable);
/// Tells workers with idle servers of this pool that a client waits here.
void ask_others(Engine& engine, Pool& pool);
/// Nothing may reach the primary of an older epoch any more, not even the end of a transaction.
void cut_off_if_older(Engine& engine, ServerConn& server);
/// True exactly when a client of this pool waits in another worker.
bool others_wait(const Engine& engine, const Pool& pool);
void lend_away(Engine& engine, ServerConn& server, uint32_t worker);
/// Takes a server with everything known of it out of this worker, and puts it, idle, into one.
std::unique_ptr<PortableServer> pack_server(Engine& engine, ServerConn& server);
ServerConn& unpack_server(Engine& engine, Pool& pool, PortableServer& portable);
/// The idle server is this client's from now on, once it has its settings.
void attach(Engine& engine, ServerConn& server, ClientSession& client);
/// Wipes what the server's last client left, before anybody else gets it.
void reset(Engine& engine, ServerConn& server);

/// Who may have a server that has just lost its client.
enum class NextUse : uint8_t { Anybody, AfterReset, Nobody };

NextUse next_use(const ServerConn& server);

// moving.cc: clients that change workers.
/// Hands over a client for which is_movable() is true.
void send_away(Engine& engine, ClientSession& client, uint32_t worker);
/// True exactly when the client rests and nothing of it is in this worker but itself.
bool is_movable(const ClientSession& client);
void adopt_client(Engine& engine, PoolShare& share, PortableClient& portable);

// session_state.cc: what a session holds beyond its transactions, and where it lives.
/// Notes what a text, about to be sent, may do to the session.
void note_effects(ClientSession& client,
                  ServerConn& server,
                  sql::Effects effects,
                  std::string_view text);
/// Notes settings that the values of a Bind may name; `rest` is what follows its names.
void note_bind_values(ClientSession& client, Bytes rest);
/// Before a statement with these effects, the first of its transaction: currval() and lastval()
/// must not see what a stranger's nextval() left.
void guard_sequences(Engine& engine, ServerConn& server, sql::Effects effects);
/// Notes why a server is kept, and lets whoever waits for fewer kept ones go on.
void set_pins(Engine& engine, ServerConn& server, Pins pins);
/// If the pool cannot grow: a client that keeps a server for what can move lets go of it. False:
/// nobody does.
bool yield_to_waiting(Engine& engine, Pool& pool);
/// True exactly when the request at the front may need one more server to be kept than the pool
/// lets be kept: the client waits, or has its error. Units: `refused` bytes of it are answered.
bool no_place_for_pin(Engine& engine, ClientSession& client, Bytes input, size_t& refused);
/// Lets clients that wait for a place try again.
void retry_places(Engine& engine, Pool& pool);
/// Servers that are kept by sessions that yield, when the pool is paused, or they are too old.
void let_go_of_unused(Engine& engine, Pool& pool);
/// Takes a server from its client, who goes on with what it can carry, and is told what it misses.
void part_client(Engine& engine, ServerConn& server);
/// Parts a server that is lost and a client that had nothing there that cannot move. False: it had.
bool part_at_rest(Engine& engine, ServerConn& server);
/// The same for this server, which has just come to rest.
void yield_if_wanted(Engine& engine, ServerConn& server);
/// Some of its client's statements of PREPARE could not be prepared again.
void prepared_in_sql_failed(Engine& engine, ServerConn& server, const Error& cause);
/// True exactly when nobody knows any more what the server's session holds.
bool census_due(const ServerConn& server);
void begin_census(Engine& engine, ServerConn& server);
/// What needs no question: the client asked for its process, or moved a sequence.
void keep_for_what_is_known(Engine& engine, ServerConn& server);
/// Takes a row of the answer. False: it has not the shape of one.
bool census_row(ServerConn& server, Bytes body, bool whole);
/// The census is over: its client goes on, here or elsewhere, with what was found.
void census_taken(Engine& engine, ServerConn& server);
void refuse_waiting(Engine& engine, Pool& pool, const Error& error);

/// Parts a server that is kept only while nobody waits from its client; at once, or once somebody
/// else listens for it.
void let_go(Engine& engine, ServerConn& server);

// audience.cc: clients that listen, and what the shared connection of their database tells them.
/// What the client listens on, as a census found it on its server; empty: it does not.
void take_channels(Engine& engine, ServerConn& server, std::vector<std::string> channels);
void end_subscription(Engine& engine, ClientSession& client);
/// Why a server stays on which this client listens.
Pin listening_pin(Engine& engine, const ClientSession& client);
/// Looks again whether the channels for which the server stays can be handed over.
void judge_listening(Engine& engine, ServerConn& server);
/// Tells a client that it is listened for again, if it was told that it is not.
void tell_if_missed(Engine& engine, ClientSession& client);
/// The server that told it is gone, and what it had not told is lost.
void server_of_listener_lost(Engine& engine, ClientSession& client);
void channels_shared(Engine& engine, const ChannelsShared& shared);
void listener_lost(Engine& engine, const ListenerLost& lost);
void notifications_heard(Engine& engine, const Notifications& heard);

// handover.cc: channels on their way from a server to the shared connection, and back.
bool is_told_by_shared(const ClientSession& client);
/// True exactly when it is about to be told by its server again.
bool is_returning(const ClientSession& client);
void begin_parting(Engine& engine, ServerConn& server);
void parting_rested(Engine& engine, ServerConn& server, const std::optional<Error>& failure);
/// Makes the server listen for its client, behind its settings.
void bring_back(Engine& engine, ServerConn& server);
/// True exactly when a change of tellers is under way and not all have told its mark.
bool awaits_mark(const ClientSession& client);
/// The server tells the client from here on, if it did not before.
void brought_back(Engine& engine, ServerConn& server);
/// Something happened that a change of tellers may have waited for.
void change_goes_on(Engine& engine, ClientSession& client);
/// True exactly when the client has done nothing but listen for a moment.
bool is_idle_listener(const Engine& engine, const ServerConn& server);
/// Gives up a shared connection that does not tell marks, and looks for what can be handed over.
void watch_handovers(Engine& engine, Pool& pool);

// shared_listener.cc: the connection that listens for all clients of a database; in its owner.
void share_channels(Engine& engine, const ShareChannels& wish);
void leave_channels(Engine& engine, const LeaveChannels& left);
void listener_stuck(Engine& engine, const ListenerStuck& stuck);
/// It is logged in.
void listener_ready(Engine& engine, ServerConn& server);
void listener_rested(Engine& engine, ServerConn& server, const std::optional<Error>& failure);
/// Notes a NotificationResponse for the workers that want it.
void listener_heard(ServerConn& server, Bytes message);
/// Sends them what was noted.
void pass_on_heard(Engine& engine, ServerConn& server);
/// The connection is gone, or goes. `listened`: its clients have to be told.
void listener_over(Engine& engine, ServerConn& server, bool listened);
void watch_listeners(Engine& engine);
/// Closes those without listeners to databases that the text of a statement names.
void close_unused_listeners(Engine& engine, std::string_view text);

// routing.cc: which node a request goes to.
enum class Aim : uint8_t {
    Found,
    Incomplete,  // more of the request has to come first
    Waits,       // for a standby
    Refused,     // its client was told so; request_left is what it was
};

/// Finds the pool for the request at the front of `input`, and what its server will be lent for.
Aim aim(Engine& engine, ClientSession& client, Bytes input);
/// The pool at this node of the topology, if reads may go there now; nullptr: they may not.
Pool* pool_for_reads(Engine& engine, Pool& home, size_t number);
/// Which nodes its reads go to, unless a hint or a setting of its own says otherwise.
config::Reads reads_of(const ClientSession& client);
/// Notes, before it is sent, whether this text may write; empty: one that nobody has read.
void note_text(ClientSession& client, ServerConn& server, std::string_view text);
/// A request of this client was answered; units: microseconds that it took.
void note_answer(ClientSession& client, int64_t took);
/// True exactly when the client was told nothing by this standby and may ask another node.
bool can_ask_elsewhere(const ServerConn& server, const wire::ErrorFields& error);
/// The client of this server at rest asks the primary the same again.
void retry_elsewhere(Engine& engine, ServerConn& server);
/// The same if the server is lost. False: something of it was told already.
bool lost_standby(Engine& engine, ServerConn& server, std::string_view reason);
/// The request or transaction at this standby is over, and all is known that it left.
void leave_standby(Engine& engine, ServerConn& server);
/// Clients that wait for a standby that takes no reads look for another node.
void send_elsewhere(Engine& engine, Pool& pool);
/// Nothing of this standby is to be used: its servers are closed, and who waits for an answer asks
/// elsewhere.
void abandon_standby(Engine& engine, Pool& pool);

// behind.cc: reads for which no standby is fit.
/// False: it does not wait, or not again.
bool wait_for_standby(Engine& engine, ClientSession& client);
/// Lets those go on that a standby is fit for now, and those that have waited long enough.
void wake_behind(Engine& engine);
/// Whether a read is refused that belongs to the standbys, and where none is fit.
bool refuses_without_standby(const ClientSession& client, bool asked);
void refuse_read(Engine& engine, ClientSession& client, RouteReason reason);

// trace.cc: what clients are told of where they read.
/// Tells its client, which begins a request, about this server.
[[gnu::cold]] void tell_route(Engine& engine, ServerConn& server);
/// Warns of settings of pgweir's own that have come with values that it does not know.
void put_not_understood(wire::Writer& out, const SettingsRef& now, const SettingsRef& before);
/// Warns a client that holds no server, once, of a comment that is no hint although it names
/// pgweir.
void tell_unknown_hint(Engine& engine, ClientSession& client, std::string_view hint);

// begun.cc: transactions that no server knows of yet.
/// What ReadyForQuery says to a client without a server.
wire::TransactionStatus status_of(const ClientSession& client);
/// Answers the request at the front if it begins a transaction that may wait for its first
/// statement, or is of one. Units: bytes of it; zero: a server has to do it.
size_t answer_begun(Engine& engine, ClientSession& client, Bytes input);
/// An error, and ReadyForQuery, for a request that no server has had; a transaction that waited for
/// it has failed.
void fail_request(Engine& engine, ClientSession& client, const Error& error);
/// Makes its client's transaction, which has failed before, one of this server.
void fail_at_server(Engine& engine, ServerConn& server);
/// The answer to that is there. If it did not fail as it should, its client asks anew.
void failed_at_server(Engine& engine, ServerConn& server);
/// The BEGIN in front of a request failed: the request was not run, and the transaction of its
/// client, who is told that error as its answer, has failed without a server.
void begin_has_failed(ServerConn& server);

// tokens.cc: what a session has to be shown.
/// What a standby has to show to this client, as cluster::Progress counts.
uint64_t must_show(const ClientSession& client, const Routes& routes);
/// True exactly when each of its reads has to show what any session of the database was told of
/// before: that is `consistency: database`.
bool shows_what_all_were_told(const ClientSession& client);
/// Before the client of this server at the primary is told of a commit: what a standby has to show
/// it from now on.
void note_write(ServerConn& server);
/// For SHOW pgweir.token at this server; empty: nothing of its database is routed.
std::string token_to_tell(const ClientSession& client, const ServerConn& server);
/// Puts it into the client's server, in front of a SHOW, which then is PostgreSQL's own.
void tell_token(Engine& engine, ServerConn& server);
/// It was put there; whoever gets the server next has it reset.
void note_token_told(Engine& engine, ServerConn& server, std::string_view token);
/// It was given this token: from now on it is shown what that tells of. Of another process, of
/// another primary, or if it is none: everything that anybody here was told of until now.
void take_token(ClientSession& client, std::string_view text);

// cancel.cc: cancel requests.
void cancel_requested(Engine& engine, uint32_t pid, Bytes key);
/// Cancels for the client of this number if the key is its; another worker is told if it is there.
void route_cancel(Engine& engine, uint32_t pid, std::string_view key);
/// Cancels what the server does; until the request has ended it is not lent again.
void cancel_at_server(Engine& engine, ServerConn& server);

// upkeep.cc: what time brings.
/// A server that could not move when it became idle, because bytes were under way, can move now.
void offer_again(Engine& engine, Pool& pool);
/// A statement with this text wants to be alone in a database that it names: PostgreSQL waits some
/// seconds for others to leave, and idle servers of every worker do.
void leave_databases_everywhere(Engine& engine, const Pool& pool, std::string_view text);
/// The same for the pools of this worker.
void leave_databases(Engine& engine, std::string_view text);
/// Closes servers that have been in this state for longer than timeouts.server_connect.
void end_slow_servers(Engine& engine, Pool& pool, ServerState state);
void upkeep(Engine& engine);

}  // namespace pgweir::session
