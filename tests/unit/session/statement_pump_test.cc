#include "statement_scene.h"

namespace pgweir::session {

TEST_CASE("statement pump: a name becomes the server's own in Parse, Bind and Describe") {
    StatementScene scene;
    scene.say(parse("s1", "SELECT 1") + describe("s1") + bind_to("s1", "portal") + execute() +
              sync());
    const std::string name = name_of("SELECT 1");
    CHECK(scene.server.take() ==
          parse(name, "SELECT 1") + describe(name) + bind_to(name, "portal") + execute() + sync());
    const std::string replies = parsed() + message('t', be16(0)) + message('n') + ran();
    scene.reply(replies);
    CHECK(scene.client.take() == replies);
}

TEST_CASE("statement pump: the values of a Bind pass while they arrive") {
    StatementScene scene;
    scene.prepare("s1", "SELECT $1");
    const std::string values = be16(0) + be16(1) + be32(50000) + std::string(50000, 'v') + be16(0);
    const std::string whole = message('B', text("") + text("s1") + values);
    scene.say(whole.substr(0, 1000));
    const std::string first = scene.server.take();
    CHECK(first.size() > 1000);
    scene.say(whole.substr(1000) + execute() + sync());
    CHECK(first + scene.server.take() ==
          message('B', text("") + text(name_of("SELECT $1")) + values) + execute() + sync());
}

TEST_CASE("statement pump: a server that lacks the statement is given it first, unseen") {
    StatementScene scene;
    scene.prepare("s1", "SELECT 1");
    scene.renew_server();
    scene.say(run("s1"));
    FakeStream& fresh = scene.rig.open();
    const std::string name = name_of("SELECT 1");
    CHECK(fresh.take() == parse(name, "SELECT 1") + bind_to(name) + execute() + sync());
    scene.rig.say(fresh, parsed() + ran());
    CHECK(scene.client.take() == ran());

    scene.say(run("s1"));
    CHECK(fresh.take() == bind_to(name) + execute() + sync());
}

TEST_CASE("statement pump: Describe too gives the server what it lacks") {
    StatementScene scene;
    scene.prepare("s1", "SELECT 1");
    scene.renew_server();
    scene.say(describe("s1") + sync());
    FakeStream& fresh = scene.rig.open();
    CHECK(fresh.take() ==
          parse(name_of("SELECT 1"), "SELECT 1") + describe(name_of("SELECT 1")) + sync());
}

TEST_CASE(
    "statement pump: the error of an injected Parse is the client's, and the batch is skipped") {
    StatementScene scene;
    scene.prepare("s1", "SELECT * FROM t");
    scene.renew_server();
    scene.say(run("s1"));
    FakeStream& fresh = scene.rig.open();
    fresh.take();
    const std::string error = failure("42P01", "relation \"t\" does not exist");
    scene.rig.say(fresh, error + ready());
    CHECK(scene.client.take() == error + ready());
    CHECK(count(scene.rig, ServerState::Idle) == 1);

    scene.say(run("s1"));  // the client still has it
    CHECK(fresh.take().find(parse(name_of("SELECT * FROM t"), "SELECT * FROM t")) !=
          std::string::npos);
}

TEST_CASE("statement pump: a statement that the client never prepared passes untouched") {
    StatementScene scene;
    const std::string bytes =
        bind_to("theirs") + describe("theirs") + close_statement("theirs") + execute() + sync();
    scene.say(bytes);
    CHECK(scene.server.take() == bytes);
}

TEST_CASE("statement pump: nobody reaches a statement of pgweir by its name") {
    StatementScene scene;
    scene.prepare("s1", "SELECT 1");
    const std::string name = name_of("SELECT 1");
    scene.say(bind_to(name) + describe(name) + close_statement(name) + sync());
    CHECK(scene.server.take().find(name) == std::string::npos);
}

TEST_CASE("statement pump: two clients with the same text share the server's statement") {
    StatementScene scene;
    scene.prepare("mine", "SELECT 1");
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, parse("theirs", "SELECT 1") + bind_to("theirs") + execute() + sync());
    CHECK(scene.server.take() == bind_to(name_of("SELECT 1")) + execute() + sync());
    scene.reply(ran());
    CHECK(other.take() == parsed() + ran());
    CHECK(scene.known().size() == 1);
}

