"""The steward: chores are done, by one core at a time, and a fault in one stops none."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.domain.refusals import StoreUnavailable
from server.services import steward
from server.services.steward import Steward
from server.store.migrate import upgrade
from server.store.store import SqlStore
from tests.waiting import eventually


class Counting:
    """A chore of `steps` steps each time that it is wanted."""

    def __init__(self, name: str, steps: int = 1, interval: float = 0.01) -> None:
        self.name = name
        self.interval = interval
        self.left = steps
        self.done = 0
        self.looked = 0
        self.fails: list[Exception] = []
        self.stepping = threading.Lock()

    def wanted(self) -> bool:
        self.looked += 1
        return self.left > 0

    def step(self) -> bool:
        with self.stepping:
            if self.fails:
                raise self.fails.pop()
            self.left -= 1
            self.done += 1
            return self.left > 0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'mintmark.sqlite'}"
    upgrade(url)
    opened = SqlStore(url)
    yield opened
    opened.close()


@contextmanager
def working(store: SqlStore, holder: str, *chores: Counting) -> Iterator[Steward]:
    made = Steward(store, chores, holder, time.monotonic)
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_every_chore_gets_its_turn(store: SqlStore) -> None:
    first, second = Counting("first", steps=50), Counting("second", steps=50)
    with working(store, "a", first, second):
        eventually(lambda: first.done == second.done == 50, what="all steps")


def test_what_one_core_does_no_other_does(store: SqlStore) -> None:
    mine, theirs = Counting("same", steps=100), Counting("same", steps=100)
    with working(store, "a", mine):
        eventually(lambda: mine.done, what="the first step")
        with working(store, "b", theirs):
            eventually(lambda: mine.done == 100 and theirs.looked > 3, what="all steps of one core")
            assert theirs.done == 0


def test_a_core_that_is_gone_is_followed_by_another(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steward, "LEASE_S", 0.1)
    mine, theirs = Counting("same", steps=3), Counting("same", steps=3)
    with working(store, "a", mine):
        eventually(lambda: mine.done == 3, what="the steps of the first core")
    with working(store, "b", theirs):
        eventually(lambda: theirs.done == 3, what="the steps of the second core")


def test_a_chore_that_is_not_wanted_writes_nothing(store: SqlStore) -> None:
    idle = Counting("idle", steps=0)
    with working(store, "a", idle):
        eventually(lambda: idle.looked > 3, what="some looks")
    assert store.write("k", lambda transaction: transaction.take_lease("chores/idle", "b", 1))


@pytest.mark.parametrize("error", [RuntimeError("ours"), StoreUnavailable("gone")])
def test_a_fault_in_one_chore_stops_no_other_and_passes(
    store: SqlStore, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steward, "FAULT_PAUSE_S", 0.05)
    bad, good = Counting("bad"), Counting("good", steps=20)
    bad.fails = [error]
    with working(store, "a", bad, good):
        eventually(lambda: bad.done == 1 and good.done == 20, what="both chores")


def test_a_woken_chore_does_not_wait_for_its_time(store: SqlStore) -> None:
    slow = Counting("slow", steps=1, interval=3600)
    with working(store, "a", slow) as made:
        eventually(lambda: slow.done == 1, what="the first look")
        slow.left = 1
        made.wake("slow")
        eventually(lambda: slow.done == 2, what="the woken one")


class Hanging(Counting):
    """A chore whose step does not end until it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.began = threading.Event()
        self.let = threading.Event()

    def step(self) -> bool:
        self.began.set()
        self.let.wait(30)
        return super().step()


def test_a_chore_that_hangs_stops_no_other(store: SqlStore) -> None:
    hanging, other = Hanging("hanging"), Counting("other", steps=0)
    with working(store, "a", hanging, other):
        assert hanging.began.wait(20)
        other.left = 3
        eventually(lambda: other.done == 3, what="the other chore")
        assert hanging.done == 0
        hanging.let.set()
        eventually(lambda: hanging.done == 1, what="the end of the step")
