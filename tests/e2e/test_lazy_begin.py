"""BEGIN waits for the first statement of its transaction: what clients see of it, which is nothing but the time."""

import signal

import psycopg
import pytest

from pgweir_e2e import wire as w
from pgweir_e2e.waiting import at_once, in_background, wait_until

BATCH_OF_ONE = (w.bind(), w.describe(), w.execute(), w.sync())


@pytest.fixture
def make_lazy(make_pooler):
    def make(**options):
        return make_pooler(http=True, pool={"lazy_begin": True}, **options)
    return make


def total(pooler, name):
    """Over all pools."""
    lines = pooler.http_get("/metrics")[1].splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))


@pytest.mark.pooler_only
def test_transactions_without_a_statement_need_no_server(make_lazy, open_wire_to):
    pooler = make_lazy(pool_size=1)
    wires = [open_wire_to(pooler) for _ in range(20)]
    for wire in wires:  # twenty open at once, on one server
        assert wire.sql("BEGIN").status == "T"
    first = wires[0].sql("SELECT 1")
    assert (first.rows, first.status) == ([("1",)], "T")
    for wire in wires[1:]:
        ended = wire.sql("COMMIT")
        assert (ended.tags, ended.status) == (["COMMIT"], "I")
    assert wires[0].sql("ROLLBACK").status == "I"
    assert total(pooler, "pgweir_begins_deferred_total") == 20
    assert total(pooler, "pgweir_transactions_untouched_total") == 19


