#include "pgweir/cluster/watch.h"

#include <doctest/doctest.h>

namespace pgweir::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using enum NodeState;

constexpr uint64_t kOurs = 7001;
constexpr uint64_t kTheirs = 7002;
constexpr Duration kStep = milliseconds(20);

/// A PostgreSQL as the prober sees it.
struct FakeNode {
    uint64_t system = kOurs;
    uint32_t timeline = 1;
    bool in_recovery = true;
    Lsn lsn = 1000;
    bool paused = false;
    bool answers = true;
    bool refuses = false;
};

/// Asks every node each 20 ms.
struct Scene {
    explicit Scene(size_t count) : nodes(count), watch(count, Limits{}, now) {
        nodes[0].in_recovery = false;
    }

    void ask(size_t number) {
        const FakeNode& node = nodes[number];
        if (node.refuses) watch.failed(number, "connection refused");
        if (!node.answers || node.refuses) return;
        watch.identified(number, Identity{node.system, {}});
        watch.answered(number, Answer{now, node.in_recovery, node.lsn, node.timeline, node.paused},
                       now);
    }

    /// Units: how often the view changed.
    int pass(Duration time) {
        int changes = 0;
        for (const Instant end = now + time; now < end;) {
            now += kStep;
            for (size_t number = 0; number < nodes.size(); ++number) ask(number);
            if (watch.judge(now)) ++changes;
        }
        return changes;
    }

    /// The primary writes all the while, and the standbys have it at once.
    void pass_busily(Duration time, size_t writer = 0) {
        for (const Instant end = now + time; now < end;) {
            nodes[writer].lsn += 100;
            for (FakeNode& node : nodes) {
                if (node.in_recovery && !node.paused) node.lsn = nodes[writer].lsn;
            }
            pass(kStep);
        }
    }

    NodeState state(size_t number) const { return watch.view().nodes[number].state; }

    std::string why(size_t number) const { return watch.view().nodes[number].why; }

    std::optional<uint32_t> primary() const { return watch.view().primary; }

    uint32_t epoch() const { return watch.view().epoch; }

    Instant now = Instant{} + seconds(1000);
    std::vector<FakeNode> nodes;
    Watch watch;
};

/// A primary and two standbys that serve.
struct Healthy : Scene {
    Healthy() : Scene(3) {
        pass(seconds(1));
        REQUIRE(primary() == 0u);
        REQUIRE(state(1) == Standby);
        REQUIRE(state(2) == Standby);
        REQUIRE(epoch() == 1);
    }
};

}  // namespace

TEST_CASE("watch: nothing is believed before it is said") {
    Scene scene(2);
    CHECK(!scene.primary());
    CHECK(scene.state(0) == Unknown);
    scene.pass(kStep);
    CHECK(scene.primary() == 0u);
    CHECK(scene.state(0) == Primary);
    CHECK(scene.state(1) == Returning);
    scene.pass(Watch::kReturnTime);
    CHECK(scene.state(1) == Standby);
    CHECK(scene.why(1).empty());
}

TEST_CASE("watch: nodes may be down at the start") {
    Scene scene(3);
    scene.nodes[0].refuses = true;
    scene.nodes[2].answers = false;
    scene.pass(seconds(3));
    CHECK(!scene.primary());
    CHECK(scene.state(0) == Unreachable);
    CHECK(scene.why(0) == "connection refused");
    CHECK(scene.state(1) == Lagging);  // nobody knows how far
    CHECK(scene.state(2) == Unreachable);
    scene.nodes[0].refuses = false;
    scene.nodes[2].answers = true;
    scene.pass(seconds(1));
    CHECK(scene.primary() == 0u);
    CHECK(scene.state(1) == Standby);
    CHECK(scene.state(2) == Standby);
}

