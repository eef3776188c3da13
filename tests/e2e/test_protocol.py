"""The protocol at its edges, byte by byte."""

import struct

import pytest

from pgweir_e2e.waiting import wait_until
from pgweir_e2e.wire import (GSSENC_REQUEST, PROTOCOL_3_0, PROTOCOL_3_2, SSL_REQUEST, ServerError, Wire, bind,
                             execute, function_call, message, parse, prepare_and_run, query, startup, sync,
                             terminate)

INT4PL = 177  # pg_proc.oid of int4pl(int4, int4)
HUGE = b"\xff\xff\xff\xff"


def refused(wire):
    """Closed, with at most one FATAL error that says why."""
    replies = wire.until_closed()
    assert replies.types in ("", "E"), replies
    return all(error["S"] == "FATAL" for error in replies.errors)


def works(pooler):
    wire = Wire.login(pooler)
    rows = wire.sql("SELECT 1").rows
    wire.close()
    return rows == [("1",)]


# Before login.

@pytest.mark.parametrize("requests", [[SSL_REQUEST], [GSSENC_REQUEST], [GSSENC_REQUEST, SSL_REQUEST]],
                         ids=["ssl", "gss", "gss then ssl"])
def test_an_offer_of_encryption_is_declined_and_login_goes_on(pooler, requests):
    wire = Wire(pooler, unix=True)  # over TCP Debian's PostgreSQL itself would accept GSS
    for request in requests:
        wire.send(request)
        assert wire.receive_bytes(1) == b"N"
    wire.send(startup(user="trust_user", database="app"))
    wire.authenticate("trust_user", "trust secret")
    assert wire.sql("SELECT current_user").rows == [("trust_user",)]
    wire.close()


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSSENC_REQUEST], ids=["ssl", "gss"])
def test_bytes_stuffed_behind_an_offer_of_encryption_are_refused(pooler, request_):
    """CVE-2021-23214: nobody may speak before encryption is settled."""
    wire = Wire(pooler, unix=True)
    wire.send(request_ + startup(user="app", database="app"))
    said = wire.input.read()  # to the end of the connection
    assert said[:1] in (b"", b"N", b"E") and b"R\0\0\0" not in said  # R asks for a password


def test_protocol_3_2_is_spoken_or_negotiated_down(pooler, open_wire_to):
    wire = open_wire_to(pooler, version=PROTOCOL_3_2)
    if wire.negotiated is not None:
        version, unknown = struct.unpack("!ii", wire.negotiated)
        assert (version & 0xFFFF, unknown) == (0, 0)
    assert wire.sql("SELECT 1").rows == [("1",)]


def test_protocol_options_that_nobody_knows_are_named_and_left_out(pooler, open_wire_to):
    wire = open_wire_to(pooler, **{"_pq_.telepathy": "on", "_pq_.colour": "red"})
    _, count = struct.unpack("!ii", wire.negotiated[:8])
    names = wire.negotiated[8:].split(b"\0")[:-1]
    assert (count, sorted(names)) == (2, [b"_pq_.colour", b"_pq_.telepathy"])
    assert wire.sql("SELECT 1").rows == [("1",)]


def test_a_newer_protocol_is_refused(pooler):
    with pytest.raises(ServerError) as refusal:
        Wire.login(pooler, version=4 << 16)
    assert refusal.value.sqlstate == "0A000"


@pytest.mark.parametrize("version", [2 << 16, 1], ids=["2.0", "0.1"])
def test_an_older_protocol_is_refused(pooler, version):
    wire = Wire(pooler)
    wire.send(startup(version, user="app", database="app"))
    assert b"protocol" in wire.input.read()  # in words, for the error's own format is older as well


def test_a_startup_without_user_is_refused(pooler):
    wire = Wire(pooler)
    wire.send(startup(database="app"))
    with pytest.raises(ServerError) as refusal:
        wire.authenticate("", "")
    assert refusal.value.sqlstate == "28000"


def test_the_database_is_the_users_name_when_none_is_given(pooler):
    wire = Wire(pooler)
    wire.send(startup(user="app"))
    wire.authenticate("app", "app secret")
    assert wire.sql("SELECT current_database()").rows == [("app",)]
    wire.close()


