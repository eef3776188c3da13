#pragma once

#include "pgweir/base/buffer.h"
#include "pgweir/base/clock.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/base/slab.h"
#include "pgweir/base/stream.h"
#include "pgweir/net/loop.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <uv.h>

namespace pgweir::net {

/// A plain TCP or unix socket on a loop. Reading and writing are direct system calls when epoll
/// says so, and nothing of it is in the loop but its watch: a connection can change loops.
/// Lifecycle: Connecting or Open → Flushing (the last bytes go out) → Lingering (the peer reads
/// them) → Closed (until the round ends) → the slot is used again.
class SocketStream final : public Stream, public Watched, public ListHook {
public:
    explicit SocketStream(Loop& loop) : loop_(loop) {}

    ~SocketStream() = default;

    /// For a descriptor that is connected already; the stream owns it from now on.
    static SocketStream& open(Loop& loop, int descriptor);

    /// Connects to a host, name or address, or to a socket's folder when it begins with '/'.
    static SocketStream& connect(Loop& loop,
                                 const std::string& host,
                                 uint16_t port,
                                 StreamEvents& owner);

    static SocketStream& adopt(Loop& loop,
                               std::unique_ptr<DetachedStream> detached,
                               StreamEvents& owner);

    void set_owner(StreamEvents& owner) override { owner_ = &owner; }

    void on_ready(uint32_t events) override;

    using Stream::send;
    void send(std::span<const Bytes> pieces) override;

    size_t backlog() const override { return backlog_.size(); }

    void pause() override;
    void resume() override;
    void finish() override;
    void close() override;
    void drop() override;
    void cut() override;
    std::unique_ptr<DetachedStream> detach() override;
    std::string_view peer_name() const override;

private:
    friend class Loop;
    enum class State : uint8_t { Resolving, Connecting, Open, Flushing, Lingering, Closed };

    struct Attempt {  // only while it connects
        std::vector<sockaddr_storage> addresses;
        size_t next = 0;
        Instant since{};  // the address before it is tried
        std::string host;
        std::string problem;
        uint16_t port = 0;
        uv_getaddrinfo_t request{};
    };

    static void on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* answer);

    void begin_resolving();
    void try_next_address();
    void on_connect_result();
    bool read_once();
    void read_rest();
    void flush_backlog();
    void give_up_backlog();
    void watch(uint32_t events);
    void watch_again();
    void close_descriptor();
    void lost(std::string_view reason);
    void linger();
    void release();
    void run_deferred();
    void sweep();
    void set_deadline(Duration patience);
    void drop_deadline();
    void pass_over();
    void put_silent_last();
    void forget_silent(const sockaddr_storage& address);

    const sockaddr_storage& tried() const { return attempt_->addresses[attempt_->next - 1]; }

    Loop& loop_;
    StreamEvents* owner_ = nullptr;
    Handle handle_;
    int descriptor_ = -1;
    uint32_t watched_ = 0;  // of EPOLLIN and EPOLLOUT; zero: epoll does not know the descriptor
    State state_ = State::Open;
    bool paused_ = false;
    bool broken_ = false;        // True exactly when a write failed: what follows is dropped.
    bool finishing_ = false;     // True exactly when finish() was called.
    bool backlog_high_ = false;  // True exactly when on_drained is owed.
    bool resolving_ = false;     // True exactly when libuv holds the request.
    Instant deadline_ = kNever;  // while the loop has it among its timed ones
    Buffer backlog_;
    std::unique_ptr<Attempt> attempt_;
    mutable std::string peer_name_;  // made when somebody asks: an idle client does without
};

}  // namespace pgweir::net
