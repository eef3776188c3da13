#include "pgweir/sql/hints.h"

#include <doctest/doctest.h>

namespace pgweir::sql {

TEST_CASE("hints: a comment at the beginning says where") {
    CHECK(hint_of("/* pgweir: primary */ SELECT 1").wish == Wish::Primary);
    CHECK(hint_of("  /*pgweir:standby*/SELECT 1").wish == Wish::Standby);
    CHECK(hint_of("/* PGWEIR : Standby */ SELECT 1").wish == Wish::Standby);
    for (const char* text :
         {"SELECT 1", "", "   ", "/*", "/* pgweir */ SELECT 1", "/* pgweir: both */ SELECT 1",
          "/* pgweirs: primary */ SELECT 1", "SELECT /* pgweir: primary */ 1",
          "-- pgweir: primary\nSELECT 1", "/* app: primary */ SELECT 1"}) {
        CAPTURE(text);
        CHECK(hint_of(text).wish == Wish::Auto);
    }
}

TEST_CASE("hints: a comment that names pgweir and asks for nothing that there is") {
    CHECK(hint_of("/* pgweir: both */ SELECT 1").unknown == "both");
    CHECK(hint_of("/*PGWEIR:primary standby*/ SELECT 1").unknown == "primary standby");
    CHECK(hint_of("/* pgweir: primry").unknown == "primry");
    for (const char* text :
         {"/* pgweir: auto */ SELECT 1", "/* pgweir: primary */ SELECT 1", "/* pgweir: */ SELECT 1",
          "/* pgweir */ SELECT 1", "/* pgweirs: both */ SELECT 1", "SELECT /* pgweir: both */ 1"}) {
        CAPTURE(text);
        CHECK(hint_of(text).unknown.empty());
    }
}

TEST_CASE("hints: what would be another thing on a standby, and nobody would say so") {
    for (const char* text :
         {"SELECT pg_advisory_xact_lock(1)", "SELECT PG_TRY_ADVISORY_LOCK(1) FROM t",
          "COMMIT; INSERT INTO t VALUES (1)", "SELECT 1; rollback; SELECT 2"}) {
        CAPTURE(text);
        CHECK(misplaced_on_standby(text));
    }
    for (const char* text :
         {"SELECT 1", "COMMIT", "COMMIT;", "SELECT advisory FROM t", "SELECT f(1)",
          "SELECT 'pg_advisory_lock(1)'", "SELECT 1; SELECT 2; COMMIT"}) {
        CAPTURE(text);
        CHECK_FALSE(misplaced_on_standby(text));
    }
}

TEST_CASE("hints: SHOW of one setting") {
    for (const char* text :
         {"SHOW pgweir.token", "SHOW \"pgweir.token\"", "show PGWEIR.Token;",
          " \n/* x */ SHOW pgweir.token", "-- x\nSHOW \"pgweir\" . \"token\" ;"}) {
        CAPTURE(text);
        CHECK(shows(text, "pgweir.token"));
    }
    for (const char* text : {"", "S", "SHOW", "SHOW pgweir", "SHOW pgweir.", "SHOW pgweir.tokens",
                             "SHOW pgweir.token x", "SELECT pgweir.token", "SHOW \"Pgweir\".token",
                             "SHOW ALL", "shop pgweir.token", "'SHOW' pgweir.token"}) {
        CAPTURE(text);
        CHECK_FALSE(shows(text, "pgweir.token"));
    }
}

TEST_CASE("hints: what begins the next transaction with the end of one") {
    for (const char* text : {"COMMIT AND CHAIN", "select 1; ROLLBACK WORK and /* x */ chain;"}) {
        CAPTURE(text);
        CHECK(chains(text));
    }
    for (const char* text : {"COMMIT", "COMMIT AND NO CHAIN", "SELECT 'and chain'", ""}) {
        CAPTURE(text);
        CHECK_FALSE(chains(text));
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
    for (const char* text :
         {"SELECT 1", "INSERT INTO created VALUES (1)", "CREATE TEMP TABLE t ()",
          "CREATE LOCAL TEMPORARY TABLE t ()", "BEGIN", "", "CREATE TEMP TABLE t (); SELECT 1",
          "SELECT 'x; DROP TABLE t'", "SELECT 1;", "abort;", "commit;"}) {
        CAPTURE(text);
        CHECK_FALSE(changes_catalogue(text));
    }
}

}  // namespace pgweir::sql
