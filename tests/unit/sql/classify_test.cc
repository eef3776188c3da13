#include "pgweir/sql/classify.h"

#include <string>

#include <doctest/doctest.h>

namespace pgweir::sql {

TEST_CASE("classify: reads") {
    for (const char* sql : {
             "SELECT 1",
             "select abalance from pgbench_accounts where aid = $1;",
             "SELECT a.id, count(*) FROM accounts a JOIN statuses s ON s.account_id = a.id "
             "WHERE a.name LIKE 'x%' AND s.id IN (1, 2, 3) GROUP BY 1 HAVING count(*) > 1 "
             "ORDER BY 2 DESC NULLS LAST LIMIT 10 OFFSET 5",
             "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 9) "
             "SELECT sum(n) FROM t",
             "SELECT * FROM (SELECT 1 UNION SELECT 2 EXCEPT SELECT 3) x, LATERAL unnest(ARRAY[1]) "
             "u",
             "VALUES (1, 'a'), (2, 'b')",
             "TABLE accounts",
             "SELECT now(), CURRENT_USER, clock_timestamp(), random(), gen_random_uuid()",
             "SELECT row_number() OVER w FROM t WINDOW w AS (PARTITION BY a ORDER BY b)",
             "SELECT x::text COLLATE \"C\", CAST(y AS int[]), a[1:2], (r).f, EXISTS (SELECT 1) "
             "FROM t",
             "SELECT CASE WHEN a IS NULL THEN 1 ELSE coalesce(b, greatest(1, 2)) END FROM t",
             "SELECT 'DELETE FROM t', $$UPDATE t$$ /* INSERT */ -- nextval()",
             "SELECT * FROM t TABLESAMPLE bernoulli (10)",
             "SELECT \"nextval\" FROM t",
             "EXPLAIN SELECT 1",
             "EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM t",
             "COPY t TO STDOUT",
             "COPY (SELECT 1) TO STDOUT WITH (FORMAT csv)",
             "SELECT pg_catalog.lower('A'), pg_get_viewdef('v'), to_tsvector('english', 'x')",
             "SELECT attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid",
             "SELECT stanullfrac FROM pg_statistic JOIN pg_stats ON true",
         }) {
        const std::string text(sql);
        CAPTURE(text);
        const Classification found = classify(sql);
        CHECK(found.reads);
        CHECK(found.why == "");
    }
}

TEST_CASE("classify: everything else is the primary's") {
    for (const char* sql : {
             "",
             ";",
             "SELEC 1",
             "SELECT 1; SELECT 2",
             "INSERT INTO t VALUES (1)",
             "UPDATE t SET a = 1",
             "DELETE FROM t",
             "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
             "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
             "SELECT * FROM (WITH i AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a FROM i) x",
             "SELECT 1 INTO t",
             "SELECT * INTO TEMPORARY t FROM s",
             "SELECT * FROM t FOR UPDATE",
             "SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED",
             "SELECT * FROM t FOR SHARE OF t NOWAIT",
             "SELECT * FROM (SELECT * FROM t FOR KEY SHARE) x",
             "SELECT nextval('s')",
             "SELECT pg_catalog.nextval('s')",
             "SELECT a FROM t WHERE b = (SELECT setval('s', 1))",
             "SELECT set_config('a.b', 'c', false)",
             "SELECT pg_advisory_lock(1)",
             "SELECT pg_try_advisory_xact_lock(1)",
             "SELECT pg_notify('c', 'p')",
             "SELECT lo_creat(1)",
             "SELECT lo_get(1)",
             "SELECT txid_current()",
             "SELECT pg_current_xact_id()",
             "SELECT pg_is_in_recovery()",
             "SELECT pg_backend_pid()",
             "SELECT inet_server_port()",
             "SELECT query_to_xml('DELETE FROM t', true, true, '')",
             "SELECT * FROM t ORDER BY nextval('s')",
             "SELECT count(*) FILTER (WHERE nextval('s') > 1) FROM t",
             "SELECT 1 LIMIT nextval('s')",
             "SELECT * FROM generate_series(1, nextval('s'))",
             "VALUES (nextval('s'))",
             "SELECT sum(a) OVER (ORDER BY nextval('s')) FROM t",
             "SELECT * FROM pg_stat_activity",
             "SELECT * FROM pg_catalog.pg_locks",
             "SELECT * FROM pg_temp.t",
             "SELECT * FROM pg_temp_3.t",
             "SELECT * FROM public.pg_stat_statements",
             // Another string under another setting, or in another encoding.
             "SELECT '\\', nextval($$s$$) --'",
             "SELECT E'\x95\\', nextval($$s$$) --'",
             "SELECT 'open",
             "COPY t FROM STDIN",
             "COPY t TO '/tmp/x'",
             "COPY t TO PROGRAM 'cat'",
             "COPY t TO ''",
             "SELECT * FROM crosstab('SELECT f()') AS x (a int)",
             "SELECT * FROM public.xpath_table('a', 'b', 'f()', '/', 'true') AS x (a int)",
             "SELECT pg_input_is_valid('1', 'checked')",
             "SELECT * FROM pg_timezone_names()",
             "COPY (DELETE FROM t RETURNING *) TO STDOUT",
             "EXPLAIN DELETE FROM t",
             "EXPLAIN ANALYZE INSERT INTO t VALUES (1)",
             "EXPLAIN EXECUTE p",
             "EXPLAIN CREATE TABLE t AS SELECT 1",
             "BEGIN",
             "SET a.b = 'c'",
             "SHOW transaction_read_only",
             "DECLARE c CURSOR FOR SELECT 1",
             "EXECUTE p",
             "DO $$BEGIN END$$",
             "CALL p()",
             "CREATE TABLE t (a int)",
             "LOCK TABLE t",
             "LISTEN c",
             "VACUUM",
             "REFRESH MATERIALIZED VIEW v",
         }) {
        const std::string text(sql);
        CAPTURE(text);
        const Classification found = classify(sql);
        CHECK(!found.reads);
        CHECK(found.why != "");
    }
}

TEST_CASE("classify: says which functions it calls, and which of them are PostgreSQL's") {
    const Mentions found =
        classify("SELECT my_fn(1), s.other(2), lower('A'), s.lower('A'), \"LOWER\"('A')").mentions;
    CHECK(found.functions == std::vector<Name>{
                                 {"",  "my_fn"},
                                 {"s", "other"},
                                 {"s", "lower"},
                                 {"",  "LOWER"}
    });
    CHECK(found.harmless_functions == std::vector<Name>{
                                          {"", "lower"}
    });
    CHECK(!classify("SELECT my_fn(nextval('s'))").reads);
    CHECK(classify("SELECT a FROM t TABLESAMPLE mine (1)").mentions.functions == std::vector<Name>{
                                                                                     {"", "mine"}
    });
    CHECK(classify("SELECT db.s.f()").mentions.functions == std::vector<Name>{
                                                                {"s", "f"}
    });
}

TEST_CASE("classify: says which operators, types and fields it mentions") {
    const Mentions found = classify(
                               "SELECT a OPERATOR(s.+) b, c::mine, d = ANY (SELECT 1), t.f, (r).g, "
                               "q.*, now() AT TIME ZONE 'x' FROM t ORDER BY e USING OPERATOR(s.<)")
                               .mentions;
    CHECK(found.operators == std::vector<Name>{
                                 {"s", "+"},
                                 {"",  "="},
                                 {"s", "<"}
    });
    CHECK(found.types == std::vector<Name>{
                             {"", "mine"}
    });
    const Mentions between = classify("SELECT 1 WHERE a NOT BETWEEN SYMMETRIC 1 AND 2").mentions;
    CHECK(between.operators == std::vector<Name>{
                                   {"", "<" },
                                   {"", "<="},
                                   {"", ">" },
                                   {"", ">="}
    });
    CHECK(found.fields == std::vector<std::string>{"f", "g"});
}

TEST_CASE("classify: says what it reads, for views and sequences to be looked up") {
    const Mentions found =
        classify(
            "WITH a AS (SELECT 1) SELECT * FROM a JOIN s.b USING (x) WHERE EXISTS "
            "(SELECT 1 FROM \"C\")")
            .mentions;
    CHECK(found.relations == std::vector<Name>{
                                 {"",  "a"},
                                 {"s", "b"},
                                 {"",  "C"}
    });
    CHECK(found.queries == std::vector<std::string>{"a"});
}

TEST_CASE("classify: the reason is told") {
    CHECK(classify("SELECT 1 FROM t FOR UPDATE").why == "FOR UPDATE or FOR SHARE locks rows");
    CHECK(classify("WITH x AS (DELETE FROM t) SELECT 1").why == "DELETE writes");
    CHECK(classify("SELECT nextval('s')").why ==
          "nextval() writes, or belongs to one node or session");
    CHECK(classify("INSERT INTO t VALUES (1)").why == "insert_stmt is no read");
    CHECK(classify("SELECT FROM FROM").why.starts_with("it cannot be read: syntax error"));
}

TEST_CASE("classify: what would nest on the stack is not looked into") {
    std::string deep = "SELECT ";
    for (int i = 0; i < 20000; ++i) deep += "1+";
    CHECK(classify(deep + "1").why.starts_with("it is too long to be looked into"));
    CHECK(!classify("SELECT E''\n'\\'' + 1 -- '").reads);
    std::string comments;
    for (size_t i = 0; i <= kCommentsMax; ++i) comments += "/* */";
    CHECK(!classify(comments + "SELECT 1").reads);
    CHECK(!classify("SELECT " + std::string(20000, '(') + "1").reads);
    CHECK(!classify(std::string(kClassifiedBytesMax + 1, ' ')).reads);
    CHECK(!classify(std::string("SELECT 1\0; DELETE FROM t", 24)).reads);
    std::string list = "SELECT * FROM t WHERE id IN (0";
    for (int i = 1; i < 5000; ++i) list += "," + std::to_string(i);
    CHECK(classify(list + ")").reads);
    std::string sum = "SELECT 1";
    for (size_t i = 0; i < kNestingMax / 2 - 2; ++i) sum += "+1";
    CHECK(classify(sum).reads);
}

}  // namespace pgweir::sql
