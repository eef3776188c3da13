#include "pgweir/net/socket_stream.h"

#include "pgweir/base/log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

namespace pgweir::net {
namespace {

// The last bytes of a stream get this long to leave, and the peer as long again to read them.
constexpr Duration kFlushTime = std::chrono::seconds(5);
constexpr Duration kLingerTime = std::chrono::seconds(1);

// A host's address that is silent for so long makes way for the next one.
constexpr Duration kAddressPatience = std::chrono::seconds(2);

// Who gives up after that, for reasons of its own, has found the address silent too.
constexpr Duration kSilence = std::chrono::milliseconds(500);

// So long the others come first; what made it silent may be over then.
constexpr Duration kSilentFor = std::chrono::minutes(1);

// Above this an owner that asked to be told about room is told.
constexpr size_t kDrainedBytes = 16384;

constexpr int kPiecesMax = 32;

// Each change is told once. A read that does not fill its buffer has emptied the socket, so the
// kernel need not look at it again before the next wait, and nor need we.
constexpr uint32_t kEdges = uint32_t{EPOLLET} | EPOLLRDHUP;

// The C library's functions make ready for a thread that is cancelled amid them, which costs one to
// three hundredths of a transaction's CPU; nobody cancels a worker.

ssize_t receive(int descriptor, void* at, size_t bytes, int flags) {
    return ::syscall(SYS_recvfrom, descriptor, at, bytes, flags, nullptr, nullptr);
}

ssize_t send_one(int descriptor, const void* from, size_t bytes) {
    return ::syscall(SYS_sendto, descriptor, from, bytes, MSG_NOSIGNAL, nullptr, 0);
}

ssize_t send_all(int descriptor, std::span<const Bytes> pieces) {
    std::array<iovec, kPiecesMax> vectors;
    PGW_CHECK(pieces.size() <= vectors.size());
    for (size_t i = 0; i < pieces.size(); ++i) {
        vectors[i] = {const_cast<uint8_t*>(pieces[i].data()), pieces[i].size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = pieces.size();
    return ::syscall(SYS_sendmsg, descriptor, &message, MSG_NOSIGNAL);
}

class DetachedSocket final : public DetachedStream {
public:
    explicit DetachedSocket(int descriptor) : descriptor_(descriptor) {}

    DetachedSocket(const DetachedSocket&) = delete;
    DetachedSocket& operator=(const DetachedSocket&) = delete;

    ~DetachedSocket() override {
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    int take() { return std::exchange(descriptor_, -1); }

private:
    int descriptor_;
};

// The socket API speaks of all its address families through one pointer type.
sockaddr* generic(sockaddr_storage& storage) {
    return static_cast<sockaddr*>(static_cast<void*>(&storage));
}

sockaddr_in* as_ipv4(sockaddr_storage& storage) {
    return static_cast<sockaddr_in*>(static_cast<void*>(&storage));
}

sockaddr_in6* as_ipv6(sockaddr_storage& storage) {
    return static_cast<sockaddr_in6*>(static_cast<void*>(&storage));
}

socklen_t length_of(const sockaddr_storage& storage) {
    switch (storage.ss_family) {
        case AF_INET: return sizeof(sockaddr_in);
        case AF_INET6: return sizeof(sockaddr_in6);
    }
    return sizeof(sockaddr_un);
}

void set_port(sockaddr_storage& storage, uint16_t port) {
    if (storage.ss_family == AF_INET) as_ipv4(storage)->sin_port = htons(port);
    if (storage.ss_family == AF_INET6) as_ipv6(storage)->sin6_port = htons(port);
}

bool is_same(const sockaddr_storage& one, const sockaddr_storage& other) {
    return std::memcmp(&one, &other, sizeof one) == 0;
}

bool holds(const std::vector<SilentAddress>& list, const sockaddr_storage& address) {
    return std::any_of(list.begin(), list.end(),
                       [&](const SilentAddress& each) { return is_same(each.address, address); });
}

bool parse_numeric(const std::string& host, sockaddr_storage& storage) {
    storage = {};
    if (inet_pton(AF_INET, host.c_str(), &as_ipv4(storage)->sin_addr) == 1) {
        storage.ss_family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, host.c_str(), &as_ipv6(storage)->sin6_addr) == 1) {
        storage.ss_family = AF_INET6;
        return true;
    }
    return false;
}

bool unix_address(const std::string& folder, uint16_t port, sockaddr_storage& storage) {
    storage = {};
    auto* address = static_cast<sockaddr_un*>(static_cast<void*>(&storage));
    address->sun_family = AF_UNIX;
    const std::string path = fmt::format("{}/.s.PGSQL.{}", folder, port);
    if (path.size() >= sizeof address->sun_path) return false;
    std::memcpy(address->sun_path, path.c_str(), path.size() + 1);
    return true;
}

// What a listening socket has of these, the sockets it accepts have from it.
void set_tcp_options(int descriptor) {
    const int on = 1;
    // On a unix socket these fail, which is as good.
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

}  // namespace

SocketStream& SocketStream::open(Loop& loop, int descriptor) {
    auto [handle, stream] = loop.streams_->make(loop);
    stream->handle_ = handle;
    stream->descriptor_ = descriptor;
    stream->watch(EPOLLIN);
    return *stream;
}

SocketStream& SocketStream::adopt(Loop& loop,
                                  std::unique_ptr<DetachedStream> detached,
                                  StreamEvents& owner) {
    SocketStream& stream = open(loop, static_cast<DetachedSocket&>(*detached).take());
    stream.owner_ = &owner;
    return stream;
}

SocketStream& SocketStream::connect(Loop& loop,
                                    const std::string& host,
                                    uint16_t port,
                                    StreamEvents& owner) {
    auto [handle, stream] = loop.streams_->make(loop);
    stream->handle_ = handle;
    stream->owner_ = &owner;
    stream->state_ = State::Resolving;
    stream->attempt_ = std::make_unique<Attempt>();
    stream->attempt_->host = host;
    stream->attempt_->port = port;
    stream->begin_resolving();
    return *stream;
}

void SocketStream::begin_resolving() {
    Attempt& attempt = *attempt_;
    sockaddr_storage storage{};
    if (attempt.host.substr(0, 1) == "/") {
        if (unix_address(attempt.host, attempt.port, storage)) {
            attempt.addresses.push_back(storage);
        } else {
            attempt.problem = "the path of the unix socket is too long";
        }
    } else if (parse_numeric(attempt.host, storage)) {
        set_port(storage, attempt.port);
        attempt.addresses.push_back(storage);
    } else if (const auto known = loop_.resolved_.find(attempt.host);
               known != loop_.resolved_.end() && loop_.now() < known->second.expires) {
        attempt.addresses = known->second.list;
        for (auto& address : attempt.addresses) set_port(address, attempt.port);
        put_silent_last();
    } else {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        attempt.request.data = this;
        const int status = uv_getaddrinfo(&loop_.uv_, &attempt.request, on_resolved,
                                          attempt.host.c_str(), nullptr, &hints);
        resolving_ = status == 0;
        loop_.resolver_due_ = true;  // libuv watches its own descriptors only when it runs
        if (resolving_) return;
        attempt.problem = uv_strerror(status);
    }
    loop_.defer(handle_);
}

void SocketStream::on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* answer) {
    auto& self = *static_cast<SocketStream*>(request->data);
    Loop& loop = self.loop_;
    self.resolving_ = false;
    if (self.state_ == State::Closed) {
        uv_freeaddrinfo(answer);
        loop.bury(self.handle_);
        return;
    }
    Attempt& attempt = *self.attempt_;
    if (status != 0) {
        attempt.problem =
            fmt::format("cannot resolve \"{}\": {}", attempt.host, uv_strerror(status));
    }
    for (const addrinfo* entry = answer; entry != nullptr; entry = entry->ai_next) {
        sockaddr_storage storage{};
        std::memcpy(&storage, entry->ai_addr, std::min<size_t>(entry->ai_addrlen, sizeof storage));
        attempt.addresses.push_back(storage);
    }
    uv_freeaddrinfo(answer);
    if (!attempt.addresses.empty()) {
        loop.resolved_[attempt.host] = {attempt.addresses, loop.now() + loop.dns_ttl_};
    }
    for (auto& address : attempt.addresses) set_port(address, attempt.port);
    self.put_silent_last();
    self.try_next_address();
}

void SocketStream::run_deferred() {
    if (state_ == State::Resolving) {
        try_next_address();
    } else if (broken_) {
        lost("the system cannot watch one more socket");
    }
}

void SocketStream::try_next_address() {
    Attempt& attempt = *attempt_;
    while (attempt.next < attempt.addresses.size()) {
        sockaddr_storage& address = attempt.addresses[attempt.next++];
        const int descriptor =
            ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor < 0) {
            attempt.problem = std::strerror(errno);
            continue;
        }
        set_tcp_options(descriptor);
        const int status = ::connect(descriptor, generic(address), length_of(address));
        if (status != 0 && errno != EINPROGRESS) {
            attempt.problem = std::strerror(errno);
            ::close(descriptor);
            continue;
        }
        state_ = State::Connecting;
        descriptor_ = descriptor;
        attempt.since = loop_.now();
        watch(EPOLLOUT);
        if (attempt.next < attempt.addresses.size()) set_deadline(kAddressPatience);
        return;
    }
    const std::string problem = attempt.problem.empty() ? "no address" : attempt.problem;
    lost(problem);
}

/// Whoever connects to this host begins with its other addresses for a while.
void SocketStream::pass_over() {
    const auto& addresses = attempt_->addresses;
    const bool silent = loop_.now() - attempt_->since >= kSilence;
    if (addresses.size() < 2 || !silent) return;
    auto& list = loop_.silent_[attempt_->host];
    const auto is_silent = [&](const auto& each) {
        return is_same(each, tried()) || holds(list, each);
    };
    // None is better than the others then: the one that was tried last goes last.
    if (std::all_of(addresses.begin(), addresses.end(), is_silent)) {
        for (const auto& each : addresses) forget_silent(each);
    }
    forget_silent(tried());
    list.push_back({tried(), loop_.now() + kSilentFor});
}

void SocketStream::forget_silent(const sockaddr_storage& address) {
    const auto known = loop_.silent_.find(attempt_->host);
    if (known == loop_.silent_.end()) return;
    std::erase_if(known->second, [&](const SilentAddress& each) {
        return is_same(each.address, address) || loop_.now() >= each.until;
    });
}

void SocketStream::put_silent_last() {
    const auto known = loop_.silent_.find(attempt_->host);
    if (known == loop_.silent_.end()) return;
    std::erase_if(known->second,
                  [&](const SilentAddress& each) { return loop_.now() >= each.until; });
    std::stable_partition(attempt_->addresses.begin(), attempt_->addresses.end(),
                          [&](const auto& each) { return !holds(known->second, each); });
}

void SocketStream::on_connect_result() {
    drop_deadline();
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0) {
        state_ = State::Open;
        forget_silent(tried());
        attempt_.reset();
        watch(EPOLLIN);
        owner_->on_connected();
        return;
    }
    attempt_->problem = std::strerror(error);
    close_descriptor();
    state_ = State::Resolving;
    try_next_address();
}

void SocketStream::watch(uint32_t events) {
    if (events == watched_) return;
    if (events == 0) {
        loop_.forget(descriptor_);
    } else if (watched_ != 0) {
        loop_.change_watch(descriptor_, *this, events | kEdges);
    } else if (!loop_.watch(descriptor_, *this, events | kEdges)) {
        broken_ = true;
        loop_.defer(handle_);
        return;
    }
    watched_ = events;
}

/// Has epoll look at the descriptor as if it were new.
void SocketStream::watch_again() {
    if (watched_ != 0) loop_.change_watch(descriptor_, *this, watched_ | kEdges);
}

void SocketStream::close_descriptor() {
    watched_ = 0;
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void SocketStream::on_ready(uint32_t events) {
    switch (state_) {
        case State::Resolving:
        case State::Closed: return;  // it was closed in this round
        case State::Connecting: on_connect_result(); return;
        case State::Open:
        case State::Flushing:
        case State::Lingering: break;
    }
    if ((events & EPOLLERR) != 0) {
        if (paused_) {
            give_up_backlog();
        } else {
            read_rest();
        }
        return;
    }
    const bool hung_up = (events & (EPOLLHUP | EPOLLRDHUP)) != 0;
    if ((watched_ & EPOLLOUT) != 0 && (hung_up || (events & EPOLLOUT) != 0)) flush_backlog();
    // Behind the last bytes stands the end, which epoll tells only once: it is read up to there.
    while ((watched_ & EPOLLIN) != 0 && (hung_up || (events & EPOLLIN) != 0)) {
        if (!read_once() || !hung_up) break;
    }
}

/// False when nothing is left to read, or nobody to read it.
bool SocketStream::read_once() {
    auto& buffer = *loop_.read_buffer_;
    const ssize_t count = receive(descriptor_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
        if (state_ == State::Open) {
            owner_->on_bytes({buffer.data(), static_cast<size_t>(count)});
        }
        // A full buffer may have left something, of which epoll will not tell by itself.
        if (static_cast<size_t>(count) == buffer.size()) watch_again();
        return true;
    }
    if (count < 0 && errno == EINTR) {
        watch_again();
        return true;
    }
    if (count < 0 && errno == EAGAIN) return false;
    lost(count == 0 ? "the peer closed the connection" : std::strerror(errno));
    return false;
}

void SocketStream::read_rest() {
    // What arrived before the error is still the owner's.
    auto& buffer = *loop_.read_buffer_;
    while (state_ == State::Open && !paused_) {
        const ssize_t count = receive(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count > 0) {
            owner_->on_bytes({buffer.data(), static_cast<size_t>(count)});
            continue;
        }
        if (count < 0 && errno == EINTR) continue;
        const bool reset = count < 0 && errno != EAGAIN;
        lost(reset ? std::strerror(errno) : "the connection broke");
        return;
    }
    if (state_ == State::Flushing || state_ == State::Lingering) release();
}

void SocketStream::send(std::span<const Bytes> pieces) {
    if (state_ != State::Open || broken_ || finishing_) return;
    size_t sent = 0;
    if (backlog_.empty()) {
        const bool one = pieces.size() == 1;
        const ssize_t count = one ? send_one(descriptor_, pieces[0].data(), pieces[0].size())
                                  : send_all(descriptor_, pieces);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            broken_ = true;  // reading will tell why, at once or after a pause
            return;
        }
        sent = count > 0 ? static_cast<size_t>(count) : 0;
        if (one && sent == pieces[0].size()) return;
    }
    for (const Bytes piece : pieces) {
        if (sent >= piece.size()) {
            sent -= piece.size();
            continue;
        }
        backlog_.append(loop_.buffers_, piece.subspan(sent));
        sent = 0;
    }
    if (backlog_.empty()) return;
    backlog_high_ = backlog_high_ || backlog_.size() > kDrainedBytes;
    watch(watched_ | EPOLLOUT);
}

void SocketStream::flush_backlog() {
    const Bytes waiting = backlog_.view();
    if (!waiting.empty()) {
        const ssize_t count = send_one(descriptor_, waiting.data(), waiting.size());
        if (count < 0 && errno == EINTR) watch_again();
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count < 0) {
            broken_ = true;
            backlog_.clear(loop_.buffers_);
        } else {
            backlog_.consume(loop_.buffers_, static_cast<size_t>(count));
        }
    }
    if (backlog_.empty()) {
        watch(watched_ & ~uint32_t{EPOLLOUT});
        if (finishing_) ::shutdown(descriptor_, SHUT_WR);
    }
    if (state_ == State::Flushing) {
        if (backlog_.empty()) linger();
        return;
    }
    const bool room = backlog_.size() <= kDrainedBytes;
    if (room && std::exchange(backlog_high_, false)) owner_->on_drained();
}

