#pragma once

#include "sim/fake_network.h"
#include "sim/frame.h"

#include <cstdint>
#include <string>

namespace pgweir::sim {

/// A client that breaks the protocol in every way that comes to mind. What it is answered is of no
/// interest, but for this: who has gone too far is closed, and told why. Everybody else watches for
/// himself that he is not harmed by it.
class RecklessClient final : public FarEnd {
public:
    enum class State : uint8_t { Absent, Connected, Gone };

    RecklessClient(uint32_t number, Prng& prng, Violations& violations)
        : number_(number), prng_(prng), violations_(violations) {}

    void on_far_bytes(Bytes bytes) override;
    void on_far_closed() override;

    /// Begins, rightly or not, over a link that was just made.
    void start(Link& link, const std::string& database, const std::string& user);

    /// Does something that no client should do, or something harmless before it.
    void act();

    /// Leaves; unless it is to be closed, which it waits for.
    void wind_up();

    State state() const { return state_; }

    std::string describe() const;

    uint32_t acts_left = 0;

private:
    void send(const std::string& bytes);
    void send_startup(const std::string& database, const std::string& user);
    void send_broken_startup(const std::string& database, const std::string& user);
    Frame sane_message();
    Frame extended_message();
    std::string sane_text();
    void break_message(Frame frame);
    void leave();
    void doom();

    uint32_t number_;
    Prng& prng_;
    Violations& violations_;
    State state_ = State::Absent;
    Link* link_ = nullptr;
    FrameReader replies_;
    std::string token_;
    bool aligned_ = true;     // True exactly when what it sent ends where a message ends.
    bool doomed_ = false;     // True exactly when it sent what no server takes.
    bool encrypted_ = false;  // True exactly when it awaits the answer to an encryption request.
    bool told_fatal_ = false;
    bool quiet_end_ = false;  // True exactly when it may be closed without a word.
};

}  // namespace pgweir::sim
