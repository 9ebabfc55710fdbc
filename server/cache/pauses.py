"""Whether the shared cache may be used now, as far as this core knows.

With several cores on one database each asks it every 100 ms, and uses the cache only where its last answer was asked
for at most 300 ms ago. So a pause that was committed is known to everybody who uses the cache 300 ms later.
"""

import threading
import time

import structlog

from server.cache.metrics import PAUSED
from server.domain.refusals import StoreUnavailable
from server.ports import CachePause, View

ASKED_EVERY_S = 0.100
FRESH_S = 0.300
# After this time everybody knows of a pause or is off the cache: freshness, and what a clock's tick may take.
KNOWN_S = 0.400
MICROS = 1_000_000

log = structlog.get_logger("cache")


class Pauses:
    """What is known of pauses. `shared`: other cores may use the same database."""

    def __init__(self, view: View, *, shared: bool) -> None:
        """Raises StoreUnavailable where the database cannot be asked for the first time."""
        self._view = view
        self._shared = shared
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._epoch = -1
        # The end of the last pause, no earlier and no later than it is.
        self._until = 0.0
        self._surely_until = 0.0
        self._since = 0.0
        self._fresh_until = 0.0
        # The database's clock, ahead of our monotonic one.
        self._ahead = 0
        self._ask()
        self._thread = threading.Thread(target=self._work, name="cache", daemon=True)
        if shared:
            self._thread.start()

    @property
    def epoch(self) -> int:
        return self._epoch

    def usable(self) -> int | None:
        """The epoch whose keys may be used now; None where the cache must be left alone."""
        now = time.monotonic()
        with self._lock:
            usable = now >= self._until and (not self._shared or now < self._fresh_until)
            PAUSED.set(not usable)
            return self._epoch if usable else None

    def database_time(self) -> int:
        """The database's clock in microseconds, give or take the time of asking it."""
        return int(time.monotonic() * MICROS) + self._ahead

    def observe(self, pause: CachePause) -> None:
        """Takes notice of what was committed or read, in any order."""
        now = time.monotonic()
        with self._lock:
            if pause.epoch < self._epoch:
                # An older answer that came late.
                return
            self._epoch = pause.epoch
            self._ahead = pause.time - int(now * MICROS)
            if pause.left > 0:
                if now >= self._surely_until - KNOWN_S:
                    # A new one, or a renewal that came so late that some may have taken the pause for over.
                    self._since = now
                self._until = max(self._until, now + pause.left)
                self._surely_until = max(self._surely_until, pause.asked + pause.left)

    def paused_for(self, seconds: float) -> bool:
        """Whether a pause is in force, every core knows of it, and it lasts for so long still."""
        now = time.monotonic()
        with self._lock:
            known = now >= self._since + KNOWN_S or not self._shared
            return known and now + seconds <= self._surely_until

    def settle(self) -> None:
        """Returns when every core knows of the pause that was observed."""
        if self._shared:
            with self._lock:
                left = self._since + KNOWN_S - time.monotonic()
            if left > 0:
                time.sleep(left)

    def close(self) -> None:
        self._closing.set()
        if self._shared:
            self._thread.join(5)

    def _ask(self) -> None:
        asked = time.monotonic()
        self.observe(self._view.cache_pause())
        with self._lock:
            self._fresh_until = asked + FRESH_S

    def _work(self) -> None:
        waiting = False
        while not self._closing.wait(ASKED_EVERY_S):
            try:
                self._ask()
                waiting = False
            except StoreUnavailable:
                # Until it answers again the cache is not used: an outage may be a pause that we don't hear of.
                if not waiting:
                    log.warning("cache_waits")
                waiting = True
            except Exception as error:
                log.error("cache_fault", error=type(error).__name__)
