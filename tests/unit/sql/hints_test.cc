#include "pgweir/sql/hints.h"

#include <doctest/doctest.h>

namespace pgweir::sql {

TEST_CASE("hints: a comment at the beginning says where") {
    CHECK(hint_of("/* pgweir: primary */ SELECT 1") == Wish::Primary);
    CHECK(hint_of("  /*pgweir:standby*/SELECT 1") == Wish::Standby);
    CHECK(hint_of("/* PGWEIR : Standby */ SELECT 1") == Wish::Standby);
    for (const char* text :
         {"SELECT 1", "", "   ", "/*", "/* pgweir */ SELECT 1", "/* pgweir: both */ SELECT 1",
          "/* pgweirs: primary */ SELECT 1", "SELECT /* pgweir: primary */ 1",
          "-- pgweir: primary\nSELECT 1", "/* app: primary */ SELECT 1"}) {
        CAPTURE(text);
        CHECK(hint_of(text) == Wish::Auto);
    }
}

TEST_CASE("hints: what makes, alters or drops") {
    for (const char* text :
         {"CREATE TABLE t ()", "create or replace function f() …", "ALTER TABLE t ADD c int",
          "DROP VIEW v", "BEGIN; CREATE TABLE t (); COMMIT", "/* x */ CREATE UNLOGGED TABLE t ()",
          "SELECT 1; DROP TABLE t", "CREATE"}) {
        CAPTURE(text);
        CHECK(changes_catalogue(text));
    }
    for (const char* text : {"SELECT 1", "INSERT INTO created VALUES (1)", "CREATE TEMP TABLE t ()",
                             "CREATE LOCAL TEMPORARY TABLE t ()", "BEGIN", "",
                             "CREATE TEMP TABLE t (); SELECT 1", "SELECT 'x; DROP TABLE t'"}) {
        CAPTURE(text);
        CHECK_FALSE(changes_catalogue(text));
    }
}

}  // namespace pgweir::sql
