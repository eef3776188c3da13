"""Clients that change workers, and notice nothing of it."""

import contextlib
import itertools
import re
import threading

import psycopg
import pytest
from pgweir_e2e.waiting import at_once, in_background, wait_until

pytestmark = pytest.mark.pooler_only
MOVES = 40
SPREAD, GATHER = {"worker_load": 1}, {"worker_load": 90}


def metric(pooler, name):
    """Its values, one for each worker if it has that label."""
    _, body = pooler.http_get("/metrics")
    values = re.findall(rf"^{name}(?:{{.*}})? ([0-9.e+-]+)$", body, re.MULTILINE)
    assert values, body
    return [float(value) for value in values]


def moved(pooler):
    return sum(metric(pooler, "pgweir_clients_moved_total"))


def shake(pooler, gentle, over):
    """Spreads the load and gathers it again until clients have moved often. What is gathered has to fit one worker."""
    for limits in itertools.cycle([SPREAD, GATHER]):
        before = moved(pooler)
        if before >= MOVES or over.is_set():
            return
        (gentle.set if limits == GATHER else gentle.clear)()
        pooler.write_config(limits=limits)
        pooler.reload()
        # Nobody knows whether this way somebody is left to move; if not, the other way somebody is.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: moved(pooler) > before or over.is_set(), "clients move", timeout=2)


def while_moving(pooler, count, client):
    """client(number, goes_on) at once for each number, until clients have moved often; goes_on() says so."""
    gentle, over = threading.Event(), threading.Event()
    shaking = in_background(lambda: shake(pooler, gentle, over))

    def goes_on():
        if gentle.is_set():
            over.wait(0.2)  # the load is small enough for one worker
        return not shaking.done()

    def one(number):
        try:
            client(number, goes_on)
        finally:
            if not shaking.done():
                over.set()  # it failed

    at_once(count, one)
    shaking.result(10)
    assert moved(pooler) >= MOVES


def test_clients_that_move_keep_their_sessions(make_pooler):
    pooler = make_pooler(pool_size=3, workers=4, http=True, limits=GATHER)

    def client(number, goes_on):
        with pooler.connect(prepare_threshold=0) as connection:
            told = connection.info.backend_pid
            connection.execute(f"SET work_mem = '{1000 + number}kB'")
            connection.execute(f"SET TimeZone = 'Etc/GMT+{number}'")
            connection.execute(f"PREPARE mine AS SELECT {number}")
            while goes_on():
                for query, expected in [("SHOW work_mem", f"{1000 + number}kB"), ("SHOW TimeZone", f"Etc/GMT+{number}"),
                                        ("EXECUTE mine", number)]:
                    assert connection.execute(query, prepare=False).fetchone() == (expected,)
                for value in range(20):  # prepared by the driver
                    query = f"SELECT %s::int + {number}"
                    assert connection.execute(query, (value,)).fetchone() == (value + number,)
                with connection.transaction():
                    backends = {connection.execute("SELECT pg_backend_pid()").fetchone() for _ in range(3)}
                    assert len(backends) == 1
                assert connection.info.backend_pid == told

    while_moving(pooler, 8, client)


def test_sessions_that_keep_a_server_take_it_along(make_pooler):
    pooler = make_pooler(pool_size=8, workers=4, http=True, limits=GATHER, pool={"pool_mode": "session"})

    def client(number, goes_on):
        with pooler.connect() as connection:
            backend = connection.execute("SELECT pg_backend_pid()").fetchone()
            connection.execute(f"CREATE TEMPORARY TABLE mine AS SELECT {number} AS number")
            connection.execute(f"SELECT pg_advisory_lock(77, {number})")
            connection.execute(f"SET work_mem = '{1000 + number}kB'")
            while goes_on():
                assert connection.execute("SELECT pg_backend_pid()").fetchone() == backend
                assert connection.execute("SELECT number FROM mine").fetchone() == (number,)
                assert connection.execute("SHOW work_mem").fetchone() == (f"{1000 + number}kB",)
                held = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
                assert connection.execute(held).fetchall() == [(number,)]

    while_moving(pooler, 8, client)


def test_a_cancel_request_finds_its_client_after_moves(make_pooler):
    pooler = make_pooler(pool_size=4, workers=4, http=True, limits=GATHER)

    def client(number, goes_on):
        with pooler.connect() as connection:
            while goes_on():
                for _ in range(50):
                    assert connection.execute("SELECT %s::int", (number,)).fetchone() == (number,)
            asked = in_background(lambda: connection.execute("SELECT pg_sleep(600)"))

            def cancel():  # one that comes before the query hits nothing
                connection.cancel()
                return asked.done()

            wait_until(cancel, "the sleep is cancelled", timeout=60)
            with pytest.raises(psycopg.errors.QueryCanceled):
                asked.result(1)
            assert connection.execute("SELECT %s::int", (number,)).fetchone() == (number,)

    while_moving(pooler, 4, client)
    assert sum(metric(pooler, "pgweir_cancel_requests_unknown_total")) == 0


def test_clients_stay_with_the_first_worker_while_it_can_carry_them(make_pooler):
    pooler = make_pooler(pool_size=2, workers=4, http=True, limits=GATHER)

    def client(_):
        with pooler.connect() as connection:
            return [connection.execute("SELECT 1").fetchone() for _ in range(50)]

    assert at_once(20, client) == [[(1,)] * 50] * 20
    assert sum(metric(pooler, "pgweir_clients_moved_total")) == 0
    assert sum(metric(pooler, "pgweir_servers_lent_total")) == 0