/// The peer is gone, and the owner does not read now: it learns of the loss when it does again.
void SocketStream::give_up_backlog() {
    broken_ = true;
    backlog_.clear(loop_.buffers_);
    watch(0);
    if (std::exchange(backlog_high_, false)) owner_->on_drained();
}

void SocketStream::pause() {
    if (state_ != State::Open || paused_) return;
    paused_ = true;
    watch(watched_ & ~uint32_t{EPOLLIN});
}

void SocketStream::resume() {
    if (state_ != State::Open || !paused_) return;
    paused_ = false;
    watch(watched_ | EPOLLIN);
}

void SocketStream::lost(std::string_view reason) {
    if (state_ == State::Flushing || state_ == State::Lingering) {
        release();
        return;
    }
    if (state_ == State::Closed || owner_ == nullptr) return;
    if (descriptor_ >= 0) watch(0);
    broken_ = true;
    owner_->on_lost(reason);
}

void SocketStream::finish() {
    if (state_ != State::Open) return;
    finishing_ = true;
    if (backlog_.empty()) ::shutdown(descriptor_, SHUT_WR);
    resume();
}

void SocketStream::close() {
    owner_ = nullptr;
    if (state_ == State::Connecting && !broken_) pass_over();
    if (state_ == State::Resolving || state_ == State::Connecting || broken_) {
        release();
        return;
    }
    if (state_ != State::Open) return;
    paused_ = false;
    set_deadline(kFlushTime);
    state_ = State::Flushing;
    if (backlog_.empty()) linger();
}

