"""What any application does on its first day."""

import hashlib

import psycopg
import pytest

from pgweir_e2e.postgres import ROLES
from pgweir_e2e.system import peak_memory_kb
from pgweir_e2e.waiting import at_once, in_background, wait_until
from pgweir_e2e.wire import ServerError, Wire, cancel_request, query

BIG = "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"  # 100 MB


def test_a_client_logs_in_and_asks(pooler):
    with pooler.connect() as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == ("app", "app")


def test_a_client_logs_in_over_the_unix_socket(pooler):
    with pooler.connect(host=pooler.socket_folder) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("user", ROLES)
def test_every_way_a_server_asks_for_a_password(pooler, user):
    with pooler.connect(user) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (user,)


@pytest.mark.pooler_only
@pytest.mark.parametrize("method", ["scram-sha-256", "md5", "trust"])
@pytest.mark.parametrize("workers", [1, 4])
def test_every_way_pgweir_asks_for_a_password(make_pooler, method, workers):
    pooler = make_pooler(auth={"method": method}, workers=workers)
    with pooler.connect() as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("app",)


@pytest.mark.pooler_only
def test_a_scram_secret_in_the_users_file_is_passed_through_to_the_server(make_pooler, postgres):
    secret = postgres.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
    pooler = make_pooler(users={"app": secret})
    with pooler.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(ServerError, match="28P01"):
        Wire.login(pooler, password="wrong")


@pytest.mark.pooler_only
def test_an_md5_secret_in_the_users_file_serves_client_and_server(make_pooler):
    secret = "md5" + hashlib.md5(b"md5 secret" + b"md5_user").hexdigest()
    pooler = make_pooler(users={"md5_user": secret}, auth={"method": "md5"})
    with pooler.connect("md5_user") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("who, sqlstate", [
    ({"password": "wrong"}, "28P01"),
    ({"user": "nobody", "password": "wrong"}, "28P01"),
    ({"database": "nowhere"}, "3D000"),
], ids=["password", "user", "database"])
def test_a_wrong_login_is_refused_as_postgresql_refuses_it(pooler, who, sqlstate):
    with pytest.raises(ServerError) as refusal:
        Wire.login(pooler, **who)
    assert (refusal.value.fields["S"], refusal.value.sqlstate) == ("FATAL", sqlstate)


def test_a_refused_login_leaves_the_others_alone(pooler):
    with pooler.connect() as connection:
        for _ in range(5):
            with pytest.raises(ServerError):
                Wire.login(pooler, password="wrong")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_hundred_megabytes_arrive_whole(wire):
    replies = wire.sql(BIG)
    assert replies.tags == ["SELECT 100000"]
    assert sum(len(body) for body in replies.bodies("D")) == 100000 * 1006


@pytest.mark.pooler_only
def test_readers_that_stop_reading_cost_no_memory(make_pooler, postgres):
    pooler = make_pooler(pool_size=4)
    readers = [Wire.login(pooler) for _ in range(4)]
    before = peak_memory_kb(pooler.process.pid)
    for reader in readers:
        reader.send(query(BIG))
    wait_until(lambda: postgres.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'") == 4,
        "all servers wait for their reader")
    assert peak_memory_kb(pooler.process.pid) - before < 16 * 1024
    for reader in readers:
        assert reader.until_ready().tags == ["SELECT 100000"]
        reader.close()


@pytest.mark.pooler_only
def test_a_server_whose_last_answer_waited_for_its_reader_serves_the_next(make_pooler, open_wire_to, postgres):
    """Reading from it stops while its client reads nothing, and has to go on when that answer is over."""
    pooler = make_pooler(pool_size=1)
    reader = open_wire_to(pooler, unix=True)  # a unix socket's buffers do not grow
    other = open_wire_to(pooler)
    settled = ("SELECT state = 'idle' OR wait_event = 'ClientWrite' FROM pg_stat_activity"
               " WHERE usename = 'app'")
    for kilobytes in range(160, 1200, 16):  # one of them ends just where the reading stops
        reader.send(query(f"SELECT repeat('x', 1000) FROM generate_series(1, {kilobytes})"))
        wait_until(lambda: postgres.value(settled), "the server has written what it can")
        assert reader.until_ready().tags == [f"SELECT {kilobytes}"]
        assert other.sql("SELECT 1").rows == [("1",)]


