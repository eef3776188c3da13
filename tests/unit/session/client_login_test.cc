#include "pgweir/auth/md5.h"
#include "pgweir/auth/scram.h"
#include "rig.h"
#include "session/parts.h"

#include <map>
#include <set>

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

void ask_for_md5(Rig& rig) {
    rig.config.auth.method = config::AuthMethod::Md5;
    rig.add_user("ann", "secret");
}

void ask_for_scram(Rig& rig) {
    rig.config.auth.method = config::AuthMethod::ScramSha256;
    rig.add_user("ann", auth::to_text(auth::make_scram_verifier("secret", "salt", 2)));
}

std::string sasl_initial(std::string_view mechanism, std::string_view data) {
    return message('p',
                   text(mechanism) + be32(static_cast<uint32_t>(data.size())) + std::string(data));
}

/// Plays a SCRAM login with this password; true when the server accepted and proved itself.
bool scram(Rig& rig, FakeStream& client, std::string_view password) {
    REQUIRE(client.take() == message('R', be32(10) + text("SCRAM-SHA-256") + '\0'));
    auth::ScramClient libpq(Secret{std::string(password)}, "nonce");
    rig.say(client, sasl_initial("SCRAM-SHA-256", libpq.client_first()));
    const std::string challenge = body_of(client.take(), 'R');
    REQUIRE(challenge.substr(0, 4) == be32(11));
    const auto proof = libpq.on_server_first(challenge.substr(4));
    REQUIRE(proof.has_value());
    rig.say(client, message('p', *proof));
    const std::string last = body_of(client.sent, 'R');
    if (last.substr(0, 4) != be32(12)) return false;
    return libpq.on_server_final(last.substr(4)).has_value();
}

std::string md5_answer(FakeStream& client, std::string_view password) {
    const std::string challenge = body_of(client.take(), 'R');
    REQUIRE(challenge.size() == 8);
    REQUIRE(challenge.substr(0, 4) == be32(5));
    const Bytes salt = as_bytes(challenge).subspan(4);
    return message('p',
                   text(auth::md5_response(auth::md5_verifier(password, "ann"), salt.first<4>())));
}

Rig& plain_rig(Rig& rig) {
    rig.log_in();
    return rig;
}

}  // namespace

TEST_CASE("client login: the first client of a pool waits until a server says what it may see") {
    Rig rig;
    FakeStream& client = rig.begin_login();
    CHECK(client.sent.empty());
    FakeStream& server = rig.open();
    CHECK(client.sent.empty());
    rig.say(server, message('I') + ready());

    const auto told = split(client.take());
    CHECK(told.front().type == 'R');
    CHECK(told.front().body == be32(0));
    CHECK(told.back().type == 'Z');
    CHECK(told.back().body == "I");
    CHECK(count(rig, ClientState::Idle) == 1);
    CHECK(count(rig, ServerState::Idle) == 1);
    CHECK(rig.process.share.logins.load() == 0);
    CHECK(rig.process.share.clients.load() == 1);
}

TEST_CASE("client login: everything that the server reports is passed on, in one write") {
    Rig rig;
    FakeStream& client = rig.begin_login({
        {"application_name", "psql"}
    });
    rig.open(0, {
                    {"TimeZone", "Asia/Tokyo"}
    });
    rig.say(rig.server_of(client), message('I') + parameter("application_name", "psql") + ready());
    CHECK(client.sends == 1);
    std::map<std::string, std::string> reported;
    for (const auto& each : split(client.sent)) {
        if (each.type != 'S') continue;
        const size_t end = each.body.find('\0');
        reported[each.body.substr(0, end)] = each.body.substr(end + 1, each.body.size() - end - 2);
    }
    CHECK(reported.size() == 7);
    CHECK(reported["TimeZone"] == "Asia/Tokyo");
    CHECK(reported["application_name"] == "psql");
    CHECK(reported["server_version"] == "15.6");
}

TEST_CASE("client login: the next client with the same wishes needs no server") {
    Rig rig;
    rig.log_in({
        {"DateStyle", "German"}
    });
    FakeStream& server = rig.idle_server();
    server.take();
    FakeStream& alike = rig.begin_login({
        {"datestyle",        "German"},
        {"application_name", "second"}
    });
    CHECK(types(alike.sent).back() == 'Z');
    CHECK(alike.sent.find(parameter("application_name", "second")) != std::string::npos);
    CHECK(server.sent.empty());

    FakeStream& different = rig.begin_login({
        {"datestyle", "SQL"}
    });
    CHECK(different.sent.empty());
    CHECK(types(server.sent) == "Q");
}

