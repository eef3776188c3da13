"""Several nodes: pgweir finds the primary, follows it, and says what it knows of the others."""

import contextlib
import signal
import socket
import subprocess

import pytest
from pgweir_e2e.cluster import MONITOR, follow
from pgweir_e2e.pooler import BINARY
from pgweir_e2e.waiting import in_background, wait_until
from pgweir_e2e.wire import query

pytestmark = pytest.mark.pooler_only


@pytest.fixture
def nodes(make_nodes):
    made = make_nodes()
    made.primary.sql("CREATE TABLE t (id int)", "app")
    made.primary.sql("ALTER TABLE t OWNER TO app", "app")
    return made


def states(pooler):
    return {row["node"]: row["state"] for row in pooler.console("SHOW NODES")}


def row_of(pooler, node):
    return next(row for row in pooler.console("SHOW NODES") if row["node"] == node)


def wait_for_states(pooler, **wanted):
    wait_until(lambda: wanted.items() <= states(pooler).items(), f"nodes are {wanted}: {pooler.console('SHOW NODES')}",
               timeout=30)


def serving(pooler):
    wait_for_states(pooler, primary="primary", standby1="standby", standby2="standby")
    return pooler


def port_behind(connection):
    return connection.execute("SELECT inet_server_port()").fetchone()[0]


def test_writes_go_to_the_primary_wherever_it_stands_in_the_list(make_pooler, nodes):
    pooler = serving(make_pooler(**nodes.sections(["standby1", "primary", "standby2"]), http=True))
    with pooler.connect() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        assert port_behind(connection) == nodes.primary.port
    assert nodes.primary.value("SELECT count(*) FROM t", "app") == 1
    assert [row["port"] for row in pooler.console("SHOW DATABASES") if row["name"] == "app"] == [nodes.primary.port]

    row = row_of(pooler, "standby1")
    assert (row["cluster"], row["port"], row["timeline"], row["epoch"]) == ("main", nodes.standby1.port, 1, 1)
    assert row["reason"] == "" and row["lag_ms"] is not None and row["lsn"]
    _, metrics = pooler.http_get("/metrics")
    assert 'pgweir_node_state{cluster="main",node="primary",state="primary"} 1' in metrics
    assert 'pgweir_node_state{cluster="main",node="standby2",state="primary"} 0' in metrics
    assert 'pgweir_cluster_epoch{cluster="main"} 1' in metrics
    assert pooler.http_get("/readyz")[0] == 200


def test_a_promoted_standby_takes_the_writes(make_pooler, nodes):
    pooler = serving(make_pooler(**nodes.sections()))
    with pooler.connect() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        wait_until(lambda: nodes.caught_up("standby1"), "standby1 has the row")
        nodes.primary.stop()
        nodes.standby1.promote()
        connection.execute("INSERT INTO t VALUES (2)")  # waits, if it has to
        assert port_behind(connection) == nodes.standby1.port
    assert nodes.standby1.value("SELECT array_agg(id ORDER BY id) FROM t", "app") == [1, 2]
    wait_for_states(pooler, primary="unreachable", standby1="primary", standby2="lagging")
    assert row_of(pooler, "standby2")["reason"] == "it follows timeline 1, the primary is on 2"
    follow(nodes.standby2, nodes.standby1)
    wait_for_states(pooler, standby2="standby")
    pooler.log_contains("writes go to standby1, epoch")


def test_nothing_is_written_to_an_old_primary_that_lives_on(make_pooler, nodes, open_wire_to):
    pooler = serving(make_pooler(**nodes.sections()))
    busy = open_wire_to(pooler)
    with pooler.connect() as idle:
        assert busy.sql("BEGIN; INSERT INTO t VALUES (1)").status == "T"
        assert port_behind(idle) == nodes.primary.port
        nodes.standby1.promote()
        wait_for_states(pooler, primary="stale", standby1="primary")
        (error,) = busy.until_closed().errors
        assert (error["C"], error["M"]) == ("08006", "node primary is not the primary any more")
        idle.execute("INSERT INTO t VALUES (3)")
        assert port_behind(idle) == nodes.standby1.port
    assert nodes.standby1.value("SELECT array_agg(id) FROM t", "app") == [3]
    assert nodes.primary.value("SELECT count(*) FROM t", "app") == 0
    assert nodes.primary.backends() == []
    assert "the newest is 2" in row_of(pooler, "primary")["reason"]

    nodes.standby1.stop(signal.SIGKILL)
    wait_for_states(pooler, standby1="unreachable")
    assert states(pooler)["primary"] == "stale"  # it does not become the primary again by being alone


