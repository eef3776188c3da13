"""Clients that keep state in their sessions beside the tests, and look after each transaction whether it is theirs.

Each has a model of its own session: settings, temporary tables with their rows, prepared statements
and advisory locks. All of it, and nothing else, must be what the session sees.
"""

import contextlib
import random
import threading

import psycopg2

CLIENTS = 2
COMPLAINTS_MAX = 20
# What the tests of regress say of these shows whatever else happens in their database.
NOT_BESIDE = {"advisory_lock", "event_trigger", "fast_default", "stats"}
SETTINGS = {
    "work_mem": ("1MB", "2MB", "3MB"),
    "enable_seqscan": ("on", "off"),
    "enable_hashjoin": ("on", "off"),
    "statement_timeout": ("10min", "20min"),
    "lock_timeout": ("1min", "2min"),
    "search_path": ("pg_temp, public", "pg_catalog"),
    "extra_float_digits": ("0", "2"),
    "datestyle": ("SQL, DMY", "German, DMY"),  # this one and the next the server reports by itself
    "timezone": ("UTC", "Asia/Tokyo"),
}
OBSERVE = """
SELECT ARRAY[{settings}],
       ARRAY(SELECT c.relname::text FROM pg_catalog.pg_class c
             WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relkind = 'r' ORDER BY 1),
       ARRAY(SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql ORDER BY 1),
       ARRAY(SELECT l.objid::int FROM pg_catalog.pg_locks l
             WHERE l.locktype = 'advisory' AND l.pid = pg_catalog.pg_backend_pid() ORDER BY 1)
"""


class Wrong(Exception):
    """The session is not what its client made of it."""


