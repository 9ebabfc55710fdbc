"""Gateways for the tests: one for all that leave it as it was, others for those that set it up their own way."""

from collections.abc import Callable, Iterator

import pytest
from mintmark.v1 import notifications_pb2

from tests.adapters.inbound.asking import Asking
from tests.adapters.inbound.fake_directory import FakeDirectory
from tests.adapters.inbound.running import Running


@pytest.fixture(scope="session")
def _running() -> Iterator[Running]:
    running = Running().start()
    yield running
    running.stop()


@pytest.fixture
def gateway(_running: Running) -> Iterator[Running]:
    """The gateway of all tests, its core with nothing recorded and answering STORED."""
    core = _running.core
    yield _running
    core.outcome, core.failure, core.issue_failure = notifications_pb2.RECORD_OUTCOME_STORED, None, None
    core.free.set()
    for noted in (core.records, core.batches, core.asked, core.scopes, core.callers, core.revoked, core.outcomes):
        noted.clear()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts a gateway with settings of its own."""
    started: list[Running] = []

    def begin(**settings: str) -> Running:
        running = Running(**settings).start()
        started.append(running)
        return running

    yield begin
    for running in started:
        running.stop()


@pytest.fixture(scope="module")
def _directory() -> Iterator[FakeDirectory]:
    directory = FakeDirectory().start()
    yield directory
    directory.stop()


@pytest.fixture
def directory(_directory: FakeDirectory) -> Iterator[FakeDirectory]:
    yield _directory
    _directory.as_before()


@pytest.fixture
def asking(directory: FakeDirectory) -> Iterator[Asking]:
    asking = Asking(directory)
    yield asking
    asking.close()