TEST_CASE("statement pump: the same name means another statement for another client") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, parse("s", "SELECT 2") + sync());
    scene.reply(parsed() + ready());
    scene.server.take();
    scene.say(run("s"));
    CHECK(scene.server.take() == bind_to(name_of("SELECT 1")) + execute() + sync());
    scene.reply(ran());
    scene.rig.say(other, run("s"));
    CHECK(scene.server.take() == bind_to(name_of("SELECT 2")) + execute() + sync());
}

TEST_CASE("statement pump: the types of the parameters tell statements apart") {
    StatementScene scene;
    const auto typed = [](std::string_view name, uint32_t oid) {
        return message('P', text(name) + text("SELECT $1") + be16(1) + be32(oid));
    };
    scene.say(typed("a", 23) + typed("b", 25) + sync());
    const auto sent = split(scene.server.take());
    REQUIRE(sent.size() == 3);
    CHECK(sent[0].body != sent[1].body);
    CHECK(sent[0].body.substr(0, 20) != sent[1].body.substr(0, 20));
}

TEST_CASE(
    "statement pump: what a server of the pool has accepted needs none to be prepared again") {
    StatementScene scene;
    scene.prepare("mine", "SELECT 1");
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, parse("theirs", "SELECT 1") + sync());
    CHECK(other.take() == parsed() + ready());
    CHECK(scene.server.sent.empty());
    CHECK(count(scene.rig, ClientState::Attached) == 0);

    scene.rig.say(other, run("theirs"));
    CHECK(scene.server.take() == bind_to(name_of("SELECT 1")) + execute() + sync());
}

TEST_CASE("statement pump: a name that is taken is refused by the server itself") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(parse("s", "SELECT 2") + sync());
    // The server is asked for the old text under its name, which it has: 42P05.
    CHECK(scene.server.take() == parse(name_of("SELECT 1"), "SELECT 1") + sync());
    scene.reply(failure("42P05", "prepared statement already exists") + ready());
    CHECK(sqlstate_of(scene.client.take()) == "42P05");
    scene.say(run("s"));
    CHECK(scene.server.take() == bind_to(name_of("SELECT 1")) + execute() + sync());
}

TEST_CASE("statement pump: a Parse that fails leaves the name free") {
    StatementScene scene;
    scene.say(parse("s", "broken") + sync());
    scene.server.take();
    scene.reply(failure("42601", "syntax error") + ready());
    CHECK(sqlstate_of(scene.client.take()) == "42601");
    scene.say(parse("s", "SELECT 1") + run("s"));
    CHECK(scene.server.take() == parse(name_of("SELECT 1"), "SELECT 1") +
                                     bind_to(name_of("SELECT 1")) + execute() + sync());
}

TEST_CASE("statement pump: a Parse that is skipped leaves the name free") {
    StatementScene scene;
    scene.say(bind_to("unknown") + parse("s", "SELECT 1") + sync());
    scene.server.take();
    scene.reply(failure("26000", "no such statement") + ready());
    scene.client.take();
    scene.say(run("s"));
    CHECK(scene.server.take() == run("s"));  // unknown again: it passes
}

TEST_CASE("statement pump: Close is answered here, the server keeps it for the next") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(close_statement("s") + sync());
    CHECK(scene.server.take() == sync());
    scene.reply(ready());
    CHECK(scene.client.take() == closed() + ready());
    CHECK(scene.known().size() == 1);
    scene.say(run("s"));
    CHECK(scene.server.take() == run("s"));
}

TEST_CASE("statement pump: a Close that is skipped did not happen") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(bind_to("unknown") + close_statement("s") + sync());
    scene.server.take();
    scene.reply(failure("26000", "no such statement") + ready());
    CHECK(types(scene.client.take()) == "EZ");
    scene.say(run("s"));
    CHECK(scene.server.take() == bind_to(name_of("SELECT 1")) + execute() + sync());
}

TEST_CASE("statement pump: Close and a new Parse of the name, both skipped, leave the old one") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(bind_to("unknown") + close_statement("s") + parse("s", "SELECT 2") + sync());
    scene.server.take();
    scene.reply(failure("26000", "no such statement") + ready());
    scene.say(run("s"));
    CHECK(scene.server.take() == bind_to(name_of("SELECT 1")) + execute() + sync());
}

