#include "pgweir/sql/effects.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::sql {
namespace {

using namespace std::string_literals;

constexpr Effects kNone;
constexpr Effects kChange = Effect::MayChangeSession;
constexpr Effects kKept = kChange | Effect::MayPin;
constexpr Effects kHidden = kChange | Effect::MayHideSettings;
constexpr Effects kForget = Effect::MayForgetStatements;
constexpr Effects kFree = Effect::MayFree;

struct Row {
    std::string_view sql;
    Effects effects;
};

template <size_t kRows>
void check(const Row (&rows)[kRows]) {
    for (const Row& row : rows) {
        CAPTURE(row.sql);
        CHECK(effects_of(row.sql) == row.effects);
    }
}

template <size_t kTexts>
void check_all(const std::string_view (&texts)[kTexts], Effects effects) {
    for (const std::string_view sql : texts) {
        CAPTURE(sql);
        CHECK(effects_of(sql) == effects);
    }
}

}  // namespace

TEST_CASE("effects: sets") {
    CHECK_FALSE(kNone.any());
    CHECK((kChange | kForget).has(Effect::MayChangeSession));
    CHECK_FALSE(kChange.has(Effect::MayFree));
    CHECK((kChange | kForget).contains(kForget));
    CHECK_FALSE(kForget.contains(kChange | kForget));
    CHECK(kChange != kForget);
}

// clang-format off
TEST_CASE("effects: commands that leave nothing") {
    check_all({
        "", ";", " ; ; ", "-- nothing", "/* SET x = 1 */",
        "BEGIN", "begin transaction isolation level serializable read only", "START TRANSACTION",
        "COMMIT", "COMMIT AND CHAIN", "END", "ABORT", "ROLLBACK", "ROLLBACK TO SAVEPOINT a",
        "SAVEPOINT a", "RELEASE SAVEPOINT a", "COMMIT PREPARED 'x'", "ROLLBACK PREPARED 'x'",
        "PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION $$x$$",
        "SET LOCAL statement_timeout = '5s'", "set local role ann", "SET LOCAL myapp.user = '5'",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET CONSTRAINTS ALL DEFERRED",
        "SHOW search_path", "SHOW ALL", "CHECKPOINT", "NOTIFY channel, 'payload'", "VALUES (1), (2)",
        "TABLE users", "(SELECT 1) UNION (SELECT 2)", "((SELECT 1))",
        "LOCK TABLE t IN SHARE MODE", "TRUNCATE t, u RESTART IDENTITY CASCADE",
        "GRANT SELECT (a), UPDATE (b) ON t TO ann", "REVOKE ALL ON FUNCTION f(int), g(int) FROM ann",
        "COMMENT ON FUNCTION f(int) IS 'x'", "VACUUM (ANALYZE, VERBOSE) t (a, b)", "ANALYZE t (a)",
        "REINDEX (VERBOSE) TABLE t", "CLUSTER t USING i", "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "DECLARE c CURSOR FOR SELECT 1", "DECLARE c SCROLL CURSOR WITHOUT HOLD FOR SELECT 1",
        "FETCH 10 FROM c", "MOVE FORWARD ALL IN c",
        "ALTER SYSTEM SET work_mem = '1MB'", "ALTER ROLE ann SET search_path = x",
        "ALTER TABLE t SET (fillfactor = 70)",
        "ALTER TABLE t ALTER COLUMN c TYPE varchar(10)", "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE FUNCTION f(a int) RETURNS int AS $$ SELECT set_config('a', 'b', false) $$ LANGUAGE sql",
        "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SET x = 1; END'",
        "CREATE TRIGGER t BEFORE UPDATE OF a ON u FOR EACH ROW EXECUTE FUNCTION public.f('a')",
        "CREATE VIEW v (a, b) AS SELECT 1, 2", "CREATE SEQUENCE s", "CREATE TYPE mood AS ENUM ('a', 'b')",
        "COPY t (a, b) FROM STDIN", "COPY public.t (a) FROM STDIN (FORMAT csv)",
        "COPY t TO STDOUT WITH (FORMAT binary)", "COPY (SELECT lower(a) FROM t) TO STDOUT (FORMAT csv)",
    }, kNone);
}

