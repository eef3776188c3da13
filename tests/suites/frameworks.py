"""frameworks.py [options]: small applications of frameworks, straight to a server, through pgweir, and with standbys."""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from pgweir_e2e.cluster import MONITOR, Standby  # noqa: E402
from pgweir_e2e.pooler import BINARY, Direct, Pooler  # noqa: E402
from pgweir_e2e.postgres import Postgres  # noqa: E402
from pgweir_e2e.system import TOP, remove_folder, run, start_process  # noqa: E402
from pgweir_e2e.waiting import wait_until  # noqa: E402

PROGRAMS = os.path.join(HERE, "frameworks.d")
NODE = os.path.join(PROGRAMS, "typeorm")
KEEP = os.path.join(TOP, "build", "suites", "last-frameworks")
# What an application says of each of its checks. See: frameworks.d/README.md
SAID = re.compile(r"^(ok|failed) (.*?)(?:: (.*))?$", re.MULTILINE)

# What does not work through pgweir and is not expected to: (framework, check) -> why. It counts neither as passed
# nor as failed, until it passes.
KNOWN = {}

Result = namedtuple("Result", "passed failed known complaints seconds")


def node_modules():
    lock = os.path.join(NODE, "package-lock.json")
    installed = os.path.join(NODE, "node_modules", ".package-lock.json")
    if not os.path.exists(installed) or os.path.getmtime(installed) < os.path.getmtime(lock):
        run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE, timeout=300)


# name -> its command line, and what it needs before
FRAMEWORKS = {
    "activerecord": (["ruby", f"{PROGRAMS}/activerecord/app.rb"], None),
    "sqlalchemy": ([sys.executable, "-B", f"{PROGRAMS}/sqlalchemy/app.py"], None),
    "django": ([sys.executable, "-B", f"{PROGRAMS}/django/app.py"], None),
    "typeorm": (["node", f"{NODE}/app.js"], node_modules),
}


class Cluster(Postgres):
    """Its log has every statement: what PostgreSQL was asked direct and through pgweir can be compared."""

    def _write_configuration(self):
        Postgres._write_configuration(self)
        with open(f"{self.data}/postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write("max_prepared_transactions = 50\nlog_statement = 'all'\n")

    def _create_roles_and_databases(self):
        super()._create_roles_and_databases()
        self.sql("ALTER ROLE app CREATEDB; CREATE ROLE shop_clerk; GRANT shop_clerk TO app")


class Copy(Standby):
    _write_configuration = Cluster._write_configuration


def parse():
    parser = argparse.ArgumentParser(
        prog="tests/suites/frameworks",
        description="Runs an application of each framework, straight to a server, then through pgweir in "
                    "transaction pooling, and then with reads on two standbys. Passes when every check of every "
                    "application passes all ways.",
        epilog="It wants the packages of: scripts/bootstrap suites. TypeORM comes once from the registry of npm.")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="A,B", default=list(FRAMEWORKS),
                        help=f"some of {','.join(FRAMEWORKS)}")
    parser.add_argument("--pgweir", metavar="PATH", default=BINARY,
                        help="the program; $PGWEIR, or that of build/$PGWEIR_BUILD, dev by default")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="of pgweir (2)")
    parser.add_argument("--pool-size", type=int, default=2, metavar="N", help="of pgweir (2)")
    parser.add_argument("--lazy-begin", action="store_true", help="BEGIN waits for its first statement")
    parser.add_argument("--pool-mode", choices=("transaction", "session"), default="transaction",
                        help="session shows what passes when sessions are not shared (transaction)")
    parser.add_argument("--threads", type=int, default=20, metavar="N", help="of each application (20)")
    parser.add_argument("--direct-only", action="store_true", help="no pgweir: shows what passes here at all")
    parser.add_argument("--keep", metavar="DIR", default=KEEP,
                        help="for output and logs, in folders FRAMEWORK/direct and /through (build/suites/"
                             "last-frameworks)")
    parser.add_argument("--seconds", type=int, default=120, metavar="N",
                        help="longest time of one application, after which it is ended (120)")
    options = parser.parse_args()
    options.pgweir, options.keep = os.path.abspath(options.pgweir), os.path.abspath(options.keep)
    unknown = [name for name in options.only if name not in FRAMEWORKS]
    if unknown:
        parser.error(f"there is no framework {' '.join(unknown)}")
    if not options.direct_only and not os.access(options.pgweir, os.X_OK):
        parser.error(f"{options.pgweir} is missing: run scripts/build first")
    return options