TEST_CASE(
    "watch: the first primary is chosen when all were heard, and not as the first to answer") {
    Scene scene(3);
    scene.nodes[0].timeline = 1;  // an old one that lives on
    scene.nodes[1].answers = false;
    scene.pass(milliseconds(500));
    CHECK(!scene.primary());
    SUBCASE("then the newest one says so") {
        scene.nodes[1].answers = true;
        scene.nodes[1].in_recovery = false;
        scene.nodes[1].timeline = 2;
        scene.pass(kStep);
        CHECK(scene.primary() == 1u);
        CHECK(scene.epoch() == 1);
        CHECK(scene.state(0) == Stale);
    }
    SUBCASE("or is given up") {
        scene.pass(seconds(1));
        CHECK(scene.primary() == 0u);
    }
}

TEST_CASE("watch: an idle primary is not lag") {
    Healthy scene;
    CHECK(scene.pass(seconds(3600)) == 0);
    CHECK(scene.watch.view().nodes[1].lag == Duration::zero());
}

TEST_CASE("watch: a standby that falls behind serves no reads until it has caught up for a while") {
    Healthy scene;
    scene.nodes[0].lsn += 500;
    scene.nodes[2].lsn = scene.nodes[0].lsn;
    scene.pass(milliseconds(900));
    CHECK(scene.state(1) == Standby);
    scene.pass(milliseconds(200));
    CHECK(scene.state(1) == Lagging);
    CHECK(scene.state(2) == Standby);
    CHECK(scene.watch.view().nodes[1].lag_bytes == 500u);
    scene.nodes[1].lsn += 500;
    scene.pass(kStep);
    CHECK(scene.state(1) == Returning);
    scene.pass(Watch::kReturnTime);
    CHECK(scene.state(1) == Standby);
}

TEST_CASE("watch: nobody comes and goes at the limit") {
    Healthy scene;
    int changes = 0;
    // The standby is always between 0.7 and 1.1 s behind a primary that writes all the time.
    for (int round = 0; round < 40; ++round) {
        const Lsn written = scene.nodes[0].lsn;
        for (int i = 0; i < 20; ++i) {
            scene.nodes[0].lsn += 10;
            scene.nodes[2].lsn = scene.nodes[0].lsn;
            changes += scene.pass(kStep);
        }
        if (round > 1) scene.nodes[1].lsn = written - 10 * 35;
    }
    CHECK(scene.state(1) == Lagging);
    CHECK(changes <= 1);
}

TEST_CASE("watch: a paused standby takes no reads, even if it lacks nothing yet") {
    Healthy scene;
    scene.nodes[1].paused = true;
    scene.pass(kStep);
    CHECK(scene.state(1) == Lagging);
    CHECK(scene.why(1) == "its replay is paused");
}

TEST_CASE("watch: a standby that hangs is given up, one that refuses at once") {
    Healthy scene;
    scene.nodes[1].answers = false;
    scene.nodes[2].refuses = true;
    scene.pass(kStep);
    CHECK(scene.state(1) == Standby);
    CHECK(scene.state(2) == Unreachable);
    scene.pass(seconds(1));
    CHECK(scene.state(1) == Unreachable);
    CHECK(scene.primary() == 0u);
}

TEST_CASE("watch: one lost connection is not the primary's end") {
    Healthy scene;
    scene.watch.failed(0, "terminating connection due to administrator command");
    CHECK(!scene.watch.judge(scene.now));
    CHECK(scene.primary() == 0u);
    scene.watch.failed(0, "connection refused");
    CHECK(scene.watch.judge(scene.now));
    CHECK(!scene.primary());
    scene.pass(kStep);
    CHECK(scene.primary() == 0u);
    CHECK(scene.epoch() == 1);  // the same node on the same timeline
}

TEST_CASE("watch: without a primary the standbys that had all of it go on") {
    Healthy scene;
    scene.nodes[0].refuses = true;
    scene.pass(seconds(30));
    CHECK(!scene.primary());
    CHECK(scene.state(1) == Standby);
}

