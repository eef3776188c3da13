"""What a statement mentions is looked up in its database: functions, operators, types, views, policies, tables."""

import re

import psycopg
import pytest
from pgweir_e2e.waiting import wait_until

pytestmark = pytest.mark.pooler_only

OBJECTS = """
CREATE TABLE t (id int, name text);
CREATE FUNCTION shown(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION counted(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION is_counted(int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION archive(t) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION title(t) RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE SCHEMA other;
CREATE FUNCTION other.upper(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION add_one(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE counting(int) (SFUNC = add_one, STYPE = int);
CREATE AGGREGATE summing(int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION alike(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR @@@ (LEFTARG = int, RIGHTARG = int, FUNCTION = alike);
CREATE DOMAIN checked AS int CHECK (is_counted(VALUE));
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE UNLOGGED TABLE cache (id int);
CREATE MATERIALIZED VIEW kept AS SELECT * FROM cache;
CREATE VIEW cached AS SELECT * FROM t WHERE id IN (SELECT id FROM cache);
CREATE SEQUENCE s;
CREATE VIEW numbered AS SELECT nextval('s'), * FROM t;
CREATE VIEW of_numbered AS SELECT 1 FROM numbered;
CREATE VIEW counted_view AS SELECT counted(id) FROM t;
CREATE VIEW operated AS SELECT id @@@ 1 FROM t;
CREATE VIEW locking AS SELECT * FROM t FOR UPDATE;
CREATE VIEW placed AS SELECT inet_server_port();
CREATE VIEW plain AS SELECT shown(id), now(), lower(name), count(*) FROM t GROUP BY id, name;
CREATE TABLE whole (id int) PARTITION BY LIST (id);
CREATE UNLOGGED TABLE part PARTITION OF whole FOR VALUES IN (1);
CREATE TABLE whole2 (id int) PARTITION BY LIST (id);
CREATE TABLE part2 PARTITION OF whole2 FOR VALUES IN (1);
CREATE TABLE guarded (id int);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded FOR SELECT USING (is_counted(id));
CREATE TABLE owned (id int, owner name);
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON owned USING (owner = current_user);
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (id int) SERVER files OPTIONS (filename '/dev/null');
CREATE EXTENSION pg_trgm;
CREATE TYPE kind AS (n int);
CREATE FUNCTION to_kind(text) RETURNS kind LANGUAGE sql AS 'SELECT ROW(1)::kind';
CREATE CAST (text AS kind) WITH FUNCTION to_kind(text) AS IMPLICIT;
CREATE FUNCTION number_of(kind) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1.n';
CREATE TABLE kinds (k kind[]);
CREATE FUNCTION of_checked(checked) RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE DOMAIN outer_checked AS checked;
CREATE TABLE with_checked (c checked);
CREATE VIEW casting AS SELECT (id::checked)::int FROM t;
CREATE FUNCTION numbered_by_default(a int, b int DEFAULT nextval('s')) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION dated_by_default(a int, b timestamptz DEFAULT now()) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1';
CREATE TYPE flag AS (n int);
CREATE FUNCTION is_set(flag) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE CAST (flag AS bool) WITH FUNCTION is_set(flag) AS ASSIGNMENT;
CREATE TABLE flags (f flag);
CREATE TYPE sorted AS (n int);
CREATE FUNCTION sorted_lt(sorted, sorted) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1.n < $2.n';
CREATE FUNCTION sorted_compare(sorted, sorted) RETURNS int LANGUAGE sql AS 'SELECT $1.n - $2.n';
CREATE OPERATOR <<< (LEFTARG = sorted, RIGHTARG = sorted, FUNCTION = sorted_lt);
CREATE OPERATOR CLASS sorted_ops DEFAULT FOR TYPE sorted USING btree AS OPERATOR 1 <<<, FUNCTION 1 sorted_compare(sorted, sorted);
CREATE TABLE of_sorted (s sorted);
CREATE OPERATOR !@# (LEFTARG = int, RIGHTARG = int, FUNCTION = alike, NEGATOR = !@@);
CREATE FUNCTION unlike(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR !@@ (LEFTARG = int, RIGHTARG = int, FUNCTION = unlike, NEGATOR = !@#);
CREATE VIEW negating AS SELECT NOT (id !@@ 1) FROM t;
CREATE FUNCTION rows_of(VARIADIC t[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE EXTENSION tablefunc;
"""