def test_what_a_transaction_is_arrives_with_its_first_statement(make_lazy, open_wire_to):
    wire = open_wire_to(make_lazy(pool_size=1))
    wire.sql("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    wire.sql("SET TRANSACTION DEFERRABLE")
    assert wire.sql("SHOW transaction_isolation").rows == [("repeatable read",)]
    assert wire.sql("SHOW transaction_deferrable").rows == [("on",)]
    assert wire.sql("CREATE TABLE never (n int)").sqlstates == ["25006"]
    assert wire.sql("COMMIT AND CHAIN").tags == ["ROLLBACK"]
    assert wire.sql("SHOW transaction_read_only").rows == [("off",)]  # PostgreSQL forgets it
    assert wire.sql("ROLLBACK").status == "I"
    wire.sql("BEGIN READ ONLY")
    assert wire.sql("COMMIT AND CHAIN").tags == ["COMMIT"]
    assert wire.sql("SHOW transaction_read_only").rows == [("on",)]
    assert wire.sql("ROLLBACK").status == "I"


def test_batches_find_the_same(make_lazy, open_wire_to, table):
    wire = open_wire_to(make_lazy(pool_size=1))
    begun = wire.ask(w.parse("", "BEGIN"), *BATCH_OF_ONE)
    assert (begun.types, begun.tags, begun.status) == ("12nCZ", ["BEGIN"], "T")
    inserted = wire.ask(w.prepare_and_run("INSERT INTO t VALUES ($1)", ("1",), name="i"))
    assert (inserted.tags, inserted.status) == (["INSERT 0 1"], "T")
    committed = wire.ask(w.parse("", "COMMIT"), *BATCH_OF_ONE)
    assert (committed.tags, committed.status) == (["COMMIT"], "I")
    begun = wire.ask(w.parse("b", "START TRANSACTION"), w.sync())
    assert begun.status == "I"
    assert wire.ask(w.bind("b"), w.describe(), w.execute(), w.sync()).tags == ["START TRANSACTION"]
    # What is nobody's statement, or portal, is not the one that was put in front.
    assert wire.ask(w.execute(), w.sync()).sqlstates == ["34000"]
    assert wire.sql("ROLLBACK").status == "I"
    assert wire.sql("SELECT count(*) FROM t").rows == [("1",)]


def test_errors_and_warnings_are_those_of_postgresql(make_lazy, open_wire_to, table):
    wire = open_wire_to(make_lazy(pool_size=1))
    wire.sql("BEGIN")
    again = wire.sql("BEGIN")
    assert [notice["C"] for notice in again.notices] == ["25001"]
    assert wire.sql("SELECT 1/0").sqlstates == ["22012"]
    assert wire.sql("SELECT 1").sqlstates == ["25P02"]
    assert wire.sql("COMMIT").tags == ["ROLLBACK"]
    warned = wire.sql("COMMIT")
    assert [notice["C"] for notice in warned.notices] == ["25P01"]
    wire.sql("BEGIN")
    refused = wire.sql("VACUUM t")
    assert (refused.sqlstates, refused.status) == (["25001"], "E")
    assert wire.sql("ROLLBACK").status == "I"


@pytest.mark.pooler_only
def test_a_transaction_that_is_cancelled_before_it_has_a_server_has_failed(make_lazy, open_wire_to, table):
    pooler = make_lazy(pool_size=1)
    holder, waiter = open_wire_to(pooler), open_wire_to(pooler)
    for ending in ("ROLLBACK", "INSERT INTO t VALUES (1)"):
        holder.sql("BEGIN")
        holder.sql("SELECT 1")
        waiter.sql("BEGIN")
        waiter.send(w.query("INSERT INTO t VALUES (1)"))
        wait_until(lambda: pooler.waiting_clients() == 1, "the client waits")
        waiter.cancel()
        told = waiter.until_ready()
        assert (told.sqlstates, told.status) == (["57014"], "E")
        holder.sql("COMMIT")
        answer = waiter.sql(ending)
        if ending == "ROLLBACK":
            assert (answer.tags, answer.status) == (["ROLLBACK"], "I")
        else:
            assert (answer.sqlstates, answer.status) == (["25P02"], "E")
    ended = waiter.ask(w.parse("", "COMMIT"), *BATCH_OF_ONE)
    assert (ended.tags, ended.status) == (["ROLLBACK"], "I")
    assert waiter.sql("SELECT count(*) FROM t").rows == [("0",)]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_cancel_runs_a_statement_outside_of_its_transaction(make_lazy, table, workers):
    """Each transaction is rolled back: whatever is in the table was written outside of one."""
    pooler = make_lazy(pool_size=3, workers=workers)

    def client(number):
        hit = 0
        with pooler.connect(autocommit=True) as connection:
            for turn in range(150):
                connection.execute("BEGIN")
                cancelling = in_background(connection.cancel)
                try:
                    connection.execute("INSERT INTO t VALUES (%s)", (number * 1000 + turn,))
                    connection.execute("SELECT 1")
                except psycopg.errors.QueryCanceled:
                    hit += 1
                cancelling.result(30)
                while True:  # one that comes late may hit what ends it
                    try:
                        connection.execute("ROLLBACK")
                        break
                    except psycopg.errors.QueryCanceled:
                        hit += 1
        return hit

    hits = sum(at_once(6, client))
    print(f"{hits} statements were cancelled")
    with pooler.connect() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.pooler_only
def test_a_stop_waits_for_a_transaction_that_has_only_begun(make_lazy, open_wire_to, table):
    pooler = make_lazy(pool_size=1)
    wire = open_wire_to(pooler)
    wire.sql("BEGIN")
    pooler.send(signal.SIGTERM)
    wait_until(lambda: "SIGTERM" in pooler.log(), "it was told to stop")
    assert wire.sql("INSERT INTO t VALUES (1)").status == "T"
    wire.send(w.query("COMMIT"))
    assert wire.until_ready().tags == ["COMMIT"]
    assert wire.until_closed().sqlstates == ["57P03"]


@pytest.mark.pooler_only
def test_between_begin_and_the_first_statement_nobody_is_idle_in_a_transaction(make_lazy, open_wire_to, postgres):
    pooler = make_lazy(pool_size=1)
    wire = open_wire_to(pooler)
    wire.sql("SELECT 1")
    wire.sql("BEGIN")
    began = postgres.value("SELECT clock_timestamp()")
    assert postgres.value("SELECT count(*) FROM pg_stat_activity "
                          "WHERE state = 'idle in transaction' AND usename = 'app'") == 0
    shown = wire.sql(f"SELECT now() > '{began}'::timestamptz")
    assert shown.rows == [("t",)]
    wire.sql("COMMIT")
