"""listeners [options]: many clients that listen, one backend, and each notification once and in order at each."""

import argparse
import contextlib
import os
import selectors
import signal
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from pgweir_e2e.pooler import BINARY, Pooler  # noqa: E402
from pgweir_e2e.postgres import Postgres  # noqa: E402
from pgweir_e2e.waiting import wait_until  # noqa: E402
from pgweir_e2e.wire import Wire  # noqa: E402

SHARED = "pgweir: shared LISTEN"
BATCH = 50  # notifications in one transaction


def notification(pid, payload):
    body = struct.pack("!I", pid) + b"news\0" + payload.encode() + b"\0"
    return b"A" + struct.pack("!I", len(body) + 4) + body


class Crowd:
    """All listeners. What each is told is the same, byte for byte, and is compared as it comes."""

    def __init__(self, pooler, count):
        self.wires = [Wire.login(pooler) for _ in range(count)]
        for wire in self.wires:
            assert not wire.sql("LISTEN news").errors
        self.problems = []

    def hear(self, expected, seconds):
        """Reads until each has heard all of it; says how long the last one took after the first byte."""
        at, last = {wire: 0 for wire in self.wires}, time.monotonic()
        with selectors.DefaultSelector() as selector:
            for wire in self.wires:
                selector.register(wire.socket, selectors.EVENT_READ, wire)
            begin = None
            while selector.get_map():
                for key, _ in selector.select(timeout=1):
                    begin = begin or time.monotonic()
                    last = time.monotonic()
                    self._read(key.data, at, expected, selector)
                if time.monotonic() - last > seconds:
                    short = sum(place < len(expected) for place in at.values())
                    self.problems.append(f"{short} listeners did not hear all within {seconds} s")
                    break
        return time.monotonic() - (begin or last)

    def _read(self, wire, at, expected, selector):
        came = wire.socket.recv(1 << 18)
        place = at[wire]
        at[wire] += len(came)
        if not came or expected[place:place + len(came)] != came:
            self.problems.append(f"a listener got, behind {place} bytes, {came[:80]!r} for "
                                 f"{expected[place:place + 80]!r}")
            at[wire] = len(expected)
        if at[wire] >= len(expected):
            selector.unregister(wire.socket)

    def notices(self, count):
        """The next `count` notices of each, as severities."""
        told = set()
        for wire in self.wires:
            said = []
            while len(said) < count:
                said += [notice["V"] for notice in wire.until("N").notices]
            told.add(tuple(said))
        return told

    def close(self):
        for wire in self.wires:
            wire.close()


def server_count(cluster):
    rows = cluster.sql("SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = 'app' AND backend_type = "
                       "'client backend' AND application_name <> 'harness' GROUP BY 1", "app")
    return dict(rows)


def say(cluster, numbers, told):
    """From a session of its own, not through pgweir, so that its process number is known."""
    with cluster.connect("app") as connection:
        told["pid"] = connection.info.backend_pid
        for begin in range(0, len(numbers), BATCH):
            connection.execute(";".join(f"NOTIFY news, '{number}'" for number in numbers[begin:begin + BATCH]))


def hear_all(cluster, crowd, numbers, seconds):
    told = {}
    speaker = threading.Thread(target=say, args=(cluster, numbers, told))
    speaker.start()
    wait_until(lambda: "pid" in told, "the speaker is there")
    expected = b"".join(notification(told["pid"], str(number)) for number in numbers)
    took = crowd.hear(expected, seconds)
    speaker.join()
    return took


def kept(pooler):
    with pooler.open_console() as console:
        return console.execute("SHOW PINNED").fetchall()


def run(options):
    with contextlib.ExitStack() as stack:
        cluster = Postgres()
        stack.callback(cluster.close)
        pooler = Pooler(cluster, pool_size=options.pool_size, workers=options.workers, binary=options.pgweir,
                        limits={"clients": options.clients + 100, "notifications": options.notifications})
        stack.callback(pooler.close)
        crowd = Crowd(pooler, options.clients)
        stack.callback(crowd.close)
        wait_until(lambda: not kept(pooler), "every listener has handed its server over", timeout=60)
        took = hear_all(cluster, crowd, range(options.count), options.seconds)
        print(f"== listeners: {options.count} notifications at each of {options.clients} listeners in {took:.1f} s, "
              f"backends by application_name: {server_count(cluster)}", flush=True)
        if server_count(cluster).get(SHARED) != 1:
            crowd.problems.append("there is not one connection that listens")
        if not crowd.problems:
            (pid,), = cluster.sql(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{SHARED}'")
            os.kill(pid, signal.SIGKILL)
            told = crowd.notices(2)
            print(f"== listeners: kill -9 of backend {pid} is told to each as {told}", flush=True)
            if told != {("WARNING", "NOTICE")}:
                crowd.problems.append(f"the loss was told as {told}")
            wait_until(lambda: cluster.value("SELECT 1") == 1, "PostgreSQL has recovered")
            took = hear_all(cluster, crowd, range(100), options.seconds)
            print(f"== listeners: 100 more in {took:.1f} s", flush=True)
        for problem in crowd.problems[:20]:
            print(f"-- {problem}")
        failed = bool(crowd.problems)
    print(f"{1 - failed} passed, {int(failed)} failed")
    return int(failed)


def main():
    parser = argparse.ArgumentParser(
        prog="tests/suites/listeners",
        description="Clients that LISTEN through pgweir in transaction pooling. Passes if they hold one backend, each "
                    "notification arrives once and in order at each, and kill -9 of that backend is told to each.")
    parser.add_argument("--pgweir", metavar="PATH", default=BINARY,
                        help="the program; $PGWEIR, or that of build/$PGWEIR_BUILD, dev by default")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of pgweir (1)")
    parser.add_argument("--pool-size", type=int, default=20, metavar="N", help="of pgweir (20)")
    parser.add_argument("--clients", type=int, default=1000, metavar="N", help="that listen (1000)")
    parser.add_argument("--count", type=int, default=10000, metavar="N", help="of notifications (10000)")
    parser.add_argument("--notifications", default="4MB", metavar="SIZE", help="limits.notifications (4MB)")
    parser.add_argument("--seconds", type=float, default=30, metavar="N", help="longest silence (30)")
    options = parser.parse_args()
    options.pgweir = os.path.abspath(options.pgweir)
    try:
        return run(options)
    except (FileNotFoundError, AssertionError) as failure:
        print(f"listeners: {failure}", file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
