"""LISTEN without a server of one's own: the connection that all listeners of a database share."""

import os
import signal

import pytest

from pgweir_e2e.waiting import wait_until

SHARED = "pgweir: shared LISTEN"


def backends(postgres, condition="true"):
    rows = postgres.sql("SELECT pid FROM pg_stat_activity WHERE datname = 'app' AND backend_type = 'client backend' "
                        f"AND pid <> pg_backend_pid() AND {condition}", "app")
    return [pid for (pid,) in rows]


def shared_backends(postgres):
    return backends(postgres, f"application_name = '{SHARED}'")


def payloads(wire, count):
    """The next `count` notifications, as (channel, payload)."""
    heard = []
    while len(heard) < count:
        for body in wire.until("A").bodies("A"):
            channel, payload, _ = body[4:].split(b"\0")
            heard.append((channel.decode(), payload.decode()))
    return heard


def wait_until_handed_over(postgres, pooler):
    """Until the shared connection listens, and no session keeps a server for it."""
    def handed_over():
        with pooler.open_console() as console:
            kept = console.execute("SHOW PINNED").fetchall()
        return shared_backends(postgres) and not kept
    wait_until(handed_over, "all channels are handed over", timeout=20)


@pytest.mark.pooler_only
def test_listeners_share_one_connection(make_pooler, open_wire_to, postgres):
    pooler = make_pooler(pool_size=2)
    listeners = [open_wire_to(pooler) for _ in range(20)]
    for number, wire in enumerate(listeners):
        wire.sql("LISTEN news")
        wire.sql(f"LISTEN \"own{number}\"")
    wait_until_handed_over(postgres, pooler)
    sender = open_wire_to(pooler)
    for number in range(100):
        sender.sql(f"NOTIFY news, '{number}'")
    sender.sql("NOTIFY own7, 'seven'")
    sender.sql("NOTIFY news, 'last'")
    for number, wire in enumerate(listeners):
        due = [("news", str(which)) for which in range(100)]
        due += [("own7", "seven")] if number == 7 else []
        due += [("news", "last")]
        assert payloads(wire, len(due)) == due
    backend, = shared_backends(postgres)
    row, = pooler.console("SHOW LISTENERS")
    assert (row["database"], row["state"], int(row["remote_pid"])) == ("app", "listening", backend)
    assert (int(row["channels"]), int(row["clients"]), int(row["losses"])) == (21, 20, 0)


@pytest.mark.parametrize("workers", [1, 4])
def test_nothing_is_lost_or_told_twice_while_channels_move(make_pooler, open_wire_to, postgres, workers):
    """Listeners also work, on fewer servers than there are of them: their channels move to and fro."""
    pooler = make_pooler(pool_size=2, workers=workers)
    listeners = [open_wire_to(pooler) for _ in range(8)]
    for wire in listeners:
        wire.sql("LISTEN news")
    sender = open_wire_to(pooler)
    heard = {wire: [] for wire in listeners}

    def take(wire, replies):
        for body in replies.bodies("A"):
            heard[wire].append(int(body[4:].split(b"\0")[1]))

    for number in range(400):
        sender.sql(f"NOTIFY news, '{number}'")
        wire = listeners[number % len(listeners)]
        take(wire, wire.sql("SELECT 1"))
    for wire in listeners:
        while len(heard[wire]) < 400:
            take(wire, wire.until("A"))
        assert heard[wire] == list(range(400))


def test_the_sender_hears_itself_before_its_transaction_is_answered(make_pooler, open_wire_to, postgres):
    pooler = make_pooler(pool_size=1)
    wire, other = open_wire_to(pooler), open_wire_to(pooler)
    wire.sql("LISTEN news")
    for _ in range(3):
        other.sql("SELECT 1")  # takes the server away
        replies = wire.sql("NOTIFY news, 'mine'")
        assert [reply.type for reply in replies if reply.type in "AZ"] == ["A", "Z"]


def test_listen_and_unlisten_follow_their_transaction(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    wire, other = open_wire_to(pooler), open_wire_to(pooler)
    wire.sql("LISTEN a")
    other.sql("SELECT 1")
    wire.sql("BEGIN; LISTEN b; ROLLBACK")
    other.sql("SELECT 1")
    assert wire.sql("SELECT * FROM pg_listening_channels()").rows == [("a",)]
    wire.sql("BEGIN")
    wire.sql("UNLISTEN a")
    wire.sql("ROLLBACK")
    other.sql("NOTIFY a, 'still'")
    assert payloads(wire, 1) == [("a", "still")]
    wire.sql("BEGIN; LISTEN c; UNLISTEN a; COMMIT")
    other.sql("NOTIFY a, 'gone'; NOTIFY c, 'new'")
    assert payloads(wire, 1) == [("c", "new")]
    wire.sql("DISCARD ALL")
    other.sql("SELECT 1")
    assert wire.sql("SELECT * FROM pg_listening_channels()").rows == []


def test_names_of_channels_are_kept_as_they_are(make_pooler, open_wire_to):
    pooler = make_pooler(pool_size=1)
    wire, other = open_wire_to(pooler), open_wire_to(pooler)
    names = ["Mixed Case", 'with "quotes"', "grün", "semi;colon", "back\\slash"]
    for name in names:
        quoted = name.replace('"', '""')
        wire.sql(f'LISTEN "{quoted}"')
        other.sql("SELECT 1")
    for name in names:
        quoted = name.replace('"', '""')
        other.sql(f'NOTIFY "{quoted}", \'x\'')
    assert payloads(wire, len(names)) == [(name, "x") for name in names]
    assert sorted(name for (name,) in wire.sql("SELECT * FROM pg_listening_channels()").rows) == sorted(names)


@pytest.mark.pooler_only
def test_the_loss_of_the_shared_connection_is_told(make_pooler, open_wire_to, postgres):
    pooler = make_pooler(pool_size=2)
    wire, sender = open_wire_to(pooler), open_wire_to(pooler)
    wire.sql("LISTEN news")
    wait_until_handed_over(postgres, pooler)
    before = shared_backends(postgres)
    os.kill(before[0], signal.SIGTERM)
    notices = wire.until("N").notices + wire.until("N").notices
    assert [notice["V"] for notice in notices] == ["WARNING", "NOTICE"]
    assert "notifications may" in notices[0]["M"] and "may have been missed" in notices[1]["M"]
    sender.sql("NOTIFY news, 'again'")
    assert payloads(wire, 1) == [("news", "again")]
    assert shared_backends(postgres) != before