void SocketStream::cut() {
    if (state_ != State::Open) return;

    const struct ::linger at_once { .l_onoff = 1, .l_linger = 0 };

    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    broken_ = true;
}

void SocketStream::drop() {
    if (!backlog_.empty()) {
        close();  // it may still read what it was promised
        return;
    }
    owner_ = nullptr;
    release();
}

void SocketStream::linger() {
    // Closing with unread input would make the kernel send a reset, which can overtake the last
    // words; so the peer is told that no more comes, and its rest is read and dropped.
    state_ = State::Lingering;
    set_deadline(kLingerTime);
    ::shutdown(descriptor_, SHUT_WR);
    watch(EPOLLIN);
}

void SocketStream::set_deadline(Duration patience) {
    deadline_ = loop_.now() + patience;
    if (!linked()) loop_.timed_->push_back(*this);
}

void SocketStream::drop_deadline() {
    if (linked()) loop_.timed_->erase(*this);
}

/// The deadline has come.
void SocketStream::sweep() {
    if (!linked()) return;  // what came before it in this sweep has ended it
    if (state_ != State::Connecting) {
        release();
        return;
    }
    drop_deadline();
    pass_over();
    ++loop_.addresses_passed_over_;
    attempt_->problem = "an address did not answer";
    log::warning("{} does not answer at one of its addresses for {} s: the next is tried",
                 attempt_->host,
                 std::chrono::duration_cast<std::chrono::seconds>(kAddressPatience).count());
    close_descriptor();
    state_ = State::Resolving;
    try_next_address();
}