TEST_CASE("client login: a startup packet may come in pieces") {
    Rig rig;
    plain_rig(rig);
    FakeStream& client = rig.connect();
    rig.dribble(client, startup({
                            {"user",     "ann"},
                            {"database", "app"}
    }));
    CHECK(types(client.sent).back() == 'Z');
}

TEST_CASE("client login: queries that are sent along with the startup packet are not lost") {
    Rig rig;
    FakeStream& client = rig.connect();
    rig.say(client, startup({
                        {"user",     "ann"},
                        {"database", "app"}
    }) +
                        query("SELECT 1"));
    FakeStream& server = rig.open();
    server.take();
    rig.say(server, message('I') + ready());
    CHECK(types(client.sent).back() == 'Z');
    CHECK(server.take() == query("SELECT 1"));
}

TEST_CASE("client login: without a database's name it is the user's") {
    Rig rig([](Rig& made) {
        made.config.databases["ann"].name = "ann";
        made.config.databases["ann"].cluster = "main";
    });
    FakeStream& client = rig.connect();
    rig.say(client, startup({
                        {"user", "ann"}
    }));
    CHECK_FALSE(client.closed);
    CHECK(rig.engine().pool("ann", "ann").clients == 1);
}

TEST_CASE("client login: encryption is declined with N, and the login goes on") {
    Rig rig;
    plain_rig(rig);
    FakeStream& client = rig.connect();
    rig.say(client, packet(be16(1234) + be16(5680)));
    CHECK(client.take() == "N");
    rig.say(client, packet(be16(1234) + be16(5679)));
    CHECK(client.take() == "N");
    rig.say(client, startup({
                        {"user",     "ann"},
                        {"database", "app"}
    }));
    CHECK(types(client.sent).back() == 'Z');
}

TEST_CASE("client login: bytes behind an encryption request are refused") {
    for (const unsigned code : {5679u, 5680u}) {
        Rig rig;
        FakeStream& client = rig.connect();
        rig.say(client,
                packet(be16(1234) + be16(code)) + startup({
                                                      {"user",     "ann"},
                                                      {"database", "app"}
        }));
        CHECK(client.sent[0] == 'N');
        CHECK(sqlstate_of(client.sent.substr(1)) == "08P01");
        CHECK(client.closed);
        CHECK(rig.engine().stats().protocol_errors == 1);
    }
}

TEST_CASE("client login: what is no startup packet ends the connection") {
    Rig rig;
    for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), be32(4),
                                     be32(10001) + be16(3), packet(be16(3) + be16(0) + "user")}) {
        FakeStream& client = rig.connect();
        rig.say(client, bytes);
        CHECK(sqlstate_of(client.sent) == "08P01");
        CHECK(client.closed);
    }
    CHECK(rig.engine().client_count() == 0);
    CHECK(rig.process.share.clients.load() == 0);
    CHECK(rig.process.share.logins.load() == 0);
}

TEST_CASE("client login: another major version is not spoken") {
    Rig rig;
    FakeStream& client = rig.connect();
    rig.say(client, packet(be16(2) + be16(0) + std::string(1, '\0')));
    CHECK(sqlstate_of(client.sent) == "0A000");
    CHECK(client.closed);
}

TEST_CASE("client login: keys have 4 bytes up to protocol 3.1 and 32 from 3.2 on") {
    Rig rig;
    plain_rig(rig);
    const std::map<unsigned, uint32_t> key_bytes{
        {0, 4 },
        {1, 4 },
        {2, 32},
        {9, 32}
    };
    for (const auto& entry : key_bytes) {
        // clang 14 does not let a lambda, which CAPTURE is, see structured bindings.
        const unsigned minor = entry.first;
        const uint32_t bytes = entry.second;
        CAPTURE(minor);
        FakeStream& client = rig.connect();
        rig.say(client, startup(
                            {
                                {"user",     "ann"},
                                {"database", "app"}
        },
                            minor));
        CHECK(body_of(client.sent, 'K').size() == 4 + bytes);
    }
}

TEST_CASE("client login: no two clients have the same key") {
    Rig rig;
    plain_rig(rig);
    std::set<std::string> keys;
    for (int i = 0; i < 50; ++i) {
        keys.insert(body_of(rig.begin_login().sent, 'K'));
    }
    CHECK(keys.size() == 50);
}