@pytest.mark.parametrize("garbage", [
    b"\0\0\0\0", b"\0\0\0\3", b"\0\0\0\7\0\3\0", HUGE, HUGE * 1000, b"\x7f\xff\xff\xff\0\3\0\0",
    b"GET / HTTP/1.1\r\nHost: pgweir\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    struct.pack("!ii", 20, PROTOCOL_3_0) + b"user\0app\0not",  # no terminator
    struct.pack("!ii", 12, 80877102) + bytes(4),              # half a cancel request
], ids=lambda garbage: garbage[:12].hex())
def test_garbage_instead_of_a_startup_is_refused(pooler, garbage):
    wire = Wire(pooler)
    wire.send(garbage)
    assert refused(wire)
    assert works(pooler)


@pytest.mark.parametrize("length", [1, 3, 4, 7, 20])
def test_a_startup_that_breaks_off_harms_nobody(pooler, length):
    wire = Wire(pooler)
    wire.send(startup(user="app", database="app")[:length])
    wire.close()
    assert works(pooler)


@pytest.mark.pooler_only
@pytest.mark.parametrize("said", [b"", startup(user="app", database="app")[:9], SSL_REQUEST,
                                  startup(user="app", database="app")],
                         ids=["nothing", "half a startup", "an ssl request", "no password"])
def test_a_login_that_takes_too_long_is_ended(make_pooler, said):
    pooler = make_pooler(timeouts={"login": "500ms"})
    wire = Wire(pooler)
    wire.send(said)
    replies = wire.socket.recv(4096)  # asked for its password, or declined encryption, or nothing
    while replies:
        replies = wire.socket.recv(4096)
    assert works(pooler)


# After login.

@pytest.mark.parametrize("garbage", [
    b"Q\0\0\0\0", b"Q\0\0\0\3", b"Q" + HUGE, b"Q\x80\0\0\0", b"d" + HUGE, b"\0\0\0\0\4", b"~\0\0\0\4",
    message("p", b"password\0"), b"R\0\0\0\x08\0\0\0\0", HUGE * 100,
], ids=lambda garbage: garbage[:8].hex())
def test_garbage_after_login_ends_that_client_only(pooler, wire, garbage):
    wire.send(garbage)
    assert refused(wire)
    assert works(pooler)


@pytest.mark.parametrize("garbage", [b"Q\0\0\0\0", b"~\0\0\0\4", HUGE * 2], ids=lambda garbage: garbage.hex())
def test_garbage_inside_a_transaction_undoes_it(pooler, wire, table, postgres, garbage):
    wire.sql("BEGIN; INSERT INTO t VALUES (1, 'undone')")
    wire.send(garbage)
    assert refused(wire)
    assert works(pooler)
    wait_until(lambda: lock_is_free(postgres), "the transaction is gone")
    assert postgres.value("SELECT count(*) FROM t", "app") == 0


@pytest.mark.parametrize("broken", [
    message("Q", b"SELECT 1"),                   # no terminator
    message("P", b"name\0SELECT 1\0"),           # no count of types
    message("P", b"name"),
    message("B", b"\0\0\0\0\0\1\0\0\0\x0f"),     # a parameter that is longer than its message
    message("B", b"\0\0\0\1"),
    message("D", b"X\0"),
    message("D"),
    message("C", b"Snot terminated"),
    message("E", b"\0\0"),
], ids=lambda broken: broken[:12].hex())
def test_a_message_with_a_broken_body_is_an_error(pooler, wire, broken):
    """PostgreSQL keeps such a session, pgweir may end it; either way it is told."""
    wire.send(broken, sync())
    replies = wire.receive()
    assert replies.type == "E"
    assert works(pooler)


def test_an_empty_query_is_answered(wire):
    assert wire.sql("").types == "IZ"
    assert wire.sql(" -- nothing ").types == "IZ"
    assert wire.sql(";").types == "IZ"
    assert wire.ask(prepare_and_run("")).types == "12nIZ"


def test_a_query_of_several_statements(wire):
    assert wire.sql("SELECT 1; SELECT 2").types == "TDCTDCZ"
    assert wire.sql("BEGIN; SELECT 1").status == "T"
    assert wire.sql("COMMIT; SELECT 1").status == "I"


