"""Fixtures of the end-to-end tests. PGWEIR_E2E_DIRECT=1 runs them against PostgreSQL itself."""

import functools
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
pytest.register_assert_rewrite("pgweir_e2e")

from pgweir_e2e.cluster import Cluster  # noqa: E402
from pgweir_e2e.pooler import BINARY, Direct, Pooler  # noqa: E402
from pgweir_e2e.postgres import Postgres  # noqa: E402
from pgweir_e2e.wire import Wire  # noqa: E402

TEST_SECONDS_MAX = int(os.environ.get("PGWEIR_E2E_SECONDS", "120"))
DIRECT = os.environ.get("PGWEIR_E2E_DIRECT") == "1"


def pytest_collection_modifyitems(config, items):
    if not DIRECT:
        return
    left_out = [item for item in items if item.get_closest_marker("pooler_only")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_sessionstart(session):
    if not DIRECT and not session.config.option.collectonly and not os.path.exists(BINARY):
        pytest.exit(f"{BINARY} is missing: run scripts/build first", returncode=2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails, and the others still run."""
    def give_up(*_):
        raise AssertionError(f"{item.name} still runs after {TEST_SECONDS_MAX} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TEST_SECONDS_MAX)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def cluster():
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def make_nodes():
    """make_nodes(standbys=2): a primary with standbys, of this test's own."""
    made = []

    def make(**options):
        made.append(Cluster(**options))
        return made[-1]

    yield make
    for nodes in made:
        nodes.close()


@pytest.fixture
def postgres(cluster):
    """The server behind the pooler; a test may stop it, the next one finds it running."""
    yield cluster
    if cluster.process is None:
        cluster.start()


@pytest.fixture
def make_pooler(postgres):
    """make_pooler(pool_size=2, workers=1, **sections of pgweir.yaml): a pooler of this test's own."""
    made = []

    def make(**options):
        made.append(Direct(postgres) if DIRECT else Pooler(postgres, **options))
        return made[-1]

    yield make
    for pooler in reversed(made):
        pooler.close()


@pytest.fixture
def pooler(make_pooler):
    return make_pooler()


@pytest.fixture
def table(postgres):
    """An empty table t(id, name) of role app in database app, shared by all sessions of a test."""
    postgres.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, name text);"
                 "ALTER TABLE t OWNER TO app", "app")
    return "t"


@pytest.fixture
def open_wire_to():
    """open_wire_to(endpoint, **options of Wire.login): raw clients, closed when the test ends."""
    opened = []

    def open_one(endpoint, **options):
        opened.append(Wire.login(endpoint, **options))
        return opened[-1]

    yield open_one
    for wire in opened:
        wire.close()


@pytest.fixture
def open_wire(pooler, open_wire_to):
    return functools.partial(open_wire_to, pooler)


@pytest.fixture
def wire(open_wire):
    return open_wire()
