#pragma once

#include "sim/fake_network.h"
#include "sim/frame.h"

#include <cstdint>
#include <deque>
#include <string>

namespace pgweir::sim {

/// A client that asks for replication. Its walsender sends every message back, and numbered ones of
/// its own between them: each has to arrive, as it was, in its order, and nothing else.
class WalsenderClient final : public FarEnd {
public:
    enum class State : uint8_t { Absent, LoggingIn, Streaming, Gone };

    WalsenderClient(uint32_t number, Prng& prng, Violations& violations)
        : number_(number), prng_(prng), violations_(violations) {}

    void on_far_bytes(Bytes bytes) override;
    void on_far_closed() override;

    bool reading() const override { return reading_; }

    void start(Link& link, const std::string& database, const std::string& user);
    void act();

    /// Leaves once all it sent has come back; or waits to be sent away.
    void wind_up(bool draining);

    void excuse() { fault_met_ = true; }

    State state() const { return state_; }

    std::string describe() const;

private:
    void on_frame(const Frame& frame);
    void send_something();
    void leave();
    void fail(const std::string& what);

    uint32_t number_;
    Prng& prng_;
    Violations& violations_;
    State state_ = State::Absent;
    Link* link_ = nullptr;
    FrameReader replies_;
    std::deque<Frame> sent_;  // not come back yet
    uint32_t rows_heard_ = 0;
    bool reading_ = true;
    bool fault_met_ = false;  // True exactly when the world broke its server.
    bool told_fatal_ = false;
};

}  // namespace pgweir::sim
