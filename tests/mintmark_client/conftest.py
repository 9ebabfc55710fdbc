"""Clients of a real core, and of one that fails."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mintmark_client import Client
from tests.adapters.cli.fake_core import SECRET
from tests.mintmark_client.fake_core import UnsteadyCore
from tests.mintmark_client.fake_network import FakeNetwork
from tests.mintmark_client.fake_time import FakeTime
from tests.server.rpc.conftest import core, place
from tests.server.rpc.running import RunningCore

__all__ = ["core", "place"]

SCOPES = (
    "tokens.read",
    "tokens.write",
    "bindings.read",
    "merchants.read",
    "notifications.read",
    "notifications.replay",
    "events.read",
)
Connect = Callable[..., Client]


@pytest.fixture
def connect(core: RunningCore, place: str) -> Iterator[Connect]:
    """Makes clients of the running core that see the test's own merchant gateway; settings as for Client."""
    with ExitStack() as clients:

        def connected(address: str = "", **settings: Any) -> Client:
            made = core.create(SCOPES, [place])
            own = {"client_id": made.client.client_id, "client_secret": made.client_secret}
            return clients.enter_context(Client(address or core.settings.grpc_address, **{**own, **settings}))

        yield connected


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()


@pytest.fixture
def unsteady() -> Iterator[UnsteadyCore]:
    fake = UnsteadyCore()
    yield fake
    fake.stop()


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def caller(unsteady: UnsteadyCore, fake_time: FakeTime) -> Iterator[Client]:
    """A client of the unsteady core, on the clock that only sleeping moves."""
    with Client(unsteady.address, client_id="orders", client_secret=SECRET, pacing=fake_time.pacing()) as made:
        yield made


@pytest.fixture
def network(core: RunningCore) -> Iterator[FakeNetwork]:
    made = FakeNetwork(core.folder / "public.sock")
    yield made
    made.close()
