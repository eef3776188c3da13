#pragma once

#include "pgweir/cluster/questions.h"
#include "pgweir/config/model.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>
#include <uv.h>

namespace pgweir::control {

/// Asks one node of a cluster, over and over, on a connection of its own. A connection that is lost
/// is opened again: at once the first time, then at the interval. It decides nothing.
/// Thread: the control loop's. Nothing here blocks it: names are looked up in libuv's threads, and
/// libpq is used without waiting.
/// See: libpq-async.html, libpq-connect.html (PQconnectStartParams)
class Prober {
public:
    /// How often a node is asked for its role and its place in the log.
    static constexpr uint64_t kAskEveryMs = 20;

    class Owner {
    public:
        virtual void on_place(size_t node, const cluster::Answer& answer) = 0;
        virtual void on_identity(size_t node, const cluster::Identity& identity) = 0;
        virtual void on_failure(size_t node, std::string why) = 0;

    protected:
        ~Owner() = default;
    };

    Prober(
        uv_loop_t& loop, Owner& owner, size_t number, config::Node node, config::Monitor monitor);
    ~Prober();
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;

    /// To be called every kAskEveryMs: asks, if nothing is under way, and gives up what takes too
    /// long.
    void tick();

private:
    enum class State : uint8_t {
        Resting,     // nothing is open
        Resolving,   // the name is looked up
        Connecting,  // up to the end of the login
        Preparing,   // both questions
        Ready,
        Asking,
    };

    struct Lookup;  // outlives the prober, if it has to

    void begin();
    static void on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* found);
    void connect(const std::string& address);
    void go_on_connecting();
    void prepare();
    void ask();
    static void on_ready(uv_poll_t* poll, int status, int events);
    void go_on();
    void take(const PGresult& result);
    void take_row(const PGresult& result);
    void fail(std::string why);
    void watch(int events);
    void unwatch();
    void enter(State state);

    uv_loop_t& loop_;
    Owner& owner_;
    size_t number_;
    config::Node node_;
    config::Monitor monitor_;

    State state_ = State::Resting;
    Instant entered_{};  // the state
    Instant ticked_{};
    Instant asked_{};
    Instant identified_{};
    Lookup* lookup_ = nullptr;
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
    uv_any_handle* poll_ = nullptr;
    uint32_t failures_ = 0;  // since the last answer
    uint32_t prepared_ = 0;  // of the two questions
    bool asks_identity_ = false;
};

}  // namespace pgweir::control
