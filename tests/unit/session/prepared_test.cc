#include "pgweir/session/prepared.h"

#include <string>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

using State = ServerStatements::State;

Digest128 digest(uint8_t number) {
    Digest128 made{};
    made[0] = number;
    return made;
}

/// A statement that is there.
void add(ServerStatements& statements, uint8_t number, uint32_t text_bytes = 10) {
    statements.add_pending(digest(number), text_bytes, 0);
    statements.confirm(digest(number));
}

}  // namespace

TEST_CASE("prepared: the same text and types are one statement with one name") {
    StatementCache cache;
    const auto one = cache.intern(as_bytes("SELECT 1"));
    const auto same = cache.intern(as_bytes("SELECT 1"));
    const auto other = cache.intern(as_bytes("SELECT 2"));
    CHECK(&*one == &*same);
    CHECK(one->server_name != other->server_name);
    CHECK(cache.size() == 2);
    CHECK(cache.text_bytes() == 16);
}

TEST_CASE("prepared: a server's name is the prefix and the digest in hexadecimal") {
    Digest128 all{};
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i * 17);
    CHECK(server_statement_name(all) == "pgweir_00112233445566778899aabbccddeeff");
    CHECK(server_statement_name(all).size() < 64);  // NAMEDATALEN
}

TEST_CASE("prepared: a text is forgotten with its last reference") {
    StatementCache cache;
    {
        auto one = cache.intern(as_bytes("SELECT 1"));
        const StatementRef copy = one;
        one = StatementRef();
        CHECK(cache.size() == 1);
        StatementRef moved = StatementRef(copy);
        const StatementRef taken = std::move(moved);
        CHECK(cache.size() == 1);
    }
    CHECK(cache.size() == 0);
    CHECK(cache.text_bytes() == 0);
}

TEST_CASE("prepared: a client finds by name what it put, and what it holds is counted") {
    StatementCache cache;
    ClientStatements client;
    client.put("a", cache.intern(as_bytes("SELECT 1")));
    client.put("b", cache.intern(as_bytes("SELECT 10")));
    REQUIRE(client.find("a") != nullptr);
    CHECK((*client.find("a"))->query_and_types == "SELECT 1");
    CHECK(client.find("c") == nullptr);
    CHECK(client.size() == 2);
    CHECK(client.bytes() == 2 * (128 + 1) + 17);

    client.erase("a");
    client.erase("never there");
    CHECK(client.find("a") == nullptr);
    CHECK(client.bytes() == 128 + 1 + 9);
    CHECK(cache.size() == 1);

    client.clear();
    CHECK(client.size() == 0);
    CHECK(client.bytes() == 0);
    CHECK(cache.size() == 0);
}

TEST_CASE("prepared: what a server never heard of is absent") {
    ServerStatements statements;
    CHECK(statements.use(digest(1), 0) == State::Absent);
    CHECK(statements.size() == 0);
}

TEST_CASE("prepared: pending in its own batch, doubtful in the next, present once confirmed") {
    ServerStatements statements;
    statements.add_pending(digest(1), 10, 5);
    CHECK(statements.use(digest(1), 5) == State::Pending);
    CHECK(statements.use(digest(1), 6) == State::Doubtful);
    statements.confirm(digest(1));
    CHECK(statements.use(digest(1), 5) == State::Present);
    CHECK(statements.use(digest(1), 6) == State::Present);
}

TEST_CASE("prepared: a statement that is sent again is pending again, and counted once") {
    ServerStatements statements;
    add(statements, 1);
    statements.add_pending(digest(1), 10, 7);
    CHECK(statements.use(digest(1), 7) == State::Pending);
    CHECK(statements.size() == 1);
    Digest128 oldest{};
    add(statements, 2);
    CHECK_FALSE(statements.over_limit(2, 20, oldest));
}

TEST_CASE("prepared: what was erased is absent, and confirming it changes nothing") {
    ServerStatements statements;
    add(statements, 1);
    statements.erase(digest(1));
    statements.erase(digest(1));
    statements.confirm(digest(1));
    CHECK(statements.use(digest(1), 0) == State::Absent);
}

