#pragma once

#include "pgweir/base/buffer.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/base/slab.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <uv.h>

namespace pgweir::net {

class SocketStream;

/// Addresses of one host, in the order in which they are tried.
struct Addresses {
    std::vector<sockaddr_storage> list;
    Instant expires{};
};

struct SilentAddress {
    sockaddr_storage address;
    Instant until{};  // then it is tried in its turn again
};

/// Somebody whose descriptor a loop watches.
class Watched {
public:
    /// `events` as epoll_wait tells them. It may come once more after the
    /// descriptor was closed, when both happen in one round: the object has to outlive the round.
    virtual void on_ready(uint32_t events) = 0;

protected:
    ~Watched() = default;
};

/// One event loop: epoll for descriptors, libuv for name resolution (see docs/adr/0011).
/// Thread: the one that calls run(); made and destroyed on any.
class Loop {
public:
    class Housekeeper {
    public:
        /// Before the loop waits, whenever wake_before_wait() was called since.
        virtual void before_wait() = 0;

        /// Every Loop::kTick.
        virtual void on_tick() = 0;

    protected:
        ~Housekeeper() = default;
    };

    /// Timeouts are kept to this grain.
    static constexpr Duration kTick = std::chrono::milliseconds(100);

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Until stop().
    void run();

    void stop() { stopping_ = true; }

    /// `events` as epoll_ctl knows them.
    /// False: the system has no room for it, and errno says why.
    [[nodiscard]] bool watch(int descriptor, Watched& watched, uint32_t events);
    void change_watch(int descriptor, Watched& watched, uint32_t events);

    /// Not needed before a close: the kernel forgets what is closed.
    void forget(int descriptor);

    /// The time when the events that are being handled arrived.
    Instant now() const { return now_; }

    void refresh_now();
    static Instant read_clock();

    void set_housekeeper(Housekeeper& housekeeper) { housekeeper_ = &housekeeper; }

    void wake_before_wait() { wake_wanted_ = true; }

    /// Units: how long a resolved name is believed.
    /// Names are looked up again: what they mean may have changed with what was just learnt.
    void forget_names() { resolved_.clear(); }

    void set_dns_ttl(Duration ttl) { dns_ttl_ = ttl; }

    /// Addresses that did not answer in time, so that the host's next one was tried. Since the
    /// start.
    uint64_t addresses_passed_over() const { return addresses_passed_over_; }

private:
    friend class SocketStream;

    // One read takes at most this much; a result set passes in pieces of it.
    static constexpr size_t kReadBytes = 65536;

    // Events of one round: more wait for the next.
    static constexpr int kEventsMax = 256;

    /// libuv's own descriptor: it becomes ready when a name is resolved.
    class Resolver final : public Watched {
    public:
        explicit Resolver(Loop& loop) : loop_(loop) {}

        void on_ready(uint32_t) override { loop_.resolver_due_ = true; }

    private:
        Loop& loop_;
    };

    void round();
    int wait_ms() const;
    void finish_round();
    void tick();

    /// Calls the stream's run_deferred() when the events of this round are handled.
    void defer(Handle stream) { deferred_.push_back(stream); }

    /// Gives the slot back when the events of this round are handled.
    void bury(Handle stream) { buried_.push_back(stream); }

    int epoll_ = -1;
    uv_loop_t uv_{};
    Resolver resolver_{*this};
    bool resolver_due_ = false;  // True exactly when libuv has something to do.
    bool stopping_ = false;
    bool wake_wanted_ = false;
    Instant now_;
    Instant next_tick_;
    Housekeeper* housekeeper_ = nullptr;
    Duration dns_ttl_ = std::chrono::seconds(15);

    BufferPool buffers_;
    Slab<SocketStream>* streams_;
    IntrusiveList<SocketStream>* timed_;  // that close, or that another address waits for
    uint64_t addresses_passed_over_ = 0;
    std::vector<Handle> deferred_;
    std::vector<Handle> buried_;
    std::map<std::string, Addresses, std::less<>> resolved_;
    // Of each host: what did not answer when it was tried last, and is tried behind the others.
    std::map<std::string, std::vector<SilentAddress>, std::less<>> silent_;
    std::unique_ptr<std::array<uint8_t, kReadBytes>> read_buffer_;
};

/// Lets other threads call something on a loop; calls that come close together become one.
class Wake final : public Watched {
public:
    class Owner {
    public:
        virtual void on_woken() = 0;

    protected:
        ~Owner() = default;
    };

    /// Thread: the loop's, or before it runs.
    Wake(Loop& loop, Owner& owner);
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

    /// Thread: any.
    void call();

    void on_ready(uint32_t events) override;

private:
    Owner& owner_;
    int descriptor_;
};

}  // namespace pgweir::net