TEST_CASE("statement pump: an answer of pgweir's own waits for its turn") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(bind_to("s") + execute() + close_statement("s") + bind_to("") + sync());
    CHECK(scene.client.sent.empty());
    scene.reply(bound() + complete("SELECT 1"));
    CHECK(scene.client.take() == bound() + complete("SELECT 1") + closed());
}

TEST_CASE("statement pump: Flush brings out what needs no server") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(close_statement("s") + flush());
    CHECK(scene.client.take() == closed());
    scene.say(sync());
    scene.reply(ready());
    CHECK(scene.client.take() == ready());
    CHECK(count(scene.rig, ServerState::Idle) == 1);
}

TEST_CASE("statement pump: in a failed transaction the server itself refuses a Parse") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(query("BEGIN"));
    scene.rig.answer(scene.server, "BEGIN", 'T');
    scene.say(query("broken"));
    scene.reply(failure("42601", "syntax error") + ready('E'));
    scene.server.take();
    scene.client.take();
    scene.say(parse("again", "SELECT 1") + sync());
    CHECK(types(scene.server.take()) == "CPS");
    scene.reply(closed() + failure("25P02", "current transaction is aborted") + ready('E'));
    CHECK(types(scene.client.take()) == "EZ");
}

TEST_CASE("statement pump: the oldest statements leave a server that holds too many") {
    StatementScene scene([](Rig& rig) {
        one_server(rig);
        rig.config.limits.prepared_per_server = 2;
    });
    scene.prepare("a", "SELECT 1");
    scene.prepare("b", "SELECT 2");
    scene.say(run("a"));
    scene.reply(ran());
    scene.server.take();
    scene.client.take();

    scene.say(parse("c", "SELECT 3") + sync());
    CHECK(scene.server.take() ==
          parse(name_of("SELECT 3"), "SELECT 3") + close_statement(name_of("SELECT 2")) + sync());
    scene.reply(parsed() + closed() + ready());
    CHECK(scene.client.take() == parsed() + ready());
    CHECK(scene.known().size() == 2);

    scene.say(run("b"));  // it comes back when it is wanted
    CHECK(types(scene.server.take()) == "PCBES");
}

TEST_CASE("statement pump: an eviction that was skipped did not happen") {
    StatementScene scene([](Rig& rig) {
        one_server(rig);
        rig.config.limits.prepared_per_server = 1;
    });
    scene.prepare("a", "SELECT 1");
    scene.say(parse("b", "broken") + sync());
    scene.server.take();
    scene.reply(failure("42601", "syntax error") + ready());
    // It may or may not be there: it is closed and prepared again before it is used.
    scene.say(run("a"));
    const std::string name = name_of("SELECT 1");
    CHECK(scene.server.take().find(close_statement(name) + parse(name, "SELECT 1") +
                                   bind_to(name)) != std::string::npos);
}

TEST_CASE("statement pump: a client that prepares more than its share is sent away with 53200") {
    StatementScene scene([](Rig& rig) {
        one_server(rig);
        rig.config.limits.prepared_per_client = 160;
    });
    scene.prepare("a", "SELECT 1");
    scene.say(parse("b", "SELECT 'much too long'") + sync());
    CHECK(sqlstate_of(scene.client.sent) == "53200");
    CHECK(scene.client.closed);
}

TEST_CASE("statement pump: a named statement that is too large is refused by its header") {
    StatementScene scene([](Rig& rig) {
        one_server(rig);
        rig.config.limits.statement_size = 100;
    });
    scene.say('P' + be32(100000) + text("name"));
    CHECK(sqlstate_of(scene.client.sent) == "54000");
    CHECK(scene.client.closed);
}

TEST_CASE("statement pump: DISCARD ALL and DEALLOCATE ALL forget on both sides") {
    for (const char* tag : {"DISCARD ALL", "DEALLOCATE ALL"}) {
        CAPTURE(tag);
        StatementScene scene;
        scene.prepare("s", "SELECT 1");
        scene.say(query(tag));
        scene.rig.answer(scene.server, tag);
        scene.server.take();
        CHECK(scene.known().size() == 0);
        scene.say(run("s"));
        CHECK(scene.server.take() == run("s"));
    }
}

