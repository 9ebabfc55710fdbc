"""Readers and followers whom retention overtakes: each is told or begins again, and none skips anything."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from server.domain.callers import ANY, Caller, Reach
from server.domain.events import Event, EventFilter, cursor
from server.domain.refusals import CursorOutOfRange, StoreUnavailable
from server.ports import LAST_KEY
from server.services import events
from server.services.events import EventFeed
from server.store.store import SqlStore
from tests.server.store.test_retained import keep_events
from tests.waiting import eventually

EVERYTHING = Caller("clients/a", frozenset(), Reach(frozenset({ANY})))


class OvertakenView:
    """The store's view, which something happens to before events are read."""

    def __init__(self, store: SqlStore) -> None:
        self._view = store.view
        self.before: list[Callable[[], object]] = []

    def events(self, after: int, limit: int) -> list[Event]:
        if self.before:
            self.before.pop(0)()
        return self._view.events(after, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)


class OvertakenStore:
    """A store with such a view."""

    def __init__(self, store: SqlStore) -> None:
        self.view: Any = OvertakenView(store)
        self.generation = store.generation
        self.write = store.write


@pytest.fixture
def overtaken(store: SqlStore) -> Any:
    return OvertakenStore(store)


def remove(store: SqlStore, up_to: int) -> int:
    return store.write(LAST_KEY, lambda transaction: transaction.removal.events(up_to))


def numbers(found: Sequence[Event]) -> list[int]:
    return [event.sequence for event in found]


@pytest.mark.parametrize("text", ["0", ""])
def test_a_page_from_the_oldest_begins_with_what_is_the_oldest_now(store: SqlStore, overtaken: Any, text: str) -> None:
    keep_events(store, *range(10))
    overtaken.view.before = [lambda: remove(store, 2), lambda: remove(store, 4)]
    found, place, caught_up = events.list_page(overtaken, EVERYTHING, EventFilter(), text, 50)
    assert (numbers(found), place, caught_up) == ([5, 6, 7, 8, 9, 10], 10, True)


def test_a_page_after_a_cursor_is_refused_when_that_is_passed_meanwhile(store: SqlStore, overtaken: Any) -> None:
    keep_events(store, *range(10))
    overtaken.view.before = [lambda: remove(store, 4)]
    with pytest.raises(CursorOutOfRange) as told:
        events.list_page(overtaken, EVERYTHING, EventFilter(), cursor(store.generation, 3), 50)
    assert told.value.metadata["oldest_cursor"] == cursor(store.generation, 4)


@pytest.fixture
def reading(store: SqlStore, overtaken: Any) -> Iterator[tuple[EventFeed, list[str], threading.Event]]:
    """A feed that cannot read until it is let: as that of a process which stands still."""
    heard: list[str] = []
    let = threading.Event()

    def hold() -> None:
        if not let.is_set():
            raise StoreUnavailable("held")

    overtaken.view.before = [hold] * 10_000
    feed = EventFeed(
        overtaken, lambda found: heard.append(f"saw {len(found)}"), lambda: None, lambda: heard.append("missed")
    )
    store.listen(feed.committed)
    yield feed, heard, let
    feed.close()


def test_a_feed_that_stood_still_goes_on_with_the_oldest(
    store: SqlStore, reading: tuple[EventFeed, list[str], threading.Event]
) -> None:
    feed, heard, let = reading
    keep_events(store, *range(10))
    remove(store, 6)
    let.set()
    eventually(lambda: feed.head == 10, 20, "the newest event")
    # Who keeps a picture by the events is told that it has to be made anew, before it is told of what is left.
    assert heard == ["missed", "saw 4"]
    assert numbers(feed.events(6, 50)) == [7, 8, 9, 10]
    with pytest.raises(CursorOutOfRange):
        feed.events(5, 50)
    keep_events(store, 11)
    eventually(lambda: feed.head == 11, 20, "what comes next")


def test_a_feed_that_stood_still_until_nothing_was_left_goes_on(
    store: SqlStore, reading: tuple[EventFeed, list[str], threading.Event]
) -> None:
    feed, heard, let = reading
    keep_events(store, *range(10))
    remove(store, 10)
    let.set()
    eventually(lambda: heard == ["missed"] and feed.head == 10, 20, "the new beginning")
    assert feed.events(10, 50) == []
