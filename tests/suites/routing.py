"""routing.py: every statement of PostgreSQL's regression tests, as pgweir classes it and as PostgreSQL takes it.

What writes is not asked of a list: each statement runs on a primary, in a transaction that is rolled back, and on a
standby. It writes if it was given a transaction's number there, or is refused here. None of these may be a read to
pgweir, which knows the catalogue of the tests' database. A true read is what answers the same on both, and calls no
function that is declared VOLATILE, which by PostgreSQL's word may do anything; nearly all of these should be reads.
What answers otherwise on a standby is printed, to be looked at: it may belong to its node, or have no order of its own.
"""

import argparse
import collections
import contextlib
import glob
import io
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import psycopg  # noqa: E402
import source  # noqa: E402
from pgweir_e2e.cluster import Standby  # noqa: E402
from pgweir_e2e.pooler import BINARY, Direct, Pooler  # noqa: E402
from pgweir_e2e.system import new_folder, remove_folder  # noqa: E402
from pgweir_e2e.waiting import wait_until  # noqa: E402
from runner import Cluster, Run  # noqa: E402
from suite import prepare  # noqa: E402
from suite import parse as parse_suite  # noqa: E402

# A statement, up to the semicolon that ends it: strings, names, bodies and comments may hold others.
PIECE = re.compile(r"""--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"
                       |(\$(?:[A-Za-z_]\w*)?\$).*?\1|;|.""", re.DOTALL | re.VERBOSE)
VARIABLE = re.compile(r"(?<!:):['\"]?[A-Za-z_]")
# Statements that a client sends to get rows, and that change nothing of its session.
ASKS = re.compile(r"\s*(select|with|values|table|explain|copy|\()", re.IGNORECASE)
REFUSED_BY_STANDBYS = {"25006"}
LEAST_SHARE = 0.97
# What differs from run to run on one node too.
BY_TIME = re.compile(r"\b(random|now|clock_timestamp|current_timestamp|gen_random_uuid|explain)\b", re.IGNORECASE)
RECOVERY = re.compile(r"recovery|read-only transaction|standby", re.IGNORECASE)


def statements_of(text):
    """Those of one psql script; what psql itself does or fills in is left out."""
    text = re.sub(r"(?m)^\\copy .*$|^\\[^\n]*$", "", text)
    current, depth = [], 0
    for found in PIECE.finditer(text):
        piece = found.group()
        if piece.startswith("--") or piece.startswith("/*"):
            piece = " "
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == ";" and depth <= 0:  # CREATE RULE has some in parentheses
            yield "".join(current).strip()
            current, depth = [], 0
        else:
            current.append(piece)


def all_statements(folder):
    found = collections.Counter()
    for path in sorted(glob.glob(f"{folder}/sql/*.sql")):
        with open(path, encoding="utf-8", errors="replace") as file:
            found.update(each for each in statements_of(file.read())
                         if each and "\\" not in each and not VARIABLE.search(each) and "\0" not in each)
    return list(found)


def answer_of(result):
    """Its rows in some order: that of equal ones is up to the plan."""
    return sorted(repr([result.get_value(row, column) for column in range(result.nfields)])
                  for row in range(result.ntuples))


