#pragma once

#include "pgweir/base/bytes.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace pgweir {

/// What a stream tells its owner. Never called from inside a call to the stream itself.
class StreamEvents {
public:
    /// Lifetime: `bytes` are gone when the call returns.
    virtual void on_bytes(Bytes bytes) = 0;
    virtual void on_connected() = 0;

    /// The backlog, which had passed the high watermark, is small again.
    virtual void on_drained() = 0;

    /// The peer is gone. The last event; the owner still calls close().
    virtual void on_lost(std::string_view reason) = 0;

protected:
    ~StreamEvents() = default;
};

/// A connected byte stream that outlives its worker's loop: how servers and clients change workers.
class DetachedStream {
public:
    virtual ~DetachedStream() = default;
};

/// Bytes in both directions, plain or encrypted, real or simulated: whoever uses it cannot tell.
/// Lifecycle: made by a listener or a connect; ends with close(), after which the object is not
/// touched any more and no event comes.
/// Thread: the one of its loop.
class Stream {
public:
    virtual void set_owner(StreamEvents& owner) = 0;

    /// Sends the pieces in order, in one system call where the kernel takes them; what it does not
    /// take is copied and sent later.
    virtual void send(std::span<const Bytes> pieces) = 0;

    /// Units: bytes accepted by send() that the kernel has not taken.
    virtual size_t backlog() const = 0;

    /// Stops and restarts reading; the loss of the peer may go unnoticed while paused.
    virtual void pause() = 0;
    virtual void resume() = 0;

    /// Says that nothing more will be sent, once the backlog is; reading and events go on.
    virtual void finish() = 0;

    /// Closes once the backlog is written or a short time has passed.
    virtual void close() = 0;

    /// Closes at once if nothing is left to send: for a peer that has said that it leaves.
    virtual void drop() { close(); }

    /// What was not sent yet never is: the close() that has to follow resets the connection.
    virtual void cut() {}

    /// Takes the connection out of this loop; the stream is closed by it. Needs an empty backlog.
    virtual std::unique_ptr<DetachedStream> detach() = 0;

    /// The peer's address for logs and the console, "unix" for a unix socket.
    virtual std::string_view peer_name() const = 0;

    void send(Bytes piece) { send(std::span<const Bytes>(&piece, 1)); }

protected:
    virtual ~Stream() = default;
};

}  // namespace pgweir
