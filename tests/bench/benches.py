"""The measurements. Each takes the started services and the options, and returns its samples after printing them."""

import random
import time

import client
from figures import comparison, interleaved, print_table
from pgbench import Pgbench, measure, percentile
from services import POOL_SIZE
from social import social

CPU = ("cpu_us", "CPU µs/tx", 1, "ratio (min–max)")
TPS = ("tps", "tx/s", 0, "tx/s ratio")


def warm(services, clients):
    """Opens the pools' servers, fills PostgreSQL's caches."""
    for service in services:
        measure(service, clients, 1)


def cpu(services, options):
    return cost(services, options, (16, 64), "CPU per transaction: pgbench -S -j 2, 20 servers",
                ["CPU µs/tx: user and system time of the pooler's own processes; below 1 is less than the reference",
                 "haproxy and pgpool have a backend for each client, the others share 20"])


def route(services, options):
    # Three times as many at once on one machine cost any pooler a twentieth more, and are not what is measured.
    for service in services:
        if service.name == "pgweir-routing":
            service.servers = -(-POOL_SIZE // len(service.nodes))
    return cost(services, options, (16,), "CPU per transaction before a primary and two standbys: pgbench -S -j 2",
                ["pgweir-off: the same cluster with reads: primary, 20 servers; pgweir-routing: reads: any, 7 at each node",
                 "pgweir-deciding: reads: any, and all reads at the primary: the cost of deciding, with the same servers as -off",
                 "pgpool-balancing: streaming replication mode with load balancing; a backend at each node for each client"])


def cost(services, options, clients, title, notes):
    cells = [(protocol, count) for protocol in options.protocols for count in options.clients or clients]

    def renew(service):
        """Where a program came to lie in memory is good for 2 to 3 hundredths: each round draws anew."""
        service.renew()
        warm([service], max(count for _, count in cells))

    def one(service, protocol, count):
        outcome = measure(service, count, options.seconds or 5, protocol=protocol)
        return {"cpu_us": outcome.cpu_us, "tps": outcome.tps, "transactions": outcome.transactions}

    samples = interleaved(cells, services, options.rounds or 5, one, renew)
    notes = [*notes, "each round with poolers that were started anew"]
    print_table(title, comparison(samples, [CPU, TPS], ["protocol", "clients"]), notes)
    return samples


# What a transaction does with its server, and what its application does meanwhile.
TRANSACTIONS = {
    "busy": r"""\set aid random(1, 1000000)
BEGIN;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
COMMIT;
""",
    "thinking": r"""\set aid random(1, 1000000)
BEGIN;
\sleep 10 ms
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
COMMIT;
""",
}


def begin(services, options):
    """PostgreSQL's cost counts too: BEGIN by itself is a wake-up of it."""
    cells = [(kind, clients) for kind in TRANSACTIONS for clients in options.clients or (16, 64)]
    warm(services, max(clients for _, clients in cells))

    def one(service, kind, clients):
        script = service.write(f"{kind}.sql", TRANSACTIONS[kind])
        before = service.postgres.cpu_us()
        outcome = measure(service, clients, options.seconds or 5, options=["--file", script])
        server_us = (service.postgres.cpu_us() - before) / outcome.transactions
        return {"cpu_us": outcome.cpu_us, "server_us": server_us, "tps": outcome.tps}

    samples = interleaved(cells, services, options.rounds or 5, one)
    print_table("BEGIN by itself, and with the first statement (lazy_begin): BEGIN, one SELECT, COMMIT; 20 servers",
                comparison(samples, [CPU, ("server_us", "PostgreSQL µs/tx", 1, "ratio"), TPS], ["script", "clients"]),
                ["thinking: the application does something else for 10 ms between BEGIN and SELECT"])
    return samples


def many(services, options):
    cells = [(clients,) for clients in options.clients or (1000,)]
    warm(services, 20)

    def one(service, clients):
        outcome = measure(service, clients, options.seconds or 10, logged=True)
        p50, p99 = (percentile(outcome.latencies_us, part) / 1000 for part in (0.5, 0.99))
        return {"p50_ms": p50, "p99_ms": p99, "spread": p99 / p50, "tps": outcome.tps, "cpu_us": outcome.cpu_us,
                "max_ms": outcome.latencies_us[-1] / 1000}

    samples = interleaved(cells, services, options.rounds or 5, one)
    columns = [("p50_ms", "p50 ms", 1, None), ("p99_ms", "p99 ms", 1, "p99 ratio"), ("max_ms", "max ms", 1, None),
               ("spread", "p99/p50", 2, None), TPS, CPU]
    print_table("Many active clients on 20 servers: pgbench -S -M simple -j 2",
                comparison(samples, columns, ["clients"]))
    return samples


def login(services, options):
    warm(services, 1)

    def one(service, clients):
        outcome = measure(service, clients, options.seconds or 5, reconnect=True)
        return {"cpu_us": outcome.cpu_us, "tps": outcome.tps}

    samples = interleaved([(clients,) for clients in options.clients or (1,)], services, options.rounds or 5, one)
    columns = [("tps", "logins/s", 0, "logins/s ratio"), ("cpu_us", "CPU µs/login", 1, "ratio (min–max)")]
    print_table("Logins: pgbench -C -S, trust", comparison(samples, columns, ["clients"]),
                ["one login = connect, one SELECT, disconnect; for haproxy also a new backend"])
    return samples


def idle(services, options):
    """Each round on fresh processes: memory that a process once had, it keeps."""
    def one(service, clients):
        service.stop()
        service.start()
        measure(service, 20, 1)
        base = service.memory_kb()[1]
        with client.Crowd(service.port) as crowd:
            crowd.grow(clients)
            logged_in = _settled_pss_kb(service)
            crowd.query("SELECT 1")
            used = _settled_pss_kb(service)
        time.sleep(1)
        left = service.memory_kb()[1]
        return {"base_mb": base / 1024, "idle_kb": (logged_in - base) / clients, "used_kb": (used - base) / clients,
                "left_mb": left / 1024}

    samples = interleaved([(clients,) for clients in options.clients or (10000,)], services, options.rounds or 1, one)
    columns = [("base_mb", "before MB", 1, None), ("idle_kb", "idle kB/client", 2, "ratio"),
               ("used_kb", "after a query kB/client", 2, "ratio"), ("left_mb", "all gone MB", 1, None)]
    print_table("Memory (PSS) of idle clients", comparison(samples, columns, ["clients"]),
                ["kB = 1024 bytes; the kernel's socket memory is not counted, the limit of open files was raised"])
    return samples


def _settled_pss_kb(service):
    time.sleep(1)
    return service.memory_kb()[1]


SLOW_QUERY = "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"
SLOW_BYTES_PER_S = 1_000_000


def slow_reader(services, options):
    """Each round measures a pooler twice, in random order: alone and beside the slow reader."""
    warm(services, 8)
    clients, seconds = (options.clients or (8,))[0], options.seconds or 30

    def one(service, _):
        found = {is_slow: _beside(service, clients, seconds, is_slow) for is_slow in random.sample((False, True), 2)}
        alone, slow = found[False], found[True]
        return {**slow, "p99_alone_us": alone["p99_us"], "p99_slowdown": slow["p99_us"] / alone["p99_us"],
                "p50_slowdown": slow["p50_us"] / alone["p50_us"], "tps_slowdown": slow["tps"] / alone["tps"]}

    samples = interleaved([(clients,)], services, options.rounds or 3, one)
    columns = [("rss_mb", "RSS growth MB", 1, None), ("pss_mb", "PSS growth MB", 1, None),
               ("read_mb", "read MB", 0, None), ("p50_us", "p50 µs", 0, None), ("p50_slowdown", "p50/alone", 2, None),
               ("p99_us", "p99 µs", 0, None), ("p99_slowdown", "p99/alone", 2, None),
               ("tps", "tx/s", 0, None), ("tps_slowdown", "tx/s/alone", 2, None)]
    print_table("Slow reader: a 1 GB result read at 1 MB/s, pgbench -S beside it",
                comparison(samples, columns, ["clients"]),
                ["growth: the most that the pooler's memory grew while the reader was there",
                 "/alone: to the same pooler's figure of the same round without the reader"])
    return samples


def _beside(service, clients, seconds, is_slow):
    base = service.memory_kb()
    slow = client.Client(service.port, receive_buffer=65536) if is_slow else None
    try:
        if slow:
            slow.send(SLOW_QUERY)
        with Pgbench(service, clients, seconds, logged=True) as running:
            top, read = _watch(service, running, slow)
            outcome = running.outcome()
    finally:
        if slow:
            slow.socket.close()
            time.sleep(1)  # the pooler ends what is left of the result
    return {"rss_mb": (top[0] - base[0]) / 1024, "pss_mb": (top[1] - base[1]) / 1024, "read_mb": read / 1e6,
            "p50_us": percentile(outcome.latencies_us, 0.5), "p99_us": percentile(outcome.latencies_us, 0.99),
            "tps": outcome.tps}


def _watch(service, running, slow):
    """Until pgbench ends: reads at the slow pace, samples memory twice a second. Returns the peaks and bytes read."""
    top, read, started, steps = service.memory_kb(), 0, time.monotonic(), 0
    while running.is_running():
        time.sleep(0.05)
        steps += 1
        while slow and read < SLOW_BYTES_PER_S * (time.monotonic() - started):
            read += slow.read(50_000)
        if steps % 10 == 0:
            top = tuple(map(max, top, service.memory_kb()))
    return top, read


# Poolers that want standbys.
WITH_STANDBYS = ("pgweir-off", "pgweir-deciding", "pgweir-routing", "pgweir-standby", "pgpool-balancing")

# name -> (function, poolers that make sense in it)
ALL = {
    "cpu": (cpu, ("pgweir-1", "pgweir-2", "pgbouncer", "haproxy", "pgpool")),
    "route": (route, ("pgweir-off", "pgweir-deciding", "pgweir-routing", "pgpool-balancing")),
    "social": (social, ("pgweir-off", "pgweir-standby")),
    "begin": (begin, ("pgweir-lazy", "pgweir-1")),
    "many": (many, ("pgweir-1", "pgweir-2", "pgbouncer")),
    "login": (login, ("pgweir-1", "pgweir-2", "pgbouncer", "haproxy", "pgpool")),
    "idle": (idle, ("pgweir-1", "pgweir-2", "pgbouncer")),
    "slow-reader": (slow_reader, ("pgweir-1", "pgweir-2", "pgbouncer")),
}