TEST_CASE("prepared: beyond the count the least recently used goes first") {
    ServerStatements statements;
    add(statements, 1);
    add(statements, 2);
    add(statements, 3);
    CHECK(statements.use(digest(1), 0) == State::Present);  // now 2 is the oldest
    Digest128 oldest{};
    CHECK_FALSE(statements.over_limit(3, 1000, oldest));
    REQUIRE(statements.over_limit(2, 1000, oldest));
    CHECK(oldest == digest(2));
    statements.erase(oldest);
    CHECK_FALSE(statements.over_limit(2, 1000, oldest));
}

TEST_CASE("prepared: beyond the bytes as well") {
    ServerStatements statements;
    add(statements, 1, 600);
    add(statements, 2, 300);
    add(statements, 3, 200);
    Digest128 oldest{};
    REQUIRE(statements.over_limit(100, 1000, oldest));
    CHECK(oldest == digest(1));
    statements.erase(oldest);
    CHECK_FALSE(statements.over_limit(100, 1000, oldest));
}

TEST_CASE("prepared: the last statement is never too many") {
    ServerStatements statements;
    add(statements, 1, 5000);
    Digest128 oldest{};
    CHECK_FALSE(statements.over_limit(0, 0, oldest));
}

TEST_CASE("prepared: they are listed oldest use first, as they travel to another worker") {
    ServerStatements statements;
    add(statements, 1, 11);
    add(statements, 2, 12);
    add(statements, 3, 13);
    statements.use(digest(1), 0);
    std::string order;
    statements.doubt(digest(3));
    statements.for_each_oldest_first([&](const CarriedStatement& each) {
        order += std::to_string(each.digest[0]) + ":" + std::to_string(each.text_bytes);
        order += each.confirmed ? " " : "? ";
    });
    CHECK(order == "2:12 3:13? 1:11 ");
}

TEST_CASE("prepared: what was skipped is doubtful in every batch, until it is sent again") {
    ServerStatements statements;
    statements.add_pending(digest(1), 10, 5);
    statements.doubt(digest(1));
    for (const uint32_t batch : {0u, 5u, 6u}) {
        CHECK(statements.use(digest(1), batch) == State::Doubtful);
    }
    statements.add_pending(digest(1), 10, 7);
    CHECK(statements.use(digest(1), 7) == State::Pending);
    statements.doubt(digest(2));
    CHECK(statements.use(digest(2), 0) == State::Absent);
}

TEST_CASE("prepared: what is closed twice at a time is gone with the second one only") {
    ServerStatements statements;
    const Digest128 digest{1};
    statements.add_pending(digest, 8, 1);
    statements.confirm(digest);
    statements.begin_close(digest);
    statements.add_pending(digest, 8, 1);  // behind the Close
    statements.begin_close(digest);
    statements.closed(digest);  // the first of them
    CHECK(statements.use(digest, 1) == State::Doubtful);
    SUBCASE("which was answered") {
        statements.closed(digest);
        CHECK(statements.use(digest, 1) == State::Absent);
    }
    SUBCASE("also if the first one was skipped meanwhile") {
        statements.close_skipped(digest);
        statements.confirm(digest);
        statements.closed(digest);
        CHECK(statements.use(digest, 1) == State::Doubtful);
    }
    SUBCASE("unless it was skipped") {
        statements.close_skipped(digest);
        CHECK(statements.use(digest, 1) == State::Doubtful);
    }
}

TEST_CASE("prepared: clearing forgets all, and bytes too") {
    ServerStatements statements;
    add(statements, 1, 900);
    add(statements, 2, 900);
    statements.clear();
    CHECK(statements.size() == 0);
    add(statements, 3, 500);
    add(statements, 4, 500);
    Digest128 oldest{};
    CHECK_FALSE(statements.over_limit(2, 1000, oldest));
}

TEST_CASE("prepared: a name that is put again is counted once") {
    StatementCache cache;
    ClientStatements client;
    client.put("a", cache.intern(as_bytes("SELECT 1")));
    client.put("a", cache.intern(as_bytes("SELECT 22")));
    CHECK(client.bytes() == 128 + 1 + 9);
}

}  // namespace pgweir::session
