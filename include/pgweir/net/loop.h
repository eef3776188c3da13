#pragma once

#include "pgweir/base/buffer.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/base/slab.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <uv.h>

namespace pgweir::net {

class SocketStream;

/// Addresses of one host, in the order in which they are tried.
struct Addresses {
    std::vector<sockaddr_storage> list;
    Instant expires{};
};

/// One event loop on libuv, with what its streams share.
/// Thread: the one that calls run(); made and destroyed on any.
class Loop {
public:
    /// Runs before the loop waits, whenever wake_before_wait() was called since.
    class Housekeeper {
    public:
        virtual void before_wait() = 0;

    protected:
        ~Housekeeper() = default;
    };

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Until stop(); closes what is open and waits for libuv to let go of it.
    void run();

    void stop() { uv_stop(&loop_); }

    uv_loop_t* uv() { return &loop_; }

    /// The time when the event that is being handled arrived.
    Instant now() const { return now_; }

    void refresh_now();
    static Instant read_clock();

    void set_housekeeper(Housekeeper& housekeeper) { housekeeper_ = &housekeeper; }

    void wake_before_wait() { wake_wanted_ = true; }

    /// Units: how long a resolved name is believed.
    void set_dns_ttl(Duration ttl) { dns_ttl_ = ttl; }

private:
    friend class SocketStream;

    // One read takes at most this much; a result set passes in pieces of it.
    static constexpr size_t kReadBytes = 65536;

    static void on_prepare(uv_prepare_t* prepare);
    static void on_deferred(uv_async_t* async);
    static void on_sweep(uv_timer_t* timer);

    void defer(Handle stream);

    uv_loop_t loop_{};
    uv_prepare_t prepare_{};
    uv_async_t deferred_wake_{};
    uv_timer_t sweep_{};
    Instant now_;
    Housekeeper* housekeeper_ = nullptr;
    bool wake_wanted_ = false;
    Duration dns_ttl_ = std::chrono::seconds(15);

    BufferPool buffers_;
    Slab<SocketStream>* streams_;
    IntrusiveList<SocketStream>* closing_;
    std::vector<Handle> deferred_;
    std::map<std::string, Addresses, std::less<>> resolved_;
    std::unique_ptr<std::array<uint8_t, kReadBytes>> read_buffer_;
};

}  // namespace pgweir::net
