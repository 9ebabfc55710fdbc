"""One running core per module, with ids that nobody else uses."""

import itertools
from collections.abc import Iterator

import pytest

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