TEST_CASE("statement pump: a Bind in the next batch waits until its Parse has not failed") {
    StatementScene scene;
    scene.say(parse("s", "SELECT 1") + sync() + bind_to("s") + execute() + sync());
    const std::string name = name_of("SELECT 1");
    CHECK(scene.server.take() == parse(name, "SELECT 1") + sync());
    SUBCASE("it has not") {
        scene.reply(parsed() + ready());
        CHECK(scene.server.take() == bind_to(name) + execute() + sync());
        scene.reply(ran());
        CHECK(scene.client.take() == parsed() + ready() + ran());
        CHECK(scene.known().size() == 1);
    }
    SUBCASE("it has") {
        scene.reply(failure("42601", "syntax error") + ready());
        CHECK(scene.server.take() == bind_to("s") + execute() + sync());
    }
}

TEST_CASE("statement pump: closing a client forgets its texts") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    CHECK(scene.rig.engine().statements().text_bytes() == query_and_types("SELECT 1").size());
    scene.rig.lose(scene.client);
    CHECK(scene.rig.engine().statements().size() == 0);
    CHECK(scene.rig.engine().statements().text_bytes() == 0);
}

TEST_CASE("statement pump: a second Parse of a text that is skipped does not hide the first") {
    StatementScene scene;
    scene.say(parse("a", "SELECT 1") + bind_to("unknown") + parse("b", "SELECT 1") + sync());
    scene.reply(parsed() + failure("26000", "no such statement") + ready());
    scene.server.take();
    scene.say(run("a"));
    const std::string sent = types(scene.server.take());
    CHECK((sent == "BES" || sent == "CPBES"));
}

TEST_CASE("statement pump: a skipped repetition in a later batch does not hide the first") {
    StatementScene scene;
    scene.say(parse("s", "SELECT 1") + sync() + bind_to("unknown") + bind_to("s") + execute() +
              sync());
    scene.reply(parsed() + ready());
    scene.reply(failure("26000", "no such statement") + ready());
    scene.server.take();
    scene.say(run("s"));
    const std::string sent = types(scene.server.take());
    CHECK((sent == "BES" || sent == "CPBES"));
}

TEST_CASE("statement pump: what is prepared behind DEALLOCATE ALL in one batch stays") {
    StatementScene scene;
    scene.say(parse("", "DEALLOCATE ALL") + bind_to("") + execute() + parse("s", "SELECT 1") +
              sync());
    scene.server.take();
    scene.reply(parsed() + message('2') + complete("DEALLOCATE ALL") + parsed() + ready());
    scene.say(run("s"));
    CHECK(scene.server.take() == bind_to(name_of("SELECT 1")) + execute() + sync());
}

TEST_CASE("statement pump: what comes behind a query that may forget waits for its end") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    server.take();
    SUBCASE("as a whole query") {
        rig.say(client, query("discard ALL") + query("SELECT 1"));
        CHECK(server.take() == query("discard ALL"));
    }
    SUBCASE("as an unnamed statement") {
        const std::string batch = parse("", "DEALLOCATE ALL") + bind_to("") + execute() + sync();
        rig.say(client, batch + query("SELECT 1"));
        CHECK(server.take() == batch);
        rig.say(server, message('1') + message('2'));
    }
    SUBCASE("as half a query whose rest comes later") {
        const std::string text = query("SELECT '" + std::string(20000, 'x') + "'");
        rig.say(client, text.substr(0, 18000));
        rig.say(client, text.substr(18000) + query("SELECT 1"));
        CHECK(server.take() == text);
    }
    rig.say(server, complete("X") + ready());
    CHECK(server.take() == query("SELECT 1"));
}

TEST_CASE("statement pump: data of a COPY passes also while the rest waits") {
    Rig rig;
    FakeStream& client = rig.log_in();
    FakeStream& server = rig.idle_server();
    server.take();
    const std::string copy = query("RESET ALL;COPY t FROM STDIN");
    const std::string data = message('d', "1\n") + message('c');
    rig.say(client, copy);
    rig.say(client, data + query("SELECT 1"));
    CHECK(server.take() == copy + data);
}