def test_an_error_keeps_the_session(pooler):
    with pooler.connect() as connection:
        for _ in range(3):
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute("SELECT 1/0")
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_transactions_commit_roll_back_and_fail(pooler, table):
    with pooler.connect() as writer, pooler.connect() as reader:
        def names():
            return [name for (name,) in reader.execute("SELECT name FROM t ORDER BY id")]

        with writer.transaction():
            writer.execute("INSERT INTO t VALUES (1, 'kept')")
            assert names() == []
        with writer.transaction(force_rollback=True):
            writer.execute("INSERT INTO t VALUES (2, 'undone')")
        with writer.transaction():
            with pytest.raises(psycopg.errors.UniqueViolation), writer.transaction():  # a savepoint
                writer.execute("INSERT INTO t VALUES (1, 'twice')")
            writer.execute("INSERT INTO t VALUES (3, 'after the savepoint')")
        assert names() == ["kept", "after the savepoint"]


def test_a_failed_transaction_refuses_statements_until_it_ends(wire):
    assert wire.sql("BEGIN").status == "T"
    assert wire.sql("SELECT 1/0").status == "E"
    assert wire.sql("SELECT 1").sqlstates == ["25P02"]
    assert wire.sql("ROLLBACK").status == "I"
    assert wire.sql("SELECT 1").rows == [("1",)]


def test_a_cancel_ends_the_query_of_its_client_only(pooler, postgres):
    with pooler.connect() as cancelled, pooler.connect() as other:
        left_alone = in_background(lambda: other.execute("SELECT 1 FROM pg_sleep(1)"))
        asked = in_background(lambda: cancelled.execute("SELECT pg_sleep(60)"))
        wait_until(lambda: postgres.running("SELECT pg_sleep(60)"), "the query runs")
        cancelled.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            asked.result(30)
        left_alone.result(30)
        assert cancelled.execute("SELECT 1").fetchone() == (1,)
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_cancel_with_a_wrong_key_does_nothing(pooler, wire, postgres):
    wire.send(query("SELECT 1 FROM pg_sleep(0.5)"))
    wait_until(lambda: postgres.running("SELECT 1 FROM pg_sleep(0.5)"), "the query runs")
    forger = Wire(pooler)
    forger.send(cancel_request(wire.pid, bytes(byte ^ 1 for byte in wire.secret)))
    assert forger.until_closed() == []
    assert wire.until_ready().rows == [("1",)]


@pytest.mark.pooler_only
@pytest.mark.parametrize("workers", [1, 4])
def test_a_client_that_waits_for_a_server_can_be_cancelled(make_pooler, workers):
    pooler = make_pooler(pool_size=1, workers=workers)
    with pooler.connect() as holder, pooler.connect() as waiter:
        holder.execute("BEGIN")
        asked = in_background(lambda: waiter.execute("SELECT 1"))
        wait_until(lambda: pooler.waiting_clients() == 1, "the client waits")
        waiter.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            asked.result(30)
        holder.execute("COMMIT")
        assert waiter.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.pooler_only
@pytest.mark.parametrize("workers", [1, 4])
def test_fifty_clients_share_two_backends(make_pooler, workers):
    pooler = make_pooler(pool_size=2, workers=workers)

    def client(_):
        with pooler.connect() as connection:
            return {connection.execute("SELECT pg_backend_pid()").fetchone()[0] for _ in range(20)}

    assert 1 <= len(set().union(*at_once(50, client))) <= 2


@pytest.mark.pooler_only
def test_two_databases_and_two_users_have_pools_of_their_own(make_pooler, postgres):
    pooler = make_pooler(pool_size=1)
    postgres.sql("GRANT CONNECT ON DATABASE other TO other")
    who = [("app", "app"), ("app", "other"), ("other", "app"), ("other", "other")]
    connections = [pooler.connect(user, database) for user, database in who]
    for connection in connections:
        connection.execute("BEGIN")  # all four at once: none waits for another
    seen = [connection.execute("SELECT current_user::text, current_database()::text").fetchone()
            for connection in connections]
    for connection in connections:
        connection.close()
    assert seen == who
