"""Who follows the event stream, and how far behind the head they are."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

OPEN = Gauge("mintmark_event_streams_open", "Event streams that somebody follows.")
LAG = Gauge(
    "mintmark_event_stream_lag_events", "Events between the head and the slowest open event stream; 0 without one."
)


class Follower:
    """One stream: everything up to `place` is sent, or passed over."""

    __slots__ = ("place",)

    def __init__(self, place: int) -> None:
        self.place = place


class Followers:
    """The open streams of this process."""

    def __init__(self, head: Callable[[], int]) -> None:
        self._head = head
        self._lock = threading.Lock()
        self._open: set[Follower] = set()
        OPEN.set_function(lambda: len(self._open))
        LAG.set_function(self.lag)

    def lag(self) -> int:
        """Events between the head and the slowest one."""
        with self._lock:
            places = [follower.place for follower in self._open]
        return max(0, self._head() - min(places)) if places else 0

    @contextmanager
    def one_at(self, place: int) -> Iterator[Follower]:
        """A stream that begins after `place`."""
        follower = Follower(place)
        with self._lock:
            self._open.add(follower)
        try:
            yield follower
        finally:
            with self._lock:
                self._open.discard(follower)