TEST_CASE("effects: commands that change the session, and what else they do") {
    check({
        {"SET x = 1", kChange},
        {"set session x to 1", kChange},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", kChange},
        {"SET SESSION AUTHORIZATION ann", kChange},
        {"SET ROLE ann", kChange},
        {"SET TIME ZONE 'UTC'", kChange},
        {"SET NAMES 'utf8'", kChange},
        {"SET \"local\" = 1", kChange},
        {"SET local.x = 1", kChange},
        {"SET transaction.x = 1", kChange},
        {"SET/**/x = 1", kChange},
        {"RESET x", kChange | Effect::MayReset},
        {"RESET ALL", kChange | Effect::MayReset},
        {"DO $$ BEGIN END $$", kHidden},
        {"CALL p(1)", kHidden},
        {"DISCARD ALL", kChange | kForget | kFree | Effect::MayReset},
        {"DISCARD TEMP", kChange | kForget | kFree | Effect::MayReset},
        {"DEALLOCATE ALL", kChange | kForget | kFree},
        {"DEALLOCATE PREPARE x", kChange | kForget | kFree},
        {"PREPARE x AS SELECT 1", kChange},
        {"PREPARE x (int) AS SELECT $1", kChange},
        {"PREPARE transaction AS SELECT 1", kChange},
        {"EXECUTE x (1)", kHidden},
        {"EXPLAIN ANALYZE EXECUTE x (1)", kHidden},
        {"EXPLAIN (ANALYZE, BUFFERS) EXECUTE x", kHidden},
        {"CREATE TABLE t AS EXECUTE x", kHidden},
        {"PREPARE", kChange},
        {"PREPARE TRANSACTION", kChange},
        {"SET", kChange},
        {"LISTEN a", kChange},
        {"UNLISTEN *", kChange | kFree},
        {"LOAD 'auto_explain'", kKept | Effect::BindsForGood},
        {"DROP TABLE t", kFree},
        {"drop function f(int), g(int)", kFree},
        {"CLOSE c", kFree},
        {"START_REPLICATION SLOT s LOGICAL 0/0", kHidden},
        {"no_such_command", kHidden},
        {"'text'", kHidden},
    });
}

TEST_CASE("effects: every statement of a text counts") {
    check({
        {"SELECT 1; SET x = 1", kChange},
        {"BEGIN;SET x = 1;COMMIT", kChange},
        {"SELECT 1;;LISTEN a;", kChange},
        {"SELECT ';SET x = 1'", kNone},
        {"SELECT \";SET x = 1\" FROM t", kNone},
        {"SELECT $$;SET x = 1;$$", kNone},
        {"SELECT 1 -- ; SET x = 1", kNone},
        {"SELECT 1 --\n; SET x = 1", kChange},
        {"SELECT 1 --\r; SET x = 1", kChange},
        {"SET LOCAL x = 1; SET y = 2", kChange},
        {"DROP TABLE t; LOAD 'x'", kKept | kFree | Effect::BindsForGood},
        {"SELECT (1; SET x = 1", kChange},
    });
}

TEST_CASE("effects: temporary relations") {
    check_all({
        "CREATE TEMP TABLE t (a int)", "CREATE TEMPORARY TABLE t AS SELECT 1",
        "create local temp table t (a int) on commit drop", "CREATE GLOBAL TEMPORARY TABLE t (a int)",
        "CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "CREATE TEMP SEQUENCE s",
        "CREATE TEMP RECURSIVE VIEW v (a) AS SELECT 1", "SELECT * INTO TEMP t FROM u",
        "SELECT * INTO TEMPORARY TABLE t FROM u", "SELECT * INTO LOCAL TEMP t FROM u",
        "EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", "SELECT 1INTO TEMP t",
        "CREATE TABLE pg_temp.t (a int)", "CREATE TABLE \"pg_temp\".t (a int)",
        "CREATE TABLE PG_TEMP_3.t (a int)", "CREATE FUNCTION pg_temp.f() RETURNS int AS 'x'",
        "SELECT 1 INTO pg_temp.t",
    }, kKept);
    check_all({
        "INSERT INTO temp (a) VALUES (1)", "SELECT temp FROM weather", "SELECT t.temp INTO x FROM t",
        "CREATE TABLE temp (a int)", "ALTER TABLE temp ADD a int", "CREATE TABLE pg_temperature (a int)",
        "CREATE UNLOGGED TABLE t (a int)", "CREATE TABLE t AS SELECT 1",
    }, kNone);
}