TEST_CASE("statement pump: whether a name is taken is awaited, not guessed") {
    StatementScene scene;
    const std::string again = parse("a", "SELECT 2") + sync();
    scene.say(parse("a", "broken") + sync() + again);
    CHECK(scene.server.take() == parse(name_of("broken"), "broken") + sync());
    CHECK(scene.client.paused);
    scene.reply(failure("42601", "syntax error") + ready());
    CHECK(scene.server.take() == parse(name_of("SELECT 2"), "SELECT 2") + sync());
    CHECK_FALSE(scene.client.paused);
}

TEST_CASE("statement pump: a known Parse behind a query that may fail is PostgreSQL's to answer") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(query("BEGIN"));
    scene.reply(complete("BEGIN") + ready('T'));
    scene.server.take();
    scene.say(query("SELECT broken") + parse("again", "SELECT 1") + sync());
    const std::string name = name_of("SELECT 1");
    CHECK(scene.server.take() ==
          query("SELECT broken") + close_statement(name) + parse(name, "SELECT 1") + sync());
    scene.client.take();
    scene.reply(failure("42703", "no such column") + ready('E') +
                failure("25P02", "current transaction is aborted") + ready('E'));
    CHECK(types(scene.client.take()) == "EZEZ");
}

TEST_CASE("statement pump: a second Close waits until it is known whether the first one ran") {
    StatementScene scene;
    scene.say(parse("s", "SELECT 1") + bind_to("unknown") + close_statement("s") + sync() +
              close_statement("s") + sync());
    const std::string name = name_of("SELECT 1");
    CHECK(scene.server.take() == parse(name, "SELECT 1") + bind_to("unknown") + sync());
    scene.reply(parsed() + failure("26000", "no such statement") + ready());
    CHECK(scene.server.take() == sync());  // the Close is pgweir's to answer
    scene.reply(ready());
    CHECK(types(scene.client.take()) == "1EZ3Z");
    scene.say(run("s"));
    CHECK(scene.server.take() == run("s"));  // PostgreSQL says that there is none
}

TEST_CASE("statement pump: SQL's DEALLOCATE finds a statement of the protocol") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    const std::string name = name_of("SELECT 1");
    scene.say(query("DEALLOCATE s"));
    CHECK(scene.server.take() == query("DEALLOCATE \"" + name + "\""));
    scene.rig.answer(scene.server, "DEALLOCATE");
    CHECK(types(scene.client.take()) == "CZ");
    scene.say(run("s"));
    CHECK(scene.server.take() == run("s"));  // PostgreSQL says that there is none
    scene.reply(failure("26000", "no such statement") + ready());
    scene.client.take();
    scene.say(query("DEALLOCATE s"));
    CHECK(scene.server.take() == query("DEALLOCATE s"));
}

namespace {

/// "cached plan must not change result type", as PostgreSQL says it in any language.
std::string stale_plan() {
    return message('E', "SERROR" + std::string(1, '\0') + "C0A000" + std::string(1, '\0') +
                            "Mnanu" + std::string(1, '\0') + "RRevalidateCachedQuery" +
                            std::string(2, '\0'));
}

}  // namespace

TEST_CASE("statement pump: a plan that is out of date is made anew, and the batch runs once more") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    const std::string name = name_of("SELECT 1");
    const std::string asks = message('D', 'P' + text(""));
    const std::string batch = asks + execute() + sync();
    scene.say(bind_to("s") + batch);
    CHECK(scene.server.take() == bind_to(name) + batch);
    scene.reply(stale_plan() + ready());
    CHECK(scene.client.sent.empty());
    const std::string next = next_name_of("SELECT 1");
    CHECK(scene.server.take() == parse(next, "SELECT 1") + bind_to(next) + batch);
    SUBCASE("with success") {
        scene.reply(parsed() + message('2') + message('n') + complete("SELECT 1") + ready());
        CHECK(types(scene.client.take()) == "2nCZ");
        CHECK(scene.rig.pool().stats.stale_plans == 1);
    }
    SUBCASE("and again, since its table may have changed meanwhile, but no more") {
        scene.reply(parsed() + stale_plan() + ready());
        CHECK(types(scene.server.take()) == "PBDES");
        scene.reply(parsed() + stale_plan() + ready());
        CHECK(types(scene.client.take()) == "EZ");
        CHECK(scene.server.sent.empty());
    }
}

