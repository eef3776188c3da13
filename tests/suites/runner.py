"""One run of PostgreSQL's tests: a fresh cluster, pgweir before it or not, pg_regress watched to its end."""

import collections
import contextlib
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import time

import psycopg
from pgweir_e2e.cluster import Standby
from pgweir_e2e.pooler import Direct, Pooler
from pgweir_e2e.postgres import Postgres, binaries
from pgweir_e2e.system import as_postgres, children_of, start_process
from pgweir_e2e.waiting import wait_until

import schedule as schedules

HANGS_MAX = 5  # how often a run may stand still until it is given up
# As pg_regress makes it. See: create_database() in src/test/regress/pg_regress.c
DATABASE_SETTINGS = {"lc_messages": "C", "lc_monetary": "C", "lc_numeric": "C", "lc_time": "C",
                     "bytea_output": "hex", "timezone_abbreviations": "Default"}


class Cluster(Postgres):
    """As `make check` has it: everybody may log in, nothing is changed that the tests could see."""

    def __init__(self, database, log_statements):
        self.database, self.log_statement = database, "all" if log_statements else "none"
        super().__init__()

    def _write_configuration(self):
        with open(f"{self.data}/postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"listen_addresses = '{self.host}'\nport = {self.port}\n"
                           f"unix_socket_directories = '{self.folder}'\nfsync = off\nmax_connections = 200\n"
                           "max_prepared_transactions = 2\nlog_line_prefix = '%m [%p] %q%a '\n"
                           f"log_statement = '{self.log_statement}'\n")

    def _create_roles_and_databases(self):
        self.sql(f"CREATE DATABASE {self.database} TEMPLATE = template0")
        for name, value in DATABASE_SETTINGS.items():
            self.sql(f"ALTER DATABASE {self.database} SET {name} TO '{value}'")


class Copy(Standby):
    """A standby of it, and everybody may log in there too."""

    log_statement = "none"
    _write_configuration = Cluster._write_configuration


