#include "pgweir/cluster/progress.h"

#include <doctest/doctest.h>

namespace pgweir::cluster {

TEST_CASE(
    "progress: a sample that is asked for later has a higher number than who wrote was told") {
    Progress progress(2);
    const uint64_t before = progress.begin_question();
    const uint64_t wanted = progress.next_sample();
    CHECK(before < wanted);
    CHECK(progress.begin_question() >= wanted);
    CHECK(progress.shown(0) == 0);
    progress.publish(1, 7);
    CHECK(progress.shown(1) == 7);
    CHECK(progress.shown(0) == 0);
}

TEST_CASE("progress: numbers go on after those of another cluster") {
    Progress progress(1, 41);
    CHECK(progress.next_sample() == 42);
    CHECK(progress.begin_question() == 42);
}

}  // namespace pgweir::cluster