TEST_CASE(
    "statement pump: each client that has prepared it before is told that a plan is out of date") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    FakeStream& other = scene.rig.log_in();
    scene.rig.say(other, parse("s", "SELECT 1") + sync());
    other.take();
    scene.say(run("s"));
    CHECK(scene.server.take() == run(name_of("SELECT 1")));
    scene.reply(stale_plan() + ready());
    CHECK(types(scene.client.take()) == "EZ");
    scene.say(close_statement("s") + parse("s", "SELECT 1") + sync());
    CHECK(scene.server.take().find(parse(next_name_of("SELECT 1"), "SELECT 1")) !=
          std::string::npos);
    scene.reply(parsed() + ready());
    scene.client.take();

    scene.rig.say(other, run("s"));
    CHECK(scene.server.take() == run(name_of("SELECT 1")));
    scene.reply(stale_plan() + ready());
    CHECK(types(other.take()) == "EZ");
    scene.rig.say(other, close_statement("s") + parse("s", "SELECT 1") + sync());
    CHECK(scene.server.take() == sync());
    scene.reply(ready());
    CHECK(types(other.take()) == "31Z");
    scene.rig.say(other, run("s"));
    CHECK(scene.server.take() == run(next_name_of("SELECT 1")));
}

TEST_CASE("statement pump: a batch that prepares something as well is not sent again") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    const std::string asks = message('D', 'P' + text("")) + execute();
    scene.say(bind_to("s") + asks + parse("t", "SELECT 2") + sync());
    scene.server.take();
    scene.reply(stale_plan() + ready());
    CHECK(types(scene.client.take()) == "EZ");
    CHECK(scene.server.sent.empty());
}

TEST_CASE("statement pump: a batch in which something was run before is not sent again") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(parse("", "INSERT INTO t VALUES (1)") + bind_to("") + execute() + flush());
    scene.reply(parsed() + message('2') + complete("INSERT 0 1"));
    CHECK(types(scene.client.take()) == "12C");
    scene.server.take();
    scene.say(bind_to("s") + message('D', 'P' + text("")) + execute() + sync());
    scene.server.take();
    scene.reply(stale_plan() + ready());  // with which the INSERT is taken back
    CHECK(types(scene.client.take()) == "EZ");
    CHECK(scene.server.sent.empty());
}

TEST_CASE("statement pump: what comes behind a batch that is sent again stays behind it") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    const std::string asks = message('D', 'P' + text("")) + execute() + sync();
    scene.say(bind_to("s") + asks);
    scene.server.take();
    scene.reply(stale_plan());  // its ReadyForQuery is still on its way
    const std::string more = query("SELECT 2");
    scene.say(message('d', "x") + more);
    CHECK(scene.server.sent.empty());
    scene.reply(ready());
    CHECK(types(scene.server.take()) == "PBDES" + types(message('d', "x") + more));
    scene.reply(parsed() + message('2') + message('n') + complete("SELECT 1") + ready());
    CHECK(types(scene.client.take()) == "2nCZ");
}

TEST_CASE(
    "statement pump: whoever waits for a batch to be sent again is told of the server's end") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(bind_to("s") + message('D', 'P' + text("")) + execute() + sync());
    scene.server.take();
    scene.reply(stale_plan() + ready() + failure("57P01", "terminating connection", "FATAL"));
    CHECK(types(scene.client.take()).starts_with('E'));
    scene.rig.lose(scene.server);
    CHECK(scene.client.closed);
}

TEST_CASE("statement pump: a query of no bytes at all is PostgreSQL's to refuse") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(message('Q'));
    CHECK(scene.server.take() == message('Q'));
}

TEST_CASE("statement pump: who does not ask what the rows look like has to be told") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    scene.say(run("s"));
    scene.server.take();
    scene.reply(stale_plan() + ready());
    CHECK(types(scene.client.take()) == "EZ");
    scene.say(run("s"));
    CHECK(scene.server.take() == run(name_of("SELECT 1")));
}

TEST_CASE("statement pump: inside a transaction an outdated plan is the client's to know") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    const std::string name = name_of("SELECT 1");
    scene.say(query("BEGIN"));
    scene.rig.answer(scene.server, "BEGIN", 'T');
    scene.server.take();
    scene.client.take();
    scene.say(run("s"));
    scene.server.take();
    scene.reply(stale_plan() + ready('E'));
    CHECK(types(scene.client.take()) == "EZ");
    scene.say(query("ROLLBACK"));
    scene.rig.answer(scene.server, "ROLLBACK");
    scene.server.take();
    // Whoever prepares it again finds a new plan.
    scene.say(close_statement("s") + parse("t", "SELECT 1") + bind_to("t") + execute() + sync());
    CHECK(scene.server.take().find(parse(next_name_of("SELECT 1"), "SELECT 1")) !=
          std::string::npos);
}