class Client:
    """One session and its model. Lifecycle: run() until `stop` is set; it logs in anew now and then."""

    def __init__(self, number, address, defaults, may_begin, stop, complaints):
        self.number, self.address, self.defaults = number, address, defaults
        self.may_begin, self.stop, self.complaints = may_begin, stop, complaints
        self.random = random.Random(number)
        self.connection, self.transactions, self.failures = None, 0, 0
        self.forget()

    def forget(self):
        self.settings = dict(self.defaults)
        self.tables, self.prepared, self.locks = {}, {}, set()

    def run(self):
        while not self.may_begin() and not self.stop.wait(0.1):
            pass
        while not self.stop.is_set():
            try:
                self.log_in()
                for _ in range(self.random.randrange(50, 300)):
                    if self.stop.wait(self.random.uniform(0, 0.02)):
                        break
                    self.step()
            except (Wrong, psycopg2.Error) as failure:
                if not self.stop.is_set():
                    self.complain(failure)
                    self.stop.wait(0.5)
            finally:
                with contextlib.suppress(psycopg2.Error):
                    if self.connection:
                        self.connection.close()

    def complain(self, failure):
        self.failures += 1
        if self.failures <= COMPLAINTS_MAX:
            what = " ".join(str(failure).split())
            self.complaints.append(f"hammer {self.number}, transaction {self.transactions}: {what}")

    def log_in(self):
        self.forget()
        self.connection = psycopg2.connect(**self.address, application_name=f"hammer {self.number}")
        self.connection.autocommit = True
        self.verify()

    def ask(self, statement):
        self.transactions += 1
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def step(self):
        self.random.choice((self.set, self.set, self.set_and_roll_back, self.reset, self.make_table, self.drop_table,
                            self.insert, self.prepare, self.deallocate, self.lock, self.unlock, self.discard))()
        self.verify()

    # What a client does to its session.

    def set(self):
        name = self.random.choice(sorted(SETTINGS))
        self.settings[name] = self.random.choice(SETTINGS[name])
        self.ask(f"SET {name} = {self.quoted(name)}")

    def quoted(self, name):
        value = self.settings[name]
        return value if name in ("search_path", "datestyle") else f"'{value}'"

    def set_and_roll_back(self):
        self.ask("BEGIN")
        self.ask("SET work_mem = '9MB'; SET LOCAL enable_seqscan = off")
        self.ask(f"CREATE TEMPORARY TABLE hammer_{self.number}_gone (n int)")
        self.ask("ROLLBACK")

    def reset(self):
        name = self.random.choice(sorted(SETTINGS))
        self.settings[name] = self.defaults[name]
        self.ask(f"RESET {name}")

    def make_table(self):
        name = f"hammer_{self.number}_{self.random.randrange(4)}"
        if name not in self.tables:
            self.tables[name] = []
            self.ask(f"CREATE TEMPORARY TABLE {name} (n int)")

    def drop_table(self):
        if self.tables and self.random.random() < 0.5:
            name = self.random.choice(sorted(self.tables))
            del self.tables[name]
            self.ask(f"DROP TABLE pg_temp.{name}")

    def insert(self):
        if self.tables:
            name, value = self.random.choice(sorted(self.tables)), self.random.randrange(1000)
            self.tables[name].append(value)
            self.ask(f"BEGIN; INSERT INTO pg_temp.{name} VALUES ({value}); COMMIT")

    def prepare(self):
        name = f"hammer_{self.number}_{self.random.randrange(4)}"
        if name not in self.prepared:
            self.prepared[name] = self.random.randrange(1000)
            self.ask(f"PREPARE {name} AS SELECT {self.prepared[name]}")

    def deallocate(self):
        if self.prepared:
            name = self.random.choice(sorted(self.prepared))
            del self.prepared[name]
            self.ask(f"DEALLOCATE {name}")

    def lock(self):
        key = self.random.randrange(4)
        if key not in self.locks:
            self.locks.add(key)
            if self.ask(f"SELECT pg_catalog.pg_try_advisory_lock({7700 + self.number}, {key})") != [(True,)]:
                raise Wrong(f"advisory lock {key} is ours and was taken")

    def unlock(self):
        if self.locks:
            key = self.random.choice(sorted(self.locks))
            self.locks.remove(key)
            if self.ask(f"SELECT pg_catalog.pg_advisory_unlock({7700 + self.number}, {key})") != [(True,)]:
                raise Wrong(f"advisory lock {key} was ours and is gone")

    def discard(self):
        if self.random.random() < 0.2:
            self.forget()
            self.ask("DISCARD ALL")

    # What it must see.

    def verify(self):
        names = sorted(SETTINGS)
        listed = ", ".join(f"pg_catalog.current_setting('{name}')" for name in names)
        (settings, tables, prepared, locks), = self.ask(OBSERVE.format(settings=listed))
        self.compare("settings", dict(zip(names, settings)), self.settings)
        self.compare("temporary tables", tables, sorted(self.tables))
        self.compare("prepared statements", prepared, sorted(self.prepared))
        self.compare("advisory locks", locks, sorted(self.locks))
        if self.tables:
            name = self.random.choice(sorted(self.tables))
            rows = self.ask(f"SELECT n FROM pg_temp.{name}")
            self.compare(f"rows of {name}", sorted(n for n, in rows), sorted(self.tables[name]))
        if self.prepared:
            name = self.random.choice(sorted(self.prepared))
            self.compare(f"EXECUTE {name}", self.ask(f"EXECUTE {name}"), [(self.prepared[name],)])

    @staticmethod
    def compare(what, seen, own):
        if seen == own:
            return
        if isinstance(seen, dict):
            differing = [name for name in own if seen[name] != own[name]]
            seen, own = ({name: of[name] for name in differing} for of in (seen, own))
        raise Wrong(f"{what}: sees {seen}, its own are {own}")


@contextlib.contextmanager
def hammering(endpoint, defaults, database, may_begin, complaints):
    """Hammers as long as it is entered, once it may; at the end the complaints are complete."""
    stop = threading.Event()
    address = {"host": endpoint.host, "port": endpoint.port, "user": "postgres", "dbname": database,
               "connect_timeout": 30}
    clients = [Client(number, address, defaults, may_begin, stop, complaints) for number in range(CLIENTS)]
    threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for client, thread in zip(clients, threads):
            thread.join(30)
            if thread.is_alive():
                complaints.append(f"hammer {client.number} hangs")
        done, failed = (sum(getattr(client, what) for client in clients) for what in ("transactions", "failures"))
        print(f"hammer: {done} transactions, {failed} failures", flush=True)
        complaints.extend(f"hammer {client.number} did nothing" for client in clients if not client.transactions)