def test_a_query_of_several_statements_is_one_transaction(wire, table):
    replies = wire.sql("INSERT INTO t VALUES (1); SELECT 1/0; SELECT 2")
    assert (replies.types, replies.status) == ("CEZ", "I")
    assert wire.sql("SELECT count(*) FROM t").rows == [("0",)]


def test_a_function_call(wire):
    assert wire.ask(function_call(INT4PL, [b"40", b"2"])).bodies("V") == [b"\0\0\0\x0242"]
    assert wire.ask(function_call(0, [])).types == "EZ"
    assert wire.sql("SELECT 1").rows == [("1",)]


def test_a_notice_and_a_notification_reach_the_client(wire):
    replies = wire.sql("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
    assert [notice["M"] for notice in replies.notices] == ["hello"]
    replies = wire.sql("BEGIN; LISTEN news; NOTIFY news, 'paper'; COMMIT")
    assert [body[4:] for body in replies.bodies("A")] == [b"news\0paper\0"]


def test_messages_that_arrive_byte_by_byte(pooler):
    wire = Wire(pooler)
    for byte in startup(user="app", database="app"):
        wire.send(bytes([byte]))
    wire.authenticate("app", "app secret")
    for byte in query("SELECT 'slowly'") + prepare_and_run("SELECT $1", ["very"]):
        wire.send(bytes([byte]))
    assert wire.until_ready().rows == [("slowly",)]
    assert wire.until_ready().rows == [("very",)]
    wire.close()


def test_a_thousand_queries_in_one_write(wire):
    wire.send(*(query(f"SELECT {number}") for number in range(1000)))
    assert [wire.until_ready().rows for _ in range(1000)] == [[(str(number),)] for number in range(1000)]


def test_every_length_around_the_edges_of_buffers(wire):
    lengths = [base + delta for base in (1024, 4096, 8192, 16384, 65536) for delta in range(-12, 4)]
    for length in lengths:
        assert wire.ask(prepare_and_run("SELECT $1", ["x" * length])).rows == [("x" * length,)]


# Leaving.

def lock_is_free(postgres):
    """Nobody holds a row of t, or the table itself, any more."""
    return not postgres.value("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass", "app")


def hold_a_row(wire):
    wire.sql("INSERT INTO t VALUES (1, 'kept')")
    wire.sql("BEGIN; UPDATE t SET name = 'undone'")


@pytest.mark.parametrize("leave", [Wire.close, Wire.cut, lambda wire: wire.send(terminate())],
                         ids=["closes", "is cut off", "says terminate"])
def test_a_client_that_leaves_inside_a_transaction_undoes_it(pooler, wire, table, postgres, leave):
    hold_a_row(wire)
    leave(wire)
    wait_until(lambda: lock_is_free(postgres), "the row lock is gone")
    assert postgres.sql("SELECT name FROM t", "app") == [("kept",)]
    assert works(pooler)


def test_a_client_that_leaves_between_parse_and_sync(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    for _ in range(3):
        leaving = open_wire_to(pooler)
        leaving.send(parse("s", "SELECT 1"), bind("s"), execute())
        leaving.cut()
        wire = open_wire_to(pooler)
        assert wire.ask(parse("s", "SELECT 2"), bind("s"), execute(), sync()).rows == [("2",)]
        wire.close()


@pytest.mark.pooler_only
@pytest.mark.parametrize("leave", [Wire.close, Wire.cut], ids=["closes", "is cut off"])
def test_a_client_that_leaves_in_the_middle_of_a_query_frees_its_place(make_pooler, open_wire_to, postgres,
                                                                       leave):
    pooler = make_pooler(pool_size=1)
    wire = open_wire_to(pooler)
    wire.send(query("SELECT pg_sleep(60)"))
    wait_until(lambda: postgres.running("SELECT pg_sleep(60)"), "the query runs")
    leave(wire)
    assert works(pooler)
    wait_until(lambda: not postgres.running("SELECT pg_sleep(60)"), "the query of nobody is cancelled")


@pytest.mark.pooler_only
def test_a_client_that_leaves_in_the_middle_of_a_big_result_frees_its_place(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    for _ in range(3):
        wire = open_wire_to(pooler)
        wire.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"))
        wire.until("D")
        wire.cut()
        assert works(pooler)


def test_terminate_closes_the_connection(wire):
    wire.send(terminate())
    assert wire.until_closed() == []
