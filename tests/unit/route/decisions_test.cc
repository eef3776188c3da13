#include "pgweir/route/decisions.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace pgweir::route {
namespace {

std::unique_ptr<const Catalogue> catalogue_with(const char* flags) {
    // As the fields of route::kCatalogueQuestion.
    const std::vector<std::optional<std::string_view>> cells{
        "relation", "1", "public",     "t", "rp",  "0",  //
        "function", "2", "public",     "f", flags, "0",  //
        "operator", "0", "pg_catalog", "=", "",    "0"};
    auto made = Catalogue::from_rows(3, cells);
    REQUIRE(made.has_value());
    return std::make_unique<const Catalogue>(std::move(*made));
}

Class class_of(Decisions& decisions, std::string_view text) {
    Decisions::Ref ref;
    const Decision* decision = decisions.about(text, ref);
    REQUIRE(decision != nullptr);
    CHECK(decisions.find(ref) == decision);
    return decision->its;
}

}  // namespace

TEST_CASE("decisions: one for all values, and each shape is looked into once") {
    Decisions decisions;
    const auto catalogue1 = catalogue_with("");
    decisions.use(catalogue1.get());
    CHECK(class_of(decisions, "SELECT * FROM t WHERE id = 1") == Class::Read);
    CHECK(class_of(decisions, "SELECT * FROM t WHERE id = 2") == Class::Read);
    CHECK(class_of(decisions, "select * from t where id = 1") == Class::Read);
    CHECK(decisions.looked_into() == 1);
    CHECK(class_of(decisions, "DELETE FROM t WHERE id = 1") == Class::Write);
    CHECK(class_of(decisions, "BEGIN READ ONLY") == Class::BeginsReadOnly);
    CHECK(decisions.looked_into() == 3);
}

TEST_CASE("decisions: what changes the catalogue is known, in each place it is looked for") {
    Decisions decisions;
    for (const char* text :
         {"DROP TABLE t", "DROP TABLE t", "drop table t", "CREATE TABLE t (a int)",
          "SELECT 1; ALTER TABLE t ADD b int DEFAULT 1"}) {
        CAPTURE(text);
        Decisions::Ref ref;
        CHECK(decisions.about(text, ref)->changes_catalogue);
    }
    for (const char* text : {"SELECT 1", "DELETE FROM t", "CREATE TEMP TABLE t (a int)"}) {
        CAPTURE(text);
        Decisions::Ref ref;
        CHECK_FALSE(decisions.about(text, ref)->changes_catalogue);
    }
}

TEST_CASE("decisions: texts that differ in values or space only share one decision") {
    Decisions decisions;
    Decisions::Ref first;
    decisions.about("DELETE FROM t WHERE id = 1 AND a = 'x'", first);
    for (const char* text :
         {"DELETE FROM t WHERE id = 1 AND a = 'x'", "DELETE FROM t WHERE id = 2 AND a = 'it''s'",
          "DELETE FROM t WHERE id = 20 AND a = ''", "DELETE FROM t WHERE id=3 AND a=$$y$$",
          "DELETE FROM t WHERE id = 4 AND a = E'\n' -- z",
          "delete from t where id = 5 and a = 'x'"}) {
        CAPTURE(text);
        Decisions::Ref ref;
        decisions.about(text, ref);
        CHECK(ref.place == first.place);
    }
    CHECK(decisions.looked_into() == 1);
    for (const char* text : {"DELETE FROM t WHERE id = 1 OR a = 'x'",
                             "DELETE FROM t WHERE id = 1 OR a = $$x$$ -- y"}) {
        CAPTURE(text);
        Decisions::Ref other;
        decisions.about(text, other);
        CHECK(other.place != first.place);
    }
}

TEST_CASE("decisions: what writes no data is known, though it is no read") {
    Decisions decisions;
    const auto catalogue2 = catalogue_with("");
    decisions.use(catalogue2.get());
    const auto writes = [&](std::string_view text) {
        Decisions::Ref ref;
        return decisions.about(text, ref)->writes;
    };
    for (const char* text : {"BEGIN", "COMMIT", "SET a.b = 1", "SHOW work_mem", "DISCARD ALL",
                             "SELECT * FROM t", "LISTEN c", "ROLLBACK TO s"}) {
        CAPTURE(text);
        CHECK_FALSE(writes(text));
    }
    for (const char* text :
         {"UPDATE t SET id = 1", "COMMIT PREPARED 'x'", "SELECT nextval('s')", "CALL p()", "DO 'x'",
          "COMMIT PREPARED ''", "NOTIFY c", "FETCH c", "nonsense"}) {
        CAPTURE(text);
        CHECK(writes(text));
    }
}

