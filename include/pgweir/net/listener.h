#pragma once

#include "pgweir/base/error.h"
#include "pgweir/net/loop.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pgweir::net {

/// A socket that listens, shared by all workers: those that are to accept watch it, and one of them
/// wakes. Lifecycle: made before the workers start; a unix socket's file goes away with it.
class ListeningSocket {
public:
    /// Errors: F0000 with what the system says (port taken, no permission, unknown host).
    static Result<std::unique_ptr<ListeningSocket>> tcp(const std::string& host, uint16_t port);
    static Result<std::unique_ptr<ListeningSocket>> unix_socket(const std::string& folder,
                                                                uint16_t port);
    ~ListeningSocket();
    ListeningSocket(const ListeningSocket&) = delete;
    ListeningSocket& operator=(const ListeningSocket&) = delete;

    int descriptor() const { return descriptor_; }

    const std::string& name() const { return name_; }

private:
    ListeningSocket(int descriptor, std::string name, std::string file)
        : descriptor_(descriptor), name_(std::move(name)), file_(std::move(file)) {}

    int descriptor_;
    std::string name_;
    std::string file_;  // of a unix socket
};

/// Accepts on a loop.
class Acceptor {
public:
    class Owner {
    public:
        /// `listener`: as start() was called.
        virtual void on_accepted(int descriptor, size_t listener) = 0;

        /// No descriptor is left. `spare` is one that was kept for this moment, connected to a
        /// client that can be told so, or -1; the owner closes it.
        virtual void on_exhausted(int spare) = 0;

    protected:
        ~Owner() = default;
    };

    Acceptor(Loop& loop, Owner& owner) : loop_(loop), owner_(owner) {}

    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    void start(const ListeningSocket& socket);
    void stop();

    /// Whether it accepts at all; it does from the start.
    void set_active(bool active);

    /// Takes up again what on_exhausted had stopped; call it now and then.
    void retry();

private:
    struct Watch;

    /// False: nobody waits there, or nobody can be taken.
    bool accept_one(Watch& watch);
    void exhausted(Watch& watch);

    Loop& loop_;
    Owner& owner_;
    std::vector<Watch*> watches_;
    int reserve_ = -1;
    bool halted_ = false;  // True exactly when descriptors ran out, until retry() finds some.
    bool active_ = true;
};

}  // namespace pgweir::net