class Prober:
    """One connection that runs statements and says what became of them."""

    def __init__(self, server, database):
        self.server, self.database, self.connection = server, database, None
        self._connect()

    def _connect(self):
        self.connection = self.server.connect(self.database)
        self._run("SET statement_timeout = '5s'; SET lock_timeout = '1s'")

    def _run(self, sql):
        return self.connection.pgconn.exec_(sql.encode())

    def value(self, sql):
        result = self._run(sql)
        return result.get_value(0, 0) if result.ntuples else None

    def try_out(self, sql):
        """(SQLSTATE or empty, message, what it answered, whether it was given a transaction's number)"""
        if self.connection.pgconn.status != 0:
            self._connect()
        self._run("BEGIN")
        result = self._run(sql)
        state = (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = (result.error_field(psycopg.pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode(errors="replace")
        wrote = self.value("SELECT pg_current_xact_id_if_assigned() IS NOT NULL") == b"t"
        self._run("ROLLBACK")
        if not ASKS.match(sql):
            self._run("DISCARD ALL")
            self._run("SET statement_timeout = '5s'; SET lock_timeout = '1s'")
        return state, message, answer_of(result), wrote


def volatile_names(primary, database):
    """A pattern for the functions that are declared VOLATILE, or left so; triggers are not called."""
    with primary.connect(database) as connection:
        rows = connection.execute("SELECT DISTINCT proname FROM pg_proc WHERE oid >= 16384 AND provolatile = 'v' "
                                  "AND prorettype <> 'trigger'::regtype AND prorettype <> 'event_trigger'::regtype")
        return re.compile(r"\b(?:" + "|".join(re.escape(name) for (name,) in rows) + r")\b", re.IGNORECASE)


def labelled(statements, primary, standby, volatile):
    """statement -> writes; reads; volatile; differs: it answers otherwise on a standby; other: an error that says
    nothing, or nothing is asked for"""
    labels = {}
    for sql in statements:
        state, message, answer, _ = standby.try_out(sql)
        _, _, expected, wrote = primary.try_out(sql)
        refused = state in REFUSED_BY_STANDBYS or (state and RECOVERY.search(message))
        if refused or wrote:
            labels[sql] = "writes"
        elif state or not ASKS.match(sql):
            labels[sql] = "other"
        elif volatile.search(sql):
            labels[sql] = "volatile"
        else:
            labels[sql] = "reads" if answer == expected else "differs"
    return labels


def sections(database, **nodes):
    """Of pgweir.yaml: this database on a cluster that is watched."""
    listed = [{"name": name, "host": node.host, "port": node.port} for name, node in nodes.items()]
    return {"clusters": {"main": {"nodes": listed, "monitor": {"user": "postgres"}}},
            "databases": {database: {"cluster": "main"}}}


def explain(console, database, sql):
    """(class, reason)"""
    rows = console.execute(f"EXPLAIN ROUTE {sql}").fetchall()
    return next(row[1:3] for row in rows if row[0] == database)


def classes_of(pooler, database, statements):
    with pooler.open_console() as console:
        wait_until(lambda: "is not known" not in explain(console, database, "SELECT 1")[1], "the catalogue is known", timeout=60)
        for sql in statements:
            yield sql, *explain(console, database, sql)


def end(pooler):
    """Its log is of no use, unless it did not end well."""
    with contextlib.redirect_stdout(io.StringIO()):
        pooler.close()


def run(options, stack):
    folder = new_folder()
    stack.callback(remove_folder, folder)
    suite = prepare(parse_suite(["regress", "--pgweir", options.pgweir, "--direct-only"]), folder)
    statements = all_statements(suite.input)
    print(f"== {len(statements)} distinct statements; the tests run once, for their tables", flush=True)
    made = Run(suite, suite.schedule, os.path.join(folder, "direct"), parse_suite(["regress", "--pgweir", options.pgweir]))
    primary = Cluster(suite.database, False)
    stack.callback(primary.close)
    made._watch(made._start(Direct(primary)), Direct(primary))
    standby = Standby(primary)
    stack.callback(standby.close)
    written = primary.value("SELECT pg_current_wal_flush_lsn()")
    wait_until(lambda: standby.value(f"SELECT pg_last_wal_replay_lsn() >= '{written}'"), "the standby has it all", timeout=120)
    labels = labelled(statements, Prober(primary, suite.database), Prober(standby, suite.database),
                      volatile_names(primary, suite.database))

    pooler = Pooler(primary, binary=options.pgweir, **sections(suite.database, primary=primary, standby=standby))
    stack.callback(end, pooler)
    table, wrong, odd, missed = collections.Counter(), [], [], collections.Counter()
    for sql, kind, reason in classes_of(pooler, suite.database, statements):
        table[labels[sql], kind] += 1
        if kind != "primary" and labels[sql] == "writes":
            wrong.append(sql)
        if kind != "primary" and labels[sql] == "differs" and not BY_TIME.search(sql):
            odd.append(sql)
        if labels[sql] == "reads" and kind != "read":
            missed[reason] += 1
    return report(table, wrong, odd, missed)


def report(table, wrong, odd, missed):
    for (label, kind), count in sorted(table.items()):
        print(f"   {label:7} classed {kind:8} {count:6}")
    reads = sum(count for (label, _), count in table.items() if label == "reads")
    share = table["reads", "read"] / max(1, reads)
    print(f"== {share:.1%} of the {reads} true reads are reads, {LEAST_SHARE:.0%} or more are expected")
    for reason, count in missed.most_common(25):
        print(f"   not: {count:5} {reason[:120]}")
    for sql in wrong:
        print(f"not ok: classed as a read, and writes: {sql[:300]}")
    for sql in odd:
        print(f"look at: classed as a read, and answers otherwise on a standby: {sql[:300]}")
    failed = bool(wrong) + (share < LEAST_SHARE)
    print(f"{2 - failed} passed, {failed} failed")
    return int(failed > 0)


def main():
    parser = argparse.ArgumentParser(prog="tests/suites/routing", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pgweir", metavar="PATH", default=BINARY, help="the program")
    options = parser.parse_args()
    options.pgweir = os.path.abspath(options.pgweir)
    with contextlib.ExitStack() as stack:
        try:
            return run(options, stack)
        except source.NoSource as failure:
            print(f"routing: {failure}", file=sys.stderr)
            print("0 passed, 1 failed")
            return 1


if __name__ == "__main__":
    sys.exit(main())