TAINT = "a type whose casts, checks or comparisons call a VOLATILE function"

READS = ["SELECT 1",
         "SELECT * FROM t JOIN public.t u USING (id)",
         "SELECT shown(id), lower(name), summing(id) FROM t GROUP BY 1, 2",
         "SELECT title(t), t.title, t.name FROM t",
         "SELECT id::positive FROM t",
         "SELECT dated_by_default(id) FROM t",
         "SELECT id FROM t WHERE id BETWEEN 1 AND 2 AND name NOT LIKE 'x' AND id IN (1, 2) AND id IS DISTINCT FROM 3",
         "SELECT ROW(1, 2)::record, '1 2'::oidvector, '{1}'::_int4",
         "SELECT id::bigint, name::varchar(10), ARRAY[id]::int[], (1, 'x')::t FROM t",
         "SELECT * FROM plain",
         "SELECT * FROM kept",
         "SELECT * FROM whole2",
         "SELECT * FROM owned",
         "SELECT similarity(name, 'x') FROM t WHERE name % 'y'",
         "SELECT * FROM pg_class, pg_tables, information_schema.columns",
         "WITH numbered2 AS (SELECT 1) SELECT * FROM numbered2"]

PRIMARY = {"SELECT counted(id) FROM t": "public.counted() is VOLATILE; if it only reads, declare it STABLE",
           "SELECT upper(1)": "other.upper() is VOLATILE; if it only reads, declare it STABLE",
           "SELECT counting(id) FROM t": "public.counting() is VOLATILE; if it only reads, declare it STABLE",
           "SELECT t.archive FROM t": "archive may be called as a column, and is unfit",
           "SELECT t.rows_of FROM t": "rows_of may be called as a column, and is unfit",
           "SELECT id @@@ 2 FROM t": "operator public.@@@, or what stands for it, calls a VOLATILE function",
           "SELECT NOT (id !@@ 2) FROM t": "operator public.!@@, or what stands for it, calls a VOLATILE function",
           "SELECT * FROM negating": "public.negating calls public.alike()",
           "SELECT numbered_by_default(1)": "public.numbered_by_default() has pg_catalog.nextval() in a default",
           "SELECT of_checked(1)": f"public.of_checked() has to do with {TAINT}",
           "SELECT 1::outer_checked": "a cast, check or comparison of public.outer_checked calls a VOLATILE function",
           "SELECT * FROM with_checked": f"public.with_checked has a column of {TAINT}",
           "SELECT * FROM casting": f"public.casting has to do with {TAINT}",
           "SELECT 1 FROM flags WHERE f": f"public.flags has a column of {TAINT}",
           "SELECT s FROM of_sorted ORDER BY s": f"public.of_sorted has a column of {TAINT}",
           "SELECT 1 #### 2": "#### is no operator that the catalogue has",
           "SELECT 1::fresh": "fresh is no type that the catalogue has",
           "SELECT * FROM crosstab('SELECT counted(1)') AS x (a int)": "crosstab() runs a text",
           "SELECT id::checked FROM t": "a cast, check or comparison of public.checked calls a VOLATILE function",
           "SELECT number_of(name) FROM t":
               f"public.number_of() has to do with {TAINT}",
           "SELECT * FROM kinds":
               f"public.kinds has a column of {TAINT}",
           "SELECT * FROM cache": "public.cache is unlogged, and empty on standbys",
           "SELECT * FROM cached": "public.cached reads public.cache, which is unlogged, and empty on standbys",
           "SELECT last_value FROM s": "public.s is a sequence, and ahead on standbys",
           "SELECT * FROM numbered": "public.numbered calls pg_catalog.nextval()",
           "SELECT * FROM of_numbered":
               "public.of_numbered reads public.numbered, which calls pg_catalog.nextval()",
           "SELECT * FROM counted_view": "public.counted_view calls public.counted()",
           "SELECT * FROM operated": "public.operated calls public.alike()",
           "SELECT * FROM locking": "public.locking locks rows",
           "SELECT * FROM placed": "public.placed calls pg_catalog.inet_server_port()",
           "SELECT * FROM whole": "public.whole reads public.part, which is unlogged, and empty on standbys",
           "SELECT * FROM guarded": "public.guarded calls public.is_counted()",
           "SELECT * FROM far": "public.far is a foreign table",
           "SELECT show_limit2()": "show_limit2 is no function that the catalogue has",
           "SELECT set_limit(0.1)": "public.set_limit() is VOLATILE; if it only reads, declare it STABLE",
           "SELECT * FROM not_there": "not_there is no relation that the catalogue has"}


