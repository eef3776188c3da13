"""leaks [options]: two hundred clients with state in their sessions, on five servers.

Each client keeps a model of its own session and asks PostgreSQL after every transaction whether that is what it has.
"""

import argparse
import asyncio
import collections
import contextlib
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from leak_hunt import services, settings  # noqa: E402
from leak_hunt.client import Client  # noqa: E402
from pgweir_e2e.pooler import BINARY  # noqa: E402
from pgweir_e2e.system import TOP, remove_folder  # noqa: E402

SHOWN_MAX = 20
LAST_LINES = 24


class Hunt:
    """One run of all clients against one endpoint. What they have to agree on is here."""

    SUPERUSER, DATABASE = "boss", "leaks"

    def __init__(self, options, endpoint, defaults, folder):
        self.options, self.endpoint, self.defaults, self.folder = options, endpoint, defaults, folder
        self.deadline = time.monotonic() + options.seconds
        self.transactions = self.checks = self.vanished = self.serial = 0
        self.kinds, self.known = collections.Counter(), collections.Counter()
        self.holding = set()  # clients with state that keeps a server
        self.holders = {}  # of the keys that all want
        self.recent = collections.deque(maxlen=40)  # (client, name) of custom settings made of late
        os.makedirs(folder, exist_ok=True)
        users = [self.SUPERUSER if number % 5 == 4 else "app" for number in range(options.clients)]
        self.clients = [Client(self, number, user) for number, user in enumerate(users)]

    async def run(self):
        await asyncio.gather(*(client.run() for client in self.clients))

    def is_over(self):
        return time.monotonic() > self.deadline

    def next_serial(self):
        self.serial += 1
        return 1000 + self.serial

    def may_hold(self, client):
        """Each user has a pool of its own."""
        of_user = sum(other.user == client.user for other in self.holding)
        return client in self.holding or of_user < self.options.holders

    def some_listener(self, client):
        listening = [other for other in self.holding if other.listens and other is not client]
        return client.random.choice(sorted(listening, key=lambda other: other.number)) if listening else None

    def differs(self, client, kind, text):
        if self.is_over() and kind == "connection":
            return
        self.kinds[kind] += 1
        path = os.path.join(self.folder, f"client-{client.number}-life-{client.serial}.txt")
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n".join([*client.history, f"DIFFERENCE, {kind}: {text}\n"]))
        if sum(self.kinds.values()) > SHOWN_MAX:
            return
        print(f"-- client {client.number} ({client.user}), {kind}: {text[:600]}")
        for line in client.history[-LAST_LINES:]:
            print(f"   {line[:300]}")
        print(f"   seed {self.options.seed}, whole history: {path}", flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tests/suites/leaks",
        description="Clients that keep state of all kinds in their sessions, through pgweir in transaction pooling, "
                    "and look after each transaction whether they see their own and nobody else's. "
                    "Passes without a difference.",
        epilog="Each of two users has a pool: app, and boss, a superuser, who is a fifth of the clients. "
               "It wants the packages of: scripts/bootstrap suites.")
    parser.add_argument("--pgweir", metavar="PATH", default=BINARY,
                        help="the program; $PGWEIR, or that of build/$PGWEIR_BUILD, dev by default")
    parser.add_argument("--seconds", type=float, default=60, metavar="N", help="of each run (60)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N",
                        help="what clients do depends on it, when they do it does not; printed")
    parser.add_argument("--workers", type=lambda text: [int(one) for one in text.split(",")], default=[1, 4],
                        metavar="N,N", help="of pgweir, one run for each (1,4)")
    parser.add_argument("--clients", type=int, default=200, metavar="N", help="at a time (200)")
    parser.add_argument("--lazy-begin", action="store_true", help="BEGIN waits for its first statement")
    parser.add_argument("--pool-size", type=int, default=5, metavar="N", help="servers for each user (5)")
    parser.add_argument("--holders", type=int, default=3, metavar="N",
                        help="clients of a user that hold at a time what keeps a server (3)")
    parser.add_argument("--without", type=lambda text: set(text.split(",")), default=set(), metavar="A,B",
                        help="leaves out what these functions of leak_hunt make, such as custom_in_a_function, or "
                             "startup, or together (pipelines of the protocol's statements): to look past a "
                             "difference that is understood")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--direct", action="store_true", help="no pooler: shows that the models are right")
    where.add_argument("--pgbouncer", action="store_true", help="PgBouncer instead: shows that differences are seen")
    parser.add_argument("--log-statements", action="store_true",
                        help="PostgreSQL's log, which is kept, has what each backend was asked")
    parser.add_argument("--keep", metavar="DIR", default=os.path.join(TOP, "build", "suites", "last-leaks"),
                        help="for logs and histories of clients that saw a difference (build/suites/last-leaks)")
    options = parser.parse_args(arguments)
    options.keep, options.pgweir = os.path.abspath(options.keep), os.path.abspath(options.pgweir)
    if not (options.direct or options.pgbouncer) and not os.access(options.pgweir, os.X_OK):
        parser.error(f"{options.pgweir} is missing: run scripts/build first")
    return options


def run_once(name, options, cluster, make_endpoint):
    """How many differences there were, and things that should not have happened."""
    folder = os.path.join(options.keep, name)
    print(f"== leaks, {name}, seed {options.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        endpoint = make_endpoint()
        stack.callback(services.end, endpoint, folder)
        hunt = Hunt(options, endpoint, services.defaults(cluster, Hunt, settings), folder)
        asyncio.run(hunt.run())
    differences = sum(hunt.kinds.values())
    kinds = "".join(f"\n   {count:6} {kind}" for kind, count in hunt.kinds.most_common())
    known = "".join(f"\n   {count:6} as known: {kind}" for kind, count in hunt.known.items() if count)
    print(f"== leaks, {name}: {hunt.transactions} scripts of transactions, {hunt.checks} checks, "
          f"{hunt.serial} sessions, {hunt.vanished} vanished, {differences} differences{kinds}{known}", flush=True)
    return differences + (hunt.checks == 0)


def run(options):
    with contextlib.ExitStack() as stack:
        remove_folder(options.keep)
        cluster = services.Cluster(options, settings.functions(options.clients))
        stack.callback(services.end_cluster, cluster, options.keep)
        if options.direct:
            runs = {"direct": lambda: services.Direct(cluster)}
        elif options.pgbouncer:
            runs = {"pgbouncer": lambda: services.PgBouncer(cluster, options.pool_size)}
        else:
            runs = {f"{workers}-workers": lambda workers=workers: services.pgweir(cluster, options, workers)
                    for workers in options.workers}
        failed = sum(run_once(name, options, cluster, make) > 0 for name, make in runs.items())
    print(f"{len(runs) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(sys.argv[1:])
    try:
        return run(options)
    except (FileNotFoundError, AssertionError) as failure:
        print(f"leaks: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
