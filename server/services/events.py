"""Events: cursors, pages, and the feed that streams follow."""

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import Histogram

from server.domain.callers import Caller
from server.domain.events import Event, EventFilter
from server.domain.events import cursor as cursor
from server.domain.refusals import CursorInvalid, CursorOutOfRange, StoreUnavailable
from server.ports import Clock, Store

# Streams are woken at most this often, so that a burst of commits costs each of them one wake-up.
WAKE_INTERVAL_S = 0.010
# How long another core's events may go unnoticed.
POLL_INTERVAL_S = 0.100
# In memory; each has its resource's snapshot, 2 kB as a rule and up to 64 kB. Who is further behind reads the store.
REMEMBERED = 2_000
# A page that hardly anything is shown of ends here, moved on: a filter must not make one call read for minutes.
LONGEST_SCAN = 20
READ_LIMIT = 1_000
LONGEST_SEQUENCE = 18
MICROSECOND_S = 1e-6

LAG = Histogram(
    "mintmark_event_feed_lag_seconds",
    "Age of the newest event when it reaches those who follow events, in seconds.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
# Cursors that stand for the oldest event that is kept.
OLDEST = ("", "0")

log = structlog.get_logger("events")


def sequence_of(event: Event) -> int:
    return event.sequence


def position(store: Store, text: str) -> int:
    """The sequence that a cursor stands for: events after it follow. Raises CursorInvalid, CursorOutOfRange."""
    removed, head = store.view.bounds()
    if text in OLDEST:
        return removed
    generation, dot, digits = text.rpartition(".")
    if not dot or not digits.isascii() or not digits.isdigit() or len(digits) > LONGEST_SEQUENCE:
        raise CursorInvalid(text[:64])
    sequence = int(digits)
    ends = cursor(store.generation, removed), cursor(store.generation, head)
    if generation != store.generation:
        raise CursorOutOfRange("it comes from another generation of the store", *ends)
    if sequence < removed:
        raise CursorOutOfRange("retention has passed it", *ends)
    if sequence > head:
        raise CursorOutOfRange("it is ahead of the head", *ends)
    return sequence


def shown(events: Sequence[Event], caller: Caller, wanted: EventFilter) -> list[Event]:
    return [
        event
        for event in events
        if caller.reach.sees(event.merchant_gateway_id, event.merchant_id, event.issuer_id) and wanted.shows(event)
    ]


def list_page(
    store: Store, caller: Caller, wanted: EventFilter, text: str, limit: int
) -> tuple[list[Event], int, bool]:
    """Up to `limit` events after a cursor, the sequence to go on with, and whether nothing newer was there.

    It may be fewer, or none, before everything was looked at. Raises CursorInvalid, CursorOutOfRange.
    """
    while True:
        place = position(store, text)
        try:
            return _page(store, caller, wanted, place, limit)
        except CursorOutOfRange:
            # The oldest event was another one a moment ago.
            if text not in OLDEST:
                raise


def _page(store: Store, caller: Caller, wanted: EventFilter, place: int, limit: int) -> tuple[list[Event], int, bool]:
    found: list[Event] = []
    for _ in range(LONGEST_SCAN):
        batch = store.view.events(place, READ_LIMIT)
        for event in batch:
            place = event.sequence
            found += shown((event,), caller, wanted)
            if len(found) == limit:
                return found, place, store.view.bounds()[1] <= place
        if len(batch) < READ_LIMIT:
            return found, place, True
    return found, place, False


class EventFeed:
    """Reads new events once, on one thread, and wakes everybody who follows them."""

    def __init__(
        self,
        store: Store,
        saw: Callable[[Sequence[Event]], None],
        heard: Callable[[], None] = lambda: None,
        missed: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        """`saw` is told of new events, `heard` each time that the store has been asked for them, `missed` where some
        were removed before. With a `clock` the feed's lag is measured."""
        self._view = store.view
        self._missed = missed
        self._saw = saw
        self._heard = heard
        self._clock = clock
        self._news = threading.Event()
        self._changed = threading.Condition()
        self._closing = False
        self._anew = False
        self._head = self._view.bounds()[1]
        self._recent: list[Event] = []
        # Everything after this sequence is remembered.
        self._floor = self._head
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)
        self._thread.start()

    @property
    def head(self) -> int:
        return self._head

    def committed(self, _events: Sequence[Event]) -> None:
        """Tells that this process has committed events."""
        self._news.set()

    def wait(self, after: int, timeout: float, stopped: Callable[[], bool]) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._head > after or stopped() or self._closing, timeout)
            return self._head > after

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def events(self, after: int, limit: int) -> list[Event]:
        """Events after `after` in order: from memory where possible, else from the store. Raises CursorOutOfRange."""
        with self._changed:
            if after >= self._floor:
                place = bisect_right(self._recent, after, key=sequence_of)
                return self._recent[place : place + limit]
        return self._view.events(after, limit)

    def begin_anew(self) -> None:
        """The store holds another history than before: what was seen of that one counts no more."""
        self._anew = True
        self._news.set()

    def close(self) -> None:
        self._closing = True
        self._news.set()
        self.wake()
        self._thread.join(5)

    def _work(self) -> None:
        pause = threading.Event()
        while not self._closing:
            self._news.wait(POLL_INTERVAL_S)
            self._news.clear()
            try:
                found = self._read()
            except StoreUnavailable as unavailable:
                log.warning("feed_waits", error=unavailable.text)
                pause.wait(POLL_INTERVAL_S)
                continue
            except Exception as error:
                # An event of a newer version, say. Nobody can follow past it, but with this thread gone nobody would
                # ever again, and nothing would tell.
                log.error("feed_fault", error=type(error).__name__)
                pause.wait(POLL_INTERVAL_S)
                continue
            if found:
                self._saw(found)
            self._heard()
            if found:
                self._remember(found)
                if self._clock:
                    LAG.observe(max(0.0, (self._clock.now() - found[-1].time) * MICROSECOND_S))
                if len(found) == READ_LIMIT:
                    self._news.set()
                pause.wait(WAKE_INTERVAL_S)

    def _read(self) -> Sequence[Event]:
        """What is new. Raises StoreUnavailable."""
        if self._anew:
            self._begin_again(self._view.bounds()[1])
            self._anew = False
        try:
            return self._view.events(self._head, READ_LIMIT)
        except CursorOutOfRange:
            # This process stood still for longer than events are kept.
            removed, _ = self._view.bounds()
            log.warning("feed_passed", behind=removed - self._head)
            self._begin_again(removed)
            return self._view.events(self._head, READ_LIMIT)

    def _begin_again(self, place: int) -> None:
        """Goes on after another event than the last one. Who is further back reads the store."""
        self._missed()
        with self._changed:
            self._recent.clear()
            self._head = self._floor = place
            self._changed.notify_all()

    def _remember(self, found: Sequence[Event]) -> None:
        with self._changed:
            self._recent.extend(found)
            self._head = found[-1].sequence
            if len(self._recent) > 2 * REMEMBERED:
                self._floor = self._recent[-REMEMBERED - 1].sequence
                del self._recent[:-REMEMBERED]
            self._changed.notify_all()
