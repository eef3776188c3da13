"""What the people who run it do and meet: console, signals, health, servers that die."""

import os
import re
import signal
import subprocess

import psycopg
import pytest

from pgweir_e2e.configuration import yaml_text
from pgweir_e2e.pooler import BINARY, PASSWORDS
from pgweir_e2e.system import free_port
from pgweir_e2e.waiting import at_once, in_background, wait_until
from pgweir_e2e.wire import ServerError, Wire, query

pytestmark = pytest.mark.pooler_only

# PgBouncer's names and order: exporters and dashboards read them. See field/pgbouncer_pgpool.md, A11.
STATISTICS = ("server_assignment_count xact_count query_count {received} sent xact_time query_time wait_time"
              " client_parse_count server_parse_count bind_count client_login_count")
SOCKET_COLUMNS = ("type user database replication state addr port local_addr local_port connect_time"
                  " request_time wait wait_us close_needed ptr link remote_pid tls application_name"
                  " prepared_statements id")
COLUMNS = {
    "VERSION": "version",
    "POOLS": "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active"
             " sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us"
             " pool_mode load_balance_hosts",
    "CLIENTS": SOCKET_COLUMNS,
    "SERVERS": SOCKET_COLUMNS,
    "DATABASES": "name host port database force_user pool_size min_pool_size reserve_pool_size"
                 " server_lifetime pool_mode load_balance_hosts max_connections current_connections"
                 " max_client_connections current_client_connections paused disabled",
    "STATS": " ".join(["database",
                       *("total_" + name for name in STATISTICS.format(received="received").split()),
                       *("avg_" + name for name in STATISTICS.format(received="recv").split())]),
    "STATS_TOTALS": "database " + STATISTICS.replace("{received} sent", "bytes_received bytes_sent"),
    "STATS_AVERAGES": ("database " + STATISTICS.replace("{received} sent", "bytes_received bytes_sent")
                       .replace("client_parse", "avg_client_parse").replace("server_parse", "avg_server_parse")
                       .replace("bind", "avg_bind").replace("client_login", "avg_client_login")),
    "TOTALS": "name value",
    "USERS": "name pool_size reserve_pool_size pool_mode max_user_connections current_connections"
             " max_user_client_connections current_client_connections",
    "LISTS": "list items",
    "CONFIG": "key value default changeable",
    "STATE": "key value",
}
SAMPLE = re.compile(r"pgweir_[a-z_]+(\{[^}]*\})? ([-+0-9.eE]+|NaN|\+?Inf)")
LISTS = ("databases users peers pools peer_pools free_clients used_clients login_clients free_servers"
         " used_servers dns_names dns_zones dns_queries dns_pending").split()


# The console shows.

@pytest.mark.parametrize("what", COLUMNS)
def test_the_console_has_pgbouncers_columns(pooler, what):
    with pooler.connect() as client, pooler.open_console() as console:
        client.execute("SELECT 1")
        columns = console.execute(f"SHOW {what}").description
        assert [column.name for column in columns] == COLUMNS[what].split()


def test_the_console_lists_what_pgbouncer_lists(pooler):
    assert [row["list"] for row in pooler.console("SHOW LISTS")] == LISTS


def test_the_console_answers_in_lower_case_with_semicolon_and_to_the_name_pgweir(pooler):
    assert pooler.console("show version;", dbname="pgweir") == pooler.console("SHOW VERSION")


def test_the_console_lives_on_after_a_mistake(pooler):
    with pooler.open_console() as console:
        with pytest.raises(psycopg.errors.SyntaxError):
            console.execute("SHOW NONSENSE")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="SHOW MEM is not supported"):
            console.execute("SHOW MEM")
        assert console.execute("SHOW VERSION").fetchone()


def test_the_console_accepts_what_exporters_send_at_startup(pooler):
    options = {"application_name": "exporter", "extra_float_digits": "2", "client_encoding": "UTF8"}
    wire = Wire.login(pooler, user="console_viewer", database="pgbouncer", **options)
    assert wire.sql("SHOW VERSION").types == "TDCZ"
    wire.close()


@pytest.mark.parametrize("workers", [1, 4])
def test_pools_clients_and_servers_are_counted(make_pooler, open_wire_to, workers):
    pooler = make_pooler(pool_size=3, workers=workers)
    clients = [open_wire_to(pooler, application_name="counted") for _ in range(5)]
    working = {client.sql("BEGIN; SELECT pg_backend_pid()").rows[0][0] for client in clients[:2]}
    pool, = [row for row in pooler.console("SHOW POOLS") if row["database"] == "app"]
    assert (pool["user"], pool["cl_active"], pool["cl_waiting"], pool["pool_mode"]) == (
        "app", 5, 0, "transaction")
    assert pool["sv_active"] == 2
    ids = [row["id"] for row in pooler.console("SHOW CLIENTS") if row["application_name"] == "counted"]
    assert (len(ids), len(set(ids))) == (5, 5)
    servers = [row for row in pooler.console("SHOW SERVERS") if row["state"] == "active"]
    assert {str(row["remote_pid"]) for row in servers} == working


