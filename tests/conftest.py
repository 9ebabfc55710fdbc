"""What every test may use: real servers, one of each per worker, and a database per test.

To keep the whole suite short:

- The tests of a file run on one worker (`tests.sharing`): what takes a second to start (a core, a gateway, a stack) is
  a fixture of the module, and each test uses ids of its own. Files with tests that take long are named there.
- A core or store on SQLite begins with a copy of an empty database (`tests.databases`), on PostgreSQL with one of
  `postgres_template`; nobody but the tests of migrations migrates.
- HTTP without TLS is asked with `verify=PLAIN` (`tests.plain`).
- `eventually` (`tests.waiting`) waits for what happens; a clock that is moved is better than waiting for its hour.
- A long sweep is a campaign (`@pytest.mark.campaign`), with a short form beside it.
"""

import gc
import importlib
import itertools
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests import folders
from tests.postgres import Postgres
from tests.sharing import Sharing
from tests.stack import Stack
from tests.valkey import Valkey

folders.use_memory()
# pytest rewrites the asserts of each test file, which takes each worker 7 s where the environment says not to keep it.
sys.dont_write_bytecode = False
QUIET = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("short", derandomize=True, deadline=None, database=None, suppress_health_check=QUIET)
settings.register_profile("campaign", deadline=None, database=None, max_examples=10_000, suppress_health_check=QUIET)


def pytest_configure(config: pytest.Config) -> None:
    campaign = config.getoption("-m") == "campaign"
    settings.load_profile("campaign" if campaign else "short")


def pytest_collection_finish() -> None:
    """What was collected stays to the end: looking through it for garbage takes a third of a second each time."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Tests that share a stack run on the worker that has it: each start takes seconds."""
    return Sharing(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The worker's PostgreSQL. Whoever stops it starts it again."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a database at the newest schema, to copy from."""
    upgrade: Callable[[str], None] = importlib.import_module("server.store.migrate").upgrade
    postgres.execute("CREATE DATABASE migrated")
    upgrade(postgres.url("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def _database_names() -> Iterator[str]:
    return (f"test_{number}" for number in itertools.count(1))


def _database(server: Postgres, name: str, template: str) -> Iterator[str]:
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_database(postgres: Postgres, postgres_template: str, _database_names: Iterator[str]) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database at the newest schema."""
    yield from _database(postgres, next(_database_names), postgres_template)


@pytest.fixture
def empty_postgres_database(postgres: Postgres, _database_names: Iterator[str]) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database without a schema."""
    yield from _database(postgres, next(_database_names), "template0")


@pytest.fixture(scope="session")
def _valkey_server() -> Iterator[Valkey]:
    server = Valkey()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def valkey(_valkey_server: Valkey) -> Valkey:
    """The worker's Valkey, empty. Whoever stops it starts it again."""
    _valkey_server.flush()
    return _valkey_server


@pytest.fixture(scope="session")
def running_stack() -> Iterator[Stack]:
    """A `mintmark serve --sandbox` in development mode. Tests share it: make clients and ids of your own.

    A test that stops roles, changes settings or needs to be refused without an access token starts a Stack itself.
    """
    stack = Stack(sandbox=True, development=True)
    try:
        yield stack.start()
    finally:
        stack.remove()
