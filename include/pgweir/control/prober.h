#pragma once

#include "pgweir/cluster/questions.h"
#include "pgweir/config/model.h"
#include "pgweir/control/pg_connection.h"

#include <cstdint>
#include <string>

namespace pgweir::control {

/// Asks one node of a cluster, over and over, on a connection of its own. A connection that is lost
/// is opened again: at once the first time, then at the interval. It decides nothing.
/// Thread: the control loop's.
class Prober final : PgConnection::Owner {
public:
    /// How often a node is asked for its role and its place in the log.
    static constexpr uint64_t kAskEveryMs = 20;

    class Owner {
    public:
        /// A question goes out. Its number, see cluster::Progress.
        virtual uint64_t on_asking() = 0;
        virtual void on_place(size_t node, const cluster::Answer& answer) = 0;
        virtual void on_identity(size_t node, const cluster::Identity& identity) = 0;
        virtual void on_failure(size_t node, std::string why) = 0;

    protected:
        ~Owner() = default;
    };

    Prober(
        uv_loop_t& loop, Owner& owner, size_t number, config::Node node, config::Monitor monitor);
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;

    /// To be called every kAskEveryMs: asks, if nothing is under way, and gives up what takes too
    /// long.
    void tick();

private:
    enum class State : uint8_t {
        Resting,    // nothing is open
        Opening,    // up to the end of the login
        Preparing,  // both questions
        Ready,
        Asking,
    };

    void on_result(PgResult result) override;
    void on_idle() override;
    void on_lost(std::string why) override;

    void begin();
    void go_on_preparing();
    void ask();
    void take_row(const PGresult& result);
    void fail(std::string why);
    void enter(State state);

    Owner& owner_;
    size_t number_;
    config::Monitor monitor_;
    PgConnection::Target target_;
    PgConnection connection_;

    State state_ = State::Resting;
    Instant entered_{};  // the state
    Instant ticked_{};
    Instant asked_{};
    uint64_t asked_number_ = 0;
    Instant identified_{};
    uint32_t failures_ = 0;  // since the last answer
    uint32_t prepared_ = 0;  // of the two questions
    bool asks_identity_ = false;
};

}  // namespace pgweir::control