TEST_CASE("statement pump: what has been followed by more is not sent again") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    const std::string asks = bind_to("s") + message('D', 'P' + text("")) + execute() + sync();
    scene.say(asks + asks);
    scene.server.take();
    scene.reply(stale_plan() + ready());
    CHECK(types(scene.client.take()) == "EZ");
}

TEST_CASE("statement pump: an extended COPY whose Sync is held goes on with its data") {
    StatementScene scene;
    const std::string sql = R"(COPY t FROM STDIN (FORMAT csv, ESCAPE '\'))";
    scene.say(parse("", sql) + bind_to("") + execute() + sync());
    CHECK(types(scene.server.take()) == "PBES");
    const std::string data = message('d', "1\n");
    SUBCASE("also if all of it was sent ahead") {
        scene.say(data + message('c') + sync());
        CHECK(scene.server.take() == data + message('c'));
        scene.reply(parsed() + bound() + message('G', std::string(3, '\0')));
        CHECK(scene.server.take() == sync());
        scene.reply(complete("COPY 1") + ready());
        CHECK(types(scene.client.take()) == "12GCZ");
        return;
    }
    scene.reply(parsed() + bound() + message('G', std::string(3, '\0')));
    SUBCASE("and ends with the Sync behind it") {
        scene.say(data + message('c') + sync());
        CHECK(scene.server.take() == data + message('c') + sync());
    }
    SUBCASE("also with Syncs and Flushes amid it") {
        scene.say(data + sync() + flush() + data + message('c') + sync());
        CHECK(scene.server.take() == data + sync() + flush() + data + message('c') + sync());
    }
    scene.reply(complete("COPY 1") + ready());
    CHECK(types(scene.client.take()) == "12GCZ");
    scene.say(query("SELECT 1"));
    CHECK(scene.server.take().ends_with(query("SELECT 1")));
}

TEST_CASE("statement pump: what has to be prepared again and again waits for its server") {
    StatementScene scene([](Rig& made) {
        one_server(made);
        made.config.limits.output_buffer = 1000;
    });
    scene.prepare("s", "SELECT 1");
    scene.renew_server();
    scene.say(run("s"));
    FakeStream& server = scene.rig.open();
    server.take();
    server.backlog_bytes = 1001;
    scene.say(run("s") + run("s"));
    CHECK(server.take().empty());
    CHECK(scene.client.paused);
    scene.rig.say(server, parsed() + ran());
    scene.rig.drain(server);
    CHECK(types(server.take()) == "BESBES");
}

TEST_CASE("statement pump: a ledger that is full of pgweir's own answers is flushed") {
    StatementScene scene;
    scene.prepare("s", "SELECT 1");
    const size_t pairs = Pipeline::kExpectedMax / 2;
    std::string flood = bind_to("s");
    for (size_t i = 0; i < pairs; ++i) flood += close_statement("s") + parse("s", "SELECT 1");
    scene.say(flood);
    CHECK(scene.client.paused);
    CHECK(types(scene.server.take()).starts_with("BH"));
    scene.reply(bound());
    CHECK_FALSE(scene.client.paused);
    CHECK(split(scene.client.take()).size() == 1 + pairs * 2);
}

TEST_CASE("statement pump: behind DEALLOCATE ALL a name that is closed again is free") {
    StatementScene scene;
    scene.say(parse("d", "DEALLOCATE ALL") + bind_to("d") + execute() + parse("s", "SELECT 1") +
              close_statement("s") + sync());
    scene.reply(parsed() + bound() + complete("DEALLOCATE ALL") + parsed() + ready());
    scene.client.take();
    scene.say(parse("s", "SELECT 2") + sync());
    CHECK(scene.server.take().ends_with(parse(name_of("SELECT 2"), "SELECT 2") + sync()));
    scene.reply(parsed() + ready());
    CHECK(types(scene.client.take()) == "1Z");
}

}  // namespace pgweir::session
