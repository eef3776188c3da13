#include "pgweir/route/catalogue_schedule.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::route {
namespace {

using namespace std::chrono_literals;
using Learning = CatalogueSchedule::Learning;
using Outcome = CatalogueSchedule::Outcome;

struct Scene {
    explicit Scene(CatalogueSchedule::Databases databases) {
        schedule.set_databases(std::move(databases));
    }

    /// Which is read next.
    std::string begin() { return schedule.begin(now) ? schedule.reading() : "none"; }

    Outcome succeed(uint64_t digest = 1) { return schedule.succeeded(digest, now); }

    Outcome read(const std::string& database, uint64_t digest = 1) {
        REQUIRE(begin() == database);
        return succeed(digest);
    }

    Outcome fail(const std::string& database) {
        REQUIRE(begin() == database);
        return schedule.failed("no", now);
    }

    CatalogueSchedule schedule;
    Instant now{1h};
};

}  // namespace

TEST_CASE("catalogue schedule: each is read at once, then every half a minute, one at a time") {
    Scene scene({
        .listed = {"a", "b"}
    });
    CHECK(scene.begin() == "a");
    CHECK(scene.begin() == "none");
    const Outcome first = scene.succeed();
    CHECK(first.database == "a");
    CHECK(first.believed);
    CHECK(first.is_news);
    CHECK(first.told);
    CHECK(scene.read("b").told);
    CHECK(scene.begin() == "none");
    scene.now += CatalogueSchedule::kEvery;
    const Outcome same = scene.read("a");
    CHECK(same.believed);
    CHECK_FALSE(same.is_news);
    CHECK_FALSE(same.told);
    CHECK(scene.read("b", 2).told);
}

TEST_CASE("catalogue schedule: after a change it is read soon, and told even if it is the same") {
    Scene scene({.listed = {"a"}});
    scene.read("a");
    scene.schedule.read_soon("a", scene.now);
    scene.schedule.read_soon("nobody's", scene.now);
    CHECK(scene.begin() == "none");
    scene.now += CatalogueSchedule::kSoon;
    CHECK(scene.read("a").told);
    scene.now += CatalogueSchedule::kSoon;
    CHECK(scene.begin() == "none");
}

TEST_CASE("catalogue schedule: a change while it is read has it read again before it is told") {
    Scene scene({.listed = {"a"}});
    SUBCASE("for the first time") {}
    SUBCASE("again") {
        scene.read("a");
        scene.now += CatalogueSchedule::kEvery;
    }
    REQUIRE(scene.begin() == "a");
    scene.schedule.read_soon("a", scene.now);
    const Outcome old = scene.succeed();
    CHECK(old.believed);
    CHECK_FALSE(old.told);
    CHECK(scene.begin() == "none");
    scene.now += CatalogueSchedule::kSoon;
    CHECK(scene.read("a").told);
}

TEST_CASE("catalogue schedule: those that somebody waits for come first, then the listed ones") {
    Scene scene({
        .listed = {"a", "z"},
          .others_max = 2
    });
    CHECK(scene.schedule.learn("b", scene.now) == Learning::Done);
    CHECK(scene.schedule.learn("c", scene.now) == Learning::Done);
    scene.read("a");
    scene.read("z");
    scene.read("b");
    scene.read("c");
    scene.now += CatalogueSchedule::kEvery;
    scene.schedule.read_soon("c", scene.now);
    scene.read("c");
    scene.read("a");
    scene.read("z");
    scene.read("b");
}

TEST_CASE(
    "catalogue schedule: of another primary all is read again, and what is under way is void") {
    Scene scene({
        .listed = {"a", "b"}
    });
    scene.read("a");
    REQUIRE(scene.begin() == "b");
    scene.schedule.start_over();
    CHECK_FALSE(scene.succeed().believed);
    CHECK(scene.read("b").believed);  // nothing is known of it yet
    scene.read("a");
}

TEST_CASE(
    "catalogue schedule: what fails is tried less and less often, and not believed for ever") {
    Scene scene({.listed = {"a"}});
    scene.read("a");
    scene.now += CatalogueSchedule::kEvery;
    Outcome outcome = scene.fail("a");
    CHECK(outcome.is_news);
    CHECK(outcome.has_another);
    CHECK_FALSE(outcome.told);
    CHECK(scene.begin() == "none");
    const Instant since = scene.now;
    std::vector<int64_t> pauses;
    while (!outcome.dropped) {
        const Instant due = scene.schedule.known().at("a").due;
        pauses.push_back((due - scene.now) / 1s);
        scene.now = due;
        outcome = scene.fail("a");
        CHECK(outcome.is_news == outcome.dropped);  // the same is not said twice
        REQUIRE(scene.now - since < 1h);
    }
    CHECK(pauses == std::vector<int64_t>{2, 4, 8, 16, 32, 64, 120, 120});
    CHECK(scene.now - since >= CatalogueSchedule::kBelieved);
    CHECK(outcome.told);
    CHECK_FALSE(outcome.forgotten);
    CHECK_FALSE(scene.schedule.known().at("a").digest);
    scene.now += CatalogueSchedule::kAgainMax;
    CHECK(scene.read("a").is_news);  // well again
}

TEST_CASE("catalogue schedule: others are learned up to a limit, and the first refusal is told") {
    Scene scene({.listed = {"a"}, .others_max = 1});
    CHECK(scene.schedule.learn("a", scene.now) == Learning::Done);
    CHECK(scene.schedule.learn("b", scene.now) == Learning::Done);
    CHECK(scene.schedule.learn("c", scene.now) == Learning::FirstRefused);
    CHECK(scene.schedule.learn("c", scene.now) == Learning::Refused);
    CHECK(scene.schedule.refused() == 2);
    CHECK(scene.schedule.known().size() == 2);
    // Another limit is another sentence.
    scene.schedule.set_databases({.listed = {"a"}, .others_max = 1});
    CHECK(scene.schedule.learn("c", scene.now) == Learning::FirstRefused);
    scene.schedule.set_databases({.listed = {"a"}, .others_max = 2});
    CHECK(scene.schedule.learn("c", scene.now) == Learning::Done);
}

