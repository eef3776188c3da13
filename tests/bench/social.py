"""A load as a social network makes it, and how much of it the standbys take off the primary."""

import contextlib
import subprocess

from figures import comparison, interleaved, print_table
from pgbench import Pgbench
from services import POOL_SIZE
from system import DATABASE, HOST, postgres_binaries, run

ACCOUNTS, POSTS, FOLLOWS = 2000, 100_000, 60_000

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS account (id int PRIMARY KEY, name text NOT NULL, posts int NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS post (id bigserial PRIMARY KEY, author int NOT NULL, parent bigint, body text NOT NULL);
CREATE TABLE IF NOT EXISTS follow (follower int, followed int, PRIMARY KEY (follower, followed));
CREATE TABLE IF NOT EXISTS favourite (account int, post bigint, PRIMARY KEY (account, post));
CREATE TABLE IF NOT EXISTS job (id bigserial PRIMARY KEY, done bool NOT NULL DEFAULT false, payload text);
INSERT INTO account SELECT n, 'account ' || n FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO post (author, parent, body) SELECT 1 + n * 7919 % {ACCOUNTS}, CASE WHEN n % 3 = 0 THEN n / 2 END,
    repeat('word ' || n || ' ', 20) FROM generate_series(1, {POSTS}) n;
INSERT INTO follow SELECT 1 + n % {ACCOUNTS}, 1 + n * 31 % {ACCOUNTS} FROM generate_series(1, {FOLLOWS}) n
    ON CONFLICT DO NOTHING;
CREATE INDEX ON post (author, id DESC); CREATE INDEX ON post (parent);
ANALYZE;
"""

# Weight and script: nine requests of ten read, as web processes do.
WEB = {
    "timeline": (50, rf"""\set me random(1, {ACCOUNTS})
SELECT p.id, p.body, a.name FROM follow f JOIN LATERAL (SELECT * FROM post WHERE author = f.followed ORDER BY id DESC
LIMIT 5) p ON true JOIN account a ON a.id = p.author WHERE f.follower = :me ORDER BY p.id DESC LIMIT 20;
"""),
    "thread": (20, rf"""\set root random(1, {POSTS})
SELECT p.id, p.body, a.name FROM post p JOIN account a ON a.id = p.author WHERE p.parent = :root OR p.id = :root;
"""),
    "profile": (20, rf"""\set who random(1, {ACCOUNTS})
SELECT a.name, a.posts, (SELECT count(*) FROM follow WHERE followed = a.id) FROM account a WHERE a.id = :who;
"""),
    "write": (6, rf"""\set me random(1, {ACCOUNTS})
BEGIN;
INSERT INTO post (author, body) VALUES (:me, 'something new');
UPDATE account SET posts = posts + 1 WHERE id = :me;
INSERT INTO job (payload) VALUES ('deliver');
COMMIT;
SELECT id, body FROM post WHERE author = :me ORDER BY id DESC LIMIT 5;
"""),
    "favourite": (4, rf"""\set me random(1, {ACCOUNTS})
\set what random(1, {POSTS})
INSERT INTO favourite VALUES (:me, :what) ON CONFLICT DO NOTHING;
"""),
}

# Workers that take a job each, and are slow about it.
JOB = r"""BEGIN;
SELECT id, payload FROM job WHERE NOT done ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
\sleep 20 ms
UPDATE job SET done = true WHERE id = (SELECT id FROM job WHERE NOT done ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);
COMMIT;
"""


def tell(primary, *commands):
    run([f"{postgres_binaries()}/psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--host={HOST}", f"--port={primary.port}",
         "--username=postgres", f"--dbname={DATABASE}", *(f"--command={command}" for command in commands)])


def social(services, options):
    nodes = services[0].nodes
    tell(nodes[0], SCHEMA)
    for service in services:
        service.servers = POOL_SIZE
        service.renew()
        service.knows("favourite")
    seconds, rate = options.seconds or 20, 300

    def one(service, clients):
        web = [option for name, (weight, script) in WEB.items()
               for option in ("--file", f"{service.write(name + '.sql', script)}@{weight}")]
        # The workers look through the jobs that are done: each round would be dearer than the one before.
        tell(nodes[0], "TRUNCATE job", "VACUUM ANALYZE")
        before = [node.cpu_us() for node in nodes]
        with jobs(service, seconds), Pgbench(service, clients, seconds, protocol="extended", logged=True,
                                             options=[*web, f"--rate={rate}"]) as running:
            outcome = running.outcome()
        used = [node.cpu_us() - earlier for node, earlier in zip(nodes, before)]
        return {"primary_us": used[0] / outcome.transactions, "standbys_us": sum(used[1:]) / outcome.transactions,
                "cpu_us": outcome.cpu_us, "tps": outcome.tps,
                "p50_ms": outcome.latencies_us[len(outcome.latencies_us) // 2] / 1000}

    samples = interleaved([(clients,) for clients in options.clients or (24,)], services, options.rounds or 3, one)
    columns = [("primary_us", "primary CPU µs/tx", 0, "ratio (min–max)"), ("standbys_us", "standbys", 0, None),
               ("cpu_us", "pooler", 0, None), ("p50_ms", "p50 ms", 2, None), ("tps", "tx/s", 0, None)]
    print_table(f"A social network's load, {rate} requests a second, and four slow job workers",
                comparison(samples, columns, ["clients"]),
                ["90 of 100 requests read, with joins; 1 - ratio is what the standbys take off the primary, whose job workers"
                 " and writes stay"])
    return samples


@contextlib.contextmanager
def jobs(service, seconds):
    command = [f"{postgres_binaries()}/pgbench", "--no-vacuum", "--client=4", "--jobs=1", f"--time={seconds}",
               f"--file={service.write('job.sql', JOB)}", f"--host={HOST}", f"--port={service.port}",
               "--username=postgres", DATABASE]
    process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
