"""`manage.py test`, which makes a database of its own, and its fixtures of all kinds."""

import os
import re
import subprocess
import sys

from checks import check, must
from django.db import connection
from settings import HERE

TESTS, SERIALIZED = 12, 2


def run_tests(database, *options, tests=TESTS):
    """Its last words are in the failure, when it has one."""
    environment = {name: value for name, value in os.environ.items() if name != "SHOP_ALIASES"}
    environment["SHOP_TEST_DATABASE"] = database
    done = subprocess.run([sys.executable, "-B", "manage.py", "test", "--noinput", *options], cwd=HERE, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    print("\n".join(f"| {line}" for line in done.stdout.splitlines()[-30:]))
    ran = re.search(r"^Ran (\d+) tests", done.stdout, re.MULTILINE)
    must((done.returncode, ran and int(ran.group(1))), (0, tests), " ".join(done.stdout.split("\n")[-6:]))


def databases(name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY 1", [f"{name}%"])
        return [name for name, in cursor.fetchall()]


@check
def the_test_runner_keeps_its_database():
    run_tests("test_kept", "--keepdb")
    # What migrations put there was flushed by the last test of the first run.
    run_tests("test_kept", "--keepdb", "--exclude-tag=serialized", tests=TESTS - SERIALIZED)
    must(databases("test_kept"), ["test_kept"])


@check
def the_test_runner_destroys_its_database():
    run_tests("test_gone")
    must(databases("test_gone"), [])


@check
def the_test_runner_clones_its_database():
    run_tests("test_cloned", "--parallel", "2")
    must(databases("test_cloned"), [])
