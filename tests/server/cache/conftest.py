"""Slots of both kinds over a real database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.cache.memory import MemorySlots
from server.cache.pauses import Pauses
from server.cache.redis import RedisWall
from server.cache.shared import SharedSlots
from server.cache.views import Slots
from server.keys import keyring
from server.keys.cache_places import SealedPlaces
from server.keys.keyring import Keyring
from server.store.store import SqlStore
from tests.databases import place
from tests.valkey import Valkey


@pytest.fixture(scope="session")
def ring() -> Keyring:
    return keyring._new_keyring()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(place(tmp_path / "mintmark.sqlite"))
    yield store
    store.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis gets all the time that it needs: the machine is shared, and this is not about the budget."""
    monkeypatch.setattr("server.cache.redis.BUDGET_S", 10.0)


@contextmanager
def shared_slots(store: SqlStore, url: str, ring: Keyring, *, shared: bool = False) -> Iterator[SharedSlots]:
    slots = SharedSlots(RedisWall(url), Pauses(store.view, shared=shared), SealedPlaces(ring), lambda: store.generation)
    try:
        yield slots
    finally:
        slots.close()


@pytest.fixture(params=["memory", "valkey"])
def slots(request: pytest.FixtureRequest, sqlite: SqlStore, ring: Keyring, patient: None) -> Iterator[Slots]:
    """The slots that the store tells of its changes."""
    if request.param == "memory":
        memory = MemorySlots()
        sqlite.mark_with(memory)
        yield memory
        return
    valkey: Valkey = request.getfixturevalue("valkey")
    with shared_slots(sqlite, valkey.url, ring) as shared:
        sqlite.mark_with(shared)
        yield shared
