#include "pgweir/cluster/questions.h"

#include <vector>

#include <doctest/doctest.h>

namespace pgweir::cluster {
namespace {

using Cells = std::vector<std::optional<std::string_view>>;
constexpr auto kNull = std::nullopt;

}  // namespace

TEST_CASE("questions: a primary says where its log is and on which timeline") {
    const auto answer = read_place(Cells{"f", "0/3000148", kNull, "000000020000000000000003", "f"});
    REQUIRE(answer);
    CHECK(!answer->in_recovery);
    CHECK(answer->lsn == 0x3000148);
    CHECK(answer->timeline == 2);
    CHECK(!answer->replay_paused);
}

TEST_CASE("questions: a standby says what it has replayed and whom it follows") {
    const auto answer = read_place(Cells{"t", "1/0", "7", kNull, "t"});
    REQUIRE(answer);
    CHECK(answer->in_recovery);
    CHECK(answer->lsn == uint64_t{1} << 32);
    CHECK(answer->timeline == 7);
    CHECK(answer->replay_paused);
}

TEST_CASE("questions: a standby that receives nothing has no timeline to tell") {
    const auto answer = read_place(Cells{"t", kNull, kNull, kNull, "f"});
    REQUIRE(answer);
    CHECK(answer->timeline == 0);
    CHECK(answer->lsn == 0);
}

TEST_CASE("questions: what does not look like an answer is none") {
    const Cells good{"f", "0/3000148", kNull, "000000020000000000000003", "f"};
    REQUIRE(read_place(good));
    const auto with = [&](size_t column, std::optional<std::string_view> text) {
        Cells row = good;
        row[column] = text;
        return read_place(row);
    };
    CHECK(!with(0, kNull));
    CHECK(!with(0, "true"));
    CHECK(!with(1, kNull));
    CHECK(!with(1, "0-3000148"));
    CHECK(!with(3, kNull));
    CHECK(!with(3, "00000002.history"));
    CHECK(!with(4, ""));
    CHECK(!read_place(Cells{}));
    CHECK(!read_place(Cells{"f"}));
    CHECK(!read_place(Cells{"f", "0/1", kNull, "000000020000000000000003", "f", "f"}));
}

TEST_CASE("questions: the identifier may be a negative number") {
    const auto identity = read_identity(Cells{"-1", "8192", "16777216"});
    REQUIRE(identity);
    CHECK(identity->system_identifier == UINT64_MAX);
    CHECK(identity->wal == WalLayout{8192, 16 << 20});
    CHECK(read_identity(Cells{"7412345678901234567", "8192", "1073741824"}));
    CHECK(!read_identity(Cells{kNull, "8192", "16777216"}));
    CHECK(!read_identity(Cells{"0", "8192", "16777216"}));
    CHECK(!read_identity(Cells{"7", "8192", "16MB"}));
    CHECK(!read_identity(Cells{"7", "8192"}));
}

}  // namespace pgweir::cluster