void SocketStream::release() {
    if (state_ == State::Closed) return;
    state_ = State::Closed;
    drop_deadline();
    backlog_.clear(loop_.buffers_);
    if (resolving_) {
        uv_cancel(static_cast<uv_req_t*>(static_cast<void*>(&attempt_->request)));
        return;  // on_resolved gives the slot back
    }
    close_descriptor();
    loop_.bury(handle_);
}

std::unique_ptr<DetachedStream> SocketStream::detach() {
    PGW_CHECK(state_ == State::Open && backlog_.empty());
    owner_ = nullptr;
    state_ = State::Closed;
    watch(0);
    auto detached = std::make_unique<DetachedSocket>(std::exchange(descriptor_, -1));
    loop_.bury(handle_);
    return detached;
}

std::string_view SocketStream::peer_name() const {
    if (!peer_name_.empty()) return peer_name_;
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (descriptor_ < 0 || getpeername(descriptor_, generic(storage), &length) != 0) return "?";
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (storage.ss_family == AF_INET) {
        inet_ntop(AF_INET, &as_ipv4(storage)->sin_addr, text.data(), text.size());
        peer_name_ = fmt::format("{}:{}", text.data(), ntohs(as_ipv4(storage)->sin_port));
    } else if (storage.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &as_ipv6(storage)->sin6_addr, text.data(), text.size());
        peer_name_ = fmt::format("[{}]:{}", text.data(), ntohs(as_ipv6(storage)->sin6_port));
    } else {
        peer_name_ = "unix";
    }
    return peer_name_;
}

}  // namespace pgweir::net