TEST_CASE("effects: cursors that outlive their transaction") {
    CHECK(effects_of("DECLARE c CURSOR WITH HOLD FOR SELECT 1") == kKept);
    CHECK(effects_of("DECLARE c NO SCROLL CURSOR WITH/**/hold FOR SELECT 1") == kKept);
}

TEST_CASE("effects: an update of the view of settings is a SET") {
    CHECK(effects_of("UPDATE pg_settings SET setting = '1' WHERE name = 'x'") == kChange);
    CHECK(effects_of("WITH a AS (UPDATE ONLY pg_catalog.\"pg_settings\" SET setting = '1' RETURNING 1) TABLE a") == kChange);
    CHECK(effects_of("SELECT setting FROM pg_settings; UPDATE t SET a = 1") == kNone);
}

TEST_CASE("effects: functions that are known") {
    check({
        {"SELECT lower(a), COUNT(*), now() FROM t", kNone},
        {"SELECT pg_catalog.lower(a)", kNone},
        {"SELECT nextval('s'), pg_notify('a', 'b'), pg_sleep(1), random()", Effect::MovesSequences},
        {"SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)", kNone},
        {"SELECT currval('s')", Effect::ReadsSequenceState},
        {"SELECT LASTVAL()", Effect::ReadsSequenceState},
        {"SELECT set_config('a', 'b', true)", kHidden},
        {"SELECT set_config /* x */ ('a', 'b', false)", kHidden},
        {"SELECT pg_catalog.set_config('search_path', '', false)", kHidden},
        {"SELECT setseed(0.5)", kKept | Effect::BindsForGood},
        {"SELECT dblink_connect('a', 'b')", kKept | Effect::BindsForGood},
        {"SELECT pg_backup_start('x')", kKept | Effect::BindsForGood},
        {"SELECT pg_create_logical_replication_slot('a', 'b', true)", kKept | Effect::BindsForGood},
        {"SELECT pg_advisory_lock(1)", kKept},
        {"SELECT pg_try_advisory_lock_shared(1)", kChange},
        {"SELECT pg_advisory_unlock(1)", kChange | kFree},
        {"SELECT pg_advisory_unlock_all()", kChange | kFree},
        {"SELECT query_to_xml('SET x = 1', true, true, '')", kHidden},
    });
}

TEST_CASE("effects: functions that nobody knows are a doubt, wherever they are called") {
    check_all({
        "SELECT f()", "SELECT a, f (b) FROM t", "SELECT f/**/()", "SELECT f--\n()",
        "SELECT public.lower(a)", "SELECT pg_catalog.f()", "SELECT db.pg_catalog.lower(a)",
        "SELECT \"lower\"(a)", "SELECT \"pg_catalog\".lower(a)", "SELECT public.\"lower\"(a)",
        "SELECT public.select(a)", "SELECT * FROM f(1)", "SELECT * FROM t, LATERAL f(t.a)",
        "SELECT * FROM t JOIN f(1) ON true", "SELECT * FROM t JOIN u ON f(t.a)",
        "SELECT 1 WHERE NOT f()", "SELECT CASE WHEN f() THEN g() ELSE h() END", "SELECT 1 ORDER BY f()",
        "SELECT a[f()] FROM t", "SELECT -f(1)", "SELECT 1 LIMIT f()", "SELECT array[f()]",
        "SELECT DISTINCT ON (a) f(b) FROM t", "SELECT 1 OPERATOR(pg_catalog.+) f(1)",
        "SELECT a AT TIME ZONE f()", "INSERT INTO t (a) VALUES (f())", "INSERT INTO t SELECT f()",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (f(a)) DO NOTHING",
        "INSERT INTO t (a) VALUES (1) RETURNING f(a)", "UPDATE t SET a = f()",
        "UPDATE t SET (a, b) = (f(), 1)", "DELETE FROM t USING f() u", "DELETE FROM t WHERE f()",
        "WITH x AS (SELECT f()) SELECT 1", "EXPLAIN ANALYZE SELECT f()", "EXPLAIN (ANALYZE) SELECT f()",
        "COPY (SELECT f()) TO STDOUT", "COPY t FROM STDIN WHERE f(a)", "VALUES (f())",
        "CREATE TABLE t AS SELECT f()", "CREATE INDEX ON t (f(a))", "CREATE INDEX i ON t (a) WHERE f(b)",
        "CREATE INDEX i ON t USING gin (f(a))", "ALTER TABLE t ALTER COLUMN c TYPE int USING f(c)",
        "ALTER TABLE t ADD COLUMN a int DEFAULT f()", "CREATE TABLE t (a int DEFAULT f())",
        "DECLARE c CURSOR FOR SELECT f()", "SELECT sum(f(a)) OVER (ORDER BY g(b)) FROM t",
        "SELECT set(1)", "SELECT key(1)", "SELECT range(1)", "SELECT 1 ORDER BY hash(a)",
        "CREATE SCHEMA s CREATE INDEX i ON t (a) CREATE VIEW v AS SELECT 1 FROM t JOIN u ON f(a)",
        "SELECT stdin(1)", "SELECT varying(1)",
    }, kHidden);
}

