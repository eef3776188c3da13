#include "pgweir/session/hearing.h"

#include "pgweir/base/check.h"

#include <utility>

namespace pgweir::session {

void Hearing::begin(Teller to, std::string token) {
    PGW_CHECK(!changing_ && to != teller_);
    changing_ = true;
    server_marked_ = false;
    shared_marked_ = false;
    taken_back_ = false;
    token_ = std::move(token);
}

Told Hearing::on_notifications(Teller by, Bytes bytes) {
    if (!changing_) return by == teller_ ? Told::Now : Told::Never;
    const bool by_server = by == Teller::Server;
    const bool behind = by_server ? server_marked_ : shared_marked_;
    // Up to its mark the old teller tells, behind its mark the new one does.
    if (by == teller_ && !behind) return Told::Now;
    // What the old server says behind its mark is wanted if the change is taken back.
    const bool may_be_wanted = behind && (by != teller_ || by_server);
    if (!may_be_wanted) return Told::Never;
    (by_server ? from_server_ : from_shared_) += as_text(bytes);
    return Told::Later;
}

void Hearing::on_mark(Teller by) {
    (by == Teller::Server ? server_marked_ : shared_marked_) = changing_;
}

void Hearing::on_shared_lost() {
    if (!changing_) return;
    if (teller_ == Teller::Shared) {
        shared_marked_ = true;
    } else if (!marked()) {
        taken_back_ = true;
    }
}

std::string Hearing::finish() {
    PGW_CHECK(changing_ && (marked() || taken_back_));
    changing_ = false;
    token_.clear();
    if (!taken_back_) teller_ = teller_ == Teller::Server ? Teller::Shared : Teller::Server;
    std::string due = std::move(teller_ == Teller::Server ? from_server_ : from_shared_);
    from_server_.clear();
    from_shared_.clear();
    return due;
}

void Hearing::lose_server() {
    *this = Hearing();
    teller_ = Teller::Shared;
}

}  // namespace pgweir::session
