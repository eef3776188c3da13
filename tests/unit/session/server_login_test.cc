#include "pgweir/auth/md5.h"
#include "pgweir/auth/scram.h"
#include "rig.h"

namespace pgweir::session {
namespace {

using namespace std::chrono_literals;

std::string challenge(uint32_t kind, std::string_view data = {}) {
    return message('R', be32(kind) + std::string(data));
}

void with_password(Rig& rig) {
    rig.config.databases["app"].user = "owner";
    rig.config.databases["app"].password = Secret("secret");
}

/// A client that waits for the first server of its pool, and that server, connected.
struct Scene {
    template <class Change>
    explicit Scene(Change&& change) : rig(std::forward<Change>(change)), client(rig.begin_login()) {
        server = rig.next_connect();
        REQUIRE(server != nullptr);
        server->owner->on_connected();
        rig.turn();
        greeting = server->take();
    }

    Scene() : Scene([](Rig&) {}) {}

    void reply(std::string_view bytes) { rig.say(*server, bytes); }

    bool logged_in() { return rig.pool().stats.servers_opened == 1; }

    Rig rig;
    FakeStream& client;
    FakeStream* server = nullptr;
    std::string greeting;
};

}  // namespace

TEST_CASE("server login: it says who it is as soon as the connection stands") {
    Scene scene;
    CHECK(scene.greeting ==
          startup({
              {"user",          "ann"},
              {"database",      "app"},
              {"pgweir.pinned", ""   },
              {"pgweir.token",  ""   }
    }));
    CHECK(scene.rig.shell().nodes.front().host == "10.0.0.9");
}

TEST_CASE("server login: the database entry may name another user and another database") {
    Scene scene([](Rig& rig) {
        with_password(rig);
        rig.config.databases["app"].dbname = "app_production";
    });
    CHECK(scene.greeting == startup({
                                {"user",          "owner"         },
                                {"database",      "app_production"},
                                {"pgweir.pinned", ""              },
                                {"pgweir.token",  ""              }
    }));
}

TEST_CASE("server login: byte by byte, with notices, it ends at ReadyForQuery") {
    Scene scene;
    scene.rig.dribble(*scene.server, message('N', std::string(1, '\0')) + Rig::server_login());
    CHECK(scene.logged_in());
    ServerConn& server = server_in(scene.rig, ServerState::Syncing);
    CHECK(server.key.pid == 4711);
    CHECK(server.key.key == "key!");
    CHECK(server.base.find("TimeZone") == "Etc/UTC");
}

TEST_CASE("server login: a password in clear text is sent when it is known") {
    Scene scene(with_password);
    scene.reply(challenge(3));
    CHECK(scene.server->take() == message('p', text("secret")));
    scene.reply(Rig::server_login());
    CHECK(scene.logged_in());
}

TEST_CASE("server login: md5 from a plain secret and from an md5 one") {
    for (const bool hashed : {false, true}) {
        Scene scene([&](Rig& rig) {
            with_password(rig);
            if (hashed)
                rig.config.databases["app"].password =
                    Secret(auth::md5_verifier("secret", "owner"));
        });
        scene.reply(challenge(5, "salt"));
        const Bytes salt = as_bytes("salt");
        CHECK(scene.server->take() ==
              message('p', text(auth::md5_response(auth::md5_verifier("secret", "owner"),
                                                   salt.first<4>()))));
        scene.reply(Rig::server_login());
        CHECK(scene.logged_in());
    }
}

TEST_CASE("server login: the secret of the users file is used when the database names none") {
    Scene scene([](Rig& rig) { rig.add_user("ann", "from the file"); });
    scene.reply(challenge(3));
    CHECK(scene.server->take() == message('p', text("from the file")));
}

TEST_CASE("server login: SCRAM, with proofs of both sides") {
    Scene scene(with_password);
    scene.reply(challenge(10, text("SCRAM-SHA-256-PLUS") + text("SCRAM-SHA-256") + '\0'));
    const std::string first = body_of(scene.server->take(), 'p');
    REQUIRE(first.substr(0, 14) == text("SCRAM-SHA-256"));
    auth::ScramServer postgres(auth::make_scram_verifier("secret", "salt", 2), "nonce");
    const auto answer = postgres.on_client_first(first.substr(18));
    REQUIRE(answer.has_value());

    SUBCASE("all is well") {
        scene.reply(challenge(11, *answer));
        const auto last = postgres.on_client_final(body_of(scene.server->take(), 'p'));
        REQUIRE(last.has_value());
        scene.reply(challenge(12, *last) + Rig::server_login());
        CHECK(scene.logged_in());
    }
    SUBCASE("a server that skips its proof is not believed") {
        scene.reply(challenge(11, *answer));
        scene.reply(Rig::server_login());
        CHECK_FALSE(scene.logged_in());
        CHECK(scene.server->closed);
    }
    SUBCASE("a server with a wrong proof is not believed") {
        scene.reply(challenge(11, *answer));
        scene.reply(challenge(12, "v=" + std::string(43, 'A') + "=") + Rig::server_login());
        CHECK_FALSE(scene.logged_in());
        CHECK(scene.server->closed);
    }
}

TEST_CASE("server login: what cannot be answered ends it, and the client hears why") {
    struct Row {
        std::string challenge;
        bool password;
    };

    for (const Row& row : {
             Row{challenge(3),                   false                         },
             Row{challenge(5,                    "salt"),                        false},
             Row{challenge(5,                              "sal"),                                                  true},
             Row{challenge(10,                          text("SCRAM-SHA-256") + '\0'),       false},
             Row{challenge(10,text("OAUTHBEARER") + '\0'),true},
             Row{challenge(11,                   "r=x"),                                               true},
             Row{challenge(7),                              true                                                }
    }) {
        CAPTURE(row.challenge);
        Scene scene([&](Rig& rig) {
            if (row.password) with_password(rig);
        });
        scene.reply(row.challenge);
        CHECK(scene.server->closed);
        CHECK(sqlstate_of(scene.client.sent) == "28000");
        CHECK(scene.client.closed);
        CHECK(scene.rig.pool().share.open.load() == 0);
    }
}

TEST_CASE("server login: what is not PostgreSQL's protocol ends it") {
    for (const std::string& bytes :
         {std::string("HTTP/1.1 400 Bad Request"), message('R', "x"), message('S', "no end"),
          message('K', be32(1)), message('Z', "?"), message('Z', "T"), message('D', be16(0)),
          'S' + be32(70000)}) {
        CAPTURE(bytes);
        Scene scene;
        scene.reply(bytes);
        CHECK(scene.server->closed);
        CHECK(scene.rig.pool().stats.servers_failed == 1);
    }
}

TEST_CASE("server login: a refusal that waiting cannot mend is told at once") {
    for (const char* code : {"28P01", "28000", "3D000"}) {
        Scene scene;
        scene.reply(failure(code, "no", "FATAL"));
        CHECK(sqlstate_of(scene.client.sent) == code);
        CHECK(field_of(scene.client.sent, 'M') == "no");
        CHECK(scene.client.closed);
    }
}

TEST_CASE(
    "server login: a refusal that may pass is waited out, and told at the end of the patience") {
    Scene scene([](Rig& rig) { rig.config.timeouts.query_wait = 10s; });
    scene.reply(failure("57P03", "the database system is starting up", "FATAL"));
    CHECK_FALSE(scene.client.closed);
    scene.rig.pass(1s);
    CHECK(scene.rig.shell().connects.size() == 1);
    scene.rig.lose(*scene.rig.next_connect(), "connection refused");
    scene.rig.pass(9s);
    CHECK(scene.client.closed);
    CHECK(sqlstate_of(scene.client.sent) == "57P03");
    CHECK(field_of(scene.client.sent, 'D').find("connection refused") != std::string::npos);
}

TEST_CASE("server login: with a server left, a refusal keeps nobody from waiting for it") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 2; });
    FakeStream& first = rig.log_in();
    FakeStream& second = rig.log_in();
    FakeStream& good = rig.idle_server();
    rig.say(first, query("SELECT 1"));
    rig.say(second, query("SELECT 2"));
    FakeStream& bad = *rig.next_connect();
    bad.owner->on_connected();
    rig.say(bad, failure("28P01", "password was changed", "FATAL"));
    CHECK_FALSE(second.closed);
    good.take();
    rig.answer(good);
    CHECK(good.take() == query("SELECT 2"));
}

