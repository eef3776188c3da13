#pragma once

#include "pgweir/base/prng.h"
#include "pgweir/base/stream.h"
#include "sim/violations.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Connections between engines and the world, in memory: bytes are cut anywhere, wait as long as
/// the scheduler likes, and are lost with their connection.
namespace pgweir::sim {

class FakeNetwork;
class FakeStream;

/// The far end of a connection: a client, a backend, or PostgreSQL's ear for cancel requests.
class FarEnd {
public:
    virtual void on_far_bytes(Bytes bytes) = 0;
    virtual void on_far_closed() = 0;

    /// False while it does not care for what the engine sends.
    virtual bool reading() const { return true; }

protected:
    ~FarEnd() = default;
};

/// What a link is told to watch for; implemented by the world.
class LinkEvents {
public:
    /// The engine is about to hear of a fault, or sends into one: whoever holds the link is
    /// excused.
    virtual void on_fault_met(FakeStream& stream) = 0;

    /// The engine sends to a server: the world knows on whose behalf.
    virtual void on_send_to_server(FakeStream& stream) = 0;
    virtual void on_detach(FakeStream& stream) = 0;

protected:
    ~LinkEvents() = default;
};

/// A connection: two queues of bytes and what both ends know of each other.
struct Link {
    enum class Kind : uint8_t { Client, Server, Cancel };
    enum class Fate : uint8_t { Pending, Up, Refused, Hanging };  // of a connect

    Kind kind = Kind::Client;
    Fate fate = Fate::Up;
    bool connected = true;
    bool engine_closed = false;    // the engine let go; what it sent still arrives
    bool engine_finished = false;  // the engine sends no more, but still listens
    bool far_closed = false;       // the far end let go; what it sent still arrives
    bool reset = false;            // nothing arrives any more
    bool faulted = false;          // True exactly when the world broke it, not one of its ends.
    bool far_lied = false;         // True exactly when it said what could be taken for an answer.
    bool far_babbled = false;      // True exactly when it said what never is one.
    bool loss_told = false;
    bool far_told = false;
    bool stalled = false;  // a slow network: nothing moves for a while
    uint64_t number = 0;
    size_t capacity = 1 << 16;  // bytes that the kernel takes towards the far end
    std::string to_engine;
    std::string to_far;
    FarEnd* far = nullptr;
    FakeStream* stream = nullptr;  // nullptr while it travels between engines
    uint64_t tenant = 0;           // of a server: the client on whose behalf bytes were sent last
    uint32_t engine = 0;
    uint32_t epoch = 0;  // of a server: of the primary that it was opened at
    std::string node{};  // the same: where it is

    size_t backlog() const { return to_far.size() > capacity ? to_far.size() - capacity : 0; }

    /// From the far end. Refused when nobody will read it.
    void send_to_engine(std::string_view bytes) {
        if (!engine_closed && !reset && !far_closed) to_engine.append(bytes);
    }

    /// A backend lets go by itself.
    bool over() const {
        return engine_closed && (far == nullptr || (far_told && kind == Kind::Client));
    }
};

/// The engine's end of a link.
class FakeStream final : public Stream {
public:
    FakeStream(FakeNetwork& network, Link& link) : network_(network), link_(&link) {}

    void set_owner(StreamEvents& owner) override { owner_ = &owner; }

    void send(std::span<const Bytes> pieces) override;

    size_t backlog() const override { return link_->backlog(); }

    void pause() override;
    void resume() override;
    void finish() override;
    void close() override;
    std::unique_ptr<DetachedStream> detach() override;

    std::string_view peer_name() const override { return "sim"; }

    Link& link() { return *link_; }

    StreamEvents* owner() { return owner_; }

    bool gone() const { return gone_; }

    bool paused() const { return paused_; }

private:
    friend class FakeNetwork;
    void usable(const char* call) const;

    FakeNetwork& network_;
    Link* link_;
    StreamEvents* owner_ = nullptr;
    bool paused_ = false;
    bool gone_ = false;  // closed or detached: nobody may touch it
    bool high_ = false;  // True exactly when on_drained is owed.
};

class FakeDetached final : public DetachedStream {
public:
    explicit FakeDetached(Link& link) : link_(&link) {}

    FakeDetached(const FakeDetached&) = delete;
    FakeDetached& operator=(const FakeDetached&) = delete;

    ~FakeDetached() override {
        if (link_ != nullptr) link_->engine_closed = true;
    }

    Link& take() { return *std::exchange(link_, nullptr); }

private:
    Link* link_;
};

class FakeNetwork {
public:
    FakeNetwork(Prng& prng, Violations& violations, LinkEvents& events)
        : prng_(prng), violations_(violations), events_(events) {}

    FakeStream& open(Link::Kind kind, uint32_t engine, FarEnd* far, StreamEvents* owner);
    FakeStream& adopt(std::unique_ptr<DetachedStream> detached,
                      uint32_t engine,
                      StreamEvents& owner);

    /// Lets one thing happen at one end of one link. Returns the number of the engine that was told
    /// something, kFarEnd when a far end was, or kNothing.
    int deliver_one();

    /// Tells the engine of what the link holds for it, if it listens.
    bool deliver_to_engine(Link& link) { return tell_engine(link); }

    /// Breaks a connection: gently, with what is under way still arriving, or not.
    void cut(Link& link, bool gently);

    /// Forgets links that both ends have left.
    void sweep();

    std::vector<std::unique_ptr<Link>>& links() { return links_; }

    static constexpr int kNothing = -1;
    static constexpr int kFarEnd = -2;

    // A read of an engine gets no more than this.
    static constexpr size_t kReadMax = 2048;

    size_t drained_below = 256;
    bool fast = false;  // True exactly when everything arrives at once and whole.

private:
    friend class FakeStream;
    bool tell_engine(Link& link);
    bool tell_far(Link& link);
    size_t cut_size(size_t available);

    Prng& prng_;
    Violations& violations_;
    LinkEvents& events_;
    std::vector<std::unique_ptr<Link>> links_;
    std::vector<std::unique_ptr<FakeStream>> streams_;  // kept, so that late calls are noticed
    uint64_t next_number_ = 1;
};

}  // namespace pgweir::sim
