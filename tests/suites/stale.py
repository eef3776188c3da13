"""stale [options]: sessions that write and read back at once, through standbys that are late, paused and held up.

With routing.consistency session, each session looks for what it wrote itself; with database, also for what another
one was told of before; with token, for what another one wrote whose pgweir.token it has set. With eventual nothing is
promised: then stale reads must be found, or the hunt is blind.
"""

import argparse
import asyncio
import collections
import contextlib
import os
import random
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import psycopg  # noqa: E402
from pgweir_e2e.cluster import Cluster  # noqa: E402
from pgweir_e2e.pooler import BINARY, Pooler  # noqa: E402
from pgweir_e2e.system import children_of  # noqa: E402
from pgweir_e2e.waiting import wait_until  # noqa: E402

STALE_SHOWN_MAX = 10
PROMISES = ("session", "database", "database-lazy", "token", "eventual")  # -lazy: with lazy_begin


class Hunt:
    """One run of all sessions with one consistency. What they have to agree on is here."""

    def __init__(self, pooler, consistency, options):
        self.pooler, self.consistency = pooler, consistency
        self.deadline = time.monotonic() + options.seconds
        self.told = [0] * options.sessions  # what each session's last write that was answered wrote
        self.carried = [(0, "")] * options.sessions  # the same, with the token that it was told behind it
        self.stale, self.kinds = [], collections.Counter()
        self.reads = self.writes = 0

    async def run(self):
        sessions = [Session(self, number) for number in range(len(self.told))]
        await asyncio.gather(*(session.run() for session in sessions))

    def is_over(self):
        return time.monotonic() > self.deadline

    def is_time_to_write(self):
        """In turns of half a second: where somebody writes all the time, a database never reads from standbys."""
        return int(time.monotonic() * 2) % 2 == 0

    def saw(self, kind, expected, value):
        self.reads += 1
        if value >= expected:
            return
        self.kinds[kind] += 1
        if len(self.stale) < STALE_SHOWN_MAX:
            self.stale.append(f"{kind}: {value} where {expected} was told")


class Session:
    """Writes the next number into its row, by one way after the other, and looks for it by all ways."""

    def __init__(self, hunt, number):
        self.hunt, self.number = hunt, number
        self.random = random.Random(f"session {number}")

    async def run(self):
        async with await psycopg.AsyncConnection.connect(self.hunt.pooler.dsn(user="app", dbname="app"), autocommit=True) as self.db:
            while not self.hunt.is_over():
                if self.hunt.is_time_to_write():
                    await self.write()
                await self.read_some()  # at once
                for _ in range(self.random.randrange(4)):
                    await asyncio.sleep(self.random.random() / 10)  # as people read
                    await self.read_some()

    async def write(self):
        value = self.hunt.told[self.number] + 1
        sql = f"UPDATE written SET value = {value} WHERE id = {self.number}"
        way = self.random.randrange(4)
        if way == 0:
            await self.db.execute(sql)
        elif way == 1:
            await self.db.execute("UPDATE written SET value = %s WHERE id = %s", (value, self.number))
        elif way == 2:
            await self.db.execute("UPDATE written SET value = %s WHERE id = %s", (value, self.number), prepare=True)
        else:
            async with self.db.transaction():
                await self.db.execute(sql)
        self.hunt.told[self.number] = value
        self.hunt.writes += 1
        if self.hunt.consistency == "token":
            self.hunt.carried[self.number] = value, await self.value("SHOW pgweir.token")

    async def read_some(self):
        others = self.hunt.consistency != "session" and self.random.random() < 0.7
        whose = self.random.randrange(len(self.hunt.told)) if others else self.number
        expected = self.hunt.told[whose]  # was told before this read is sent
        if self.hunt.consistency == "token" and whose != self.number:
            expected, token = self.hunt.carried[whose]
            await self.db.execute(f"SET pgweir.token = '{token}'")
        owner = "another session" if whose != self.number else "its own"
        async for kind, least, value in self.read(whose, expected):
            self.hunt.saw(f"{owner}, {kind}", least, value)

    async def read(self, whose, expected):
        """What each of its reads has to show at least, and what it shows."""
        sql = "SELECT value FROM written WHERE id = "
        way = self.random.randrange(4)
        if way == 0:
            yield "simple", expected, await self.value(f"{sql}{whose}")
        elif way == 1:
            yield "extended", expected, await self.value(f"{sql}%s", (whose,))
        elif way == 2:
            yield "prepared", expected, await self.value(f"{sql}%s", (whose,), prepare=True)
        else:
            repeatable = self.random.random() < 0.5
            isolation = "REPEATABLE READ" if repeatable else "READ COMMITTED"
            await self.db.execute(f"BEGIN READ ONLY ISOLATION LEVEL {isolation}")
            for number in (1, 2):
                await asyncio.sleep(self.random.random() / 50)
                # With the database's consistency, also what is told while the transaction runs.
                if self.hunt.consistency == "database" and not (repeatable and number == 2):
                    expected = self.hunt.told[whose]
                yield f"{isolation}, read {number}", expected, await self.value(f"{sql}{whose}")
            await self.db.execute("COMMIT")

    async def value(self, *arguments, **options):
        return (await (await self.db.execute(*arguments, **options)).fetchone())[0]