TEST_CASE("catalogue schedule: none is learned where others are not served") {
    Scene scene({.listed = {"a"}});
    CHECK(scene.schedule.learn("b", scene.now) == Learning::Refused);
    CHECK(scene.schedule.refused() == 0);
    scene.schedule.set_databases({.listed = {"a"}, .others_max = 5, .elsewhere = {"b"}});
    CHECK(scene.schedule.learn("b", scene.now) == Learning::Refused);
}

TEST_CASE("catalogue schedule: of other databases those stay that were learned and may be") {
    Scene scene({
        .listed = {"a", "b"},
          .others_max = 3
    });
    for (const char* name : {"l", "m", "n"}) scene.schedule.learn(name, scene.now);
    scene.read("a");
    scene.schedule.set_databases({.listed = {"b"}, .others_max = 3});
    CHECK(scene.schedule.known().size() == 4);
    CHECK(scene.schedule.known().find("a") == scene.schedule.known().end());
    const auto gone = scene.schedule.set_databases({
        .listed = {"b", "m"},
          .others_max = 1, .elsewhere = {"l"  }
    });
    CHECK(gone == std::vector<std::string>{"l"});
    CHECK_FALSE(scene.schedule.known().at("m").learned);
    CHECK(scene.schedule.known().at("n").learned);
    CHECK(scene.schedule.learn("o", scene.now) == Learning::FirstRefused);
}

TEST_CASE("catalogue schedule: one that cannot be read is forgotten when nobody misses it") {
    Scene scene({.others_max = 1});
    scene.schedule.learn("b", scene.now);
    bool missed = false;
    SUBCASE("nobody does") {}
    SUBCASE("somebody does") {
        missed = true;
    }
    const Instant since = scene.now;
    Outcome outcome;
    while (scene.now - since < 3 * CatalogueSchedule::kBelieved && !outcome.forgotten) {
        if (missed) scene.schedule.learn("b", scene.now);
        outcome = scene.fail("b");
        if (!outcome.forgotten) scene.now = scene.schedule.known().at("b").due;
    }
    CHECK(outcome.forgotten != missed);
    CHECK_FALSE(outcome.told);
    CHECK(scene.schedule.learn("c", scene.now) ==
          (missed ? Learning::FirstRefused : Learning::Done));
}

TEST_CASE("catalogue schedule: what was taken out while it was read is nobody's") {
    Scene scene({.listed = {"a"}});
    REQUIRE(scene.begin() == "a");
    CHECK(scene.schedule.set_databases({}) == std::vector<std::string>{"a"});
    const Outcome outcome = scene.succeed();
    CHECK_FALSE(outcome.believed);
    CHECK_FALSE(outcome.told);
    CHECK(scene.begin() == "none");
}

TEST_CASE("catalogue schedule: a lead is no privilege") {
    Scene scene({.listed = {"a"}, .others_max = 1});
    scene.read("a");
    scene.schedule.learn("b", scene.now);
    scene.read("b");
    // One changes all the time, and reading takes as long as its turn is put off.
    uint32_t others = 0;
    for (uint32_t i = 0; i < 120; ++i) {
        scene.schedule.read_soon("a", scene.now);
        scene.now += CatalogueSchedule::kSoon;
        REQUIRE(scene.schedule.begin(scene.now));
        others += scene.schedule.reading() == "b";
        scene.succeed();
    }
    CHECK(others >= 1);
    CHECK(others <= 4);
}

TEST_CASE("catalogue schedule: where changes never end, what was read is told in the end") {
    Scene scene({.listed = {"a"}});
    const Instant since = scene.now;
    Outcome outcome;
    while (!outcome.told && scene.now - since < 1h) {
        REQUIRE(scene.begin() == "a");
        scene.schedule.read_soon("a", scene.now);
        scene.now += CatalogueSchedule::kSoon;
        outcome = scene.succeed();
        scene.now += CatalogueSchedule::kSoon;
    }
    CHECK(outcome.told);
    CHECK(scene.now - since >= CatalogueSchedule::kEvery);
    CHECK(scene.now - since < 2 * CatalogueSchedule::kEvery);
}

TEST_CASE("catalogue schedule: what fails is not tried more often because it changes") {
    Scene scene({.listed = {"a"}});
    scene.read("a");
    scene.now += CatalogueSchedule::kEvery;
    scene.fail("a");
    scene.schedule.read_soon("a", scene.now);
    CHECK(scene.begin() == "none");
    scene.now += CatalogueSchedule::kAgain;
    CHECK(scene.read("a").told);
}

TEST_CASE("catalogue schedule: who was believed until now has its time to be missed") {
    Scene scene({.others_max = 1});
    scene.schedule.learn("b", scene.now);
    scene.read("b");
    scene.now += CatalogueSchedule::kEvery;
    Outcome outcome = scene.fail("b");
    while (!outcome.dropped) {
        scene.now = scene.schedule.known().at("b").due;
        outcome = scene.fail("b");
    }
    CHECK_FALSE(outcome.forgotten);
    const Instant since = scene.now;
    while (!outcome.forgotten) {
        scene.now = scene.schedule.known().at("b").due;
        outcome = scene.fail("b");
        REQUIRE(scene.now - since < 1h);
    }
    CHECK(scene.now - since >= CatalogueSchedule::kBelieved);
}

}  // namespace pgweir::route
