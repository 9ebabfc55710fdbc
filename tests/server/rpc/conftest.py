"""One running core per module, with ids that nobody else uses."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from server.keys import keyring
from tests.postgres import Postgres
from tests.server.rpc.running import RunningCore, running_core

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    """A core on SQLite that asks everybody for an access token."""
    with running_core() as running:
        yield running


@pytest.fixture
def place() -> str:
    """A merchant gateway of the test's own."""
    return f"MGW_{next(_NUMBERS):06}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def moving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCore]:
    """A core on each database, whose clock the tests move."""
    settings: dict[str, Any] = {}
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        template = request.getfixturevalue("postgres_template")
        name = f"moving_{next(_NUMBERS)}"
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        keys = tmp_path_factory.mktemp("keys") / "keyring.json"
        keyring.create(keys)
        settings = {"database_url": postgres.url(name), "keyring_file": keys}
    with running_core(clock=True, **settings) as running:
        yield running