TEST_CASE("effects: names in quotes and of other schemas keep what the name is known for") {
    CHECK(effects_of("SELECT \"setseed\"(0.5)") == (kHidden | kKept | Effect::BindsForGood));
    CHECK(effects_of("SELECT public.dblink_connect('a')") == (kHidden | kKept | Effect::BindsForGood));
    CHECK(effects_of("SELECT \"currval\"('s')") == (kHidden | Effect::ReadsSequenceState));
}

TEST_CASE("effects: a parenthesis behind a name is not always a call") {
    check_all({
        "INSERT INTO t (a, b) VALUES ($1, $2)", "INSERT INTO public.t(a) VALUES (1)",
        "INSERT INTO \"t\" (\"a\") VALUES (1) ON CONFLICT (\"a\") DO UPDATE SET (\"a\") = ROW (2)",
        "INSERT INTO t AS u (a) VALUES (1)", "UPDATE t SET (a, b) = (1, 2)", "UPDATE t u SET (a) = (1)",
        "WITH x (a, b) AS (SELECT 1, 2) SELECT * FROM x", "WITH x AS MATERIALIZED (SELECT 1) TABLE x",
        "WITH RECURSIVE \"x\"(\"a\") AS (SELECT 1) SELECT * FROM x",
        "WITH x AS NOT MATERIALIZED (SELECT 1) TABLE x",
        "SELECT * FROM (VALUES (1, 2)) AS t(a, b)", "SELECT * FROM (VALUES (1, 2)) t (a, b)",
        "SELECT * FROM unnest($1::int[]) WITH ORDINALITY AS t(a, n)",
        "SELECT * FROM generate_series(1, 2) g(i)",
        "SELECT count(*) FILTER (WHERE a IN (1, 2)) OVER (PARTITION BY b ORDER BY c) FROM t",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t",
        "SELECT sum(a) OVER w FROM t WINDOW w AS (ORDER BY b)",
        "SELECT a FROM t GROUP BY GROUPING SETS ((a), ()), ROLLUP (a), CUBE (a) HAVING (a > 1)",
        "SELECT CAST(a AS numeric(10, 2)), a::varchar(5), b::geometry(Point, 4326) FROM t",
        "SELECT COALESCE(a, b), NULLIF(a, b), GREATEST(a), EXTRACT(epoch FROM a), TRIM(a) FROM t",
        "SELECT ARRAY(SELECT 1), ROW(1, 2), EXISTS (SELECT 1), a = ANY ($1), b = ALL (ARRAY[1]) FROM t",
        "SELECT a FROM t WHERE (a, b) IN ((1, 2)) AND (c) OR NOT (d) AND a BETWEEN (1) AND (2)",
        "SELECT a FROM t JOIN u USING (a) JOIN v ON (a = b) WHERE a LIKE ('x') LIMIT (1) OFFSET (2)",
        "SELECT CURRENT_USER, current_timestamp(3), LOCALTIME(0)", "SELECT left(a, 1), right(a, 1) FROM t",
        "SELECT (1) UNION ALL (SELECT 2) EXCEPT (SELECT 3)", "SELECT DISTINCT ON (a) b FROM t",
        "CREATE TABLE t (a int)", "CREATE TABLE IF NOT EXISTS public.t (a int)",
        "CREATE TABLE t (a numeric(5,2) PRIMARY KEY, b character varying(255) NOT NULL DEFAULT (0),"
        " c bit varying(3) CHECK (c > 1), UNIQUE (a, b), FOREIGN KEY (b) REFERENCES u (b), PRIMARY KEY (a) INCLUDE (c))",
        "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY (START 1)) WITH (fillfactor = 70)",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a)", "CREATE TABLE t (a int) PARTITION BY HASH (a)",
        "CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2)",
        "CREATE TABLE p PARTITION OF t FOR VALUES IN (1)", "CREATE TABLE t (a int) INHERITS (u)",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON public.t (lower(a), b) WHERE (c IS NULL)",
        "CREATE INDEX \"i\" ON \"t\" USING gin (\"a\") WITH (fastupdate = off)", "CREATE INDEX ON ONLY t (a)",
        "ALTER TABLE ONLY t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(b) ON DELETE CASCADE",
        "SELECT * FROM t TABLESAMPLE system (1)", "EXPLAIN (FORMAT json) SELECT 1", "EXPLAIN(ANALYZE)SELECT(1)",
        "MERGE INTO t USING u ON (a = b) WHEN NOT MATCHED THEN INSERT (a, b) VALUES (1, 2)",
        "SELECT xmlelement(name x, xmlattributes(1 AS a))", "SELECT a IS DISTINCT FROM (b) FROM t",
    }, kNone);
}

