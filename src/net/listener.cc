#include "pgweir/net/listener.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace pgweir::net {
namespace {

constexpr int kBacklog = 4096;

Error cannot_listen(const std::string& name, const char* why) {
    return Error{.sqlstate = sqlstate::kConfigFileError,
                 .severity = Severity::Fatal,
                 .message = fmt::format("cannot listen on {}: {}", name, why),
                 .detail = {},
                 .hint = "Is another process there already, or the address not this machine's?"};
}

}  // namespace

Result<std::unique_ptr<ListeningSocket>> ListeningSocket::tcp(const std::string& host,
                                                              uint16_t port) {
    const std::string name = fmt::format("{}:{}", host, port);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* answer = nullptr;
    const char* node = host == "*" ? nullptr : host.c_str();
    const int status = getaddrinfo(node, std::to_string(port).c_str(), &hints, &answer);
    if (status != 0) return fail(cannot_listen(name, gai_strerror(status)));
    const int descriptor =
        ::socket(answer->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    bool listening = descriptor >= 0;
    if (listening) {
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        // Accepted sockets have these from here, without a system call for each.
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        listening = ::bind(descriptor, answer->ai_addr, answer->ai_addrlen) == 0 &&
                    ::listen(descriptor, kBacklog) == 0;
    }
    const int problem = errno;
    freeaddrinfo(answer);
    if (listening)
        return std::unique_ptr<ListeningSocket>(new ListeningSocket(descriptor, name, {}));
    if (descriptor >= 0) ::close(descriptor);
    return fail(cannot_listen(name, std::strerror(problem)));
}

Result<std::unique_ptr<ListeningSocket>> ListeningSocket::unix_socket(const std::string& folder,
                                                                      uint16_t port) {
    const std::string file = fmt::format("{}/.s.PGSQL.{}", folder, port);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (file.size() >= sizeof address.sun_path) {
        return fail(cannot_listen(file, "the path is too long for a unix socket"));
    }
    std::memcpy(address.sun_path, file.c_str(), file.size() + 1);
    auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));

    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return fail(cannot_listen(file, std::strerror(errno)));
    // A file that nobody answers on is left from a process that died.
    if (::connect(descriptor, generic, sizeof address) != 0 && errno == ECONNREFUSED) {
        ::unlink(file.c_str());
    }
    ::close(descriptor);

    const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const bool good = listening >= 0 && ::bind(listening, generic, sizeof address) == 0 &&
                      ::chmod(file.c_str(), 0777) == 0 && ::listen(listening, kBacklog) == 0;
    if (good) return std::unique_ptr<ListeningSocket>(new ListeningSocket(listening, file, file));
    const int problem = errno;
    if (listening >= 0) ::close(listening);
    return fail(cannot_listen(file, std::strerror(problem)));
}

ListeningSocket::~ListeningSocket() {
    // In this order: once it is closed, somebody else may have made the file anew.
    if (!file_.empty()) ::unlink(file_.c_str());
    ::close(descriptor_);
}

struct Acceptor::Watch final : Watched {
    Watch(Acceptor& its_acceptor, int its_descriptor, size_t its_number)
        : acceptor(its_acceptor), descriptor(its_descriptor), number(its_number) {}

    void on_ready(uint32_t) override { acceptor.accept_one(*this); }

    /// One of the workers that wait is woken, not all.
    bool begin() {
        constexpr uint32_t kEvents = EPOLLIN | EPOLLEXCLUSIVE;
        return acceptor.loop_.watch(descriptor, *this, kEvents) || errno == EEXIST;
    }

    Acceptor& acceptor;
    int descriptor;
    size_t number;
};

void Acceptor::start(const ListeningSocket& socket) {
    if (reserve_ < 0) reserve_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    auto* watch = new Watch(*this, socket.descriptor(), watches_.size());
    PGW_CHECK(!active_ || watch->begin());
    watches_.push_back(watch);
}

void Acceptor::stop() {
    for (Watch* watch : std::exchange(watches_, {})) {
        loop_.forget(watch->descriptor);
        delete watch;
    }
}

Acceptor::~Acceptor() {
    PGW_CHECK(watches_.empty());  // stop() comes first: the sockets may be gone by now
    if (reserve_ >= 0) ::close(reserve_);
}

void Acceptor::set_active(bool active) {
    if (active_ == active) return;
    for (Watch* watch : watches_) {
        if (active) {
            if (!halted_) halted_ = !watch->begin();  // otherwise retry() looks at it
        } else {
            // Nobody else was woken for those that wait.
            while (accept_one(*watch)) continue;
            loop_.forget(watch->descriptor);
        }
    }
    active_ = active;
}

void Acceptor::retry() {
    if (!active_ || !std::exchange(halted_, false)) return;
    if (reserve_ < 0) reserve_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (Watch* watch : watches_) halted_ = !watch->begin() || halted_;
}

/// One for each round: epoll says at once when there are more, and workers share a burst.
bool Acceptor::accept_one(Watch& watch) {
    if (halted_ || !active_) return false;
    const int accepted =
        ::accept4(watch.descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
        owner_.on_accepted(accepted, watch.number);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        exhausted(watch);
    }
    return false;
}

void Acceptor::exhausted(Watch& watch) {
    if (reserve_ >= 0) {
        // The one descriptor that was kept tells the client why, instead of letting it wait.
        ::close(std::exchange(reserve_, -1));
        const int spare =
            ::accept4(watch.descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        owner_.on_exhausted(spare);
        reserve_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (spare >= 0) return;
    } else {
        owner_.on_exhausted(-1);
    }
    // Not even that: look again later, or epoll would call without end.
    halted_ = true;
    for (const Watch* each : watches_) loop_.forget(each->descriptor);
}

}  // namespace pgweir::net
