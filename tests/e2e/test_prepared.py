"""Prepared statements belong to the client, whichever backend runs its next transaction."""

import asyncio

import asyncpg
import pytest

from pgweir_e2e.waiting import at_once
from pgweir_e2e.wire import (bind, close, describe, execute, flush, parse, prepare_and_run, query, sync)

INT4, TEXT = 23, 25


def run(name, *parameters):
    """Binds and executes a named statement, up to its Sync."""
    return bind(name, parameters) + execute() + sync()


@pytest.fixture
def make_wires(make_pooler, open_wire_to):
    """make_wires(count, pool_size=1): raw clients that have to share their backends."""
    def make(count=1, **options):
        pooler = make_pooler(**{"pool_size": 1, **options})
        return [open_wire_to(pooler) for _ in range(count)]
    return make


# Drivers that prepare by themselves.

@pytest.mark.parametrize("workers", [1, 4])
def test_psycopg_prepares_everything_on_few_backends(make_pooler, workers):
    pooler = make_pooler(pool_size=2, workers=workers)

    def client(number):
        with pooler.connect() as connection:
            connection.prepare_threshold = 0
            for round_ in range(20):
                statement = f"SELECT %s::int + {(number + round_) % 7}"
                assert connection.execute(statement, [round_]).fetchone() == (round_ + (number + round_) % 7,)

    at_once(12, client)


@pytest.mark.parametrize("workers", [1, 4])
def test_asyncpg_uses_the_same_names_for_different_statements(make_pooler, workers):
    pooler = make_pooler(pool_size=2, workers=workers)
    who = pooler.address()
    who["database"] = who.pop("dbname")

    async def client(number):
        connection = await asyncpg.connect(ssl=False, **who)
        for round_ in range(20):
            factor = (number + round_) % 5
            assert await connection.fetchval(f"SELECT $1::int * {factor}", round_) == round_ * factor
            async with connection.transaction():
                rows = await connection.fetch("SELECT generate_series(1, $1::int) AS n", factor)
                assert [row["n"] for row in rows] == list(range(1, factor + 1))
        await connection.close()

    async def clients():
        await asyncio.gather(*(client(number) for number in range(10)))

    asyncio.run(clients())


# Names.

def test_two_clients_use_one_name_for_two_statements(make_wires):
    first, second = make_wires(2)
    first.ask(parse("s", "SELECT 'first'"), sync())
    second.ask(parse("s", "SELECT 'second'"), sync())
    for _ in range(3):
        assert first.ask(run("s")).rows == [("first",)]
        assert second.ask(run("s")).rows == [("second",)]


def test_one_text_with_two_parameter_types_is_two_statements(make_wires):
    first, second = make_wires(2)
    first.ask(parse("s", "SELECT $1", [INT4]), sync())
    second.ask(parse("s", "SELECT $1", [TEXT]), sync())
    assert first.ask(describe("S", "s"), sync()).bodies("t") == [b"\0\1\0\0\0\x17"]
    assert second.ask(describe("S", "s"), sync()).bodies("t") == [b"\0\1\0\0\0\x19"]
    assert first.ask(run("s", "no number")).sqlstates == ["22P02"]
    assert second.ask(run("s", "no number")).rows == [("no number",)]


def test_a_name_in_use_is_refused_and_the_session_lives(wire):
    wire.ask(parse("s", "SELECT 1"), sync())
    assert wire.ask(parse("s", "SELECT 2"), sync()).sqlstates == ["42P05"]
    assert wire.ask(run("s")).rows == [("1",)]


def test_an_unknown_name_is_refused_and_the_session_lives(wire):
    assert wire.ask(run("never parsed")).sqlstates == ["26000"]
    assert wire.ask(describe("S", "never parsed"), sync()).sqlstates == ["26000"]
    assert wire.ask(execute("never bound"), sync()).sqlstates == ["34000"]
    assert wire.ask(prepare_and_run("SELECT 1")).rows == [("1",)]


def test_an_unknown_name_fails_the_transaction_it_is_used_in(wire):
    wire.sql("BEGIN")
    assert wire.ask(run("never parsed")).status == "E"
    assert wire.sql("SELECT 1").sqlstates == ["25P02"]
    assert wire.sql("ROLLBACK").status == "I"