def test_statistics_count_queries_and_transactions(pooler):
    with pooler.connect() as client:
        for _ in range(10):
            client.execute("BEGIN")
            client.execute("SELECT 1")
            client.execute("COMMIT")

    def totals():
        return next(row for row in pooler.console("SHOW STATS_TOTALS") if row["database"] == "app")

    wait_until(lambda: totals()["query_count"] >= 30, "30 queries are counted")
    assert 10 <= totals()["xact_count"] < 20
    assert totals()["bytes_received"] > 0 and totals()["bytes_sent"] > 0


# Who may use it.

def test_a_viewer_sees_and_does_not_touch(pooler):
    assert pooler.console("SHOW POOLS", user="console_viewer") is not None
    for command in ("PAUSE", "SHUTDOWN", "RELOAD", "KILL app"):
        with pytest.raises(psycopg.Error):
            pooler.console(command, user="console_viewer")
    assert pooler.is_running()


def test_others_do_not_enter_the_console(pooler):
    with pytest.raises(ServerError):
        Wire.login(pooler, user="app", database="pgbouncer")
    with pytest.raises(ServerError, match="28P01"):
        Wire.login(pooler, user="console_admin", database="pgbouncer", password="wrong")


# The console acts.

@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("which", ["", " app"], ids=["everything", "one database"])
def test_pause_holds_clients_until_resume(make_pooler, postgres, which, workers):
    pooler = make_pooler(workers=workers)
    with pooler.connect() as busy, pooler.connect() as next_one:
        busy.execute("BEGIN")
        pausing = in_background(lambda: pooler.console("PAUSE" + which))
        wait_until(lambda: any(row["paused"] == 1 for row in pooler.console("SHOW DATABASES"))
                   or {"key": "paused", "value": "yes"} in pooler.console("SHOW STATE"), "it pauses")
        held = in_background(lambda: next_one.execute("SELECT 1").fetchone())
        wait_until(lambda: pooler.waiting_clients() == 1, "the next client waits")
        assert not pausing.done()  # a transaction still runs
        busy.execute("COMMIT")
        pausing.result(30)
        wait_until(lambda: postgres.backends() == [], "all server connections are closed")
        assert not held.done()
        pooler.console("RESUME" + which)
        assert held.result(30) == (1,)


def test_pause_and_resume_say_when_there_is_nothing_to_do(pooler):
    with pytest.raises(psycopg.Error, match="not paused"):
        pooler.console("RESUME")
    pooler.console("PAUSE")
    with pytest.raises(psycopg.Error, match="already"):
        pooler.console("PAUSE")
    pooler.console("RESUME")


def test_the_console_refuses_names_that_it_does_not_know(pooler):
    config = {**pooler.config, "databases": {"app": pooler.config["databases"]["*"]}}
    pooler.write_config(text=yaml_text(config))
    pooler.reload()
    for command in ("PAUSE", "RESUME", "RECONNECT", "KILL"):
        with pytest.raises(psycopg.Error, match="no such database: nowhere") as refusal:
            pooler.console(f"{command} nowhere")
        assert refusal.value.sqlstate == "3D000"
    with pytest.raises(psycopg.Error, match="database app is not paused"):
        pooler.console("RESUME app")
    assert served(pooler)


@pytest.mark.parametrize("workers", [1, 4])
def test_kill_client_says_whether_there_was_such_a_client(make_pooler, open_wire_to, workers):
    pooler = make_pooler(workers=workers)
    clients = [open_wire_to(pooler, application_name=f"number {i}") for i in range(4)]
    id_, = [row["id"] for row in pooler.console("SHOW CLIENTS") if row["application_name"] == "number 2"]
    pooler.console(f"KILL_CLIENT {id_}")
    assert clients[2].until_closed().sqlstates == ["57P01"]
    with pytest.raises(psycopg.Error, match="client not found"):
        pooler.console(f"KILL_CLIENT {id_}")
    assert [client.sql("SELECT 1").rows for client in clients[:2] + clients[3:]] == [[("1",)]] * 3