@pytest.fixture
def nodes(make_nodes):
    return make_nodes(standbys=1)


def explain(pooler, sql, database="app"):
    return next(row for row in pooler.console(f"EXPLAIN ROUTE {sql}") if row["database"] == database)


def sections(nodes, **databases):
    made = nodes.sections()
    made["databases"] = {**made["databases"], **{name: {"cluster": "main", **keys} for name, keys in databases.items()}}
    return made


def test_a_statement_is_judged_by_what_it_mentions(make_pooler, nodes):
    nodes.primary.sql(OBJECTS, "app")
    pooler = make_pooler(**sections(nodes, app={}), http=True)
    wait_until(lambda: explain(pooler, "SELECT 1")["class"] == "read", "the catalogue is read", timeout=30)
    for sql in READS:
        assert explain(pooler, sql)["reason"] == "", sql
        assert explain(pooler, sql)["class"] == "read", sql
    for sql, reason in PRIMARY.items():
        assert explain(pooler, sql)["reason"] == reason, sql
        assert explain(pooler, sql)["class"] == "primary", sql
    _, metrics = pooler.http_get("/metrics")
    assert 'pgweir_catalogue_age_seconds{cluster="main",database="app"}' in metrics


def test_a_catalogue_that_cannot_be_read_keeps_the_reads_of_its_database(make_pooler, nodes):
    nodes.primary.sql("CREATE DATABASE closed")
    nodes.primary.sql("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
    pooler = make_pooler(**sections(nodes, app={}, shut={"dbname": "closed"}))
    # One that fails holds up no other.
    wait_until(lambda: explain(pooler, "SELECT 1")["class"] == "read", "the catalogue of app is read", timeout=30)
    wait_until(lambda: "permission denied" in explain(pooler, "SELECT 1", "shut")["reason"], "the reason is told",
               timeout=30)
    assert explain(pooler, "SELECT 1", "shut")["class"] == "primary"
    assert "cluster main: the catalogue of closed cannot be read, its reads stay on the primary" in pooler.log()

    nodes.primary.sql("GRANT CONNECT ON DATABASE closed TO PUBLIC")
    wait_until(lambda: explain(pooler, "SELECT 1", "shut")["class"] == "read", "it is read after all", timeout=30)


def test_databases_behind_the_star_are_read_once_they_are_used(make_pooler, nodes):
    nodes.primary.sql("CREATE DATABASE second")
    pooler = make_pooler(**nodes.sections(routing={"reads": "standby"}), limits={"catalogues": 1}, http=True)
    assert explain(pooler, "SELECT 1", "*")["reason"] == "no catalogue of a database that it serves is known"
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        pooler.connect(dbname="nowhere")
    with pooler.connect(dbname="app") as connection:
        connection.execute("SELECT 1")
        wait_until(lambda: explain(pooler, "SELECT 1")["class"] == "read", "the catalogue is read", timeout=30)

    with pooler.connect(dbname="second") as connection:
        connection.execute("SELECT 1")
        pooler.log_contains("limits.catalogues is reached, and the reads of database second stay on the primary")
        _, metrics = pooler.http_get("/metrics")
        assert re.search('pgweir_catalogues_refused_total{cluster="main"} [1-9]', metrics)
        assert {row["database"] for row in pooler.console("EXPLAIN ROUTE SELECT 1")} == {"app"}
        pooler.write_config(limits={"catalogues": 2})
        pooler.reload()

        def second_is_read():
            connection.execute("SELECT 1")
            rows = {row["database"]: row["class"] for row in pooler.console("EXPLAIN ROUTE SELECT 1")}
            return rows.get("second") == "read"

        wait_until(second_is_read, "both are read", timeout=30)