TEST_CASE(
    "decisions: where nothing refuses it, what somebody made may write though it seems to read") {
    const auto catalogue = catalogue_with("");
    Decisions decisions;
    decisions.use(catalogue.get());
    Decisions::Ref ref;
    CHECK(decisions.about("SELECT f(1)", ref)->writes);
    CHECK_FALSE(decisions.about("SELECT lower('x') FROM t", ref)->writes);
}

TEST_CASE("decisions: another catalogue, another decision") {
    Decisions decisions;
    CHECK(class_of(decisions, "SELECT f(id) FROM t") == Class::Write);
    const auto catalogue3 = catalogue_with("");
    decisions.use(catalogue3.get());
    CHECK(class_of(decisions, "SELECT f(id) FROM t") == Class::Read);
    const auto catalogue4 = catalogue_with("v");
    decisions.use(catalogue4.get());
    CHECK(class_of(decisions, "SELECT f(id) FROM t") == Class::Write);
}

TEST_CASE("decisions: behind a change nothing is decided until the catalogue has come again") {
    const auto catalogue = catalogue_with("");
    Decisions decisions;
    Decisions::Ref ref;
    decisions.distrust();  // there was none to trust
    CHECK(decisions.about("SELECT f(1)", ref) != nullptr);
    decisions.use(catalogue.get());
    CHECK(class_of(decisions, "SELECT f(1)") == Class::Read);
    decisions.distrust();
    CHECK(decisions.about("SELECT f(1)", ref) == nullptr);
    const uint64_t before = decisions.looked_into();
    decisions.use(catalogue.get());
    CHECK(class_of(decisions, "SELECT f(1)") == Class::Read);
    CHECK(decisions.looked_into() == before);  // it says the same as before
}

TEST_CASE("decisions: what a standby refused is for the primary until the catalogue changes") {
    Decisions decisions;
    const auto catalogue5 = catalogue_with("");
    decisions.use(catalogue5.get());
    Decisions::Ref ref;
    REQUIRE(decisions.about("SELECT f(1)", ref) != nullptr);
    decisions.refuse(ref);
    CHECK(class_of(decisions, "SELECT f(2)") == Class::Write);
    CHECK(decisions.find(ref)->refused);
    CHECK(decisions.find(ref)->writes);
    const auto catalogue6 = catalogue_with("");
    decisions.use(catalogue6.get());
    CHECK(class_of(decisions, "SELECT f(2)") == Class::Read);
}

TEST_CASE("decisions: new shapes without end cost no time and no room without end") {
    Decisions decisions;
    const auto catalogue7 = catalogue_with("");
    decisions.use(catalogue7.get());
    Decisions::Ref first;
    const auto text_of = [](size_t number) {
        return fmt::format("SELECT id AS a{} FROM t", number);
    };
    size_t decided = 0;
    for (size_t number = 0; number < 3 * Decisions::kShapesMax; ++number) {
        Decisions::Ref ref;
        decided += decisions.about(text_of(number), ref) != nullptr ? 1 : 0;
        if (number == 0) first = ref;
    }
    CHECK(decided == Decisions::kLookedIntoMax);
    CHECK(decisions.not_looked_into() == 3 * Decisions::kShapesMax - decided);
    CHECK(decisions.find(first) == nullptr);
    size_t held = 0;
    decisions.for_each([&](const sql::Fingerprint&, const Decision&) { ++held; });
    CHECK(held == Decisions::kShapesMax);
    decisions.tick();
    CHECK(class_of(decisions, text_of(0)) == Class::Read);
}

TEST_CASE("decisions: what has no certain end is decided by nobody") {
    Decisions decisions;
    const auto catalogue8 = catalogue_with("");
    decisions.use(catalogue8.get());
    Decisions::Ref ref;
    CHECK(decisions.about("SELECT 'open", ref) == nullptr);
    CHECK(decisions.about(std::string(sql::kFingerprintedBytesMax + 1, 'x'), ref) == nullptr);
}

}  // namespace pgweir::route
