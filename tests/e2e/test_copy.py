"""COPY: the part of the protocol where the client speaks without being answered."""

import pytest

from pgweir_e2e.waiting import wait_until
from pgweir_e2e.wire import (Wire, bind, copy_data, copy_done, copy_fail, describe, execute,
                             flush, parse, query, sync)

COPY_IN = "COPY t FROM STDIN"
ROWS = b"1\tone\n2\ttwo\n"
# What libpq sends for PQexecParams(COPY …): its Sync comes before the data.
LIBPQ_COPY_IN = parse("", COPY_IN) + bind() + describe() + execute() + sync()


@pytest.fixture(autouse=True)
def empty_table(table):
    return table


def count(wire):
    (rows,), = wire.sql("SELECT count(*) FROM t").rows
    return int(rows)


def test_copy_in_by_simple_query(wire):
    wire.send(query(COPY_IN))
    assert wire.until("G").types == "G"
    assert wire.ask(copy_data(ROWS), copy_done()).tags == ["COPY 2"]
    assert count(wire) == 2


def test_copy_in_is_sent_without_waiting_for_the_server(wire):
    assert wire.ask(query(COPY_IN), copy_data(ROWS), copy_done()).types == "GCZ"
    assert count(wire) == 2


def test_copy_in_by_extended_query_with_one_sync(wire):
    replies = wire.ask(parse("", COPY_IN), bind(), execute(), copy_data(ROWS), copy_done(), sync())
    assert replies.types == "12GCZ"
    assert count(wire) == 2


def test_copy_in_by_extended_query_as_libpq_sends_it(wire):
    wire.send(LIBPQ_COPY_IN)
    assert wire.until("G").types == "12nG"
    assert wire.ask(copy_data(ROWS), copy_done(), sync()).types == "CZ"  # the first Sync has no answer
    assert count(wire) == 2


def test_copy_in_as_libpq_sends_it_leaves_the_backend_clean(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    for number in range(3):
        client.send(LIBPQ_COPY_IN)
        client.until("G")
        client.ask(copy_data(b"%d\tname\n" % number), flush(), copy_done(), sync())
        assert count(other) == number + 1


def test_many_copies_in_a_pipeline(wire):
    for number in range(20):
        wire.send(query(COPY_IN), copy_data(b"%d\tname\n" % number), copy_done(), query("SELECT 1"))
    for _ in range(20):
        assert wire.until_ready().types == "GCZ"
        assert wire.until_ready().types == "TDCZ"
    assert count(wire) == 20


def test_copy_in_of_twenty_megabytes_and_back(pooler):
    row, rows = b"%d\t" + b"x" * 1000 + b"\n", 20000
    with pooler.connect() as connection:
        with connection.cursor().copy(COPY_IN) as copy:
            for number in range(rows):
                copy.write(row % number)
        with connection.cursor().copy("COPY (SELECT * FROM t ORDER BY id) TO STDOUT") as copy:
            back = b"".join(copy)
    assert back == b"".join(row % number for number in range(rows))


def test_copy_out_by_simple_and_extended_query(wire):
    out = "COPY (SELECT generate_series(1, 3)) TO STDOUT"
    assert wire.sql(out).types == "HdddcCZ"
    assert wire.ask(parse("", out), bind(), describe(), execute(), sync()).types == "12nHdddcCZ"


def test_the_clients_own_failure_ends_a_copy(wire):
    replies = wire.ask(query(COPY_IN), copy_data(ROWS), copy_fail("out of rows"))
    assert (replies.types, replies.sqlstates) == ("GEZ", ["57014"])
    assert "out of rows" in replies.errors[0]["M"]
    assert count(wire) == 0


@pytest.mark.parametrize("more", [0, 1 << 20])
def test_an_error_in_the_middle_of_a_simple_copy(wire, more):
    """Data that still comes after the error is dropped, and no second ReadyForQuery follows."""
    wire.send(query(COPY_IN), copy_data(b"1\tone\nno number\ttwo\n"))
    replies = wire.ask(copy_data(b"3\tx\n" * (more // 4)), copy_done())
    assert (replies.types, replies.sqlstates) == ("GEZ", ["22P02"])
    assert count(wire) == 0


def test_an_error_in_the_middle_of_an_extended_copy(wire):
    wire.send(LIBPQ_COPY_IN)
    wire.until("G")
    replies = wire.ask(copy_data(b"no number\n"), copy_data(ROWS), copy_done(), sync())
    assert (replies.types, replies.sqlstates) == ("EZ", ["22P02"])
    assert count(wire) == 0


def test_an_error_before_the_copy_begins_by_simple_query(wire):
    """The client that did not wait sends its data all the same: it belongs to nothing."""
    replies = wire.ask(query("COPY nowhere FROM STDIN"), copy_data(ROWS), copy_done())
    assert (replies.types, replies.sqlstates) == ("EZ", ["42P01"])
    assert count(wire) == 0


def test_an_error_before_the_copy_begins_by_extended_query(wire):
    wire.send(parse("", "COPY nowhere FROM STDIN"), bind(), describe(), execute(), sync(),
              copy_data(ROWS), copy_done(), sync())
    assert wire.until_ready().sqlstates == ["42P01"]  # the first Sync ends the failed batch
    assert wire.until_ready().types == "Z"               # the second one an empty batch
    assert count(wire) == 0


def test_a_copy_inside_a_transaction_that_rolls_back(wire):
    wire.sql("BEGIN")
    assert wire.ask(query(COPY_IN), copy_data(ROWS), copy_done()).status == "T"
    assert wire.sql("ROLLBACK").status == "I"
    assert count(wire) == 0


def test_a_copy_in_is_cancelled(wire):
    wire.send(query(COPY_IN))
    wire.until("G")
    wire.cancel()

    def answered():
        wire.send(copy_data(b"1\tone\n"))  # PostgreSQL looks for a cancel when data comes
        return wire.has_input()

    wait_until(answered, "the copy ends")
    replies = wire.ask(copy_done())
    assert (replies.types, replies.sqlstates) == ("EZ", ["57014"])
    assert count(wire) == 0


def test_a_copy_out_is_cancelled(wire):
    wire.send(query("COPY (SELECT generate_series(1, 1000000000)) TO STDOUT"))
    wire.until("d")
    wire.cancel()
    replies = wire.until_ready()
    assert replies.sqlstates == ["57014"]
    assert count(wire) == 0


@pytest.mark.parametrize("leave", [Wire.close, Wire.cut], ids=["closes", "is cut off"])
def test_a_client_that_leaves_in_the_middle_of_a_copy(make_pooler, open_wire_to, leave):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    client.send(query(COPY_IN), copy_data(ROWS))
    client.until("G")
    leave(client)
    assert count(other) == 0
    assert other.ask(query(COPY_IN), copy_data(ROWS), copy_done()).tags == ["COPY 2"]