class Disturber:
    """Makes the standbys late, one after the other: by a delay, by a pause, by a receiver that is held up."""

    def __init__(self, nodes, hunt):
        self.standbys = [nodes.standby1, nodes.standby2]
        self.hunt, self.random = hunt, random.Random("disturber")
        self.disturbances = 0

    async def run(self):
        await asyncio.gather(*(self.disturb(standby) for standby in self.standbys))

    async def disturb(self, standby):
        async with await psycopg.AsyncConnection.connect(
                f"host={standby.folder} port={standby.port} user=postgres dbname=postgres", autocommit=True) as db:
            while not self.hunt.is_over():
                self.disturbances += 1
                await self.random.choice([self.delay, self.pause, self.hold_up, self.leave_alone])(standby, db)
            await self.set_delay(db, 0)

    async def set_delay(self, db, milliseconds):
        await db.execute(f"ALTER SYSTEM SET recovery_min_apply_delay = '{milliseconds}ms'")
        await db.execute("SELECT pg_reload_conf()")

    async def some_time(self):
        await asyncio.sleep(self.random.random() / 2)  # the length of the disturbance itself

    async def delay(self, standby, db):
        await self.set_delay(db, self.random.randrange(500))
        await self.some_time()
        await self.set_delay(db, 0)

    async def pause(self, standby, db):
        await db.execute("SELECT pg_wal_replay_pause()")
        await self.some_time()
        await db.execute("SELECT pg_wal_replay_resume()")

    async def hold_up(self, standby, db):
        row = await (await db.execute("SELECT pid FROM pg_stat_wal_receiver")).fetchone()
        if row is None or row[0] not in children_of(standby.process.pid):
            return
        os.kill(row[0], signal.SIGSTOP)
        await self.some_time()
        os.kill(row[0], signal.SIGCONT)

    async def leave_alone(self, standby, db):
        await self.some_time()


def routed(pooler):
    """Requests by the reason for which they went where they went."""
    _, text = pooler.http_get("/metrics")
    found = re.findall(r'pgweir_routed_total\{.*?reason="(\w+)".*?\} (\S+)', text)
    return {reason: float(count) for reason, count in found}


def make_pooler(nodes, consistency, lazy, options):
    level = "session" if consistency == "token" else consistency
    sections = nodes.sections(routing={"reads": "standby", "consistency": level, "max_lag": "10s",
                                       "causal_wait": options.causal_wait})
    sections["databases"] = {**sections["databases"], "app": {"cluster": "main", "pool_size": 10}}
    pooler = Pooler(nodes.primary, workers=options.workers, http=True, binary=options.pgweir,
                    pool={"lazy_begin": lazy}, **sections)
    wait_until(lambda: [row["state"] for row in pooler.console("SHOW NODES")] == ["primary", "standby", "standby"],
               "all nodes serve", timeout=30)
    wait_until(lambda: any(row["class"] == "read" for row in pooler.console("EXPLAIN ROUTE SELECT value FROM written")),
               "the catalogue is known", timeout=30)
    return pooler


def run_once(promise, options):
    """True: what was promised held; and where nothing is promised, stale reads were found."""
    consistency, _, lazy = promise.partition("-")
    with contextlib.ExitStack() as stack:
        nodes = Cluster()
        stack.callback(nodes.close)
        nodes.primary.sql("CREATE TABLE written (id int PRIMARY KEY, value int); ALTER TABLE written OWNER TO app;"
                          f"INSERT INTO written SELECT n, 0 FROM generate_series(0, {options.sessions - 1}) n", "app")
        pooler = make_pooler(nodes, consistency, bool(lazy) or options.lazy_begin, options)
        stack.callback(end_quietly, pooler)
        hunt = Hunt(pooler, consistency, options)
        disturber = Disturber(nodes, hunt)

        async def everything():
            await asyncio.gather(hunt.run(), disturber.run())

        asyncio.run(everything())
        where = routed(pooler)
    found = sum(hunt.kinds.values())
    on_standbys = where.get("read", 0) / max(1, sum(where.get(reason, 0) for reason in ("read", "behind", "current", "no_standby")))
    print(f"== stale, {promise}: {hunt.writes} writes, {hunt.reads} reads, {found} stale; {on_standbys:.0%} of the "
          f"reads and read-only transactions went to standbys; {disturber.disturbances} disturbances; requests: "
          + ", ".join(f"{reason} {count:.0f}" for reason, count in sorted(where.items())), flush=True)
    for line in hunt.stale:
        print("   " + line)
    promised = consistency != "eventual"
    return (found == 0) == promised and where.get("read", 0) > 0


def end_quietly(pooler):
    with contextlib.redirect_stdout(open(os.devnull, "w", encoding="utf-8")):
        pooler.close()


def parse(arguments):
    parser = argparse.ArgumentParser(prog="stale", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="of each run (30)")
    parser.add_argument("--sessions", type=int, default=64, help="that write and read (64)")
    parser.add_argument("--workers", type=int, default=2, help="of pgweir (2)")
    parser.add_argument("--consistency", nargs="+", default=list(PROMISES), choices=PROMISES,
                        help="one run for each (all)")
    parser.add_argument("--lazy-begin", action="store_true", help="BEGIN waits for its first statement")
    parser.add_argument("--causal-wait", default="0", help="routing.causal_wait (0)")
    parser.add_argument("--pgweir", default=BINARY, help="the program (PGWEIR, or the dev build)")
    options = parser.parse_args(arguments)
    if not os.access(options.pgweir, os.X_OK):
        parser.error(f"{options.pgweir} is missing: run scripts/build first")
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(sys.argv[1:])
    held = [run_once(promise, options) for promise in options.consistency]
    print(f"{sum(held)} passed, {len(held) - sum(held)} failed")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
