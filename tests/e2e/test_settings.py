"""Settings belong to the client, whichever backend runs its next transaction."""

import psycopg
import pytest

from pgweir_e2e.waiting import at_once
from pgweir_e2e.wire import ServerError

# Settings a client may send when it logs in, each with two values that are not the default.
STARTUP = {
    "application_name": ("web", "worker"),
    "client_encoding": ("LATIN1", "EUC_JP"),
    "DateStyle": ("SQL, DMY", "German, DMY"),
    "TimeZone": ("Asia/Tokyo", "America/New_York"),
    "IntervalStyle": ("iso_8601", "sql_standard"),
    "extra_float_digits": ("0", "3"),
    "search_path": ("pg_catalog", "information_schema"),
    "statement_timeout": ("71s", "72s"),
}
# Those that PostgreSQL reports to the client whenever they change.
REPORTED = ("application_name", "client_encoding", "DateStyle", "TimeZone", "IntervalStyle")


def shown(wire, name):
    (value,), = wire.sql(f"SHOW {name}").rows
    return value


@pytest.mark.parametrize("pool_size, workers", [(1, 1), (2, 1), (2, 4)])
@pytest.mark.parametrize("name", STARTUP)
def test_a_startup_setting_holds_on_every_backend(make_pooler, open_wire_to, name, pool_size, workers):
    pooler = make_pooler(pool_size=pool_size, workers=workers)
    clients = [(open_wire_to(pooler, **{name: value}), value) for value in STARTUP[name] * 3]

    def check(number):
        wire, value = clients[number]
        for _ in range(10):
            assert shown(wire, name) == value

    at_once(len(clients), check)


@pytest.mark.parametrize("name", REPORTED)
def test_login_reports_the_settings_as_the_client_asked_for_them(open_wire, name):
    for value in STARTUP[name]:
        assert open_wire(**{name: value}).parameters[name] == value


def test_login_reports_everything_that_drivers_look_at(wire, postgres):
    with postgres.connect() as direct:
        for name in ("server_version", "server_encoding", "integer_datetimes", "is_superuser",
                     "standard_conforming_strings", "in_hot_standby", "default_transaction_read_only"):
            expected = {"is_superuser": "off"}.get(name, direct.info.parameter_status(name))
            assert wire.parameters[name] == expected
    assert wire.parameters["session_authorization"] == "app"


def test_options_at_startup_hold_on_every_backend(pooler):
    options = r"-c search_path=pg_catalog,\ public -c extra_float_digits=0 --work_mem=3MB"
    with pooler.connect(options=options) as client, pooler.connect() as other:
        for _ in range(4):
            assert client.execute("SHOW work_mem").fetchone() == ("3MB",)
            assert client.execute("SHOW search_path").fetchone() == ("pg_catalog, public",)
            assert client.execute("SHOW extra_float_digits").fetchone() == ("0",)
            assert other.execute("SHOW work_mem").fetchone() == ("4MB",)


@pytest.mark.parametrize("parameters, sqlstate", [
    ({"TimeZone": "Nowhere/Never"}, "22023"),
    ({"client_encoding": "KLINGON"}, "22023"),
    ({"options": "-c work_mem=lots"}, "22023"),
    ({"no_such_setting": "1"}, "42704"),
], ids=str)
def test_a_startup_setting_that_postgresql_refuses_is_refused(open_wire, parameters, sqlstate):
    with pytest.raises(ServerError) as refusal:
        open_wire(**parameters)
    assert refusal.value.sqlstate == sqlstate
    assert open_wire().sql("SELECT 1").rows == [("1",)]


def test_two_clients_see_their_own_time_in_one_backend(make_pooler):
    pooler = make_pooler(pool_size=1)
    with pooler.connect(options="-c TimeZone=Asia/Tokyo") as tokyo, \
            pooler.connect(options="-c TimeZone=UTC") as utc:
        for _ in range(3):
            query = "SELECT '2026-01-01 00:00+00'::timestamptz::text"
            assert tokyo.execute(query).fetchone() == ("2026-01-01 09:00:00+09",)
            assert utc.execute(query).fetchone() == ("2026-01-01 00:00:00+00",)


@pytest.mark.parametrize("name", REPORTED)
def test_a_later_set_is_kept_and_reported(make_pooler, open_wire_to, name):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler), open_wire_to(pooler)
    before = shown(other, name)
    for value in STARTUP[name]:
        reports = client.sql(f"SET {name} = '{value}'").bodies("S")
        assert f"{name}\0{value}\0".encode() in reports
        for _ in range(2):
            assert shown(other, name) == before
            assert shown(client, name) == value
    client.sql(f"RESET {name}")
    assert shown(other, name) == before
    assert shown(client, name) == before


def test_discard_all_returns_to_what_the_client_asked_for_at_startup(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler, TimeZone="Asia/Tokyo"), open_wire_to(pooler, TimeZone="UTC")
    client.sql("SET TimeZone = 'America/New_York'")
    assert shown(other, "TimeZone") == "UTC"
    assert shown(client, "TimeZone") == "America/New_York"
    client.sql("DISCARD ALL")
    assert shown(other, "TimeZone") == "UTC"
    assert shown(client, "TimeZone") == "Asia/Tokyo"


def test_a_set_ends_with_the_transaction_that_fails_or_that_it_is_local_to(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    client, other = open_wire_to(pooler, TimeZone="Asia/Tokyo"), open_wire_to(pooler, TimeZone="UTC")
    for begin, end in (("SET", "ROLLBACK"), ("SET LOCAL", "COMMIT"), ("SET LOCAL", "ROLLBACK")):
        client.sql(f"BEGIN; {begin} TimeZone = 'America/New_York'")
        assert shown(client, "TimeZone") == "America/New_York"
        client.sql(end)
        assert shown(other, "TimeZone") == "UTC"
        assert shown(client, "TimeZone") == "Asia/Tokyo"


def test_application_name_is_seen_by_the_server_while_it_works(pooler, postgres):
    with pooler.connect(application_name="sidekiq") as client:
        seen = client.execute(
            "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone()
    assert seen == ("sidekiq",)


def test_text_arrives_in_the_encoding_of_each_client(make_pooler):
    pooler = make_pooler(pool_size=1)
    with pooler.connect(client_encoding="UTF8") as utf8, pooler.connect(client_encoding="LATIN1") as latin1:
        for connection in (utf8, latin1, utf8, latin1):
            cursor = psycopg.ClientCursor(connection)
            assert cursor.execute("SELECT 'é', %s", ["ü"]).fetchone() == ("é", "ü")