def test_clients_wait_for_a_primary_that_is_away(make_pooler, nodes):
    pooler = serving(make_pooler(**nodes.sections(), http=True))
    with pooler.connect() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        nodes.primary.stop()
        wait_until(lambda: states(pooler)["primary"] == "unreachable", "the primary is gone")
        assert pooler.http_get("/readyz")[0] == 503
        asked = in_background(lambda: connection.execute("INSERT INTO t VALUES (2)"))
        wait_until(lambda: any(row["cl_waiting"] for row in pooler.console("SHOW POOLS")), "the client waits")
        nodes.primary.start()
        asked.result(60)
    assert nodes.primary.value("SELECT array_agg(id ORDER BY id) FROM t", "app") == [1, 2]
    assert row_of(pooler, "primary")["epoch"] == 1
    assert pooler.http_get("/readyz")[0] == 200


def test_who_waits_too_long_for_a_primary_is_told_so(make_pooler, nodes, open_wire_to):
    pooler = serving(make_pooler(**nodes.sections(), timeouts={"query_wait": "300ms"}))
    wire = open_wire_to(pooler)
    wire.sql("SELECT 1")
    nodes.primary.stop()
    wait_until(lambda: states(pooler)["primary"] == "unreachable", "the primary is gone")
    wire.send(query("SELECT 1"))
    (error,) = wire.until_closed().errors
    assert (error["C"], error["M"]) == ("25006", 'no primary is known for database "app"')


def test_a_frozen_primary_is_awaited(make_pooler, nodes):
    pooler = serving(make_pooler(**nodes.sections()))
    nodes.primary.freeze()
    try:
        wait_for_states(pooler, primary="unreachable")
        assert "not answer" in row_of(pooler, "primary")["reason"] or "no answer" in row_of(pooler, "primary")["reason"]
    finally:
        nodes.primary.thaw()
    wait_for_states(pooler, primary="primary")
    with pooler.connect() as connection:
        connection.execute("INSERT INTO t VALUES (1)")


def test_standbys_that_cannot_serve_are_told_apart(make_pooler, nodes):
    pooler = serving(make_pooler(**nodes.sections(routing={"max_lag": "200ms"})))
    nodes.standby1.sql("SELECT pg_wal_replay_pause()")
    wait_for_states(pooler, standby1="lagging", standby2="standby")
    assert row_of(pooler, "standby1")["reason"] == "its replay is paused"
    nodes.standby1.sql("SELECT pg_wal_replay_resume()")
    wait_for_states(pooler, standby1="standby")

    nodes.standby1.sql("ALTER SYSTEM SET recovery_min_apply_delay = '10min'")
    nodes.standby1.sql("SELECT pg_reload_conf()")

    def lags():  # once it minds the new setting: what was written before, it may have replayed at once
        nodes.primary.sql("INSERT INTO t VALUES (1)", "app")
        return {"standby1": "lagging", "standby2": "standby"}.items() <= states(pooler).items()

    wait_until(lags, "standby1 is too far behind", timeout=30)
    row = row_of(pooler, "standby1")
    assert row["lag_ms"] >= 200 and row["lag_bytes"] > 0 and "the limit is 200 ms" in row["reason"]
    nodes.standby1.sql("ALTER SYSTEM RESET recovery_min_apply_delay")
    nodes.standby1.sql("SELECT pg_reload_conf()")
    wait_for_states(pooler, standby1="standby")

    nodes.standby2.stop(signal.SIGKILL)
    wait_for_states(pooler, standby2="unreachable")
    nodes.standby2.start()
    wait_for_states(pooler, standby2="standby")


def test_a_node_of_another_cluster_is_refused(make_pooler, nodes, postgres):
    sections = nodes.sections()
    sections["clusters"]["main"]["nodes"].insert(0, {"name": "stranger", "host": postgres.host, "port": postgres.port})
    pooler = make_pooler(**sections)
    wait_for_states(pooler, stranger="foreign", primary="primary")
    assert "system identifier" in row_of(pooler, "stranger")["reason"]
    pooler.log_contains("node stranger is foreign")


def test_what_keeps_a_monitor_from_seeing_is_said(make_pooler, nodes):
    nodes.primary.sql("REVOKE pg_monitor FROM monitor")
    wait_until(lambda: nodes.caught_up("standby1"), "standby1 knows of it")
    pooler = make_pooler(**nodes.sections())
    wait_for_states(pooler, primary="primary", standby1="lagging")
    assert "pg_monitor" in row_of(pooler, "standby1")["reason"]
    pooler.write_config(clusters={"main": {"monitor": {"password": "mistyped secret"}}})
    pooler.reload()
    wait_for_states(pooler, primary="unreachable")
    assert "password authentication failed" in row_of(pooler, "primary")["reason"]
    assert "secret" not in pooler.log()


