#include "pgweir/route/token.h"
#include "routing_scene.h"
#include "session/parts.h"

/// What sessions have to be shown, and how they are told of it.
namespace pgweir::session {
namespace {

const std::string kShow = query("SHOW pgweir.token");

std::string set_token(const std::string& token) {
    return query("SET pgweir.token = '" + token + "'");
}

/// The client has written, at a number that the second standby has not shown.
struct WrittenScene : Scene {
    WrittenScene() {
        say(*client, kWrite);
        primary->take();
        answer(*primary, "DELETE 1");
        client->take();
        sample = progress->next_sample();
    }

    std::string token(uint64_t number, uint32_t epoch = 1) const {
        return route::to_text({progress->process(), epoch, number});
    }

    /// Where another client reads that logged in with this token.
    FakeStream& read_with(const std::string& given) {
        FakeStream& other = log_in({
            {"pgweir.token", given}
        });
        say(other, kRead);
        return other;
    }

    uint64_t sample = 0;
};

}  // namespace

TEST_CASE("tokens: SHOW tells what the session has to be shown") {
    WrittenScene scene;
    scene.say(*scene.client, kShow);
    CHECK(scene.primary->take() == set_token(scene.token(scene.sample)) + kShow);
    // What pgweir asked is not the client's.
    scene.say(*scene.primary, kRow + complete("SELECT 1") + ready());
    CHECK(scene.client->take().empty());
    scene.say(*scene.primary, kRow + complete("SHOW") + ready());
    CHECK(scene.client->take() == kRow + complete("SHOW") + ready());
}

TEST_CASE("tokens: SHOW in a transaction, behind what is not answered yet") {
    WrittenScene scene;
    scene.say(*scene.client, query("BEGIN") + kShow);
    CHECK(scene.primary->take() == query("BEGIN") + set_token(scene.token(scene.sample)) + kShow);
    scene.say(*scene.primary, complete("BEGIN") + ready('T') + complete("SET") + ready('T') + kRow +
                                  complete("SHOW") + ready('T'));
    CHECK(scene.client->take() ==
          complete("BEGIN") + ready('T') + kRow + complete("SHOW") + ready('T'));
}

TEST_CASE(
    "tokens: behind a write that is not told yet, or a token that was set, all is asked for") {
    WrittenScene scene;
    const std::string everything = set_token(scene.token(UINT64_MAX));
    SUBCASE("in the same transaction") {
        scene.say(*scene.client, query("BEGIN"));
        scene.say(*scene.primary, complete("BEGIN") + ready('T'));
        scene.say(*scene.client, kWrite);
        scene.say(*scene.primary, complete("DELETE 1") + ready('T'));
    }
    SUBCASE("in the request before") {
        scene.say(*scene.client, kWrite);
    }
    SUBCASE("set in the same transaction") {
        scene.say(*scene.client, query("BEGIN"));
        scene.say(*scene.primary, complete("BEGIN") + ready('T'));
        scene.say(*scene.client, query("SET pgweir.token = '1-1-1'"));
        scene.say(*scene.primary, complete("SET") + ready('T'));
    }
    scene.primary->take();
    scene.say(*scene.client, kShow);
    CHECK(scene.primary->take() == everything + kShow);
}

TEST_CASE("tokens: SHOW behind a batch without an end waits for nothing") {
    WrittenScene scene;
    const std::string batch = parse("", "SELECT 1") + bind_to("") + execute();
    scene.say(*scene.client, batch);
    scene.primary->take();
    scene.say(*scene.client, kShow);
    CHECK(types(scene.primary->take()) == "PBEPBECQ");  // a query in front would commit it
}

TEST_CASE("tokens: what pgweir could not put there costs the client nothing") {
    WrittenScene scene;
    scene.say(*scene.client, kShow);
    scene.primary->take();
    scene.say(*scene.primary, failure("57014", "canceling statement due to statement timeout") +
                                  ready() + kRow + complete("SHOW") + ready());
    CHECK(scene.client->take() == kRow + complete("SHOW") + ready());
    scene.say(*scene.client, kWrite);
    CHECK_FALSE(scene.client->closed);
}

TEST_CASE("tokens: SHOW in a failed transaction is refused by PostgreSQL") {
    WrittenScene scene;
    scene.say(*scene.client, query("BEGIN"));
    scene.say(*scene.primary, complete("BEGIN") + ready('E'));
    scene.client->take();
    scene.primary->take();
    scene.say(*scene.client, kShow);
    const std::string refused = failure("25P02", "no");
    CHECK(scene.primary->take() == kShow);
    scene.say(*scene.primary, refused + ready('E'));
    CHECK(scene.client->take() == refused + ready('E'));
}

TEST_CASE("tokens: SHOW by the extended protocol") {
    WrittenScene scene;
    scene.say(*scene.client, parse("", "SHOW pgweir.token") + bind_to("") + execute() + sync());
    const std::string sent = scene.primary->take();
    CHECK(types(sent) == "PPBECBES");  // its own Parse, and what stands in front of its Bind
    CHECK(sent.find(scene.token(scene.sample)) != std::string::npos);
    scene.say(*scene.primary, message('1') + message('1') + message('2') + message('D', be16(0)) +
                                  complete("SELECT 1") + message('3') + message('2') +
                                  message('D', be16(0)) + complete("SHOW") + ready());
    CHECK(scene.client->take() ==
          message('1') + message('2') + message('D', be16(0)) + complete("SHOW") + ready());
}

TEST_CASE("tokens: the next client of that server finds none") {
    WrittenScene scene;
    scene.say(*scene.client, kShow);
    scene.primary->take();
    scene.say(*scene.primary,
              kRow + complete("SELECT 1") + ready() + kRow + complete("SHOW") + ready());
    FakeStream& other = scene.log_in();
    scene.say(other, kWrite);
    CHECK(scene.primary->take() == query("RESET \"pgweir.token\""));
}

TEST_CASE("tokens: a connection that begins with one waits for what it tells of") {
    WrittenScene scene;
    scene.progress->publish(1, scene.sample - 1);
    scene.read_with(scene.token(scene.sample));
    CHECK(scene.primary->take() == kRead);
    scene.answer(*scene.primary);
    scene.progress->publish(1, scene.progress->begin_question());
    scene.read_with(scene.token(scene.sample));
    CHECK(scene.primary->sent.empty());
    CHECK(scene.open_standby().take() == kRead);
}

TEST_CASE("tokens: an older one asks for less") {
    WrittenScene scene;
    scene.progress->publish(1, scene.sample - 1);
    scene.read_with(scene.token(scene.sample - 1));
    CHECK(scene.open_standby().take() == kRead);
}

TEST_CASE("tokens: of another process, another primary, the future or nobody: all that was told") {
    WrittenScene scene;
    scene.progress->publish(1, scene.sample - 1);
    const std::string elsewhere = route::to_text({scene.progress->process() + 1, 1, 0});
    for (const std::string& given : {elsewhere, scene.token(0, 2), scene.token(scene.sample + 1000),
                                     std::string("nonsense")}) {
        CAPTURE(given);
        scene.read_with(given);
        CHECK(scene.primary->take() == kRead);
        scene.answer(*scene.primary);
    }
    // Nor does one of the future keep a session from standbys for ever.
    FakeStream& other = scene.read_with(scene.token(scene.sample + 1000));
    scene.primary->take();
    scene.answer(*scene.primary);
    scene.progress->publish(1, scene.progress->begin_question());
    scene.say(other, kRead);
    CHECK(scene.primary->sent.empty());
}

TEST_CASE("tokens: one that is set counts from the next request on, and stays in no session") {
    WrittenScene scene;
    FakeStream& other = scene.log_in();
    scene.hold_censuses = true;
    const std::string given = scene.token(scene.sample);
    scene.say(other, query("SET pgweir.token = '" + given + "'"));
    scene.primary->take();
    scene.say(*scene.primary, complete("SET") + ready());
    CHECK(body_of(scene.primary->take(), 'Q').find("'pgweir.token'") != std::string::npos);
    scene.say(*scene.primary,
              census_row("s", "pgweir.token", given) + complete("SELECT 1") + ready());
    scene.progress->publish(1, scene.sample - 1);
    scene.say(other, kRead);
    CHECK(scene.primary->take() == query("RESET \"pgweir.token\""));
    scene.say(*scene.primary, complete("RESET") + ready());
    CHECK(scene.primary->take() == kRead);
}

TEST_CASE("tokens: a session may ask for more or less than the cluster promises") {
    WrittenScene scene;
    scene.progress->publish(1, scene.sample - 1);
    const auto reads_at_primary = [&](const char* level) {
        FakeStream& other = scene.log_in({
            {"pgweir.consistency", level}
        });
        // The server at the primary has to take the setting first, one at the standby as well.
        scene.say(other, kRead);
        const bool asked = !scene.primary->take().empty();
        if (asked) scene.answer(*scene.primary);
        return asked;
    };
    CHECK(reads_at_primary("Database"));
    CHECK_FALSE(reads_at_primary("session"));
}

}  // namespace pgweir::session