TEST_CASE("client login: a newer minor version is negotiated down to 3.2") {
    Rig rig;
    plain_rig(rig);
    FakeStream& client = rig.connect();
    rig.say(client, startup(
                        {
                            {"user",     "ann"},
                            {"database", "app"}
    },
                        9));
    CHECK(types(client.sent).substr(0, 2) == "vR");
    CHECK(body_of(client.sent, 'v') == be16(3) + be16(2) + be32(0));
}

TEST_CASE("client login: protocol options that are not known are named, and are no settings") {
    Rig rig;
    plain_rig(rig);
    FakeStream& client = rig.connect();
    rig.say(client,
            startup({
                {"user",        "ann"},
                {"_pq_.first",  "1"  },
                {"database",    "app"},
                {"_pq_.second", "x"  }
    }));
    CHECK(body_of(client.sent, 'v') ==
          be16(3) + be16(0) + be32(2) + text("_pq_.first") + text("_pq_.second"));
    CHECK(types(client.sent).back() == 'Z');
}

TEST_CASE("client login: a user has to be named") {
    Rig rig;
    FakeStream& client = rig.connect();
    rig.say(client, startup({
                        {"database", "app"}
    }));
    CHECK(sqlstate_of(client.sent) == "28000");
    CHECK(client.closed);
    CHECK(rig.engine().stats().login_failures == 1);
}

TEST_CASE("client login: options that are no settings are refused") {
    Rig rig;
    FakeStream& client = rig.begin_login({
        {"options", "-d 5"}
    });
    CHECK(sqlstate_of(client.sent) == "42601");
    CHECK(client.closed);
}

TEST_CASE("client login: md5 lets the right password in") {
    Rig rig(ask_for_md5);
    FakeStream& client = rig.begin_login();
    rig.say(client, md5_answer(client, "secret"));
    CHECK_FALSE(client.closed);
    CHECK(count(rig, ClientState::Waiting) == 1);
}

TEST_CASE("client login: md5 keeps the wrong password out") {
    Rig rig(ask_for_md5);
    FakeStream& client = rig.begin_login();
    rig.say(client, md5_answer(client, "guess"));
    CHECK(sqlstate_of(client.sent) == "28P01");
    CHECK(client.closed);
    CHECK(rig.engine().stats().login_failures == 1);
    CHECK(rig.shell().connects.empty());
}

TEST_CASE("client login: the same md5 answer does not fit a second challenge") {
    Rig rig(ask_for_md5);
    FakeStream& first = rig.begin_login();
    const std::string answer = md5_answer(first, "secret");
    FakeStream& second = rig.begin_login();
    rig.say(second, answer);
    CHECK(sqlstate_of(second.take().substr(13)) == "28P01");
    CHECK(second.closed);
}

TEST_CASE("client login: SCRAM lets the right password in and proves that the server knows it") {
    Rig rig(ask_for_scram);
    FakeStream& client = rig.begin_login();
    CHECK(scram(rig, client, "secret"));
    CHECK_FALSE(client.closed);
    CHECK(count(rig, ClientState::Waiting) == 1);
}

TEST_CASE("client login: with the keys that a client proved pgweir logs in at the server") {
    Rig rig(ask_for_scram);
    const auto verifier = auth::make_scram_verifier("secret", "salt", 2);
    FakeStream& client = rig.begin_login();
    REQUIRE(scram(rig, client, "secret"));
    FakeStream& server = *rig.next_connect();
    server.owner->on_connected();
    server.take();
    rig.say(server, message('R', be32(10) + text("SCRAM-SHA-256") + '\0'));
    auth::ScramServer postgres(verifier, "nonce");
    const auto challenge = postgres.on_client_first(body_of(server.take(), 'p').substr(18));
    REQUIRE(challenge.has_value());
    rig.say(server, message('R', be32(11) + *challenge));
    CHECK(postgres.on_client_final(body_of(server.take(), 'p')).has_value());
}

TEST_CASE("client login: a forced user of the database is not logged in with the client's keys") {
    Rig rig([](Rig& made) {
        ask_for_scram(made);
        made.config.databases["app"].user = "owner";
    });
    FakeStream& client = rig.begin_login();
    REQUIRE(scram(rig, client, "secret"));
    FakeStream& server = *rig.next_connect();
    server.owner->on_connected();
    server.take();
    rig.say(server, message('R', be32(10) + text("SCRAM-SHA-256") + '\0'));
    CHECK(server.sent.empty());
    CHECK(server.closed);
}