def test_nodes_may_come_and_go_by_reload(make_pooler, nodes):
    pooler = make_pooler(**nodes.sections(["primary"]))
    wait_for_states(pooler, primary="primary")
    with pooler.connect() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        pooler.write_config(**nodes.sections())
        pooler.reload()
        serving(pooler)
        connection.execute("INSERT INTO t VALUES (2)")
        pooler.write_config(**nodes.sections(["standby1", "standby2"]))
        pooler.reload()
        wait_for_states(pooler, standby1="lagging")
        asked = in_background(lambda: connection.execute("INSERT INTO t VALUES (3)"))
        nodes.standby1.promote()
        asked.result(60)
    assert nodes.standby1.value("SELECT array_agg(id ORDER BY id) FROM t", "app") == [1, 2, 3]


def test_the_console_explains_how_a_statement_is_classed(make_pooler):
    pooler = make_pooler()
    (row,) = pooler.console("EXPLAIN ROUTE SELECT mine(id) FROM accounts WHERE id = 1", user="console_viewer")
    assert len(row.pop("fingerprint")) == 16
    assert row == {"database": "*", "class": "primary", "reason": "its cluster has no standby that is watched",
                   "functions": "mine()", "relations": "accounts", "node": "primary"}
    (row,) = pooler.console("EXPLAIN ROUTE SELECT nextval('s')")
    assert (row["class"], row["reason"]) == ("primary", "nextval() writes, or belongs to one node or session")


def with_own(tmp_path, **files):
    """A program that starts pgweir where /etc has these files; their names without .conf."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("this machine allows no mounts, and its own /etc is not ours to change")
    mounts = ""
    for stem, text in files.items():
        name = stem if stem == "hosts" else f"{stem}.conf"
        (tmp_path / name).write_text(text)
        mounts += f"mount --bind {tmp_path}/{name} /etc/{name} && "
    program = tmp_path / "pgweir"
    program.write_text(f"#!/bin/sh\nexec unshare --mount sh -c '{mounts}exec \"$@\"' sh {BINARY} \"$@\"\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def with_silent_names(tmp_path):
    """No name is ever resolved, but for what /etc/hosts has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.53.53", 53))  # it hears and says nothing
        yield with_own(tmp_path, resolv="nameserver 127.0.53.53\n")


def fill_backlog(listener, stack):
    """From now on it drops whoever knocks, as a filter of packets does."""
    listener.listen(0)
    for _ in range(8):
        caller = stack.enter_context(socket.socket())
        caller.setblocking(False)
        caller.connect_ex(listener.getsockname())
    probe = stack.enter_context(socket.socket())
    probe.settimeout(1)
    with pytest.raises(TimeoutError):
        probe.connect(listener.getsockname())


def test_a_host_whose_first_address_is_silent_is_reached_by_its_second(make_pooler, nodes, tmp_path):
    port = nodes.primary.port
    # Of two on one's own machine 127.0.0.1 goes first, if nobody says otherwise.
    program = with_own(tmp_path, hosts="127.0.2.2 twofold\n127.0.0.1 twofold localhost\n",
                       gai="precedence ::ffff:127.0.2.2/128 100\nprecedence ::/0 40\n")
    sections = nodes.sections()
    for node in sections["clusters"]["main"]["nodes"]:
        node["host"] = "twofold" if node["name"] == "primary" else node["host"]
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.2.2", port))
        fill_backlog(silent, stack)
        pooler = make_pooler(binary=program, http=True, **sections)
        wait_for_states(pooler, primary="primary")
        with pooler.connect() as connection:
            assert port_behind(connection) == port
        _, metrics = pooler.http_get("/metrics")
        assert "\npgweir_addresses_passed_over_total 1\n" in metrics
        assert "twofold does not answer at one of its addresses" in pooler.log()
        # The others begin with the address that answers: a second server is there at once.
        with pooler.connect() as one, pooler.connect() as other:
            one.execute("BEGIN")
            other.execute("BEGIN")
            assert port_behind(one) == port_behind(other) == port
            _, metrics = pooler.http_get("/metrics")
            assert "\npgweir_addresses_passed_over_total 1\n" in metrics


def test_names_that_nobody_resolves_do_not_blind_the_watch_of_other_nodes(make_pooler, nodes, with_silent_names):
    sections = nodes.sections()
    silent = [{"name": f"far{number}", "host": f"far{number}.example", "port": 5432} for number in range(8)]
    sections["clusters"]["far"] = {"nodes": silent, "monitor": MONITOR}
    pooler = serving(make_pooler(binary=with_silent_names, **sections))
    probes = "SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity WHERE application_name = 'pgweir_monitor'"
    for _ in range(3):
        before = set(nodes.primary.value(probes))
        nodes.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgweir_monitor'")
        wait_until(lambda: set(nodes.primary.value(probes)) - before, "there is another probe")
        wait_for_states(pooler, primary="primary", far0="unreachable")