@pytest.mark.parametrize("workers", [1, 4])
def test_orders_hold_for_those_who_come_later(make_pooler, workers):
    pooler = make_pooler(workers=workers, timeouts={"query_wait": "300ms"})
    pooler.console("PAUSE app")
    assert all(refused_with(pooler, "53300") for _ in range(workers))
    pooler.console("KILL app")
    assert all(refused_with(pooler, "57P03") for _ in range(workers))
    pooler.console("RESUME app")
    pooler.console("KILL")
    assert all(refused_with(pooler, "57P03") for _ in range(workers))
    pooler.console("RESUME")
    assert all(served(pooler) for _ in range(workers))


def test_signals_pause_and_resume(pooler):
    pooler.send(signal.SIGUSR1)
    wait_until(lambda: {"key": "paused", "value": "yes"} in pooler.console("SHOW STATE"), "it is paused")
    pooler.send(signal.SIGUSR2)
    wait_until(lambda: {"key": "paused", "value": "no"} in pooler.console("SHOW STATE"), "it goes on")
    with pooler.connect() as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_reconnect_replaces_every_backend(make_pooler, postgres):
    pooler = make_pooler(pool_size=1)
    with pooler.connect() as client:
        client.execute("BEGIN")
        before = client.execute("SELECT pg_backend_pid()").fetchone()
        pooler.console("RECONNECT")
        assert client.execute("SELECT pg_backend_pid()").fetchone() == before  # until it commits
        client.execute("COMMIT")
        assert client.execute("SELECT pg_backend_pid()").fetchone() != before
    assert len(postgres.backends()) == 1


def test_kill_drops_clients_and_servers_of_a_database(pooler, open_wire):
    victim, neighbour = open_wire(), open_wire(database="other")
    victim.sql("BEGIN; SELECT 1")
    neighbour.sql("SELECT 1")
    pooler.console("KILL app")
    assert victim.until_closed().sqlstates in (["57P01"], ["57P03"])
    assert neighbour.sql("SELECT 1").rows == [("1",)]
    pooler.console("RESUME app")
    assert served(pooler)


def test_shutdown_ends_the_process(pooler):
    with pooler.open_console() as console:
        try:
            console.execute("SHUTDOWN")
        except psycopg.OperationalError:
            pass  # the console's own connection may be gone before its answer
    assert pooler.wait_for_exit() == 0


# Reload.

def reload_by_signal(pooler):
    pooler.reload()


def reload_by_console(pooler):
    try:
        pooler.console("RELOAD")
    except psycopg.Error:
        pass  # of a bad file; the test looks at what it left


RELOADS = pytest.mark.parametrize("reload", [reload_by_signal, reload_by_console])


@RELOADS
def test_a_reload_applies_a_new_pool_size(make_pooler, reload):
    pooler = make_pooler(pool_size=1)
    with pooler.connect() as first, pooler.connect() as second:
        first.execute("BEGIN")
        held = in_background(lambda: second.execute("SELECT 1").fetchone())
        wait_until(lambda: pooler.waiting_clients() == 1, "the second client waits")
        pooler.write_config(databases={"*": {"pool_size": 2}})
        reload(pooler)
        assert held.result(30) == (1,)


@RELOADS
def test_a_reload_knows_new_users(make_pooler, reload):
    pooler = make_pooler(users={"other": "other secret", "console_admin": "admin secret"})
    with pytest.raises(ServerError, match="28P01"):
        Wire.login(pooler)
    pooler.write_users({"app": "app secret", "console_admin": "admin secret"})
    reload(pooler)
    wait_until(lambda: Wire.login(pooler).sql("SELECT 1").rows, "the new user is known")


@RELOADS
@pytest.mark.parametrize("bad, complaint", [
    ("workers: [\n", r"pgweir\.yaml:\d+"),
    ("workers: 1\nlisten:\n  - {host: 127.0.0.1, prot: 6432}\n", r"pgweir\.yaml:3\b.*prot"),
    ("timeouts: {login: fifteen}\n", r"pgweir\.yaml:1\b"),
], ids=["not yaml", "an unknown key", "no duration"])
def test_a_reload_of_a_bad_file_changes_nothing_and_says_why(make_pooler, reload, bad, complaint):
    pooler = make_pooler()
    with pooler.connect() as client:
        pooler.write_config(text=bad)
        reload(pooler)
        pooler.log_contains(complaint)
        assert client.execute("SELECT 1").fetchone() == (1,)
    with pooler.connect() as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


# Starting and stopping.

def run_program(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=20, check=False)


def test_the_program_says_its_version_and_its_usage():
    assert re.search(r"pgweir \d+\.\d+\.\d+", run_program("--version").stdout)
    usage = run_program("--help").stdout
    assert "a connection pooler for PostgreSQL" in usage and "--check" in usage