class Run:
    """One application, one way. Lifecycle: made for one run(), which leaves what was said in `folder`."""

    def __init__(self, name, way, options):
        self.name, self.through, self.options = name, way != "direct", options
        self.standbys = 2 if way == "routed" else 0
        self.folder = os.path.join(options.keep, name, way)
        self.log_path = os.path.join(self.folder, "said")
        self.complaints, self.status = [], 0
        remove_folder(self.folder)
        os.makedirs(self.folder)

    def run(self):
        with contextlib.ExitStack() as stack:
            cluster = Cluster()
            stack.callback(self._end_cluster, cluster)
            nodes = [cluster]
            for _ in range(self.standbys):
                nodes.append(Copy(cluster))
                stack.callback(nodes[-1].close)
            endpoint = self._pooler(nodes, stack) if self.through else Direct(cluster)
            started = time.monotonic()
            self._application(endpoint)
            seconds = time.monotonic() - started
        said = SAID.findall(self._said())
        passed = {check for outcome, check, _ in said if outcome == "ok"}
        failed = {check: reason for outcome, check, reason in said if outcome == "failed"}
        return self._result(passed, failed, seconds)

    def _result(self, passed, failed, seconds):
        known = {check: why for (name, check), why in KNOWN.items() if self.through and name == self.name}
        for check in known.keys() & passed:
            self.complaints.append(f"{check}: it passes now, take it out of KNOWN")
        known = {check: why for check, why in known.items() if check in failed}
        if self.status and (not failed or failed.keys() - known.keys()):
            self.complaints.append(f"it ended with {self.status}")
        return Result(passed, {check: why for check, why in failed.items() if check not in known}, known,
                      self.complaints, seconds)

    def _said(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def _end_cluster(self, cluster):
        shutil.copy2(cluster.log_path, f"{self.folder}/postgres.log")
        cluster.close()

    def _pooler(self, nodes, stack):
        pooler = Pooler(nodes[0], pool_size=self.options.pool_size, workers=self.options.workers,
                        binary=self.options.pgweir, http=True,
                        pool={"pool_mode": self.options.pool_mode, "lazy_begin": self.options.lazy_begin},
                        **(self._with_standbys(nodes) if len(nodes) > 1 else {}))
        stack.callback(self._end_pooler, pooler)
        if len(nodes) > 1:
            wait_until(lambda: [row["state"] for row in pooler.console("SHOW NODES")][1:] == ["standby"] * self.standbys,
                       "the standbys serve", timeout=30)
        return pooler

    def _with_standbys(self, nodes):
        database = {"cluster": "main", "pool_size": self.options.pool_size}
        listed = [{"name": f"node{number}", "host": node.host, "port": node.port} for number, node in enumerate(nodes)]
        return {"clusters": {"main": {"nodes": listed, "monitor": MONITOR,
                                      "routing": {"reads": "standby", "max_lag": "1m"}}},
                "databases": {"*": {**database, "host": None, "port": None}, "app": database}}

    def _end_pooler(self, pooler):
        """A crash, a hang or a sanitizer's report fails the suite, whatever the application said."""
        with contextlib.suppress(OSError):
            _, metrics = pooler.http_get("/metrics")
            counts = re.findall(r'pgweir_routed_total\{.*?reason="(\w+)".*?\} (\S+)', metrics)
            if counts:
                print("       requests: " + ", ".join(f"{reason} {count}" for reason, count in counts), flush=True)
        try:
            with open(f"{self.folder}/pgweir.log", "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
                pooler.close()
        except AssertionError as failure:
            self.complaints.append(str(failure))

    def _application(self, endpoint):
        command, _ = FRAMEWORKS[self.name]
        address = endpoint.environment()
        clean = ["env", *(f"{name}={value}" for name, value in address.items() if name.startswith("PG")),
                 f"THREADS={self.options.threads}", "TZ=Europe/Berlin"]
        process = start_process([*clean, *command], self.log_path, cwd=self.folder)
        try:
            self.status = process.wait(timeout=self.options.seconds)
        except subprocess.TimeoutExpired:
            self.complaints.append(f"it still ran after {self.options.seconds} s and was ended")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def report(name, way, result):
    bad = result.failed or result.complaints or not result.passed
    print(f"{'FAIL' if bad else 'PASS'} {name:13} {way:8} {len(result.passed):3} checks,"
          f" {len(result.failed)} failed, {result.seconds:5.1f} s", flush=True)
    for check, reason in result.failed.items():
        print(f"       failed {check}: {reason}")
    for check, why in result.known.items():
        print(f"       known  {check}: {why}")
    for complaint in result.complaints:
        print(f"       {complaint}")
    return result


def all_ways(name, options):
    """How many checks passed in all ways, and how many did not in one of them."""
    prepare = FRAMEWORKS[name][1]
    if prepare:
        prepare()
    ways = ["direct"] if options.direct_only else ["direct", "through", "routed"]
    results = [report(name, way, Run(name, way, options).run()) for way in ways]
    passed = set.intersection(*(result.passed for result in results))
    failed = set().union(*(result.passed | set(result.failed) for result in results)) - passed
    failed -= set().union(*(result.known for result in results))
    broken = any(result.complaints or not result.passed for result in results)
    return len(passed), max(len(failed), int(broken))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    passed = failed = 0
    try:
        for name in options.only:
            good, bad = all_ways(name, options)
            passed, failed = passed + good, failed + bad
    except FileNotFoundError as missing:
        print(f"suites: {missing.filename} is missing: run scripts/bootstrap suites", file=sys.stderr)
        failed += 1
    except AssertionError as failure:
        print(f"suites: {failure}", file=sys.stderr)
        failed += 1
    except KeyboardInterrupt:
        return 130
    if failed:
        print(f"what was said, and the logs, are in {options.keep}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