class Run:
    """Lifecycle: made for one run(), which leaves what was said in `folder`."""

    def __init__(self, suite, schedule, folder, options, standbys=0):
        self.suite, self.schedule, self.folder, self.options = suite, schedule, folder, options
        self.standbys = standbys  # that pgweir reads from
        self.log_path = os.path.join(folder, "said")
        self.hung, self.complaints = set(), []
        os.makedirs(folder)
        for path, text in ((f"{folder}/schedule", schedule.text()), (self.log_path, "")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        if os.geteuid() == 0:
            give_to_postgres(folder)

    def run(self, through, hammer=None):
        """through: pgweir, or straight to the server; hammer(endpoint, cluster, run): a context around it all."""
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            cluster = Cluster(self.suite.database, self.options.log_statements)
            stack.callback(self._end_cluster, cluster)
            standbys = []
            for _ in range(self.standbys):
                standbys.append(Copy(cluster))
                stack.callback(standbys[-1].close)
            endpoint = self._pooler(cluster, standbys, stack) if through else Direct(cluster)
            if hammer:
                stack.enter_context(hammer(endpoint, cluster, self))
            self._watch(self._start(endpoint), endpoint)
        unknown = schedules.without_result(self.schedule, self.said()) - self.hung
        if unknown:
            self.complaints.append(f"no result of {len(unknown)} tests, see {self.options.keep}")
        return schedules.outcome(self.schedule, self.said(), self.hung, time.monotonic() - started, self.complaints)

    def is_set_up(self):
        """True exactly when the first test is over. That of regress vacuums the tables of all others, and while
        somebody else has a snapshot VACUUM leaves pages that are not all visible, and other plans."""
        return bool(schedules.RESULT.search(self.said()))

    def said(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def _end_cluster(self, cluster):
        shutil.copy2(cluster.log_path, f"{self.folder}/postgres.log")
        cluster.close()

    def _pooler(self, cluster, standbys, stack):
        pooler = Pooler(cluster, pool_size=self.options.pool_size, workers=self.options.workers,
                        binary=self.options.pgweir, http=True,
                        pool={"pool_mode": self.options.pool_mode, "lazy_begin": self.options.lazy_begin},
                        auth={"method": "trust", "users_file": None},
                        **(self._with_standbys(cluster, standbys) if standbys else {}))
        stack.callback(self._end_pooler, pooler)
        if standbys:
            wait_until(lambda: [row["state"] for row in pooler.console("SHOW NODES", user="postgres")]
                       == ["primary"] + ["standby"] * len(standbys), "all nodes serve", timeout=30)
        return pooler

    def _with_standbys(self, cluster, standbys):
        nodes = [{"name": f"node{number}", "host": node.host, "port": node.port}
                 for number, node in enumerate([cluster, *standbys])]
        database = {"cluster": "main", "pool_size": self.options.pool_size}
        return {"admin": {"users": ["postgres"]},
                "clusters": {"main": {"nodes": nodes, "monitor": {"user": "postgres", "password": "none"},
                                      "routing": {"reads": "standby", "max_lag": "1m"}}},
                "databases": {"*": {**database, "host": None, "port": None}, self.suite.database: database}}

    def _end_pooler(self, pooler):
        """A crash, a hang or a sanitizer's report fails the suite, whatever the tests said."""
        with contextlib.suppress(OSError):  # it may have crashed
            _, metrics = pooler.http_get("/metrics")
            found = re.findall(r'pgweir_routed_total\{.*?reason="(\w+)".*?\} (\S+)', metrics)
            counts = collections.Counter()
            for reason, count in found:
                counts[reason] += int(float(count))
            if counts:
                print("   requests: " + ", ".join(f"{reason} {count}" for reason, count in counts.most_common()), flush=True)
        try:
            with open(f"{self.folder}/pgweir.log", "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
                pooler.close()
        except AssertionError as failure:
            self.complaints.append(str(failure))

    def _start(self, endpoint):
        command = [self.suite.program, f"--inputdir={self.suite.input}", f"--outputdir={self.folder}",
                   f"--dlpath={self.suite.programs}", f"--bindir={binaries()}", "--use-existing",
                   f"--host={endpoint.host}", f"--port={endpoint.port}", "--user=postgres",
                   f"--dbname={self.suite.database}", f"--schedule={self.folder}/schedule"]
        # Nothing of the caller's own environment: the tests show time zones, locales and libpq's defaults.
        clean = ["env", "--ignore-environment", "PATH=/usr/bin:/bin", f"HOME={self.folder}",
                 f"PGISOLATIONTIMEOUT={self.options.step_seconds}"]
        return start_process([*clean, *as_postgres(command)], self.log_path, cwd=self.folder)

    def _watch(self, process, endpoint):
        """Shows what pg_regress says. Tests that stand still are ended, by process id, and then the whole run."""
        shown, hangs, seen, since = 0, 0, None, time.monotonic()
        try:
            while True:
                ended = process.poll() is not None
                shown = self._show(shown)
                if ended:
                    return
                if isinstance(endpoint, Pooler) and not endpoint.is_running():
                    status = endpoint.process.poll()
                    self.complaints.append(f"pgweir ended with {status}, see its log in {self.options.keep}")
                    return
                now = self._progress()
                if now != seen:
                    seen, since = now, time.monotonic()
                elif time.monotonic() - since > self.options.stall_seconds:
                    since, hangs = time.monotonic(), hangs + 1
                    self._end_hanging(process)
                    if hangs == HANGS_MAX:
                        self.complaints.append(f"it stood still {hangs} times and was given up")
                        return
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.2)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _show(self, shown):
        text = self.said()
        print(text[shown:], end="", flush=True)
        return len(text)

    def _progress(self):
        """Changes whenever a test writes something."""
        outputs = glob.glob(f"{self.folder}/results/*.out")  # these stay, other files come and go
        return sum(map(os.path.getsize, outputs)), os.path.getsize(self.log_path)

    def _end_hanging(self, process):
        for child in children_of(process.pid):
            try:
                with open(f"/proc/{child}/environ", "rb") as environment:
                    variables = dict(one.partition(b"=")[::2] for one in environment.read().split(b"\0"))
                name = variables.get(b"PGAPPNAME", b"?").decode().rpartition("/")[2]
                os.kill(child, signal.SIGKILL)
            except OSError:
                continue  # it ended just now
            print(f"\n  {name}: stood still for {self.options.stall_seconds} s, ended\n", flush=True)
            self.hung.add(name)


def give_to_postgres(path):
    owner = pwd.getpwnam("postgres")
    os.chown(path, owner.pw_uid, owner.pw_gid)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(folder, name), owner.pw_uid, owner.pw_gid)


def baseline(cluster, names):
    """What these settings are for a client that has set nothing."""
    with psycopg.connect(host=cluster.folder, port=cluster.port, user="postgres", dbname=cluster.database,
                         autocommit=True) as connection:
        return {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0] for name in names}
