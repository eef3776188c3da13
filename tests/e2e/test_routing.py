"""Reads go to standbys by themselves, a session reads what it wrote, and nobody notices a standby that goes."""

import functools
import re
import signal
import subprocess
import time

import psycopg
import pytest
from pgweir_e2e.cluster import follow
from pgweir_e2e.postgres import Postgres
from pgweir_e2e.relay import SlowRelay
from pgweir_e2e.system import free_port
from pgweir_e2e.waiting import in_background, wait_until

pytestmark = pytest.mark.pooler_only

ROUTING = {"reads": "standby", "max_lag": "10s"}


@pytest.fixture
def nodes(make_nodes):
    made = make_nodes()
    made.primary.sql("CREATE TABLE t (id int PRIMARY KEY, name text); ALTER TABLE t OWNER TO app;"
                     "INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 100) n", "app")
    return made


def states(pooler):
    return {row["node"]: row["state"] for row in pooler.console("SHOW NODES")}


def judged(pooler, sql):
    rows = {row["database"]: row for row in pooler.console("EXPLAIN ROUTE " + sql)}
    return rows["app"]["class"]


def routing_pooler(make_pooler, nodes, routing=None, **options):
    sections = nodes.sections(routing={**ROUTING, **(routing or {})})
    sections["databases"] = {**sections["databases"], "app": {"cluster": "main", "pool_size": 2}}
    pooler = make_pooler(**{**sections, **options})
    wait_until(lambda: list(states(pooler).values()) == ["primary", "standby", "standby"],
               "all nodes serve", timeout=30)
    wait_until(lambda: judged(pooler, "SELECT name FROM t") == "read", "the catalogue is known", timeout=30)
    return pooler


class Traced:
    """A connection that notes which node each of its requests went to."""

    def __init__(self, pooler, **options):
        self.connection = pooler.connect(**options)
        self.nodes = []
        self.connection.add_notice_handler(self._heard)
        self.connection.execute("SET pgweir.trace_route = on")

    def _heard(self, notice):
        if notice.message_primary.startswith("pgweir: node "):
            self.nodes.append(notice.message_primary.removeprefix("pgweir: node "))

    def __call__(self, sql, *arguments, **options):
        """The rows, or None, and the node with the reason."""
        self.nodes.clear()
        cursor = self.connection.execute(sql, *arguments, **options)
        rows = cursor.fetchall() if cursor.description else None
        return rows, self.nodes[-1] if self.nodes else None

    def node_of(self, sql, *arguments, **options):
        return self(sql, *arguments, **options)[1]


@pytest.fixture
def pooler(make_pooler, nodes):
    return routing_pooler(make_pooler, nodes)


def test_reads_go_to_both_standbys_and_writes_to_the_primary(pooler, nodes):
    traced = Traced(pooler)
    seen = {traced.node_of("SELECT name FROM t WHERE id = 1") for _ in range(10)}
    assert seen == {"standby1, read", "standby2, read"}
    assert {traced.node_of("SELECT name FROM t WHERE id = %s", (7,)) for _ in range(10)} == seen
    rows, node = traced("SELECT name FROM t WHERE id = %s", (7,), prepare=True)
    assert rows == [("name 7",)] and node in seen
    assert traced.node_of("INSERT INTO t VALUES (200, 'new')") == "primary, write"
    assert traced.node_of("SELECT name FROM t WHERE id = 1 FOR UPDATE") == "primary, write"
    assert nodes.primary.value("SELECT count(*) FROM t", "app") == 101


def set_delay(nodes, delay):
    """Replay that is late looks well to max_lag."""
    for name in ("standby1", "standby2"):
        nodes.nodes[name].sql(f"ALTER SYSTEM SET recovery_min_apply_delay = '{delay}'")
        nodes.nodes[name].sql("SELECT pg_reload_conf()")


def pause_replay(*standbys):
    for standby in standbys:
        standby.sql("SELECT pg_wal_replay_pause()")
    for standby in standbys:
        wait_until(lambda: standby.value("SELECT pg_get_wal_replay_pause_state()") == "paused", "replay is paused")


