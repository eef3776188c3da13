#include "statement_scene.h"

/// The statement without a name: PostgreSQL has one for each session, a server the last one's.
namespace pgweir::session {
namespace {

/// The client prepares this, and then the server has another client's.
void say_and_lose(StatementScene& scene, std::string_view sql) {
    scene.say(parse("", sql) + sync());
    scene.reply(parsed() + ready());
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, parse("", "SELECT secret") + sync());
    scene.reply(parsed() + ready());
    scene.server.take();
    scene.client.take();
}

}  // namespace

TEST_CASE("unnamed statement: the unnamed statement passes as it is") {
    StatementScene scene;
    const std::string bytes = parse("", "SELECT 1") + bind_to("") + execute() + sync();
    scene.say(bytes);
    CHECK(scene.server.take() == bytes);
}

TEST_CASE("unnamed statement: the unnamed statement follows its client to another server") {
    StatementScene scene;
    say_and_lose(scene, "SELECT 1");

    scene.say(run(""));
    CHECK(scene.server.take() == parse("", "SELECT 1") + run(""));
    scene.reply(parsed() + ran());
    CHECK(scene.client.take() == ran());
}

TEST_CASE("unnamed statement: the unnamed statement stays when a batch fails in front of it") {
    StatementScene scene;
    say_and_lose(scene, "SELECT 1");

    const std::string fails = bind_to("none") + execute();
    scene.say(fails + run(""));
    scene.server.take();
    scene.reply(failure("26000", "prepared statement does not exist") + ready());
    CHECK(types(scene.client.take()) == "EZ");
    scene.say(run(""));
    CHECK(scene.server.take() == parse("", "SELECT 1") + run(""));
    scene.reply(parsed() + ran());
    CHECK(scene.client.take() == ran());
}

TEST_CASE("unnamed statement: nobody runs a stranger's unnamed statement") {
    StatementScene scene;
    scene.say(parse("", "SELECT secret") + sync());
    scene.reply(parsed() + ready());
    FakeStream& other = scene.rig.log_in();
    scene.server.take();
    scene.rig.say(other, run(""));
    CHECK(scene.server.take() == close_statement("") + run(""));
    scene.reply(closed() + failure("26000", "unnamed prepared statement does not exist") + ready());
    CHECK(types(other.take()) == "EZ");
}

TEST_CASE("unnamed statement: nobody runs a stranger's because its own was too long to be kept") {
    StatementScene scene;
    say_and_lose(scene, "SELECT '" + std::string(20000, 'x') + "'");

    // The Close is skipped, and the stranger's is still there.
    const std::string describe = message('D', 'S' + text(""));
    scene.say(bind_to("none") + describe + sync());
    CHECK(scene.server.take() == bind_to("none") + close_statement("") + describe + sync());
    scene.reply(failure("26000", "prepared statement does not exist") + ready());
    scene.client.take();
    scene.say(run(""));
    CHECK(scene.server.take() == close_statement("") + run(""));
}

TEST_CASE("unnamed statement: a simple query ends the unnamed statement") {
    StatementScene scene;
    scene.say(parse("", "SELECT 1") + sync());
    scene.reply(parsed() + ready());
    scene.say(query("SELECT 2"));
    scene.rig.answer(scene.server);
    scene.server.take();
    scene.say(run(""));
    CHECK(scene.server.take() == close_statement("") + run(""));
}

TEST_CASE("unnamed statement: which unnamed statement is bound has to be known") {
    StatementScene scene;
    scene.say(parse("", "INSERT INTO t VALUES (1)") + sync() +
              message('E', text("nope") + be32(0)) + parse("", "SELECT 1") + sync());
    CHECK(types(scene.server.take()) == "PSEPS");
    scene.say(bind_to("") + execute() + sync());
    CHECK(scene.server.sent.empty());
    scene.reply(parsed() + ready());
    CHECK(scene.server.sent.empty());
    scene.reply(failure("34000", "no such portal") + ready());
    CHECK(types(scene.server.take()).ends_with("BES"));
}

}  // namespace pgweir::session