TEST_CASE("client login: SCRAM keeps the wrong password out") {
    Rig rig(ask_for_scram);
    FakeStream& client = rig.begin_login();
    CHECK_FALSE(scram(rig, client, "guess"));
    CHECK(sqlstate_of(client.sent) == "28P01");
    CHECK(client.closed);
}

TEST_CASE("client login: a user that does not exist sees the same exchange and the same refusal") {
    Rig rig(ask_for_scram);
    FakeStream& known = rig.begin_login();
    scram(rig, known, "guess");
    FakeStream& stranger = rig.connect();
    rig.say(stranger, startup({
                          {"user",     "eve"},
                          {"database", "app"}
    }));
    CHECK_FALSE(scram(rig, stranger, "guess"));
    CHECK(sqlstate_of(stranger.sent) == sqlstate_of(known.sent));
    CHECK(field_of(stranger.sent, 'M') == "password authentication failed for user \"eve\"");
}

TEST_CASE("client login: a SCRAM mechanism that was not offered is refused") {
    Rig rig(ask_for_scram);
    FakeStream& client = rig.begin_login();
    client.take();
    rig.say(client, sasl_initial("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=x"));
    CHECK(sqlstate_of(client.sent) == "08P01");
    CHECK(client.closed);
}

TEST_CASE("client login: whether a database exists is told only after the password was right") {
    Rig rig(ask_for_scram);
    FakeStream& right = rig.connect();
    rig.say(right, startup({
                       {"user",     "ann"    },
                       {"database", "nowhere"}
    }));
    CHECK(scram(rig, right, "secret"));
    CHECK(sqlstate_of(right.sent) == "3D000");
    CHECK(right.closed);

    FakeStream& wrong = rig.connect();
    rig.say(wrong, startup({
                       {"user",     "ann"    },
                       {"database", "nowhere"}
    }));
    CHECK_FALSE(scram(rig, wrong, "guess"));
    CHECK(sqlstate_of(wrong.sent) == "28P01");
}

TEST_CASE("client login: trust with a users file lets its users in and nobody else") {
    Rig rig([](Rig& made) {
        made.config.auth.users_file = "users.txt";
        made.add_user("ann", "");
    });
    CHECK_FALSE(rig.begin_login().closed);
    FakeStream& stranger = rig.connect();
    rig.say(stranger, startup({
                          {"user",     "eve"},
                          {"database", "app"}
    }));
    CHECK(sqlstate_of(stranger.sent) == "28P01");
    CHECK(stranger.closed);
}

TEST_CASE("client login: only a password message fits while it is asked for") {
    Rig rig(ask_for_md5);
    FakeStream& client = rig.begin_login();
    client.take();
    rig.say(client, query("SELECT 1"));
    CHECK(sqlstate_of(client.sent) == "08P01");
    CHECK(client.closed);
    CHECK(rig.engine().stats().protocol_errors == 1);

    FakeStream& leaving = rig.begin_login();
    leaving.take();
    rig.say(leaving, message('X'));
    CHECK(leaving.sent.empty());
    CHECK(leaving.closed);
    CHECK(rig.engine().stats().protocol_errors == 1);
}

TEST_CASE("client login: a proof of boundless length is refused by its header") {
    Rig rig(ask_for_md5);
    FakeStream& client = rig.begin_login();
    client.take();
    rig.say(client, 'p' + be32(1u << 20));
    CHECK(client.closed);
}

TEST_CASE("client login: the console is for those that the configuration names") {
    Rig rig([](Rig& made) {
        made.config.admin.users = {"ops"};
        made.config.admin.viewers = {"grafana"};
    });
    const auto enter = [&](std::string_view user, std::string_view database) -> FakeStream& {
        FakeStream& client = rig.connect();
        rig.say(client, startup({
                            {"user",     std::string(user)    },
                            {"database", std::string(database)}
        }));
        return client;
    };
    FakeStream& admin = enter("ops", "pgweir");
    CHECK(types(admin.take()).back() == 'Z');
    FakeStream& viewer = enter("grafana", "pgbouncer");
    CHECK(types(viewer.take()).back() == 'Z');
    FakeStream& other = enter("ann", "pgbouncer");
    CHECK(sqlstate_of(other.sent) == "28000");
    CHECK(other.closed);

    rig.say(admin, query("SHOW POOLS"));
    rig.say(viewer, query("SHOW STATS"));
    REQUIRE(rig.shell().console_asked.size() == 2);
    CHECK(rig.shell().console_asked[0].role == ConsoleRole::Admin);
    CHECK(rig.shell().console_asked[0].sql == "SHOW POOLS");
    CHECK(rig.shell().console_asked[1].role == ConsoleRole::Viewer);
    CHECK(count(rig, ClientState::Console) == 2);
}

