#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/base/planted.h"

#include <cstdint>
#include <string>
#include <string_view>

/// Who tells a listening client what happens on its channels, and how that changes hands so that
/// each notification is told once and in order.
///
/// A client listens on its own server, or on the connection that its database's listeners share.
/// Both hear the same queue in the same order. To change from one to the other, both listen, and
/// the client's server sends a notification of pgweir's own: the mark. What one tells up to the
/// mark and the other behind it is everything, once.
/// See: sql-notify.html, sql-listen.html
namespace pgweir::session {

enum class Teller : uint8_t { Server, Shared };

/// What becomes of a notification that one of the two told.
enum class Told : uint8_t { Now, Later, Never };

class Hearing {
public:
    /// The channel of the marks; nobody else's.
    static constexpr std::string_view kChannel = "pgweir.mark";

    Teller teller() const { return teller_; }

    bool changing() const { return changing_; }

    /// What the mark under way says; nobody can know it before it was sent.
    const std::string& token() const { return token_; }

    /// From now on both listen, and a mark with `token` is under way.
    void begin(Teller to, std::string token);

    /// Told of `bytes`, whole messages, by one of them. Later: kept here until finish().
    Told on_notifications(Teller by, Bytes bytes);

    /// The mark came out of one of them.
    void on_mark(Teller by);

    /// The shared connection is gone, and what it had not told is lost. A change to it is taken
    /// back, one away from it goes on without its mark.
    void on_shared_lost();

    /// The change to the shared connection was refused.
    void take_back() { taken_back_ = true; }

    /// True exactly when only the shared connection is awaited.
    bool awaits_shared() const {
        return changing_ && server_marked_ && !shared_marked_ && !taken_back_;
    }

    /// True exactly when both have told the mark.
    bool marked() const {
        return server_marked_ && (shared_marked_ || planted(Bug::MarkNotAwaited));
    }

    /// True exactly when the change to the shared connection cannot be done.
    bool taken_back() const { return taken_back_; }

    /// Ends the change. Returns what has to be told now; all of it lies behind what was told.
    std::string finish();

    /// The server is lost at rest: the shared connection tells from here on.
    void lose_server();

    /// Units: bytes that are kept.
    size_t kept() const { return from_server_.size() + from_shared_.size(); }

private:
    Teller teller_ = Teller::Server;
    bool changing_ = false;
    bool server_marked_ = false;
    bool shared_marked_ = false;
    bool taken_back_ = false;
    std::string token_;
    std::string from_server_;
    std::string from_shared_;
};

}  // namespace pgweir::session