def resume_replay(*standbys):
    for standby in standbys:
        standby.sql("SELECT pg_wal_replay_resume()")


def reads_on_standbys(traced, sql="SELECT name FROM t WHERE id = 1"):
    return traced.node_of(sql).startswith("standby")


def test_a_session_reads_what_it_wrote(pooler, nodes):
    traced = Traced(pooler)
    # As long as pgweir believes in both, only the session's own token keeps its reads from them.
    for round_number in range(20):
        traced(f"UPDATE t SET name = 'round {round_number}' WHERE id = 1")
        rows, _ = traced("SELECT name FROM t WHERE id = 1")
        assert rows == [(f"round {round_number}",)]
    wait_until(lambda: reads_on_standbys(traced), "a standby has it")
    rows, node = traced("SELECT name FROM t WHERE id = 1")
    assert rows == [("round 19",)] and node.endswith(", read")


def test_the_token_alone_keeps_reads_from_a_standby_that_is_behind(make_pooler, nodes):
    set_delay(nodes, "3s")
    pooler = routing_pooler(make_pooler, nodes, {"max_lag": "1h"})
    traced, other = Traced(pooler), Traced(pooler)
    traced("UPDATE t SET name = 'late' WHERE id = 1")
    rows, node = traced("SELECT name FROM t WHERE id = 1")
    assert (rows, node) == ([("late",)], "primary, behind")
    # Who has written nothing reads from them, and may see what was.
    assert reads_on_standbys(other)
    wait_until(lambda: reads_on_standbys(traced), "the standbys have it", timeout=20)
    assert traced("SELECT name FROM t WHERE id = 1")[0] == [("late",)]


def test_a_database_that_wants_it_reads_what_anybody_wrote(make_pooler, nodes):
    for name in ("standby1", "standby2"):
        nodes.nodes[name].sql("ALTER SYSTEM SET recovery_min_apply_delay = '3s'")
        nodes.nodes[name].sql("SELECT pg_reload_conf()")
    pooler = routing_pooler(make_pooler, nodes, {"max_lag": "1h", "consistency": "database"}, workers=2)
    writer, reader = Traced(pooler), Traced(pooler)
    wait_until(lambda: reads_on_standbys(reader), "nothing is written yet")
    writer("UPDATE t SET name = 'seen by all' WHERE id = 1")
    assert reader("SELECT name FROM t WHERE id = 1") == ([("seen by all",)], "primary, behind")


def test_transactions_that_only_read_leave_the_session_where_it_is(pooler):
    traced = Traced(pooler)
    wait_until(lambda: reads_on_standbys(traced), "the first reads are told apart from the login")
    traced("BEGIN")
    assert traced.node_of("SELECT name FROM t WHERE id = 1") == "primary, transaction"  # nothing is decided there
    traced("COMMIT")
    assert reads_on_standbys(traced)
    traced("BEGIN")
    traced("UPDATE t SET name = 'x' WHERE id = 1")
    traced("ROLLBACK")
    traced("SET statement_timeout = '10s'")
    wait_until(lambda: reads_on_standbys(traced), "settings go along")