TEST_CASE("effects: what ORMs and drivers send") {
    check_all({
        "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;",
        "UPDATE pgbench_accounts SET abalance = abalance + -42 WHERE aid = 1;",
        "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP);",
        "SELECT \"users\".* FROM \"users\" WHERE \"users\".\"deleted_at\" IS NULL AND \"users\".\"id\" = $1 LIMIT $2",
        "INSERT INTO \"users\" (\"email\", \"created_at\") VALUES ($1, $2) RETURNING \"id\"",
        "SELECT 1 AS one FROM \"statuses\" WHERE \"statuses\".\"uri\" = $1 LIMIT $2 /*action='show'*/",
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid),"
        " a.attnotnull, c.collname, col_description(a.attrelid, a.attnum) AS comment FROM pg_attribute a"
        " LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
        " WHERE a.attrelid = '\"users\"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        "SELECT t.oid, t.typname FROM pg_type as t LEFT JOIN pg_range as r ON oid = rngtypid"
        " WHERE t.typname IN ('int2', 'int4') OR t.typtype IN ('r', 'e', 'd')",
        "INSERT INTO \"note\"(\"id\", \"tags\") VALUES ($1, DEFAULT) RETURNING \"tags\"",
        "SELECT \"User\".\"id\" AS \"User_id\", COUNT(DISTINCT(\"User\".\"id\")) AS \"cnt\" FROM \"user\" \"User\""
        " LEFT JOIN \"profile\" \"p\" ON \"p\".\"userId\"=\"User\".\"id\" WHERE ( \"User\".\"host\" IS NULL )"
        " AND ( lower(\"User\".\"name\") LIKE $1 ) ORDER BY \"User_id\" DESC LIMIT 10",
        "SELECT pg_catalog.version()", "select current_schema()", "show standard_conforming_strings",
        "SELECT users.id AS users_id, anon_1.n FROM users JOIN (SELECT user_id, count(%(c_1)s) AS n FROM a"
        " GROUP BY user_id) AS anon_1 ON users.id = anon_1.user_id WHERE users.name ILIKE 'x' FOR UPDATE",
        "SELECT COUNT(*) AS \"__count\" FROM \"auth_user\" WHERE UPPER(\"auth_user\".\"name\"::text) = UPPER('x')",
        "SELECT (1) AS \"a\" FROM \"django_session\" WHERE \"session_key\" = 'x' LIMIT 1",
        "SELECT c.relname, c.relpartbound IS NOT NULL FROM pg_catalog.pg_class c WHERE c.relkind IN ('f', 'p')"
        " AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid)",
        "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default"
        " AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3",
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr("
        "d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND a.atthasdef)"
        " FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0",
        "SAVEPOINT active_record_1", "RELEASE SAVEPOINT sa_savepoint_1", "select 'x'::regclass::oid",
    }, kNone);
    check_all({
        "SET client_min_messages TO 'warning'", "SET SESSION timezone TO 'UTC'",
        "set extra_float_digits = 3",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
    }, kChange);
    CHECK(effects_of("SELECT set_config('TimeZone', 'UTC', false)") == kHidden);
    CHECK(effects_of("SELECT pg_try_advisory_lock(5143936215)") == kChange);
}