TEST_CASE("server login: tries are spaced out, one at a time, until one succeeds") {
    Rig rig([](Rig& made) { made.config.timeouts.server_retry_max = 1s; });
    rig.log_in();
    rig.engine().reconnect("");
    rig.turn();
    for (int i = 0; i < 4; ++i) rig.say(rig.begin_login(), query("SELECT 1"));
    REQUIRE(rig.shell().connects.size() == 4);
    while (FakeStream* server = rig.next_connect()) rig.lose(*server, "connection refused");
    CHECK(rig.pool().back_off.failures() == 1);  // opened together, failed together
    CHECK(rig.shell().connects.empty());
    rig.pass(1s);
    CHECK(rig.shell().connects.size() == 1);
    rig.open();
    CHECK(rig.pool().back_off.failures() == 0);
    CHECK(rig.shell().connects.size() == 3);
}

TEST_CASE("server login: a server that takes too long is given up") {
    SUBCASE("to connect") {
        Rig rig([](Rig& made) { made.config.timeouts.server_connect = 5s; });
        rig.begin_login();
        FakeStream& server = *rig.next_connect();
        rig.pass(6s);
        CHECK(server.closed);
        CHECK(rig.pool().stats.servers_failed == 1);
    }
    SUBCASE("to log us in") {
        Scene scene([](Rig& made) { made.config.timeouts.server_connect = 5s; });
        scene.rig.pass(6s);
        CHECK(scene.server->closed);
    }
}

TEST_CASE("server login: when a server's own settings have changed, clients are asked for again") {
    Rig rig([](Rig& made) { made.config.pool.pool_size = 1; });
    rig.log_in();
    rig.engine().reconnect("");
    rig.turn();
    FakeStream& client = rig.begin_login();
    CHECK(types(client.take()).back() == 'Z');  // still known
    rig.say(client, query("SELECT 1"));
    rig.open(0, {
                    {"server_version", "16.2"}
    });
    CHECK(rig.pool().welcomes.empty());
    CHECK(rig.pool().base.find("server_version") == "16.2");
}

}  // namespace pgweir::session
