"""Every driver that people use does its small day's work; the programs are in drivers/ and node/."""

import os
import sys

import pytest

from pgweir_e2e.system import new_folder, remove_folder, run
from pgweir_e2e.waiting import at_once

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "drivers")
NODE = os.path.join(HERE, "node")
JDBC = "/usr/share/java/postgresql.jar"
GO = {**os.environ, "GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOFLAGS": ""}
COPIES = 3


def program(name):
    return os.path.join(PROGRAMS, name)


def interpreted(*command):
    """A driver that needs no building."""
    return lambda folder: [*command[:-1], program(command[-1])]


def jdbc(folder):
    run(["javac", "-cp", JDBC, "-d", folder, program("JdbcDriver.java")])
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{JDBC}:{folder}", "JdbcDriver"]


def go(name):
    def build(folder):
        run(["go", "build", "-o", os.path.join(folder, name), "."], cwd=program(name), env=GO, timeout=300)
        return [os.path.join(folder, name)]
    return build


def node(_):
    lock = os.path.join(NODE, "package-lock.json")
    installed = os.path.join(NODE, "node_modules", ".package-lock.json")
    if not os.path.exists(installed) or os.path.getmtime(installed) < os.path.getmtime(lock):
        run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE)
    return ["node", os.path.join(NODE, "driver.js")]


# name -> what makes its command line, given a folder to build in
DRIVERS = {
    "psql": interpreted("bash", "psql.sh"),
    "psycopg2": interpreted(sys.executable, "psycopg2_driver.py"),
    "psycopg3": interpreted(sys.executable, "psycopg3_driver.py"),
    "asyncpg": interpreted(sys.executable, "asyncpg_driver.py"),
    "node-postgres": node,
    "JDBC": jdbc,
    "Ruby pg": interpreted("ruby", "ruby_driver.rb"),
    "Perl DBD::Pg": interpreted("perl", "perl_driver.pl"),
    "PHP PDO": interpreted("php", "php_driver.php"),
    "Go lib/pq": go("go_pq"),
    "Go pgx": go("go_pgx"),
}


@pytest.fixture(scope="module")
def build_folder():
    folder = new_folder()
    yield folder
    remove_folder(folder)


@pytest.fixture
def work_table(postgres):
    postgres.sql("DROP TABLE IF EXISTS work; CREATE TABLE work (who text, n int);"
                 "ALTER TABLE work OWNER TO app", "app")


@pytest.mark.parametrize("lazy_begin", [False, True], ids=["", "lazy_begin"])
@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_does_its_work_on_a_small_pool(make_pooler, build_folder, work_table, name, lazy_begin):
    command = DRIVERS[name](build_folder)
    pooler = make_pooler(pool_size=2, workers=2, pool={"lazy_begin": lazy_begin})

    def one_copy(number):
        environment = {**pooler.environment(), "DRIVER_ID": f"copy {number}"}
        return run(command, env=environment, cwd=HERE, timeout=60)

    for said in at_once(COPIES, one_copy):
        assert said.endswith("OK\n"), said