TEST_CASE("client login: limits of clients and of logins refuse with 53300 at the startup packet") {
    SUBCASE("clients") {
        Rig rig([](Rig& made) { made.config.limits.clients = 2; });
        rig.connect();
        rig.connect();
        FakeStream& third = rig.begin_login();
        CHECK(sqlstate_of(third.sent) == "53300");
        CHECK(third.closed);
        CHECK(rig.engine().stats().refused == 1);
        CHECK(rig.process.share.clients.load() == 2);
        CHECK(rig.process.share.logins.load() == 2);
    }
    SUBCASE("logins") {
        Rig rig([](Rig& made) { made.config.limits.logins_in_flight = 1; });
        FakeStream& first = rig.log_in();
        CHECK_FALSE(first.closed);
        CHECK_FALSE(rig.connect().closed);
        FakeStream& one_too_many = rig.begin_login();
        CHECK(sqlstate_of(one_too_many.sent) == "53300");
        CHECK(one_too_many.closed);
    }
    SUBCASE("who only connects is cut off where both limits are reached together") {
        Rig rig([](Rig& made) {
            made.config.limits.clients = 1;
            made.config.limits.logins_in_flight = 1;
        });
        CHECK_FALSE(rig.connect().closed);
        CHECK_FALSE(rig.connect().closed);
        CHECK(rig.connect().closed);
    }
    SUBCASE("who leaves makes room") {
        Rig rig([](Rig& made) { made.config.limits.clients = 1; });
        rig.lose(rig.connect());
        CHECK(sqlstate_of(rig.begin_login().sent) != "53300");
    }
}

TEST_CASE("client login: max_clients of a database and of a user") {
    Rig rig([](Rig& made) {
        made.config.databases["app"].pool.max_clients = 2;
        made.config.users["bob"].pool.max_clients = 1;
    });
    const auto bob = [&]() -> FakeStream& {
        FakeStream& client = rig.connect();
        rig.say(client, startup({
                            {"user",     "bob"},
                            {"database", "app"}
        }));
        return client;
    };
    FakeStream& first = bob();
    CHECK_FALSE(first.closed);
    FakeStream& second = bob();
    CHECK(sqlstate_of(second.sent) == "53300");
    CHECK(field_of(second.sent, 'M') == "too many clients for user \"bob\"");
    CHECK_FALSE(rig.begin_login().closed);
    FakeStream& third = rig.begin_login();
    CHECK(field_of(third.sent, 'M') == "too many clients for database \"app\"");
    rig.lose(first);
    CHECK_FALSE(bob().closed);
    CHECK(rig.process.databases["app"].clients.load() == 2);
    CHECK(rig.process.users["bob"].clients.load() == 1);
}

TEST_CASE("client login: a login that takes too long is ended") {
    Rig rig([](Rig& made) {
        made.config.timeouts.login = 15s;
        made.config.auth.method = config::AuthMethod::Md5;
    });
    FakeStream& silent = rig.connect();
    FakeStream& thinking = rig.begin_login();
    thinking.take();
    rig.pass(14s);
    CHECK_FALSE(silent.closed);
    rig.pass(1s);
    CHECK(silent.closed);
    CHECK(thinking.closed);
    CHECK(sqlstate_of(thinking.sent) == "57014");
    CHECK(rig.engine().stats().login_failures == 2);
}

TEST_CASE("client login: the first client hears why no server can be had") {
    Rig rig;
    FakeStream& client = rig.begin_login();
    FakeStream& server = *rig.next_connect();
    server.owner->on_connected();
    rig.say(server, failure("3D000", "database \"app\" does not exist", "FATAL"));
    CHECK(sqlstate_of(client.sent) == "3D000");
    CHECK(client.closed);
    CHECK(rig.process.share.clients.load() == 0);
}

TEST_CASE("client login: the application's name makes no difference to what is asked") {
    CHECK(welcome_key({
              {"application_name", "a"  },
              {"TimeZone",         "UTC"}
    }) ==
          welcome_key({{"application_name", "b"}, {"TimeZone", "UTC"}}));
    CHECK(welcome_key({
              {"a", "bc"}
    }) != welcome_key({{"ab", "c"}}));
}

}  // namespace pgweir::session
