"""Pauses of the cache: who knows of one, and for how long it is believed."""

import time
from collections.abc import Iterator

import pytest

from server.cache.pauses import KNOWN_S, Pauses
from server.domain.refusals import StoreUnavailable
from server.ports import CachePause
from tests.waiting import eventually


class FakeView:
    """A database that says what the test wants, or nothing."""

    def __init__(self) -> None:
        self.epoch = 0
        self.left = 0.0
        self.reachable = True
        self.asked = 0

    def cache_pause(self) -> CachePause:
        self.asked += 1
        if not self.reachable:
            raise StoreUnavailable("gone")
        return CachePause(self.epoch, self.left, 1_000_000, time.monotonic())


@pytest.fixture
def view() -> FakeView:
    return FakeView()


@pytest.fixture
def one_of_several(view: FakeView) -> Iterator[Pauses]:
    made = Pauses(view, shared=True)  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.fixture
def alone(view: FakeView) -> Iterator[Pauses]:
    made = Pauses(view, shared=False)  # type: ignore[arg-type]
    yield made
    made.close()


def paused(epoch: int, left: float = 5.0) -> CachePause:
    return CachePause(epoch, left, 1_000_000, time.monotonic())


def test_a_pause_of_another_core_is_heard_of(one_of_several: Pauses, view: FakeView) -> None:
    assert one_of_several.usable() == 0
    view.epoch, view.left = 1, 5.0
    eventually(lambda: one_of_several.usable() is None, what="the pause")
    view.left = -1.0
    assert one_of_several.usable() is None, "it was told for longer"


def test_without_the_database_the_cache_is_not_used(one_of_several: Pauses, view: FakeView) -> None:
    view.reachable = False
    eventually(lambda: one_of_several.usable() is None, what="the end of trust")
    view.reachable = True
    eventually(lambda: one_of_several.usable() == 0, what="the use of the cache")


def test_an_old_answer_of_the_database_takes_nothing_back(alone: Pauses) -> None:
    alone.observe(paused(2))
    alone.observe(CachePause(1, -1.0, 1_000_000, time.monotonic()))
    assert alone.epoch == 2
    assert alone.usable() is None


def test_alone_nobody_else_has_to_hear_of_a_pause(alone: Pauses, view: FakeView) -> None:
    assert not alone.paused_for(0)
    alone.observe(paused(1))
    assert alone.paused_for(3)
    assert not alone.paused_for(6)
    assert view.asked == 1


def test_a_pause_counts_when_everybody_must_have_heard_of_it(one_of_several: Pauses) -> None:
    began = time.monotonic()
    one_of_several.observe(paused(1))
    assert not one_of_several.paused_for(0) or time.monotonic() - began > KNOWN_S
    one_of_several.settle()
    assert time.monotonic() - began >= KNOWN_S
    assert one_of_several.paused_for(1)


def test_a_renewal_in_time_is_known_already_and_a_late_one_is_not(
    one_of_several: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    times = {"now": now}
    monkeypatch.setattr("server.cache.pauses.time.monotonic", lambda: times["now"])

    def observed(at: float, epoch: int) -> bool:
        times["now"] = now + at
        one_of_several.observe(CachePause(epoch, 5.0, 1_000_000, now + at))
        return one_of_several.paused_for(1)

    assert not observed(0, 1)
    assert observed(3, 2)
    assert observed(7, 3)
    assert not observed(12 - KNOWN_S / 2, 4), "somebody may have taken the third one for over"