def test_a_name_whose_parse_failed_is_free(wire):
    assert wire.ask(parse("s", "SELEC 1"), sync()).sqlstates == ["42601"]
    assert wire.ask(run("s")).sqlstates == ["26000"]
    assert wire.ask(parse("s", "SELECT 2"), run("s")).rows == [("2",)]


def test_a_closed_name_is_free_in_the_same_batch(wire):
    wire.ask(parse("s", "SELECT 'old'"), sync())
    replies = wire.ask(close("S", "s"), parse("s", "SELECT 'new'"), run("s"))
    assert replies.types == "312DCZ"
    assert replies.rows == [("new",)]


def test_closing_what_does_not_exist_is_no_error(wire):
    assert wire.ask(close("S", "never parsed"), close("P", "never bound"), sync()).types == "33Z"


@pytest.mark.parametrize("statement", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_sql_that_forgets_statements_forgets_those_of_the_protocol(make_wires, statement):
    client, other = make_wires(2)
    for each in (client, other):
        each.ask(parse("s", "SELECT 1"), sync())
        assert each.ask(run("s")).rows == [("1",)]
    assert client.sql(statement).errors == []
    assert client.ask(run("s")).sqlstates == ["26000"]
    assert client.ask(parse("s", "SELECT 2"), run("s")).rows == [("2",)]
    assert other.ask(run("s")).rows == [("1",)]


# The unnamed statement.

def test_the_unnamed_statement_outlives_its_transaction(make_wires):
    first, second = make_wires(2)
    first.ask(parse("", "SELECT 'first', $1", [TEXT]), sync())
    second.ask(parse("", "SELECT 'second'"), sync())
    assert first.ask(describe("S", ""), sync()).types == "tTZ"
    for _ in range(2):
        assert first.ask(run("", "a")).rows == [("first", "a")]
        assert second.ask(run("")).rows == [("second",)]


def test_the_unnamed_statement_is_replaced_without_complaint(wire):
    assert wire.ask(parse("", "SELECT 1"), parse("", "SELECT 2"), run("")).rows == [("2",)]


def test_a_simple_query_drops_the_unnamed_statement(wire):
    wire.ask(parse("", "SELECT 1"), sync())
    wire.sql("SELECT 2")
    assert wire.ask(run("")).sqlstates == ["26000"]


# Batches.

def test_a_batch_parses_several_statements(make_wires):
    client, other = make_wires(2)
    for round_ in range(3):
        names = [f"s{round_}{number}" for number in range(5)]
        replies = client.ask(*(parse(name, f"SELECT '{name}'") for name in names),
                             *(bind(name) + execute() for name in names), sync())
        assert replies.types == "11111" + 5 * "2DC" + "Z"
        assert replies.rows == [(name,) for name in names]
        assert other.ask(prepare_and_run("SELECT 1")).rows == [("1",)]


def test_an_error_skips_the_rest_of_its_batch_only(wire):
    replies = wire.ask(parse("early", "SELECT 'early'"), bind("early"), execute(),
                       parse("bad", "SELECT $1::int"), bind("bad", ["no number"]), execute(),
                       parse("late", "SELECT 'late'"), bind("late"), execute(), sync())
    assert replies.types == "12DC1EZ"
    assert replies.sqlstates == ["22P02"]
    assert wire.ask(run("early")).rows == [("early",)]
    assert wire.ask(run("bad", "7")).rows == [("7",)]
    assert wire.ask(run("late")).sqlstates == ["26000"]
    assert wire.ask(parse("late", "SELECT 'later'"), run("late")).rows == [("later",)]


def test_an_error_of_pgweir_itself_skips_the_rest_of_its_batch_only(make_wires):
    client, = make_wires(1)
    client.send(prepare_and_run("SELECT 1"), run("never parsed"), prepare_and_run("SELECT 3"))
    assert client.until_ready().rows == [("1",)]
    assert client.until_ready().sqlstates == ["26000"]
    assert client.until_ready().rows == [("3",)]


def test_a_close_in_the_skipped_part_of_a_batch_does_not_happen(wire):
    wire.ask(parse("s", "SELECT 1"), sync())
    wire.ask(parse("bad", "SELEC 1"), close("S", "s"), sync())
    assert wire.ask(run("s")).rows == [("1",)]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_pipeline_of_many_syncs_answers_in_order(make_wires, workers):
    clients = make_wires(3, workers=workers)
    for client in clients:
        client.send(*(prepare_and_run(f"SELECT {number}", name=f"s{number}") for number in range(50)))
    for client in clients:
        for number in range(50):
            replies = client.until_ready()
            assert (replies.types, replies.rows) == ("12TDCZ", [(str(number),)])


def test_a_pipeline_mixes_simple_and_extended_queries(wire):
    wire.send(query("SELECT 1"), prepare_and_run("SELECT 2"), query("SELECT 1/0"),
              prepare_and_run("SELECT 1/0"), query("SELECT 5"))
    assert [wire.until_ready().rows for _ in range(5)] == [[("1",)], [("2",)], [], [], [("5",)]]


def test_a_pipeline_spans_transactions(make_wires):
    client, other = make_wires(2)
    steps = ["BEGIN", "SELECT 1", "COMMIT", "BEGIN", "SELECT 2", "ROLLBACK"]
    client.send(*(prepare_and_run(step) for step in steps))
    assert [client.until_ready().status for _ in steps] == list("TTITTI")
    assert other.sql("SELECT 1").rows == [("1",)]


def test_flush_brings_answers_before_the_sync(wire):
    wire.send(parse("", "SELECT 1"), bind(), describe(), execute(), flush())
    assert wire.until("C").types == "12TDC"
    wire.send(parse("", "SELECT 2"), flush())
    assert wire.until("1").types == "1"
    wire.send(bind(), execute(), sync())
    assert wire.until_ready().types == "2DCZ"


def test_flush_in_a_failed_batch_brings_the_error_once(wire):
    wire.send(parse("", "SELEC 1"), flush())
    assert wire.until("E").sqlstates == ["42601"]
    wire.send(parse("", "SELECT 1"), flush())
    assert wire.ask(sync()).types == "Z"


# Describe and portals.

def test_describe_tells_parameters_and_columns(wire):
    wire.ask(parse("rows", "SELECT $1::int AS n"), parse("none", "SET lock_timeout = 0"), sync())
    assert wire.ask(describe("S", "rows"), sync()).types == "tTZ"
    assert wire.ask(describe("S", "none"), sync()).types == "tnZ"
    assert wire.ask(bind("rows", ["1"]), describe("P"), sync()).types == "2TZ"


def test_a_portal_is_suspended_after_its_rows(wire):
    wire.sql("BEGIN")
    wire.ask(parse("s", "SELECT generate_series(1, 5)"), bind("s", portal="p"), sync())
    assert wire.ask(execute("p", 2), sync()).types == "DDsZ"
    assert wire.ask(execute("p", 2), sync()).types == "DDsZ"
    assert wire.ask(execute("p", 2), sync()).types == "DCZ"
    assert wire.ask(close("P", "p"), sync()).types == "3Z"
    assert wire.ask(execute("p"), sync()).sqlstates == ["34000"]
    assert wire.sql("ROLLBACK").status == "I"


def test_a_portal_outlives_a_flush_but_not_its_transaction(wire):
    wire.send(parse("", "SELECT generate_series(1, 5)"), bind(portal="p"), execute("p", 2), flush())
    assert wire.until("s").types == "12DDs"
    assert wire.ask(execute("p", 2), sync()).types == "DDsZ"
    assert wire.ask(execute("p", 2), sync()).sqlstates == ["34000"]


def test_two_portals_of_one_statement_take_turns(wire):
    wire.sql("BEGIN")
    wire.ask(parse("s", "SELECT generate_series(1, $1::int)"),
             bind("s", ["2"], "p"), bind("s", ["3"], "q"), sync())
    replies = wire.ask(execute("p", 1), execute("q", 1), execute("p"), execute("q"), sync())
    assert [row for row, in replies.rows] == ["1", "1", "2", "2", "3"]
    wire.sql("COMMIT")


# Sizes.

def test_more_statements_than_a_server_keeps(make_wires):
    first, second = make_wires(2)
    for client in (first, second):
        client.send(*(parse(f"s{number}", f"SELECT {number}") + sync() for number in range(700)))
        assert all(client.until_ready().types == "1Z" for _ in range(700))
    for client in (second, first):
        client.send(*(run(f"s{number}") for number in range(700)))
        assert [client.until_ready().rows for _ in range(700)] == [[(str(number),)] for number in range(700)]


def test_more_statements_in_one_batch_than_a_server_keeps(make_wires):
    client, = make_wires(1)
    client.send(*(parse(f"s{number}", f"SELECT {number}") for number in range(700)), sync())
    assert client.until_ready().types == "1" * 700 + "Z"
    client.send(*(bind(f"s{number}") + execute() for number in range(700)), sync())
    assert client.until_ready().rows == [(str(number),) for number in range(700)]


def test_a_statement_of_a_megabyte_and_a_parameter_of_ten(wire):
    padding = "x" * (1 << 20)
    wire.ask(parse("s", f"SELECT length($1), length('{padding}')", [TEXT]), sync())
    assert wire.ask(run("s", "y" * (10 << 20))).rows == [(str(10 << 20), str(1 << 20))]


def test_a_table_may_change_under_prepared_statements(make_pooler, open_wire_to, postgres):
    postgres.sql("DROP TABLE IF EXISTS grows; CREATE TABLE grows (a int); INSERT INTO grows VALUES (1);"
                 "ALTER TABLE grows OWNER TO app", "app")
    pooler = make_pooler(pool_size=2)
    clients = [open_wire_to(pooler) for _ in range(4)]
    run = bind("s") + describe() + execute() + sync()
    for wire in clients:
        assert wire.ask(parse("s", "SELECT * FROM grows") + run).rows == [("1",)]
    for column in ("b", "c"):
        postgres.sql(f"ALTER TABLE grows ADD COLUMN {column} int", "app")
        for wire in clients * 2:
            assert not wire.ask(run).errors
    # Who does not ask what rows look like is told; then it can ask.
    postgres.sql("ALTER TABLE grows ADD COLUMN e int", "app")
    blind = bind("s") + execute() + sync()
    for wire in clients * 2:  # each, and until it prepares again
        assert wire.ask(blind).sqlstates == ["0A000"]
    postgres.sql("ALTER TABLE grows ADD COLUMN d int", "app")
    # Inside a transaction it is an error, as with PostgreSQL; who prepares again goes on.
    wire = clients[0]
    for attempt in range(4):
        wire.sql("BEGIN")
        result = wire.ask(run if attempt == 0 else bind("t") + execute() + sync())
        wire.sql("ROLLBACK")
        if not result.errors:
            break
        assert result.sqlstates == ["0A000"]
        assert not wire.ask(close("S", "t") + parse("t", "SELECT * FROM grows") + sync()).errors
    assert not result.errors


def test_sql_deallocate_forgets_a_statement_of_the_protocol(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=2)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    for wire in (client, other):
        assert not wire.ask(parse("a1", "SELECT 1") + sync()).errors
    assert client.sql("BEGIN; DEALLOCATE a1").sqlstates == ["26000"]  # two statements are PostgreSQL's
    client.sql("ROLLBACK")
    client.sql("BEGIN")
    assert client.sql("DEALLOCATE a1").tags == ["DEALLOCATE"]
    assert client.sql("SELECT 2").rows == [("2",)]
    client.sql("COMMIT")
    assert client.ask(bind("a1") + execute() + sync()).sqlstates == ["26000"]
    assert client.sql("DEALLOCATE a1").sqlstates == ["26000"]
    assert other.ask(bind("a1") + execute() + sync()).rows == [("1",)]


def test_a_database_can_be_dropped_although_the_pool_had_servers_there(make_pooler, open_wire_to, postgres):
    pooler = make_pooler(pool_size=2, workers=2)
    boss = open_wire_to(pooler, user="boss")
    for _ in range(2):
        assert not boss.sql("CREATE DATABASE short_lived").errors
        visitors = [open_wire_to(pooler, user="boss", database="short_lived") for _ in range(4)]
        for visitor in visitors:
            assert visitor.sql("SELECT 1").rows == [("1",)]
            visitor.close()
        assert not boss.sql("DROP DATABASE short_lived").errors