def test_a_read_only_transaction_stays_on_one_standby(pooler):
    traced = Traced(pooler)
    assert traced.node_of("BEGIN READ ONLY").startswith("standby")
    assert traced("SELECT count(*) FROM t")[0] == [(100,)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        traced("INSERT INTO t VALUES (300, 'x')")
    traced("ROLLBACK")
    assert traced.node_of("INSERT INTO t VALUES (300, 'x')") == "primary, write"
    assert traced.node_of("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY") == "primary, write"
    traced("COMMIT")


def test_who_is_serializable_by_default_reads_on_the_primary(pooler):
    with pooler.connect() as db:
        db.execute("ALTER ROLE app SET default_transaction_isolation = 'Serializable'")
    traced = Traced(pooler)
    wait_until(lambda: not reads_on_standbys(traced), "the catalogue is read again")
    assert traced.node_of("BEGIN READ ONLY").startswith("primary")
    traced("ROLLBACK")
    pooler.console("RECONNECT")  # a role's settings are for the next login
    assert traced.node_of("BEGIN READ ONLY").startswith("primary")
    assert traced("SELECT count(*) FROM t")[0] == [(100,)]
    assert traced("SHOW transaction_isolation")[0] == [("serializable",)]


def test_what_binds_a_session_is_refused_in_a_read_only_transaction_on_a_standby(pooler):
    traced = Traced(pooler)
    assert traced.node_of("BEGIN READ ONLY").startswith("standby")
    with pytest.raises(psycopg.OperationalError, match="cannot be done on standby"):
        traced("SELECT pg_advisory_lock(1)")
    assert traced.connection.closed


def test_a_setting_that_is_misspelt_is_warned_of_and_keeps_nobody_out(pooler):
    # As libpq hears it, which takes no notice before it is let in; with it nobody can listen yet.
    warned = subprocess.run(["psql", "--no-psqlrc", "--command", "SELECT 1"], capture_output=True, text=True, check=True,
                            env={**pooler.environment(), "PGOPTIONS": "-c pgweir.route=standbys"})
    assert 'WARNING:  invalid value for parameter "pgweir.route": "standbys"' in warned.stderr
    heard = []
    with pooler.connect() as db:
        db.add_notice_handler(lambda notice: heard.append((notice.sqlstate, notice.message_primary)))
        db.execute("SET pgweir.consistency = 'strict'")
        wait_until(lambda: db.execute("SELECT 1") and heard, "the warning is heard")
    assert heard == [("01000", 'invalid value for parameter "pgweir.consistency": "strict"')]


def test_an_application_can_say_where_it_wants_to_read(make_pooler, nodes):
    pooler = routing_pooler(make_pooler, nodes, {"reads": "primary"})
    traced = Traced(pooler)
    assert traced.node_of("SELECT name FROM t WHERE id = 1") == "primary, write"
    assert traced.node_of("/* pgweir: standby */ SELECT name FROM t WHERE id = 1").endswith(", asked")
    traced("SET pgweir.route = 'standby'")
    assert {traced.node_of("SELECT name FROM t WHERE id = 1") for _ in range(6)} == \
        {"standby1, asked", "standby2, asked"}
    # It is a wish for whole transactions too, and for what nobody knows to be a read.
    assert traced.node_of("BEGIN").startswith("standby")
    traced("COMMIT")
    assert traced("SELECT pg_is_in_recovery()")[0] == [(True,)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        traced("INSERT INTO t VALUES (400, 'x')")
    assert traced.node_of("/* pgweir: primary */ SELECT name FROM t WHERE id = 1") == "primary, asked"
    assert traced("SHOW pgweir.route")[0] == [("standby",)]
    traced("SET pgweir.route = 'auto'")
    assert traced.node_of("SELECT name FROM t WHERE id = 1") == "primary, write"
    with pooler.connect(options="-c pgweir.route=standby") as connection:
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def test_what_only_seemed_to_read_runs_on_the_primary_and_is_remembered(make_pooler, nodes):
    nodes.primary.sql("CREATE SEQUENCE s; ALTER SEQUENCE s OWNER TO app;"
                      "CREATE FUNCTION drawn() RETURNS bigint LANGUAGE sql AS $$SELECT nextval('s')$$;"
                      "CREATE FUNCTION sly() RETURNS bigint STABLE LANGUAGE plpgsql AS "
                      "$$BEGIN RETURN drawn(); END$$", "app")
    pooler = routing_pooler(make_pooler, nodes)
    traced = Traced(pooler)
    assert traced("SELECT sly()") == ([(1,)], "primary, retried")
    assert traced("SELECT sly()") == ([(2,)], "primary, write")
    wait_until(lambda: reads_on_standbys(traced), "what was drawn is on the standbys")
    assert traced("SELECT sly() + %s", (1,)) == ([(4,)], "primary, retried")
    pooler.log_contains("seemed to read is none: select sly\\(\\)")


def test_errors_of_reads_are_the_primarys(pooler, nodes):
    traced = Traced(pooler)
    with pytest.raises(psycopg.errors.DivisionByZero):
        traced("SELECT 1 / (id - 1) FROM t WHERE id = 1")
    with pytest.raises(psycopg.errors.UndefinedTable):
        traced("SELECT * FROM nowhere")
    # What is not there yet on the standbys is there on the primary.
    pause_replay(nodes.standby1, nodes.standby2)
    assert traced("SELECT name FROM t WHERE id = 2")[0] == [("name 2",)]
    resume_replay(nodes.standby1, nodes.standby2)


def test_new_objects_are_known_at_once(pooler, nodes):
    traced = Traced(pooler)
    assert judged(pooler, "SELECT fresh(1)") == "primary"
    traced("CREATE FUNCTION fresh(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1'")
    wait_until(lambda: judged(pooler, "SELECT fresh(1)") == "read", "the catalogue was read again", timeout=10)
    wait_until(lambda: reads_on_standbys(traced, "SELECT fresh(1)"), "and the workers have it", timeout=10)


class Readers:
    """Sessions that read over and over until they are told to end; no error may reach them."""

    def __init__(self, pooler, count=4, extended=False):
        self.pooler, self.stopping, self.reads = pooler, False, 0
        self.threads = [in_background(functools.partial(self._read, pooler, extended and number % 2 == 0))
                        for number in range(count)]

    def _read(self, pooler, prepare):
        with pooler.connect() as connection:
            while not self.stopping:
                rows = connection.execute("SELECT name FROM t WHERE id = %s", (5,), prepare=prepare).fetchall()
                assert rows == [("name 5",)]
                self.reads += 1

    def some_more(self):
        before = self.reads
        wait_until(lambda: self.reads > before + 50, "reads go on", timeout=20)

    def end(self):
        self.stopping = True
        wait_until(lambda: all(thread.done() for thread in self.threads),
                   lambda: f"all readers end: {self.pooler.console('SHOW CLIENTS')} {self.pooler.console('SHOW SERVERS')}")
        for thread in self.threads:
            thread.result()


@pytest.mark.parametrize("fault", ["kill", "stop", "pause", "fast shutdown"])
def test_nobody_who_reads_notices_a_standby_that_goes(pooler, nodes, fault):
    readers = Readers(pooler, extended=True)
    readers.some_more()
    standby = nodes.standby1
    if fault == "kill":
        standby.stop(signal.SIGKILL)
    elif fault == "fast shutdown":
        standby.stop()
    elif fault == "stop":
        standby.freeze()
    else:
        pause_replay(standby)
    wait_until(lambda: states(pooler)["standby1"] != "standby", "it is missed", timeout=20)
    readers.some_more()
    if fault in ("kill", "fast shutdown"):
        standby.start()
    elif fault == "stop":
        standby.thaw()
    else:
        resume_replay(standby)
    wait_until(lambda: states(pooler)["standby1"] == "standby", "it is back", timeout=30)
    readers.some_more()
    readers.end()


def test_nobody_who_reads_notices_a_standby_restored_from_elsewhere(pooler, nodes):
    readers = Readers(pooler, extended=True)
    readers.some_more()
    standby = nodes.standby1
    standby.stop(signal.SIGKILL)
    standby.restore(Postgres)
    standby.sql("CREATE TABLE t (id int PRIMARY KEY, name text); ALTER TABLE t OWNER TO app;"
                "INSERT INTO t SELECT n, 'of another cluster' FROM generate_series(1, 100) n", "app")
    wait_until(lambda: states(pooler)["standby1"] == "foreign", "it is known to be a stranger", timeout=30)
    readers.some_more()
    standby.stop()
    standby.restore()
    wait_until(lambda: states(pooler)["standby1"] == "standby", "it is one of ours again", timeout=30)
    readers.some_more()
    readers.end()
    traced = Traced(pooler)
    wait_until(lambda: traced.node_of("SELECT name FROM t WHERE id = 1") == "standby1, read", "it is read")


@pytest.fixture
def far_standby2(nodes):
    relay = SlowRelay(nodes.standby2, delay=0.015)
    yield relay
    relay.close()


def test_reads_stay_in_their_zone_while_somebody_there_serves(make_pooler, nodes, far_standby2):
    sections = nodes.sections(routing={**ROUTING, "zone": "here"})
    here, there = ({"zone": "here"}, {"zone": "there", "port": far_standby2.port})
    for node, more in zip(sections["clusters"]["main"]["nodes"], (here, here, there)):
        node.update(more)
    pooler = routing_pooler(make_pooler, nodes, **{"clusters": sections["clusters"]})
    traced = Traced(pooler)
    wait_until(lambda: reads_on_standbys(traced), "what the session was told of is there")

    def some_reads():
        """Seconds that a read took, the median of 50, and the nodes that they went to."""
        times, seen = [], set()
        for _ in range(50):
            started = time.monotonic()
            seen.add(traced.node_of("SELECT name FROM t WHERE id = 1"))
            times.append(time.monotonic() - started)
        return sorted(times)[len(times) // 2], seen

    near, seen = some_reads()
    assert seen == {"standby1, read"}
    nodes.standby1.stop()
    wait_until(lambda: states(pooler)["standby1"] == "unreachable", "it is missed")
    far, seen = some_reads()
    print(f"a read in the zone took {near * 1000:.1f} ms, one in another {far * 1000:.1f} ms")
    assert seen == {"standby2, read"} and far > 0.03


def test_servers_at_standbys_write_nothing_even_if_they_are_promoted(pooler, nodes):
    traced = Traced(pooler)
    wait_until(lambda: reads_on_standbys(traced), "its servers at standbys are open")
    shown = "SHOW default_transaction_read_only"
    assert traced(f"/* pgweir: standby */ {shown}")[0] == [("on",)]
    assert traced(shown)[0] == [("off",)]
    assert traced.connection.info.parameter_status("default_transaction_read_only") == "off"
    with pooler.connect(options="-c default_transaction_read_only=on") as careful:
        for _ in range(4):
            assert careful.execute("SELECT name FROM t WHERE id = 1").fetchall() == [("name 1",)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            careful.execute("UPDATE t SET name = 'no' WHERE id = 1")
    traced("UPDATE t SET name = 'yes' WHERE id = 1")


def test_nobody_who_reads_notices_a_promotion(pooler, nodes):
    readers = Readers(pooler, extended=True)
    readers.some_more()
    nodes.standby1.promote()
    wait_until(lambda: states(pooler)["standby1"] == "primary", "it is found", timeout=20)
    readers.some_more()
    follow(nodes.standby2, nodes.standby1)
    wait_until(lambda: states(pooler)["standby2"] == "standby", "the other one follows it", timeout=30)
    readers.some_more()
    readers.end()
    traced = Traced(pooler)
    assert traced.node_of("UPDATE t SET name = 'after' WHERE id = 1") == "standby1, write"
    assert traced("SELECT name FROM t WHERE id = 1")[0] == [("after",)]
    wait_until(lambda: traced.node_of("SELECT name FROM t WHERE id = 1") == "standby2, read", "it shows that too")


def test_a_read_that_stands_in_the_way_of_replay_is_asked_again(make_pooler, nodes):
    nodes.standby1.sql("ALTER SYSTEM SET max_standby_streaming_delay = 0")
    nodes.standby1.sql("SELECT pg_reload_conf()")
    nodes.standby2.stop()
    sections = nodes.sections(routing=ROUTING)
    sections["databases"] = {**sections["databases"], "app": {"cluster": "main", "pool_size": 2}}
    pooler = make_pooler(**sections, http=True)
    wait_until(lambda: states(pooler)["standby1"] == "standby", "it serves", timeout=30)
    wait_until(lambda: judged(pooler, "SELECT name FROM t") == "read", "the catalogue is known", timeout=30)
    # As long as it takes: what it looks for is in no row, and it is in the way from its beginning.
    slow = ("SELECT count(*) FROM t a, t b, generate_series(1, 4000) c "
            "WHERE a.name || b.name || c::text = 'nothing'")
    with pooler.connect() as reader:
        answer = in_background(lambda: reader.execute(slow).fetchone())
        wait_until(lambda: nodes.standby1.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%nothing%' "
                                                "AND backend_type = 'client backend' AND pid <> pg_backend_pid()") == 1,
                   "it runs on the standby")
        nodes.primary.sql("DELETE FROM t WHERE id = 50", "app")
        nodes.primary.sql("VACUUM t", "app")
        assert answer.result(timeout=100) == (0,)
    _, metrics = pooler.http_get("/metrics")
    assert 'reason="retried"' in metrics


def test_a_token_carries_what_was_written_to_another_connection(make_pooler, nodes):
    set_delay(nodes, "2s")
    pooler = routing_pooler(make_pooler, nodes, {"max_lag": "1h"})
    writer, reader, stranger = Traced(pooler), Traced(pooler), Traced(pooler)
    writer("UPDATE t SET name = 'carried' WHERE id = 1")
    token = writer("SHOW pgweir.token")[0][0][0]
    with writer.connection.transaction():
        assert writer("SHOW pgweir.token")[0] == [(token,)]
    assert writer.connection.execute("SHOW pgweir.token", prepare=True).fetchall() == [(token,)]
    reader(f"SET pgweir.token = '{token}'")
    assert reader("SELECT name FROM t WHERE id = 1") == ([("carried",)], "primary, behind")
    assert reader("SHOW pgweir.token")[0] == [(token,)]
    with pooler.connect(options=f"-c pgweir.token={token}") as begun:
        assert begun.execute("SELECT name FROM t WHERE id = 1").fetchall() == [("carried",)]
    # Without it nothing is promised, and nothing of it is left in the servers they share.
    assert stranger("SELECT name FROM t WHERE id = 1") == ([("name 1",)], stranger.nodes[-1])
    assert stranger("SHOW pgweir.token")[0] != [(token,)]
    wait_until(lambda: reads_on_standbys(reader), "a standby has it")
    assert reader("SELECT name FROM t WHERE id = 1")[0] == [("carried",)]


def test_a_session_says_what_its_reads_have_to_show(make_pooler, nodes):
    set_delay(nodes, "2s")
    pooler = routing_pooler(make_pooler, nodes, {"max_lag": "1h"})
    writer, reader = Traced(pooler), Traced(pooler)
    writer("UPDATE t SET name = 'told' WHERE id = 1")
    reader("SET pgweir.consistency = 'database'")
    assert reader("SELECT name FROM t WHERE id = 1") == ([("told",)], "primary, behind")
    writer("SET pgweir.consistency = 'eventual'")
    assert writer("SELECT name FROM t WHERE id = 1")[0] == [("name 1",)]


def test_a_read_waits_for_a_standby_that_is_behind(make_pooler, nodes):
    set_delay(nodes, "500ms")
    pooler = routing_pooler(make_pooler, nodes, {"max_lag": "1h", "causal_wait": "1h"}, http=True)

    def waits():
        return sum(int(count) for count in
                   re.findall(r"^pgweir_causal_waits_total\{.*\} (\d+)", pooler.http_get("/metrics")[1], re.MULTILINE))

    traced = Traced(pooler)
    for each in range(5):
        traced(f"UPDATE t SET name = 'waited {each}' WHERE id = 1")
        rows, node = traced("SELECT name FROM t WHERE id = 1")
        assert rows == [(f"waited {each}",)] and node.endswith(", read")
    assert waits() == 5
    set_delay(nodes, "50min")  # within max_lag; one that is paused is waited for by nobody
    traced("UPDATE t SET name = 'never shown' WHERE id = 1")
    reading = in_background(lambda: traced.connection.execute("SELECT name FROM t WHERE id = 1").fetchall())
    wait_until(lambda: waits() == 6, "it waits")
    traced.connection.cancel()
    with pytest.raises(psycopg.errors.QueryCanceled):
        reading.result(timeout=30)
    set_delay(nodes, "0")
    assert traced("SELECT name FROM t WHERE id = 1")[0] == [("never shown",)]


def test_reads_are_refused_where_the_primary_shall_not_have_them(make_pooler, nodes):
    pooler = routing_pooler(make_pooler, nodes, {"no_standby": "error"})
    traced = Traced(pooler)
    assert reads_on_standbys(traced)
    for name in ("standby1", "standby2"):
        nodes.nodes[name].stop(signal.SIGQUIT)
    wait_until(lambda: set(states(pooler).values()) == {"primary", "unreachable"}, "both are known to be gone")
    for prepare in (False, True):
        with pytest.raises(psycopg.errors.CannotConnectNow, match="no standby can serve this read"):
            traced("SELECT name FROM t WHERE id = %s", (1,), prepare=prepare)
    traced("UPDATE t SET name = 'written' WHERE id = 1")
    assert traced("/* pgweir: primary */ SELECT name FROM t WHERE id = 1") == ([("written",)], "primary, asked")
    nodes.nodes["standby1"].start()
    wait_until(lambda: states(pooler)["standby1"] == "standby", "it is back", timeout=30)
    wait_until(lambda: reads_on_standbys(Traced(pooler)), "it is read")


def test_who_reads_where_by_listener_application_user_and_database(make_pooler, nodes):
    second = free_port()
    sections = nodes.sections(routing={**ROUTING, "reads": "primary"})
    sections["databases"]["app"] = {"cluster": "main", "reads": "standby"}
    sections["applications"] = {"web": {"reads": "standby"}, "sidekiq": {"reads": "primary"}}
    pooler = make_pooler(**sections, more_listen=[{"host": "127.0.0.1", "port": second, "reads": "standby"}])
    wait_until(lambda: list(states(pooler).values()) == ["primary", "standby", "standby"], "all serve", timeout=30)
    wait_until(lambda: judged(pooler, "SELECT name FROM t") == "read", "the catalogue is known", timeout=30)
    assert reads_on_standbys(Traced(pooler))
    pooler.write_config(users={"app": {"reads": "primary"}})
    pooler.reload()
    wait_until(lambda: not reads_on_standbys(Traced(pooler)), "the user's word counts")
    web = Traced(pooler, application_name="web")
    assert reads_on_standbys(web)
    web("SET application_name = 'sidekiq'")
    assert not reads_on_standbys(web)
    assert reads_on_standbys(Traced(pooler, application_name="sidekiq", port=second))


def test_rules_are_tried_with_their_samples_and_obeyed(make_pooler, nodes):
    nodes.primary.sql("CREATE FUNCTION name_of(int) RETURNS text LANGUAGE sql AS "
                      "'SELECT name FROM t WHERE id = $1'; GRANT SELECT ON t TO app", "app")
    rule = {"pattern": "select name_of(*)", "route": "standby", "samples": ["SELECT name_of(7)"]}
    pooler = routing_pooler(make_pooler, nodes)
    traced = Traced(pooler)
    assert traced("SELECT name_of(7)") == ([("name 7",)], "primary, write")
    cluster = pooler.config["clusters"]["main"]
    pooler.write_config(clusters={"main": {**cluster, "routing": {**cluster["routing"], "rules": [
        {**rule, "samples": ["SELECT name_of(7)", "SELECT other(7)"]}]}}})
    pooler.reload()
    assert 'rule "select name_of(*)" is not about its sample "SELECT other(7)"' in pooler.log()
    assert traced.node_of("SELECT name_of(7)") == "primary, write"
    pooler.write_config(clusters={"main": {**cluster, "routing": {**cluster["routing"], "rules": [rule]}}})
    pooler.reload()
    wait_until(lambda: traced("SELECT name_of(7)")[1].endswith("asked"), "the rule counts")
    assert traced("SELECT name_of(%s)", (9,)) == ([("name 9",)], traced.nodes[-1])
    assert traced.nodes[-1].startswith("standby")
    explained = {row["database"]: row for row in pooler.console("EXPLAIN ROUTE SELECT name_of(1)")}
    assert explained["app"]["reason"] == 'rule "select name_of(*)"'
