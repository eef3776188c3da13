"""A session is what it is with PostgreSQL, whichever backend runs its next transaction."""

import pytest

from pgweir_e2e import wire as w
from pgweir_e2e.waiting import at_once, in_background, wait_until

# Each changes one setting in a way of its own; what SHOW says afterwards.
CHANGES = [
    ("SET work_mem = '7MB'", "work_mem", "7MB"),
    ("SET SESSION work_mem TO '7MB'", "work_mem", "7MB"),
    ("SELECT set_config('work_mem', '7MB', false)", "work_mem", "7MB"),
    ("BEGIN; SET work_mem = '7MB'; COMMIT", "work_mem", "7MB"),
    ("BEGIN; SET work_mem = '7MB'; ROLLBACK", "work_mem", "4MB"),
    ("BEGIN; SET LOCAL work_mem = '7MB'; COMMIT", "work_mem", "4MB"),
    ("BEGIN; SAVEPOINT a; SET work_mem = '7MB'; ROLLBACK TO a; COMMIT", "work_mem", "4MB"),
    ("BEGIN; SET work_mem = '6MB'; SAVEPOINT a; SET work_mem = '7MB'; ROLLBACK TO a; COMMIT", "work_mem", "6MB"),
    ("DO $$BEGIN PERFORM set_config('work_mem', '7MB', false); END$$", "work_mem", "7MB"),
    ("DO $$BEGIN EXECUTE 'SET work_mem = ''7MB'''; END$$", "work_mem", "7MB"),
    ("UPDATE pg_settings SET setting = '7168' WHERE name = 'work_mem'", "work_mem", "7MB"),
    ("SET work_mem = '7MB'; RESET work_mem", "work_mem", "4MB"),
    ("SET work_mem = '7MB'; RESET ALL", "work_mem", "4MB"),
    ("SET search_path = pg_catalog, public", "search_path", "pg_catalog, public"),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "default_transaction_read_only", "on"),
    ("SET TIME ZONE 'Asia/Tokyo'", "TimeZone", "Asia/Tokyo"),
    ("SET NAMES 'LATIN1'", "client_encoding", "LATIN1"),
    ("SET myapp.user_id = '42'", "myapp.user_id", "42"),
    ("SELECT set_config('myapp.user_id', '42', false)", "myapp.user_id", "42"),
    ("SET \"MyApp.User_Id\" = 'a''b|c'", "myapp.user_id", "a'b|c"),
    ("SET myapp.user_id = E'a\\\\b'", "myapp.user_id", "a\\b"),
    ("SET myapp.user_id = 'grün'", "myapp.user_id", "grün"),
]


def pinned(pooler):
    """SHOW PINNED, once it has a row: the client may go on before the census has found the pin."""
    return wait_until(lambda: pooler.console("SHOW PINNED"), "a client keeps a server")


def shown(wire, name):
    (value,), = wire.sql(f"SHOW {name}").rows
    return value


def current(wire, name):
    """As an application asks for a setting that need not exist: empty is as good as none."""
    (value,), = wire.sql(f"SELECT coalesce(current_setting('{name}', true), '')").rows
    return value


@pytest.mark.parametrize("statement, name, value", CHANGES, ids=[change[0] for change in CHANGES])
def test_a_setting_is_its_clients_own(make_pooler, open_wire_to, statement, name, value):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    before = current(other, name)
    assert not client.sql(statement).errors
    for _ in range(3):
        assert current(other, name) == before
        assert current(client, name) == value