// clang-format on

TEST_CASE("effects: a text that can be read in two ways is a doubt") {
    check_all(
        {
            "SELECT 'it\\'s'",
            "SELECT 'a",
            "SELECT \"a",
            "SELECT $$a",
            "SELECT /* a",
            "SELECT U&\"a\" FROM t",
            "SELECT E'\\",
            "SELECT $",
        },
        kHidden | kForget);
    CHECK(effects_of("SELECT 1\0"s) == (kHidden | kForget));
    CHECK(effects_of("SELECT 'it\\'; LOAD 'x'") ==
          (kHidden | kKept | kForget | Effect::BindsForGood));
}

TEST_CASE("effects: parentheses deeper than can be told are a doubt") {
    const std::string open(64, '(');
    const std::string close(64, ')');
    CHECK(effects_of("SELECT " + open + "1" + close) == kNone);
    CHECK(effects_of("SELECT (" + open + "1" + close + ")") == kHidden);
    CHECK(effects_of("SELECT 1 ))))") == kNone);
}

TEST_CASE("effects: statements that want a database alone, and those who ask for their process") {
    check_all({"CREATE DATABASE a TEMPLATE b", "alter database d rename to e"},
              Effect::NeedsDatabaseAlone);
    check_all({"DROP DATABASE d", "DROP DATABASE IF EXISTS d WITH (FORCE)"},
              Effect::NeedsDatabaseAlone | Effect::MayFree);
    CHECK(effects_of("SELECT database FROM t").any() == false);
    CHECK(effects_of("SELECT pg_backend_pid()") == Effect::AsksProcess);
}

TEST_CASE("effects: the name that DEALLOCATE names") {
    CHECK(deallocated_name("DEALLOCATE a1") == "a1");
    CHECK(deallocated_name("deallocate prepare A1;") == "a1");
    CHECK(deallocated_name("DEALLOCATE \"A 1\"") == "A 1");
    for (const auto sql : {"DEALLOCATE ALL", "DEALLOCATE PREPARE ALL", "DEALLOCATE",
                           "DEALLOCATE a b", "DEALLOCATE a; SELECT 1", "SELECT 1", "DEALLOCATE 'a'",
                           "DEALLOCATE \"a\"\"b\"", "DEALLOCATE gr\xc3\xbcn", "DEALLOCATE \"a"}) {
        CAPTURE(sql);
        CHECK(deallocated_name(sql).empty());
    }
}

TEST_CASE("effects: a text is one statement, or more") {
    for (const auto sql : {"", "SELECT 1", "SELECT 1;", "SELECT 1 ;; -- end", "SELECT ';a'"}) {
        CAPTURE(sql);
        CHECK(is_single_statement(sql));
    }
    for (const auto sql : {"SELECT 1; SELECT 2", "SELECT 'a", ";SELECT 1", "SELECT 1;\n;x"}) {
        CAPTURE(sql);
        CHECK_FALSE(is_single_statement(sql));
    }
}

TEST_CASE(
    "effects: a plain SELECT is known without reading it, and nothing else is taken for one") {
    for (const std::string_view plain :
         {"SELECT 1", "select a.b, c FROM t WHERE d = $1 AND e <> 3 ORDER BY 2;", "SELECT '1'",
          "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;", "SELECT pinto FROM t"}) {
        CAPTURE(plain);
        CHECK(effects_of(plain) == kNone);
        CHECK(effects_of("/**/" + std::string(plain)) == kNone);
    }
    for (const std::string_view other :
         {"SELECT 1 INTO TEMP t", "select a into temp t from b", "SELECT 1;SET x = 1",
          "SELECT f(1)", "SELECT 1; LISTEN a", "SELECT 1 Into Temporary t", "SELECT \"f\"(1)",
          "SELECT $x$a", "SELECT 1;;SET x = 1"}) {
        CAPTURE(other);
        CHECK(effects_of(other) == effects_of("/**/" + std::string(other)));
        CHECK(effects_of(other).any());
    }
}

}  // namespace pgweir::sql
