#include "pgweir/session/hearing.h"

#include "pgweir/base/prng.h"

#include <deque>
#include <string>
#include <utility>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

/// Both tellers listen to one queue, each at its own pace. Letters are notifications, '|' is the
/// mark; a teller reads what was written since it began to listen.
struct Model {
    explicit Model(uint64_t seed) : prng(seed) {}

    void read(Teller by) {
        auto& queue = by == Teller::Server ? server : shared;
        if (queue.empty()) return;
        const char first = queue.front();
        queue.pop_front();
        if (first == '|') {
            hearing.on_mark(by);
            return;
        }
        const std::string one(1, first);
        if (hearing.on_notifications(by, as_bytes(one)) == Told::Now) told += first;
    }

    void write(char what) {
        if (what != '|') written += what;
        if (server_listens) server.push_back(what);
        if (shared_listens) shared.push_back(what);
    }

    /// The old teller hears all that was written before it ends.
    void change() {
        const bool to_shared = hearing.teller() == Teller::Server;
        server_listens = true;
        shared_listens = true;
        hearing.begin(to_shared ? Teller::Shared : Teller::Server, "token");
        for (int i = 0; i < 3; ++i) write_or_read();
        write('|');
        while (!hearing.marked()) write_or_read();
        told += hearing.finish();
        // What the other one still says is not listened to.
        (to_shared ? server_listens : shared_listens) = false;
    }

    void write_or_read() {
        switch (prng.below(3)) {
            case 0: write(static_cast<char>('a' + next++ % 26)); break;
            case 1: read(Teller::Server); break;
            default: read(Teller::Shared); break;
        }
    }

    void read_all() {
        while (!server.empty()) read(Teller::Server);
        while (!shared.empty()) read(Teller::Shared);
    }

    Prng prng;
    Hearing hearing;
    bool server_listens = true;
    bool shared_listens = false;
    int next = 0;
    std::deque<char> server;
    std::deque<char> shared;
    std::string written;
    std::string told;
};

Bytes note() {
    return as_bytes(std::string_view("n"));
}

}  // namespace

TEST_CASE("hearing: each notification is told once and in order, however the tellers change") {
    for (uint64_t seed = 1; seed <= 500; ++seed) {
        CAPTURE(seed);
        Model model(seed);
        for (int i = 0; i < 6; ++i) {
            model.write_or_read();
            model.change();
        }
        model.read_all();
        REQUIRE(model.told == model.written);
    }
}

TEST_CASE("hearing: who tells is heard, who does not is not") {
    Hearing hearing;
    CHECK(hearing.teller() == Teller::Server);
    CHECK(hearing.on_notifications(Teller::Server, note()) == Told::Now);
    CHECK(hearing.on_notifications(Teller::Shared, note()) == Told::Never);
    hearing.on_mark(Teller::Server);  // nobody waits for one
    CHECK_FALSE(hearing.marked());
    CHECK_FALSE(hearing.changing());
}

TEST_CASE("hearing: a change to the shared connection that is lost is taken back") {
    Hearing hearing;
    hearing.begin(Teller::Shared, "token");
    CHECK(hearing.token() == "token");
    hearing.on_mark(Teller::Server);
    CHECK(hearing.on_notifications(Teller::Server, note()) == Told::Later);
    CHECK(hearing.kept() == 1);
    hearing.on_shared_lost();
    CHECK(hearing.taken_back());
    CHECK(hearing.finish() == "n");
    CHECK(hearing.teller() == Teller::Server);
    CHECK(hearing.kept() == 0);
}

TEST_CASE("hearing: a change that both have marked is not taken back") {
    Hearing hearing;
    hearing.begin(Teller::Shared, "token");
    hearing.on_mark(Teller::Server);
    hearing.on_mark(Teller::Shared);
    CHECK(hearing.on_notifications(Teller::Shared, note()) == Told::Later);
    hearing.on_shared_lost();
    CHECK_FALSE(hearing.taken_back());
    CHECK(hearing.finish() == "n");
    CHECK(hearing.teller() == Teller::Shared);
}

TEST_CASE("hearing: without the shared connection the server's mark is enough to come back") {
    Hearing hearing;
    hearing.lose_server();
    CHECK(hearing.teller() == Teller::Shared);
    hearing.begin(Teller::Server, "token");
    hearing.on_shared_lost();
    CHECK_FALSE(hearing.marked());
    CHECK(hearing.on_notifications(Teller::Server, note()) == Told::Never);
    hearing.on_mark(Teller::Server);
    CHECK(hearing.marked());
    CHECK(hearing.on_notifications(Teller::Server, note()) == Told::Later);
    CHECK(hearing.finish() == "n");
    CHECK(hearing.teller() == Teller::Server);
}

TEST_CASE("hearing: a change that is refused leaves all as it was") {
    Hearing hearing;
    hearing.begin(Teller::Shared, "token");
    CHECK(hearing.on_notifications(Teller::Server, note()) == Told::Now);
    hearing.take_back();
    CHECK(hearing.finish().empty());
    CHECK(hearing.teller() == Teller::Server);
}

}  // namespace pgweir::session