def test_a_setting_named_by_a_parameter_moves(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    for name in ("", "s1"):
        batch = w.prepare_and_run("SELECT set_config($1, $2, false)", ["MyApp.Tenant", f"x{name}"], name=name)
        assert not client.ask(batch).errors
        for _ in range(2):
            assert current(other, "myapp.tenant") == ""
            assert current(client, "myapp.tenant") == f"x{name}"


def test_a_setting_made_inside_a_function_moves_and_does_not_leak(make_pooler, open_wire_to, postgres):
    postgres.sql("CREATE OR REPLACE FUNCTION set_tenant(t text) RETURNS void LANGUAGE plpgsql AS "
                 "$$BEGIN PERFORM set_config('rls.tenant', t, false); END$$", "app")
    pooler = make_pooler(pool_size=1)
    one, two, third = (open_wire_to(pooler) for _ in range(3))
    one.sql("SELECT set_tenant('one')")
    two.sql("SELECT set_tenant('two')")
    for _ in range(3):
        assert current(one, "rls.tenant") == "one"
        assert current(third, "rls.tenant") == ""
        assert current(two, "rls.tenant") == "two"


@pytest.mark.parametrize("reset", ["RESET ALL", "RESET work_mem", "SET work_mem TO DEFAULT", "DISCARD ALL"])
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_reset_returns_to_what_the_client_began_with(make_pooler, open_wire_to, reset, mode):
    pooler = make_pooler(databases={"*": {"pool_size": 1, "pool_mode": mode}})
    client = open_wire_to(pooler, work_mem="9MB")
    client.sql("SET work_mem = '7MB'")
    client.sql(reset)
    assert shown(client, "work_mem") == "9MB"


def test_reset_of_a_reported_setting_is_reported_as_the_client_began(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler, DateStyle="SQL, DMY"), open_wire_to(pooler)
    for reset in ("RESET DateStyle", "RESET ALL", "DISCARD ALL"):
        client.sql("SET DateStyle = 'German'")
        client.sql(reset)
        assert shown(other, "DateStyle") == "ISO, MDY"
        assert shown(client, "DateStyle") == "SQL, DMY"
        assert shown(client, "DateStyle") == "SQL, DMY"


def test_a_setting_made_inside_a_function_survives_what_comes_later(make_pooler, open_wire_to, postgres):
    postgres.sql("CREATE OR REPLACE FUNCTION set_tenant(t text) RETURNS void LANGUAGE plpgsql AS "
                 "$$BEGIN PERFORM set_config('rls.tenant', t, false); END$$", "app")
    pooler = make_pooler(pool_size=1)
    one, two = open_wire_to(pooler), open_wire_to(pooler)
    one.sql("SET standard_conforming_strings = off")
    one.sql("SELECT set_tenant('one')")
    two.sql("SELECT 1")
    one.sql("SET work_mem = '1MB'")
    for _ in range(2):
        assert current(two, "rls.tenant") == ""
        assert current(one, "rls.tenant") == "one"


def test_a_startup_setting_comes_back_only_after_a_reset(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=2)
    client, other = open_wire_to(pooler, IntervalStyle="sql_standard"), open_wire_to(pooler)
    client.sql("SET IntervalStyle = 'postgres'")
    other.sql("BEGIN")  # takes the server that was used last
    client.sql("SET lock_timeout = '3min'")
    assert shown(client, "IntervalStyle") == "postgres"
    other.sql("COMMIT")


@pytest.mark.parametrize("reset", ["RESET app.tenant", "RESET ALL", "SET app.tenant TO DEFAULT", "DISCARD ALL"])
def test_a_custom_startup_setting_survives_reset(make_pooler, open_wire_to, reset):
    pooler = make_pooler(pool_size=1)
    client = open_wire_to(pooler, options="-c app.tenant=start")
    client.sql("SET app.tenant = 'changed'")
    assert current(client, "app.tenant") == "changed"
    client.sql(reset)
    assert current(client, "app.tenant") == "start"


def test_a_table_made_through_the_search_path_is_temporary_too(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=3)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    client.sql("SET search_path = pg_temp")
    assert not client.sql("CREATE TABLE hidden (a int)").errors
    assert shown(client, "pgweir.pinned") == "temporary table"
    assert other.sql("SELECT 1 FROM pg_temp.hidden").sqlstates == ["42P01"]
    assert not client.sql("SELECT 1 FROM hidden").errors


@pytest.mark.pooler_only
@pytest.mark.parametrize("kind", ["TABLE x (a int)", "VIEW x AS SELECT 1", "SEQUENCE x", "TYPE pg_temp.x AS (a int)",
                                  "FUNCTION pg_temp.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                                  "COLLATION pg_temp.x FROM \"C\"", "DOMAIN pg_temp.x AS int",
                                  "TEXT SEARCH CONFIGURATION pg_temp.x (COPY = simple)"])
def test_whatever_is_temporary_keeps_its_server(make_pooler, open_wire_to, kind):
    pooler = make_pooler(pool_size=2)
    client = open_wire_to(pooler)
    temporary = "" if "pg_temp" in kind else "TEMP "
    assert not client.sql(f"CREATE {temporary}{kind}").errors
    assert shown(client, "pgweir.pinned") == "temporary table"
    assert not client.sql("DISCARD TEMP").errors
    assert shown(client, "pgweir.pinned") == ""


def test_what_only_a_superuser_may_see_does_not_leak(make_pooler, open_wire_to, postgres):
    postgres.sql("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk; GRANT clerk TO app")
    pooler = make_pooler(pool_size=1)
    one, two = open_wire_to(pooler, user="boss"), open_wire_to(pooler, user="boss")
    before = shown(two, "dynamic_library_path")
    one.sql("BEGIN; SET dynamic_library_path = '/nowhere'; SET ROLE clerk; COMMIT")
    assert shown(two, "dynamic_library_path") == before


def test_what_only_a_superuser_sees_stays_its_clients_when_it_acts_for_another(make_pooler, open_wire_to, postgres):
    postgres.sql("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk; GRANT clerk TO app")
    pooler = make_pooler(pool_size=1)
    one, two = open_wire_to(pooler, user="boss"), open_wire_to(pooler, user="boss")
    before = shown(two, "dynamic_library_path")
    one.sql("BEGIN; SET dynamic_library_path = '/nowhere'; SET ROLE clerk; COMMIT")
    for _ in range(2):
        assert shown(two, "dynamic_library_path") == before
        one.sql("SELECT 1")
    assert shown(one, "role") == "clerk"
    one.sql("RESET ROLE")
    assert shown(two, "dynamic_library_path") == before
    assert shown(one, "dynamic_library_path") == "/nowhere"


@pytest.mark.parametrize("extended", [False, True])
def test_temp_buffers_can_be_set_where_another_client_had_temporary_tables(make_pooler, open_wire_to, extended):
    pooler = make_pooler(pool_size=1)
    user, setter = open_wire_to(pooler), open_wire_to(pooler)
    for size, was_there_before in (("1234kB", False), ("5MB", True)):
        user.sql("CREATE TEMP TABLE x AS SELECT 1 AS a; DROP TABLE x")
        if was_there_before:
            setter.sql("SELECT 1")
        statement = f"SET temp_buffers = '{size}'"
        replies = setter.ask(w.prepare_and_run(statement)) if extended else setter.sql(statement)
        assert not replies.errors
        user.sql("SELECT 1")
        assert shown(setter, "temp_buffers").replace("1232kB", "1234kB") == size


def test_temp_buffers_can_be_set_although_another_client_used_temporary_tables(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    user, setter = open_wire_to(pooler), open_wire_to(pooler, temp_buffers="9MB")
    for _ in range(3):
        user.sql("BEGIN; CREATE TEMP TABLE x ON COMMIT DROP AS SELECT 1; COMMIT")
        assert shown(setter, "temp_buffers") == "9MB"


def test_a_short_statement_timeout_keeps_no_server(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    hasty, other = open_wire_to(pooler), open_wire_to(pooler)
    for _ in range(3):
        hasty.sql("SET statement_timeout = '8ms'")
        hasty.sql("DO $$BEGIN PERFORM 1; END$$")
        assert shown(other, "statement_timeout") == "0"
        assert shown(hasty, "statement_timeout") == "8ms"


def role_of(wire):
    return wire.sql("SELECT current_user, session_user, current_setting('role')").rows[0]


def test_roles_move_with_their_client(make_pooler, open_wire_to, postgres):
    postgres.sql("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk; GRANT clerk TO app")
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    client.sql("SET ROLE clerk")
    for _ in range(2):
        assert role_of(other) == ("app", "app", "none")
        assert role_of(client) == ("clerk", "app", "clerk")
    client.sql("SET work_mem = '7MB'; RESET ROLE")
    assert role_of(other) == ("app", "app", "none")
    assert role_of(client) == ("app", "app", "none")
    boss, second = open_wire_to(pooler, user="boss"), open_wire_to(pooler, user="boss")
    boss.sql("SET session_replication_role = replica; SET SESSION AUTHORIZATION app; SET ROLE clerk")
    for _ in range(2):
        assert role_of(second) == ("boss", "boss", "none")
        assert shown(second, "session_replication_role") == "origin"
        assert role_of(boss) == ("clerk", "app", "clerk")
        assert shown(boss, "session_replication_role") == "replica"
    boss.sql("RESET SESSION AUTHORIZATION")
    assert role_of(second) == ("boss", "boss", "none")
    assert role_of(boss)[1] == "boss"


# What ties a session to its backend: how it is made, what shows it, how it ends.
PINS = {
    "temporary table": ("CREATE TEMP TABLE keep (a int)", "SELECT count(*) FROM pg_temp.keep",
                        "DROP TABLE keep"),
    "advisory lock": ("SELECT pg_advisory_lock(77)",
                      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
                      "SELECT pg_advisory_unlock(77)"),
    "holdable cursor": ("BEGIN; DECLARE keep CURSOR WITH HOLD FOR SELECT 1; COMMIT", "MOVE ABSOLUTE 0 keep",
                        "CLOSE keep"),
    "prepared statement": ("PREPARE keep AS SELECT 1", "EXECUTE keep", "DEALLOCATE keep"),
    "listening channel": ("LISTEN keep", "SELECT count(*) FROM pg_listening_channels()", "UNLISTEN keep"),
}


@pytest.mark.parametrize("reason", PINS)
def test_what_cannot_move_stays_with_its_client(make_pooler, open_wire_to, reason):
    make, use, end = PINS[reason]
    pooler = make_pooler(pool_size=3)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    assert not client.sql(make).errors
    seen = client.sql(use)
    assert not seen.errors
    for _ in range(3):
        theirs = other.sql(use)
        assert theirs.errors or theirs.rows == [("0",)]
        assert client.sql(use).rows == seen.rows
    assert not client.sql(end).errors
    gone = client.sql(use)
    assert gone.errors or gone.rows == [("0",)]


@pytest.mark.pooler_only
@pytest.mark.parametrize("reason", PINS)
def test_a_pin_is_visible_and_ends(make_pooler, open_wire_to, reason):
    make, _, end = PINS[reason]
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    assert shown(client, "pgweir.pinned") == ""
    client.sql(make)
    assert shown(client, "pgweir.pinned") == reason
    client.sql(end)
    assert shown(other, "pgweir.pinned") == ""
    assert shown(client, "pgweir.pinned") == ""


@pytest.mark.parametrize("reason", PINS)
def test_nothing_is_left_when_a_client_leaves(make_pooler, open_wire_to, reason):
    make, use, _ = PINS[reason]
    pooler = make_pooler(pool_size=1)
    client = open_wire_to(pooler)
    client.sql(make)
    client.close()
    after = open_wire_to(pooler).sql(use)
    assert after.errors or after.rows == [("0",)]


@pytest.mark.parametrize("reason", PINS)
def test_nothing_is_left_when_a_client_leaves_in_the_same_breath(make_pooler, open_wire_to, reason):
    make, use, _ = PINS[reason]
    pooler = make_pooler(pool_size=1)
    client = open_wire_to(pooler)
    client.send(w.query(make), w.terminate())
    client.until_closed()
    after = open_wire_to(pooler).sql(use)
    assert after.errors or after.rows == [("0",)]


@pytest.mark.pooler_only
def test_pins_leave_one_server_and_who_keeps_one_is_told(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=2)
    keeper, waiter, other = (open_wire_to(pooler) for _ in range(3))
    keeper.sql("CREATE TEMP TABLE keep (a int)")
    row, = pinned(pooler)
    assert (row["database"], row["user"], row["reason"], row["yields"]) == ("app", "app", "temporary table", "no")
    later = in_background(lambda: waiter.sql("CREATE TEMP TABLE mine (a int)"))
    for _ in range(3):
        assert other.sql("SELECT 1").rows == [("1",)]
    assert not later.done()
    keeper.sql("DROP TABLE keep")
    assert not later.result(10).errors
    assert shown(waiter, "pgweir.pinned") == "temporary table"


@pytest.mark.pooler_only
def test_who_waits_for_a_server_to_keep_is_counted_told_and_can_give_up(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=2, timeouts={"wait_notice": "200ms"})
    keeper, waiter = open_wire_to(pooler), open_wire_to(pooler)
    keeper.sql("CREATE TEMP TABLE keep (a int)")
    assert len(pinned(pooler)) == 1
    waiter.send(w.query("CREATE TEMP TABLE mine (a int)"))
    assert [notice["C"] for notice in waiter.until("N").notices] == ["00000"]
    row, = [row for row in pooler.console("SHOW POOLS") if row["database"] == "app"]
    assert int(row["cl_waiting"]) == 1
    waiter.cancel()
    assert waiter.until_ready().sqlstates == ["57014"]
    assert waiter.sql("SELECT 1").rows == [("1",)]


@pytest.mark.pooler_only
def test_statements_of_prepare_move_when_servers_are_scarce(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    clients = [open_wire_to(pooler) for _ in range(3)]
    for number, wire in enumerate(clients):
        assert not wire.sql(f"PREPARE mine (int) AS SELECT {number} + $1").errors
    for _ in range(3):
        for number, wire in enumerate(clients):
            assert wire.sql("EXECUTE mine (10)").rows == [(str(number + 10),)]
    clients[0].sql("DEALLOCATE mine")
    assert clients[1].sql("EXECUTE mine (1)").rows == [("2",)]
    assert clients[0].sql("EXECUTE mine (1)").sqlstates == ["26000"]


def test_a_sequence_is_where_its_session_left_it(make_pooler, open_wire_to, postgres):
    postgres.sql("DROP SEQUENCE IF EXISTS counted; CREATE SEQUENCE counted; ALTER SEQUENCE counted OWNER TO app", "app")
    pooler = make_pooler(pool_size=3)
    one, two = open_wire_to(pooler), open_wire_to(pooler)
    assert one.sql("SELECT nextval('counted')").rows == [("1",)]
    assert two.sql("SELECT nextval('counted')").rows == [("2",)]
    assert one.sql("SELECT currval('counted'), lastval()").rows == [("1", "1")]
    assert two.sql("SELECT currval('counted'), lastval()").rows == [("2", "2")]


def test_a_lock_taken_inside_a_function_stays_with_its_client(make_pooler, open_wire_to, postgres):
    postgres.sql("CREATE OR REPLACE FUNCTION lock_it() RETURNS void LANGUAGE sql AS "
                 "$$SELECT pg_advisory_lock(78)$$", "app")
    pooler = make_pooler(pool_size=3)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    client.sql("SELECT lock_it()")
    for _ in range(2):
        assert other.sql("SELECT pg_try_advisory_lock(78)").rows == [("f",)]
        assert client.sql("SELECT pg_try_advisory_lock(78)").rows == [("t",)]


def test_notifications_arrive_whatever_is_under_way(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=2)
    listener, sender = open_wire_to(pooler), open_wire_to(pooler)
    listener.sql("LISTEN news")
    for number in range(20):
        sender.sql(f"NOTIFY news, '{number}'")
        pid_and_rest = listener.until("A").bodies("A")[-1]
        assert pid_and_rest[4:] == f"news\0{number}\0".encode()


def test_sequences_are_not_a_strangers(make_pooler, open_wire_to, postgres):
    postgres.sql("DROP SEQUENCE IF EXISTS counted; CREATE SEQUENCE counted; ALTER SEQUENCE counted OWNER TO app", "app")
    pooler = make_pooler(pool_size=2)
    one, two = open_wire_to(pooler), open_wire_to(pooler)
    one.sql("SELECT nextval('counted')")
    assert two.sql("SELECT currval('counted')").sqlstates == ["55000"]
    assert two.sql("SELECT lastval()").sqlstates == ["55000"]


def test_the_state_of_many_clients_on_few_backends(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=2, workers=2)
    clients = [open_wire_to(pooler) for _ in range(12)]

    def check(number):
        wire = clients[number]
        for turn in range(15):
            wire.sql(f"SET myapp.me = '{number}.{turn}'")
            wire.sql(f"SET statement_timeout = '{100 + number}s'")
            assert current(wire, "myapp.me") == f"{number}.{turn}"
            assert shown(wire, "statement_timeout") == f"{100 + number}s"

    at_once(len(clients), check)
