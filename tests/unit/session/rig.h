#pragma once

#include "pgweir/base/log.h"
#include "pgweir/base/prng.h"
#include "pgweir/session/engine.h"
#include "pgweir/wire/frame.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

/// Engines without a network: streams that only write down, a clock that stands still until it is
/// told, and servers whose part the test plays with bytes.
namespace pgweir::session {

// --- bytes ---

inline std::string be16(unsigned value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string be32(uint32_t value) {
    return be16(value >> 16) + be16(value & 0xffff);
}

inline std::string text(std::string_view value) {
    return std::string(value) + '\0';
}

inline std::string message(char type, std::string_view body = {}) {
    return type + be32(static_cast<uint32_t>(body.size() + 4)) + std::string(body);
}

inline std::string packet(std::string_view body) {
    return be32(static_cast<uint32_t>(body.size() + 4)) + std::string(body);
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline std::string startup(const Pairs& parameters, unsigned minor = 0) {
    std::string body = be16(3) + be16(minor);
    for (const auto& [name, value] : parameters) body += text(name) + text(value);
    return packet(body + '\0');
}

// What clients send.
inline std::string query(std::string_view sql) {
    return message('Q', text(sql));
}

inline std::string parse(std::string_view name, std::string_view sql) {
    return message('P', text(name) + text(sql) + be16(0));
}

inline std::string bind_to(std::string_view name, std::string_view portal = "") {
    return message('B', text(portal) + text(name) + be16(0) + be16(0) + be16(0));
}

inline std::string describe(std::string_view name) {
    return message('D', 'S' + text(name));
}

inline std::string close_statement(std::string_view name) {
    return message('C', 'S' + text(name));
}

inline std::string execute() {
    return message('E', text("") + be32(0));
}

inline std::string sync() {
    return message('S');
}

inline std::string flush() {
    return message('H');
}

inline std::string cancel_request(uint32_t pid, std::string_view key) {
    return packet(be16(1234) + be16(5678) + be32(pid) + std::string(key));
}

// What servers send.
inline std::string ready(char status = 'I') {
    return message('Z', {&status, 1});
}

inline std::string complete(std::string_view tag) {
    return message('C', text(tag));
}

/// A row of a census's answer.
inline std::string census_row(std::string_view kind,
                              std::string_view name = {},
                              std::string_view value = {}) {
    std::string body = be16(3);
    for (const auto column : {kind, name, value}) {
        body += be32(static_cast<uint32_t>(column.size())) + std::string(column);
    }
    return message('D', body);
}

inline std::string parameter(std::string_view name, std::string_view value) {
    return message('S', text(name) + text(value));
}

inline std::string failure(std::string_view sqlstate,
                           std::string_view words,
                           std::string_view severity = "ERROR") {
    std::string body;
    for (const auto& [code, value] : {
             std::pair{'S', severity},
             {'V', severity},
             {'C', sqlstate},
             {'M', words   }
    }) {
        body += code + text(value);
    }
    return message('E', body + '\0');
}

// --- reading what pgweir sent ---

struct Message {
    char type;
    std::string body;
};

/// Whole messages only: whatever pgweir sends in one go ends where a message does.
inline std::vector<Message> split(std::string_view bytes) {
    std::vector<Message> messages;
    while (!bytes.empty()) {
        wire::FrameHeader header;
        REQUIRE(wire::read_header(as_bytes(bytes), UINT32_MAX, header) == wire::Framing::Complete);
        REQUIRE(bytes.size() >= header.total_bytes());
        messages.push_back({header.type, std::string(bytes.substr(5, header.body_bytes))});
        bytes.remove_prefix(header.total_bytes());
    }
    return messages;
}

inline std::string types(std::string_view bytes) {
    std::string all;
    for (const auto& each : split(bytes)) all += each.type;
    return all;
}

/// The body of the first message of this type; empty when there is none.
inline std::string body_of(std::string_view bytes, char type) {
    for (const auto& each : split(bytes)) {
        if (each.type == type) return each.body;
    }
    return {};
}

/// A field of the first error (or notice, with type 'N') in `bytes`; empty when there is none.
inline std::string field_of(std::string_view bytes, char code, char type = 'E') {
    const std::string body = body_of(bytes, type);
    size_t at = 0;
    while (at < body.size() && body[at] != '\0') {
        const size_t end = body.find('\0', at);
        if (body[at] == code) return body.substr(at + 1, end - at - 1);
        at = end + 1;
    }
    return {};
}

inline std::string sqlstate_of(std::string_view bytes) {
    return field_of(bytes, 'C');
}

// --- the world ---

class FakeStream;

struct FakeDetached final : DetachedStream {
    explicit FakeDetached(FakeStream& its_wire) : wire(its_wire) {}

    FakeStream& wire;
};

/// One connection as pgweir sees it.
class FakeStream final : public Stream {
public:
    using Stream::send;

    void set_owner(StreamEvents& its_owner) override { owner = &its_owner; }

    void send(std::span<const Bytes> pieces) override {
        REQUIRE_FALSE(closed);
        REQUIRE_FALSE(finished);
        REQUIRE_FALSE(detached);
        for (const Bytes piece : pieces) sent += as_text(piece);
        ++sends;
    }

    size_t backlog() const override { return backlog_bytes; }

    void pause() override { paused = true; }

    void resume() override { paused = false; }

    void finish() override {
        REQUIRE_FALSE(closed);
        finished = true;
        paused = false;
    }

    void close() override {
        REQUIRE_FALSE(closed);
        closed = true;
    }

    std::unique_ptr<DetachedStream> detach() override {
        REQUIRE_FALSE(closed);
        CHECK_MESSAGE(backlog_bytes == 0, "a stream with a backlog cannot change its loop");
        detached = true;
        return std::make_unique<FakeDetached>(*this);
    }

    std::string_view peer_name() const override { return "10.0.0.1:5001"; }

    std::string take() { return std::exchange(sent, {}); }

    StreamEvents* owner = nullptr;
    std::string sent;
    size_t sends = 0;
    size_t backlog_bytes = 0;
    bool paused = false;
    bool finished = false;
    bool lost = false;  // True exactly when its owner was told so, which happens once.
    bool closed = false;
    bool detached = false;
};

/// What the workers of one process share.
struct FakeProcess {
    explicit FakeProcess(uint32_t worker_count) : workers(worker_count) {}

    uint32_t workers;
    ProcessShare share;
    std::map<PoolName, std::unique_ptr<PoolShare>> pools;
    std::map<std::string, GroupShare, std::less<>> databases;
    std::map<std::string, GroupShare, std::less<>> users;
    std::deque<FakeStream> streams;
    Instant now{std::chrono::hours(1)};
};

class FakeShell final : public Shell {
public:
    struct ConsoleAsked {
        Handle client;
        ConsoleRole role;
        std::string sql;
    };

    explicit FakeShell(FakeProcess& process) : process_(process) {}

    Instant now() const override { return process_.now; }

    void fill_random(std::span<uint8_t> out) override {
        for (uint8_t& byte : out) byte = static_cast<uint8_t>(prng_.next());
    }

    Stream& connect(const config::Node& node, StreamEvents& owner) override {
        FakeStream& stream = process_.streams.emplace_back();
        stream.owner = &owner;
        connects.push_back(&stream);
        nodes.push_back(node);
        return stream;
    }

    Stream& adopt(std::unique_ptr<DetachedStream> stream, StreamEvents& owner) override {
        FakeStream& wire = static_cast<FakeDetached&>(*stream).wire;
        REQUIRE(wire.detached);
        wire.detached = false;
        wire.paused = false;
        wire.owner = &owner;
        return wire;
    }

    void post(uint32_t worker, PeerMessage message) override {
        posts.emplace_back(worker, std::move(message));
    }

    PoolShare& pool_share(const PoolName& name) override {
        auto& slot = process_.pools[name];
        if (slot == nullptr) slot = std::make_unique<PoolShare>(name, process_.workers);
        return *slot;
    }

    void catalogue_changed(std::string_view cluster, std::string_view database) override {
        changed_catalogues.emplace_back(std::string(cluster) + "/" + std::string(database));
    }

    void catalogue_missed(std::string_view cluster, std::string_view database) override {
        missed_catalogues.emplace_back(std::string(cluster) + "/" + std::string(database));
    }

    GroupShare& database_share(std::string_view name) override {
        return process_.databases[std::string(name)];
    }

    GroupShare& user_share(std::string_view name) override {
        return process_.users[std::string(name)];
    }

    void console(Handle client, ConsoleRole role, std::string sql) override {
        console_asked.push_back({client, role, std::move(sql)});
    }

    void reap_soon() override { reap_due = true; }

    std::deque<FakeStream*> connects;  // in the order in which they were begun
    std::vector<config::Node> nodes;   // of the connects
    std::deque<std::pair<uint32_t, PeerMessage>> posts;
    std::vector<ConsoleAsked> console_asked;
    std::vector<std::string> changed_catalogues;  // cluster/database
    std::vector<std::string> missed_catalogues;   // the same
    bool reap_due = false;

private:
    FakeProcess& process_;
    Prng prng_{42};
};

/// One database "app" on one node, everybody trusted; what differs is given to the constructor.
class Rig {
public:
    template <class Change>
    Rig(uint32_t workers, Change&& change) : process(workers) {
        log::set_level(log::Level::Off);
        config.auth.method = config::AuthMethod::Trust;
        config.clusters["main"] = {"main", {{"pg1", "10.0.0.9", 5432}}};
        config.databases["app"].name = "app";
        config.databases["app"].cluster = "main";
        change(*this);
        for (uint32_t number = 0; number < workers; ++number) {
            auto& shell = shells_.emplace_back(process);
            engines_.push_back(std::make_unique<Engine>(number, shell, process.share, setup(),
                                                        Secret("0123456789abcdef")));
        }
    }

    template <class Change>
    explicit Rig(Change&& change) : Rig(1, std::forward<Change>(change)) {}

    Rig() : Rig(1, [](Rig&) {}) {}

    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    Engine& engine(uint32_t worker = 0) { return *engines_[worker]; }

    FakeShell& shell(uint32_t worker = 0) { return shells_[worker]; }

    Pool& pool(uint32_t worker = 0) { return engine(worker).pool("app", "ann"); }

    std::unique_ptr<const Setup> setup() const {
        auto made = std::make_unique<Setup>();
        made->config = config;
        made->users = auth::UserList(users);
        return made;
    }

    void add_user(std::string name, std::string secret) {
        const auto kind = auth::kind_of_secret(secret);
        users.push_back({std::move(name), Secret(std::move(secret)), kind});
    }

    // --- time and turns of the loop ---

    /// Gives back what was closed, delivers what workers told each other, and lets PostgreSQL close
    /// the servers that were told to go, until all is quiet.
    void turn() {
        for (bool busy = true; busy;) {
            busy = end_finished() || answer_censuses();
            for (uint32_t number = 0; number < engines_.size(); ++number) {
                if (std::exchange(shell(number).reap_due, false)) {
                    engine(number).reap();
                    busy = true;
                }
                if (hold_posts || shell(number).posts.empty()) continue;
                auto [to, message] = std::move(shell(number).posts.front());
                shell(number).posts.pop_front();
                engine(to).receive(std::move(message));
                busy = true;
            }
        }
    }

    /// Time passes; every engine looks at its clock.
    void pass(Duration time) {
        process.now += time;
        for (auto& engine : engines_) engine->tick();
        turn();
    }

    // --- clients ---

    FakeStream& connect(uint32_t worker = 0) {
        FakeStream& stream = process.streams.emplace_back();
        engine(worker).accept(stream);
        turn();
        return stream;
    }

    /// The other side sends these bytes.
    void say(FakeStream& stream, std::string_view bytes) {
        REQUIRE_FALSE(stream.closed);
        REQUIRE_FALSE(stream.detached);
        // A copy on the heap that dies at once: whoever keeps a view is found out.
        const auto copy = std::make_unique<std::string>(bytes);
        stream.owner->on_bytes(as_bytes(*copy));
        turn();
    }

    /// The same, one byte at a time.
    void dribble(FakeStream& stream, std::string_view bytes) {
        for (size_t i = 0; i < bytes.size() && !stream.closed; ++i) say(stream, bytes.substr(i, 1));
    }

    void lose(FakeStream& stream, std::string_view reason = "connection reset by peer") {
        REQUIRE_FALSE(stream.closed);
        REQUIRE_FALSE(std::exchange(stream.lost, true));
        stream.owner->on_lost(reason);
        turn();
    }

    void drain(FakeStream& stream) {
        stream.backlog_bytes = 0;
        stream.owner->on_drained();
        turn();
    }

    FakeStream& begin_login(const Pairs& more = {}, uint32_t worker = 0) {
        FakeStream& client = connect(worker);
        Pairs parameters{
            {"user",     "ann"},
            {"database", "app"}
        };
        parameters.insert(parameters.end(), more.begin(), more.end());
        say(client, startup(parameters));
        return client;
    }

    /// A client that is logged in; the pool's first one waits for a server, which is played here
    /// and reports what the client asked for.
    /// A client of the console; its configuration wants with_operator.
    FakeStream& open_console() {
        FakeStream& client = connect();
        say(client, startup({
                        {"user",     "ops"   },
                        {"database", "pgweir"}
        }));
        client.take();
        return client;
    }

    FakeStream& log_in(const Pairs& more = {}, uint32_t worker = 0) {
        FakeStream& client = begin_login(more, worker);
        if (client.sent.empty()) {
            if (next_is_waited_for(worker)) open(worker);
            FakeStream& server = server_of(client, worker);
            REQUIRE(types(server.take()) == "Q");
            std::string reports;
            for (const auto& [name, value] : more) reports += parameter(name, value);
            say(server, message('I') + reports + ready());
        }
        REQUIRE(client.sent.size() > 6);
        REQUIRE(client.sent.substr(client.sent.size() - 6) == ready());
        welcome = client.take();
        return client;
    }

    // --- servers ---

    /// The server that this client is attached to.
    FakeStream& server_of(FakeStream& client, uint32_t worker = 0) {
        FakeStream* found = nullptr;
        engine(worker).in(ClientState::Attached).for_each([&](ClientSession& session) {
            if (session.stream == &client) found = static_cast<FakeStream*>(session.server->stream);
        });
        REQUIRE(found != nullptr);
        return *found;
    }

    /// The only idle server of the worker's pool of database "app" and user "ann".
    FakeStream& idle_server(uint32_t worker = 0) {
        auto& idle = pool(worker).in(ServerState::Idle);
        REQUIRE(idle.size() == 1);
        return *static_cast<FakeStream*>(idle.front().stream);
    }

    FakeStream* next_connect(uint32_t worker = 0) {
        auto& connects = shell(worker).connects;
        if (connects.empty()) return nullptr;
        FakeStream* stream = connects.front();
        connects.pop_front();
        return stream;
    }

    static std::string server_login(const Pairs& changed = {}) {
        std::map<std::string, std::string> reported{
            {"application_name",      ""        },
            {"client_encoding",       "UTF8"    },
            {"DateStyle",             "ISO, MDY"},
            {"is_superuser",          "off"     },
            {"server_version",        "15.6"    },
            {"session_authorization", "ann"     },
            {"TimeZone",              "Etc/UTC" }
        };
        for (const auto& [name, value] : changed) reported[name] = value;
        std::string bytes = message('R', be32(0));
        for (const auto& [name, value] : reported) bytes += parameter(name, value);
        return bytes + message('K', be32(4711) + "key!") + ready();
    }

    /// The oldest connect that is under way succeeds and logs in.
    FakeStream& open(uint32_t worker = 0, const Pairs& changed = {}) {
        FakeStream* server = next_connect(worker);
        REQUIRE(server != nullptr);
        server->owner->on_connected();
        turn();
        server->take();
        say(*server, server_login(changed));
        return *server;
    }

    /// A server that answers a query that it was sent: one row less result, done.
    void answer(FakeStream& server, std::string_view tag = "SELECT 1", char status = 'I') {
        say(server, complete(tag) + ready(status));
    }

    bool next_is_waited_for(uint32_t worker) {
        return !shell(worker).connects.empty() && !pool(worker).waiting.empty();
    }

    config::Config config;
    std::vector<auth::UserEntry> users;
    FakeProcess process;
    bool hold_posts =
        false;  // True exactly when the test delivers messages between workers itself.
    bool hold_censuses = false;  // True exactly when the test answers them itself.
    bool hold_finished = false;  // True exactly when servers do not go as soon as they are told to.
    std::string welcome;         // what the last client that logged in was told

private:
    bool end_finished() {
        if (hold_finished) return false;
        bool any = false;
        for (FakeStream& stream : process.streams) {
            if (!stream.finished || stream.closed || std::exchange(stream.lost, true)) continue;
            stream.owner->on_lost("end of file");
            any = true;
        }
        return any;
    }

    /// Servers that are asked what their session holds find nothing but what they report.
    bool answer_censuses() {
        if (hold_censuses) return false;
        ServerConn* asked = nullptr;
        for (auto& engine : engines_) {
            for (auto& [key, pool] : engine->pools()) {
                pool->in(ServerState::Asking).for_each([&](ServerConn& server) {
                    if (server.stream != nullptr) asked = &server;
                });
            }
        }
        if (asked == nullptr) return false;
        auto& stream = *static_cast<FakeStream*>(asked->stream);
        const size_t at = stream.sent.rfind(std::string_view("WITH c AS"));
        if (at == std::string::npos) return false;
        stream.sent.resize(at - 5);  // its header too: what is left is what the client sent
        const std::string bytes = complete("SELECT 0") + ready();
        stream.owner->on_bytes(as_bytes(bytes));
        return true;
    }

    std::deque<FakeShell> shells_;
    std::vector<std::unique_ptr<Engine>> engines_;
};

/// The only server of the first worker's pool that is in this state.
inline ServerConn& server_in(Rig& rig, ServerState state) {
    REQUIRE(rig.pool().in(state).size() == 1);
    return rig.pool().in(state).front();
}

inline size_t count(Rig& rig, ServerState state, uint32_t worker = 0) {
    return rig.pool(worker).in(state).size();
}

inline size_t count(Rig& rig, ClientState state, uint32_t worker = 0) {
    if (state == ClientState::Waiting) return rig.pool(worker).waiting.size();
    return rig.engine(worker).in(state).size();
}

inline void with_operator(Rig& made) {
    made.config.admin.users = {"ops"};
}

}  // namespace pgweir::session