TEST_CASE("watch: a promoted standby is the primary of the next epoch, and the old one stale") {
    Healthy scene;
    scene.nodes[1].in_recovery = false;
    scene.nodes[1].timeline = 2;
    scene.nodes[1].lsn += 200;
    scene.pass(kStep);
    CHECK(scene.primary() == 1u);
    CHECK(scene.epoch() == 2);
    CHECK(scene.state(0) == Stale);
    CHECK(scene.state(2) == Lagging);
    CHECK(scene.why(2) == "it follows timeline 1, the primary is on 2");
    scene.nodes[2].timeline = 2;
    scene.nodes[2].lsn = scene.nodes[1].lsn;
    scene.pass(seconds(1));
    CHECK(scene.state(2) == Standby);

    SUBCASE("the old one stays out when it is alone") {
        scene.nodes[1].refuses = true;
        scene.pass(seconds(5));
        CHECK(!scene.primary());
        CHECK(scene.state(0) == Stale);
    }
    SUBCASE("the old one may come back as a standby") {
        scene.nodes[0] = scene.nodes[2];
        scene.pass(seconds(1));
        CHECK(scene.state(0) == Standby);
        CHECK(scene.epoch() == 2);
    }
}

TEST_CASE("watch: how far a standby is behind a new primary is not told by the old one's log") {
    Healthy scene;
    scene.nodes[1].in_recovery = false;
    scene.nodes[1].timeline = scene.nodes[2].timeline = 2;
    scene.nodes[1].lsn += 200;
    scene.pass(kStep);
    CHECK(scene.why(2) == "how far it is behind is not known yet");
}

TEST_CASE("watch: a standby on a newer timeline shows that the primary is an old one") {
    Healthy scene;
    scene.nodes[1].timeline = 2;
    scene.pass(kStep);
    CHECK(!scene.primary());
    CHECK(scene.epoch() == 2);
    CHECK(scene.state(0) == Stale);
}

TEST_CASE("watch: a primary that became a standby is known to be none") {
    Healthy scene;
    scene.nodes[0].in_recovery = true;
    scene.pass(kStep);
    CHECK(!scene.primary());
    CHECK(scene.epoch() == 2);
    scene.pass(seconds(1));
    CHECK(scene.epoch() == 2);
    scene.nodes[0].in_recovery = false;  // started without standby.signal, it stays on its timeline
    scene.pass(kStep);
    CHECK(scene.primary() == 0u);
    CHECK(scene.epoch() == 2);
}

TEST_CASE("watch: a copy that takes writes on the same timeline changes nothing") {
    Healthy scene;
    scene.nodes[1].in_recovery = false;
    scene.nodes[1].lsn += 10'000;
    scene.pass(seconds(1));
    CHECK(scene.primary() == 0u);
    CHECK(scene.state(1) == Stale);
    scene.nodes[0].refuses = true;
    scene.pass(seconds(10));
    CHECK(!scene.primary());
    CHECK(scene.state(1) == Stale);
}

TEST_CASE("watch: of two that take writes from the start nobody can tell which one is right") {
    Scene scene(2);
    scene.nodes[1].in_recovery = false;
    scene.pass(seconds(5));
    CHECK(!scene.primary());
    CHECK(scene.state(0) == Stale);
    CHECK(scene.state(1) == Stale);
}

TEST_CASE("watch: a node of another cluster is refused, whoever answers first") {
    Scene scene(3);
    scene.nodes[0].system = kTheirs;
    scene.nodes[0].in_recovery = false;
    scene.nodes[1].in_recovery = false;
    scene.nodes[1].answers = scene.nodes[2].answers = false;
    scene.pass(milliseconds(500));
    CHECK(!scene.primary());
    CHECK(scene.watch.system_identifier() == 0);
    scene.nodes[1].answers = scene.nodes[2].answers = true;
    scene.pass(seconds(1));
    CHECK(scene.watch.system_identifier() == kOurs);
    CHECK(scene.state(0) == Foreign);
    CHECK(scene.primary() == 1u);
    CHECK(scene.state(2) == Standby);

    scene.nodes[1].refuses = scene.nodes[2].refuses = true;  // a restore that replaced them
    scene.pass(seconds(5));
    CHECK(scene.state(0) == Foreign);
    CHECK(!scene.primary());
}

