#include "pgweir/cluster/lsn.h"

#include <doctest/doctest.h>

namespace pgweir::cluster {
namespace {

constexpr uint64_t kSegment = uint64_t{16} << 20;
constexpr WalLayout kUsual{8192, kSegment};

}  // namespace

TEST_CASE("lsn: as PostgreSQL writes it") {
    CHECK(parse_lsn("0/0") == Lsn{0});
    CHECK(parse_lsn("16/B374D848") == Lsn{0x16'B374D848});
    CHECK(parse_lsn("FFFFFFFF/FFFFFFFF") == UINT64_MAX);
    CHECK(lsn_text(0x16'B374D848) == "16/B374D848");
    CHECK(lsn_text(0x1'00000001) == "1/1");
}

TEST_CASE("lsn: anything else is none") {
    for (const char* text :
         {"", "/", "1/", "/1", "1", "1/2/3", "1/G", "123456789/0", "1/ 2", "-1/2", "0x1/2"}) {
        CAPTURE(text);
        CHECK(!parse_lsn(text));
    }
}

TEST_CASE("lsn: the timeline stands in the name of a file") {
    CHECK(timeline_of_file("000000020000000000000003") == 2u);
    CHECK(timeline_of_file("0000000A0000000000000003") == 10u);
    CHECK(!timeline_of_file(""));
    CHECK(!timeline_of_file("00000002.history"));
    CHECK(!timeline_of_file("0000000G0000000000000003"));
}

TEST_CASE("lsn: a record that fills its page ends before the next page's header") {
    CHECK(end_of_log(3 * kSegment + 8192 + 24, kUsual) == 3 * kSegment + 8192);
    CHECK(end_of_log(3 * kSegment + 40, kUsual) == 3 * kSegment);
    CHECK(end_of_log(3 * kSegment + 24, kUsual) == 3 * kSegment + 24);  // no place for a record
    CHECK(end_of_log(3 * kSegment + 8192 + 40, kUsual) == 3 * kSegment + 8192 + 40);
    CHECK(end_of_log(3 * kSegment + 8192 + 32, kUsual) == 3 * kSegment + 8192 + 32);
    CHECK(end_of_log(3 * kSegment + 8192 + 24, WalLayout{}) == 3 * kSegment + 8192 + 24);
}

}  // namespace pgweir::cluster
