"""suite.py regress|isolation [options]: PostgreSQL's own tests, straight to a server and then through pgweir."""

import argparse
import contextlib
import functools
import glob
import os
import shutil
import signal
import sys
from collections import namedtuple

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import differences  # noqa: E402
import hammer  # noqa: E402
import source  # noqa: E402
from pgweir_e2e.pooler import BINARY  # noqa: E402
from pgweir_e2e.system import new_folder, remove_folder  # noqa: E402
from runner import Run, baseline, give_to_postgres  # noqa: E402
from schedule import Schedule  # noqa: E402

# input: the folder of the tests; program: what runs them; programs: the folder of what it loads and calls
Suite = namedtuple("Suite", "name database input programs program schedule")

# Tests that count on what their backend has in its own memory, where no pooler sees it; a client that is
# alone keeps its backend. See: "What lives in a backend's own memory" in docs/session-semantics.md
APART = {"regress": {
    "triggers": "what one statement leaves in a static variable of regress.c another one reads, and refint keeps plans",
    "stats": "pg_stat_force_next_flush() is about what this backend has counted and not sent yet",
}}

ABOUT = {
    "regress": "src/test/regress with its parallel schedule",
    "isolation": "src/test/isolation with its schedule; sessions are told apart by application_name",
}


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog=f"tests/suites/{arguments[0]}",
        description=f"Runs PostgreSQL's {ABOUT[arguments[0]]}, straight to a server and then through pgweir in "
                    "transaction pooling. Passes when every test that passes direct passes through pgweir.",
        epilog="It wants the packages of: scripts/bootstrap suites. The source of PostgreSQL is fetched once.")
    parser.add_argument("suite", choices=sorted(ABOUT), help=argparse.SUPPRESS)
    parser.add_argument("--pgweir", metavar="PATH", default=BINARY,
                        help="the program; $PGWEIR, or that of build/$PGWEIR_BUILD, dev by default")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of pgweir (1)")
    parser.add_argument("--pool-size", type=int, default=20, metavar="N",
                        help="of pgweir: as many as there are tests at a time (20)")
    parser.add_argument("--pool-mode", choices=("transaction", "session"), default="transaction",
                        help="session shows what passes when sessions are not shared (transaction)")
    parser.add_argument("--lazy-begin", action="store_true",
                        help="BEGIN waits for the first statement of its transaction")
    parser.add_argument("--standbys", type=int, default=0, metavar="N",
                        help="once more through pgweir, with reads on so many standbys (0: not)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="runs through pgweir; direct it is one (1)")
    parser.add_argument("--tests", type=lambda text: text.split(","), metavar="A,B",
                        help="only these and what they need")
    parser.add_argument("--schedule", metavar="FILE", help="another schedule, in pg_regress's format")
    parser.add_argument("--hammer", action="store_true",
                        help="beside the tests, clients of the same pool keep state of all kinds and check it")
    parser.add_argument("--log-statements", action="store_true",
                        help="PostgreSQL's log, which is kept, has what each backend was asked for which test")
    parser.add_argument("--direct-only", action="store_true", help="no pgweir: shows which tests pass here at all")
    parser.add_argument("--keep", metavar="DIR",
                        help="for output, logs and diffs, in folders direct and through* (build/suites/last-SUITE)")
    parser.add_argument("--stall-seconds", type=int, default=120, metavar="N",
                        help="without any output a test has failed and is ended (120)")
    parser.add_argument("--step-seconds", type=int, default=30, metavar="N",
                        help="isolation: longest time of one step, after which it is cancelled (30)")
    options = parser.parse_args(arguments)
    options.pgweir = os.path.abspath(options.pgweir)
    options.keep = os.path.abspath(options.keep or os.path.join(source.CACHE, f"last-{options.suite}"))
    if not options.direct_only and not os.access(options.pgweir, os.X_OK):
        parser.error(f"{options.pgweir} is missing: run scripts/build first")
    return options


def prepare(options, folder):
    """Everything that user postgres needs, in a folder that is open to it."""
    tree = source.source_folder()
    inputs, programs = os.path.join(folder, "input"), os.path.join(folder, "programs")
    shutil.copytree(f"{tree}/src/test/{options.suite}", inputs)
    os.mkdir(programs)
    if options.suite == "regress":
        source.regress_modules(tree, programs)
        program, text, database = source.pgxs("regress/pg_regress"), f"{inputs}/parallel_schedule", "regression"
    else:
        source.isolation_programs(tree, programs)
        program, text = f"{programs}/pg_isolation_regress", f"{inputs}/isolation_schedule"
        database = "isolation_regression"
    with open(options.schedule or text, encoding="utf-8") as file:
        schedule = Schedule(file.read())
    if options.tests:
        check_names(options, inputs)
        schedule.only(options.tests, always=("test_setup", "create_index") if options.suite == "regress" else ())
    apart = APART.get(options.suite, {})
    if options.hammer:
        schedule.leave_out(hammer.NOT_BESIDE | apart.keys())
    for name in schedule.set_apart(apart):
        print(f"== by itself, at the end: {name}: {apart[name]}")
    if os.geteuid() == 0:
        give_to_postgres(folder)
    return Suite(options.suite, database, inputs, programs, program, schedule)


def check_names(options, inputs):
    folder, suffix = ("sql", ".sql") if options.suite == "regress" else ("specs", ".spec")
    unknown = [name for name in options.tests if not os.path.exists(f"{inputs}/{folder}/{name}{suffix}")]
    if unknown:
        raise source.NoSource(f"there is no test {' '.join(unknown)}")


def hammer_for(suite):
    """hammer(endpoint, cluster, run), as Run.run() takes it."""
    def enter(endpoint, cluster, run):
        defaults = baseline(cluster, hammer.SETTINGS)
        return hammer.hammering(endpoint, defaults, suite.database, run.is_set_up, run.complaints)
    return enter


def run_once(name, suite, options, folder, through, standbys=0):
    print(f"== {suite.name}, {name}", flush=True)
    run = Run(suite, suite.schedule, os.path.join(folder, name), options, standbys)
    try:
        result = run.run(through, hammer_for(suite) if options.hammer else None)
    finally:
        shutil.copytree(run.folder, os.path.join(options.keep, name), ignore=shutil.ignore_patterns("*.data"))
    print(f"== {suite.name}, {name}: {len(result.passed)} of {len(result.passed) + len(result.failed)} passed"
          f"{' and ignored' + listing(result.ignored) if result.ignored else ''}, {result.seconds:.0f} s", flush=True)
    return result


def keep_diff(options, name, test):
    """What differs from the direct run, whose output was as expected, in a file of its own; path and text."""
    ours, theirs = (f"{options.keep}/{where}/results/{test}.out" for where in (name, "direct"))
    path, text = f"{options.keep}/{name}/differs/{test}.diff", differences.difference(theirs, ours)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path, text


def listing(names):
    return f": {' '.join(sorted(names))}" if names else ""


def judge(options, known, name, direct, result):
    """Prints how a run through pgweir went; returns the tests that differ from the direct run in a way of their own."""
    explained, unknown = [], {}
    for test in sorted(direct.passed - result.passed):
        path, text = keep_diff(options, name, test)
        found = differences.explain(known.get(test, ()), text) if test not in result.hung else []
        explained.extend(found)
        if not found:
            unknown[test] = path
    as_known = {one.name.partition(".")[0] for one in explained}
    print(f"{name}: {len(result.passed)} passed, {len(as_known)} as known,"
          f" {len(result.failed - as_known)} failed{listing(result.failed - as_known)}")
    for one in explained:
        print(f"  as known: {one.name}: {one.why}")
    if unknown:
        print(f"{name}: {len(unknown)} pass direct and fail here:")
    for test, path in unknown.items():
        print(f"  {test:28} {path}")
    return set(unknown)


def summary(options, known, direct, rounds):
    """Prints it; returns how many tests, and whatever else, went wrong."""
    wrong = set()
    everything = {"direct": direct, **rounds}
    print("\n== summary")
    print(f"direct: {len(direct.passed)} passed, {len(direct.failed)} failed{listing(direct.failed)}")
    if direct.failed:
        print("  what fails direct is not pgweir's and does not count")
    for name, result in rounds.items():
        wrong |= judge(options, known, name, direct, result)
    for name, result in everything.items():
        if result.hung:
            print(f"{name}: stood still{listing(result.hung)}")
        for complaint in result.complaints:
            print(f"{name}: {complaint}")
    failed = len(wrong) + sum(bool(result.complaints) for result in everything.values())
    print(f"{len(direct.passed) - len(wrong)} passed, {failed} failed")
    return failed


def run(options, stack):
    folder = new_folder()
    stack.callback(remove_folder, folder)
    known = differences.load(options.suite)
    suite = prepare(options, folder)
    for former in glob.glob(f"{options.keep}/direct") + glob.glob(f"{options.keep}/through*") + glob.glob(f"{options.keep}/routed"):
        remove_folder(former)
    once = functools.partial(run_once, suite=suite, options=options, folder=folder)
    direct, rounds = once("direct", through=False), {}
    for number in range(0 if options.direct_only else options.rounds):
        name = "through" if options.rounds == 1 else f"through-{number + 1}"
        rounds[name] = once(name, through=True)
    if options.standbys and not options.direct_only:
        rounds["routed"] = once("routed", through=True, standbys=options.standbys)
    if not direct.passed:
        print("0 passed, 1 failed")
        return 1
    return 1 if summary(options, known, direct, rounds) else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(sys.argv[1:])
    with contextlib.ExitStack() as stack:
        try:
            return run(options, stack)
        except FileNotFoundError as missing:
            print(f"suites: {missing.filename} is missing: run scripts/bootstrap suites", file=sys.stderr)
            return 1
        except (source.NoSource, differences.Unusable, AssertionError) as failure:
            print(f"suites: {failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
