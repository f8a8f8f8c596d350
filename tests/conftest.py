"""What every test may ask for: a new migrated database on one engine, or on both in turn."""

import gc
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from tests import demonstrated
from tests.engines import Run, Server, temporary_server
from tests.killing import Killer
from tests.kinds import SEED_VARIABLE, Minutes, engines_of
from tests.shared_app import share_apps
from tests.shared_dialect import share_dialects
from voucher.access import passwords
from voucher.kernel.database import Database

RUN_VARIABLE = "PASS_TEST_RUN"
ENGINES = ("sqlite", "postgresql")
# A test that races needs a few connections; a server shared by many tests has only so many.
POOL_SIZE = 8
# The longest go first, so that no worker ends the run alone on a browser test.
SLOWEST_FIRST = ("long", "browser", "kill", "race")

# The same examples on every machine: a failure is never a matter of luck. `make simulate` draws new ones, and many; so does a build
# server for whole lives, from a seed that it prints.
settings.register_profile("suite", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile(
    "simulate",
    deadline=None,
    max_examples=int(os.environ.get("PASS_SIMULATE_EXAMPLES", "2000")),
    stateful_step_count=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder in the process that leads; the workers inherit its name and join."""
    share_dialects()
    share_apps()
    config.pluginmanager.register(Minutes(), "minutes")
    if hasattr(config, "workerinput"):
        return
    if os.environ.get("CI") == "true":
        os.environ.setdefault(SEED_VARIABLE, str(secrets.randbits(32)))
    run = Run.begin()
    os.environ[RUN_VARIABLE] = str(run.folder)
    config.add_cleanup(run.end)


def pytest_collection_finish() -> None:
    """Leave what is imported and collected out of the collector's rounds, and let it come less often: a sixth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for PostgreSQL; put the slow kinds first, the rest keeps its order."""
    for item in items:
        if "postgresql" in engines_of(item):
            item.add_marker("postgresql")

    def rank(item: pytest.Item) -> int:
        ranks = [place for place, marker in enumerate(SLOWEST_FIRST) if item.get_closest_marker(marker)]
        return min(ranks, default=len(SLOWEST_FIRST))

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def _quick_hashing() -> None:
    """Hash passwords the same way with less work: hundreds of tests sign somebody in. One test keeps the real cost."""
    passwords.hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(scope="session")
def databases() -> Iterator[Run]:
    """The run's engines, for what outlives one test: `databases.new(engine) -> url` and `databases.drop(url)`."""
    run = Run(Path(os.environ[RUN_VARIABLE]))
    yield run
    run.leave()


@pytest.fixture(scope="session")
def open_database(databases: Run) -> Callable[[str], AbstractContextManager[Database]]:
    """`with open_database("sqlite") as database:` — a new database each time, for hypothesis and state machines."""

    @contextmanager
    def opened(engine: str) -> Iterator[Database]:
        url = databases.new(engine)
        database = Database(url, pool_size=POOL_SIZE)
        try:
            yield database
        finally:
            database.dispose()
            databases.drop(url)

    return opened


@pytest.fixture(scope="session")
def open_demonstration(databases: Run) -> Callable[[str], AbstractContextManager[Database]]:
    """`with open_demonstration("sqlite") as database:` — a copy of the demonstration, as it stands at `demonstrated.NOW`."""

    @contextmanager
    def opened(engine: str) -> Iterator[Database]:
        url = databases.told(engine, "demonstration", demonstrated.tell)
        database = Database(url, pool_size=POOL_SIZE)
        try:
            yield database
        finally:
            database.dispose()
            databases.drop(url)

    return opened


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine in turn: "sqlite", then "postgresql"."""
    return str(request.param)


@pytest.fixture
def database_url(engine_name: str, databases: Run) -> Iterator[str]:
    """The address of this test's new database, on each engine in turn (for tests that start processes)."""
    url = databases.new(engine_name)
    yield url
    databases.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """This test's new database, on each engine in turn; the same as `database_url` when a test asks for both."""
    opened = Database(database_url, pool_size=POOL_SIZE)
    yield opened
    opened.dispose()


@pytest.fixture
def empty_database(engine_name: str, databases: Run) -> Iterator[Database]:
    """A database without a table, on each engine in turn: for what begins before the migrations."""
    url = databases.new_empty(engine_name)
    opened = Database(url, pool_size=POOL_SIZE)
    yield opened
    opened.dispose()
    databases.drop(url)


@pytest.fixture
def killer(database: Database, databases: Run) -> Killer:
    """Who kills commands on this test's database, and runs them again."""
    return Killer(database, databases)


@pytest.fixture
def sqlite_database_url(databases: Run) -> Iterator[str]:
    """The address of a new SQLite database."""
    url = databases.new("sqlite")
    yield url
    databases.drop(url)


@pytest.fixture
def postgresql_database_url(databases: Run) -> Iterator[str]:
    """The address of a new PostgreSQL database."""
    url = databases.new("postgresql")
    yield url
    databases.drop(url)


@pytest.fixture
def sqlite_database(sqlite_database_url: str) -> Iterator[Database]:
    """A new SQLite database."""
    opened = Database(sqlite_database_url, pool_size=POOL_SIZE)
    yield opened
    opened.dispose()


@pytest.fixture
def postgresql_database(postgresql_database_url: str) -> Iterator[Database]:
    """A new PostgreSQL database."""
    opened = Database(postgresql_database_url, pool_size=POOL_SIZE)
    yield opened
    opened.dispose()


@pytest.fixture
def durable_server() -> Iterator[Server]:
    """A PostgreSQL server of the test's own that keeps every fsync: `crash()` kills it at once, `start()` recovers it."""
    with temporary_server(is_durable=True) as server:
        yield server