TEST_CASE("watch: whom a standby follows has to be known") {
    Scene scene(2);
    scene.nodes[1].timeline = 0;
    scene.pass(seconds(1));
    CHECK(scene.state(1) == Lagging);
    scene.nodes[1].timeline = 1;
    scene.pass(seconds(1));
    CHECK(scene.state(1) == Standby);
    scene.nodes[1].timeline = 0;  // its receiver is away for a moment
    CHECK(scene.pass(seconds(1)) == 0);
}

TEST_CASE("watch: a pause of its own is nobody's silence") {
    Healthy scene;
    scene.now += seconds(30);
    CHECK(!scene.watch.judge(scene.now));
    CHECK(scene.primary() == 0u);
    scene.nodes[0].answers = false;
    scene.pass(seconds(2));
    CHECK(!scene.primary());
}

TEST_CASE("watch: a busy cluster stays as it is") {
    Healthy scene;
    scene.pass_busily(seconds(60));
    CHECK(scene.epoch() == 1);
    CHECK(scene.state(1) == Standby);
    CHECK(scene.state(2) == Standby);
}

TEST_CASE("watch: a primary that was put back to an earlier state leaves its standbys behind") {
    Healthy scene;
    scene.pass_busily(milliseconds(100));
    scene.nodes[0].lsn -= 300;
    scene.nodes[1].timeline = 0;              // its receiver is refused
    scene.nodes[2].lsn = scene.nodes[0].lsn;  // put back like its primary
    scene.pass(kStep * 2);
    CHECK(scene.primary() == 0u);
    CHECK(scene.state(1) == Lagging);
    CHECK(scene.why(1).find("put back") != std::string::npos);
    CHECK(scene.watch.view().nodes[1].shown == 0);
    CHECK(scene.state(2) == Standby);

    // The primary's log passes it: it holds what that one has lost nevertheless.
    scene.nodes[0].lsn += 1000;
    scene.pass(seconds(2));
    CHECK(scene.state(1) == Lagging);

    SUBCASE("made anew") {
        scene.nodes[1].refuses = true;
        scene.pass(seconds(1));
        scene.nodes[1] = FakeNode{.lsn = scene.nodes[0].lsn};
    }
    SUBCASE("put back too") {
        scene.nodes[1].lsn = scene.nodes[0].lsn - 900;
        scene.pass(kStep);
        scene.nodes[1] = FakeNode{.lsn = scene.nodes[0].lsn};
    }
    scene.pass(seconds(2));
    CHECK(scene.state(1) == Standby);
}

TEST_CASE("watch: an answer that comes late does not put its standby ahead") {
    Healthy scene;
    scene.pass_busily(milliseconds(100));
    const Answer late{scene.now, false, scene.nodes[0].lsn, 1, false};
    scene.nodes[0].answers = false;
    scene.pass_busily(milliseconds(100));
    scene.watch.answered(0, late, scene.now);
    scene.watch.judge(scene.now);
    CHECK(scene.state(1) == Standby);
}

TEST_CASE("watch: a pause of its own is forgiven however short a node's silence may be") {
    Scene scene(2);
    scene.watch.set_limits(Limits{.silence = milliseconds(150)});
    scene.pass(seconds(1));
    REQUIRE(scene.state(1) == Standby);
    scene.now += milliseconds(200);
    scene.watch.judge(scene.now);
    CHECK(scene.primary() == 0u);
    CHECK(scene.state(1) == Standby);
    CHECK(stall_of(seconds(1)) == milliseconds(250));
}

}  // namespace pgweir::cluster