def test_check_names_every_mistake_with_its_line(pooler):
    assert run_program("--check", pooler.config_path).returncode == 0
    pooler.write_config(text="listen:\n  - {prot: 6432}\nworkers: -3\ndatabases: {}\n")
    checked = run_program("--check", pooler.config_path)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 1
    assert re.search(r"pgweir\.yaml:2\b.*prot", said) and re.search(r"pgweir\.yaml:3\b.*workers", said)


def test_a_users_file_that_others_can_read_gives_a_warning(pooler):
    warning = r"users\.txt:1: auth\.users_file is accessible to everybody \(mode 0644\); chmod 640 it"
    assert "users_file" not in pooler.log() + run_program("--check", pooler.config_path).stderr
    os.chmod(os.path.join(pooler.folder, "users.txt"), 0o644)
    checked = run_program("--check", pooler.config_path)
    assert checked.returncode == 0 and re.search(warning, checked.stderr)
    pooler.reload()
    pooler.log_contains(warning)
    assert served(pooler)


def test_a_bad_file_and_a_port_in_use_have_exit_codes_of_their_own(pooler, make_pooler):
    root = ["--allow-root"] if os.geteuid() == 0 else []
    assert run_program(*root, "/nowhere/pgweir.yaml").returncode == 1
    taken = run_program(*root, pooler.config_path)
    assert taken.returncode == 2
    assert str(pooler.port) in taken.stderr


@pytest.mark.parametrize("workers", [1, 4])
def test_term_lets_transactions_finish(make_pooler, open_wire_to, workers):
    pooler = make_pooler(workers=workers, http=True)
    idle, busy = open_wire_to(pooler), open_wire_to(pooler)
    busy.sql("BEGIN")
    pooler.send(signal.SIGTERM)
    wait_until(lambda: refused_with(pooler, "57P03"), "new logins are refused")
    assert idle.until_closed().sqlstates in (["57P01"], ["57P03"])
    assert busy.sql("SELECT 1").rows == [("1",)]
    assert pooler.http_get("/readyz")[0] == 503
    assert pooler.http_get("/healthz")[0] == 200
    assert busy.sql("COMMIT").tags == ["COMMIT"]
    assert pooler.wait_for_exit() == 0


def test_term_does_not_wait_longer_than_it_was_told(make_pooler, open_wire_to, postgres):
    pooler = make_pooler(timeouts={"shutdown": "500ms"})
    stuck = open_wire_to(pooler)
    stuck.sql("BEGIN")
    pooler.send(signal.SIGTERM)
    assert pooler.wait_for_exit() == 0
    assert stuck.until_closed().sqlstates in (["57P01"], ["57P03"])
    wait_until(lambda: postgres.backends() == [], "its server connections are gone")


def test_int_stops_at_once(pooler, wire, postgres):
    wire.sql("BEGIN")
    pooler.send(signal.SIGINT)
    assert pooler.wait_for_exit(timeout=5) == 0
    wait_until(lambda: postgres.backends() == [], "its server connections are gone")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_http_port_does_not_hold_up_an_int(make_pooler, host):
    pooler = make_pooler(http=host)
    assert pooler.http_get("/")[0] == 200  # it has just begun another two seconds of waiting
    pooler.send(signal.SIGINT)
    assert pooler.wait_for_exit(timeout=1.5) == 0


# Servers that are down, die, or hang.

def refused_with(pooler, *sqlstates):
    """True when a new client that asks something is told one of these; False when it is served."""
    try:
        wire = Wire.login(pooler)
        answered = wire.sql("SELECT 1")
        wire.close()
        return bool(set(answered.sqlstates) & set(sqlstates))
    except ServerError as refusal:
        return refusal.sqlstate in sqlstates
    except (OSError, EOFError):
        return False


def served(pooler):
    try:
        wire = Wire.login(pooler)
        rows = wire.sql("SELECT 1").rows
        wire.close()
        return rows == [("1",)]
    except (ServerError, EOFError):
        return False


IMPATIENT = {"query_wait": "500ms", "server_connect": "300ms", "server_retry_max": "200ms"}


def test_a_server_that_is_down_at_the_start_heals(make_pooler, postgres):
    postgres.stop()
    pooler = make_pooler(timeouts=IMPATIENT)
    assert refused_with(pooler, "57P03")
    postgres.start()
    wait_until(lambda: served(pooler), "clients are served again")


