"""A connection on which nothing comes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Silence:
    """Calls `end` once when somebody has waited for `seconds`. Time in which nobody waits does not count."""

    def __init__(self, seconds: float, end: Callable[[], object]) -> None:
        self._seconds = seconds
        self._end = end
        self._waiting_since: float | None = None
        self._over = threading.Event()
        self.broken = False
        threading.Thread(target=self._watch, name="mintmark-silence", daemon=True).start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The block waits for something to be heard."""
        self._waiting_since = time.monotonic()
        try:
            yield
        finally:
            self._waiting_since = None

    def over(self) -> None:
        """Nobody will wait any more."""
        self._over.set()

    def _watch(self) -> None:
        left = self._seconds
        while not self._over.wait(left):
            since = self._waiting_since
            left = self._seconds if since is None else since + self._seconds - time.monotonic()
            if left <= 0:
                self.broken = True
                self._end()
                return