def test_a_server_that_hangs_keeps_nobody_for_ever(make_pooler, postgres):
    pooler = make_pooler(timeouts=IMPATIENT)
    postgres.freeze()
    try:
        assert refused_with(pooler, "57P03")
    finally:
        postgres.thaw()
    wait_until(lambda: served(pooler), "clients are served again")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], ids=lambda how: how.name)
def test_clients_that_are_idle_do_not_notice_a_restart_of_the_server(make_pooler, postgres, how):
    pooler = make_pooler(timeouts={"server_retry_max": "200ms"})
    with pooler.connect() as client:
        before = client.execute("SELECT pg_backend_pid()").fetchone()
        postgres.restart(how)
        assert client.execute("SELECT pg_backend_pid()").fetchone() != before


def test_a_backend_that_is_killed_in_a_query_is_noticed_by_its_client_only(pooler, open_wire, postgres):
    victim, neighbour = open_wire(), open_wire()
    neighbour.sql("BEGIN")
    victim.send(query("SELECT pg_sleep(60)"))
    wait_until(lambda: postgres.running("SELECT pg_sleep(60)"), "the query runs")
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                 " WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'")
    assert victim.until("E").sqlstates[0] in ("57P01", "08006")
    assert neighbour.sql("SELECT 1").rows == [("1",)]
    assert neighbour.sql("COMMIT").status == "I"
    assert served(pooler)


def test_a_backend_that_is_killed_in_a_transaction_between_queries_is_told(pooler, open_wire, postgres):
    victim = open_wire()
    (pid,), = victim.sql("BEGIN; SELECT pg_backend_pid()").rows
    postgres.sql(f"SELECT pg_terminate_backend({pid})")
    assert victim.until("E").sqlstates[0] in ("57P01", "08006")  # told at once, not at its next query
    assert served(pooler)


@pytest.mark.parametrize("workers", [1, 4])
def test_backends_never_outnumber_the_pool_size(make_pooler, postgres, workers):
    pooler = make_pooler(pool_size=3, workers=workers)

    def client(number):
        for round_ in range(6):
            with pooler.connect() as connection:
                connection.execute("SELECT pg_sleep(0.002)")
                if (number + round_) % 5 == 0:
                    connection.execute("BEGIN")  # and leaves without a COMMIT

    load, most = in_background(lambda: at_once(20, client)), 0
    while not load.done():
        most = max(most, len(postgres.backends()))
    load.result(30)
    assert 1 <= most <= 3


@pytest.mark.parametrize("workers", [1, 4])
def test_clients_that_wait_too_long_are_told(make_pooler, workers):
    pooler = make_pooler(pool_size=1, workers=workers, timeouts={"query_wait": "300ms"})
    with pooler.connect() as holder, pooler.connect() as waiter:
        holder.execute("BEGIN")
        with pytest.raises(psycopg.OperationalError):
            waiter.execute("SELECT 1")
        holder.execute("COMMIT")
    assert served(pooler)


# HTTP.

def test_metrics_are_in_the_prometheus_format(make_pooler):
    pooler = make_pooler(http=True)
    with pooler.connect() as client:
        client.execute("SELECT 1")
    status, body = pooler.http_get("/metrics")
    assert status == 200
    lines = [line for line in body.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert SAMPLE.fullmatch(line), line
    for name in set(re.match(r"\w+", line).group() for line in lines):
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert f"# TYPE {family} " in body or f"# TYPE {name} " in body


def test_the_status_page_shows_pools_and_escapes_names(make_pooler):
    # A port that was free a moment ago: nothing listens there.
    nowhere = {"host": "127.0.0.1", "port": free_port(), "dbname": "app"}
    pooler = make_pooler(http=True, databases={"<b>&amp;": nowhere}, timeouts=IMPATIENT)
    status, page = pooler.http_get("/")
    assert status == 200 and "It serves." in page
    assert served(pooler)
    with pytest.raises(ServerError, match="57P03"):
        Wire.login(pooler, database="<b>&amp;").sql("SELECT 1")
    status, page = pooler.http_get("/")
    assert "<td>&lt;b&gt;&amp;amp;</td><td>app</td><td>transaction</td>" in page and "<b>" not in page
    assert "could not connect to 127.0.0.1" in page
    assert not [secret for secret in PASSWORDS.values() if secret and secret in page]
    pooler.console("PAUSE")
    assert "It does not serve: paused." in pooler.http_get("/")[1]


def test_health_and_readiness(make_pooler):
    pooler = make_pooler(http=True)
    assert pooler.http_get("/healthz")[0] == 200
    assert served(pooler)
    assert pooler.http_get("/readyz")[0] == 200
    assert pooler.http_get("/nowhere")[0] == 404
