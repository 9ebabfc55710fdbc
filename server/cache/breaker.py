"""A breaker: after several failures in a short time nobody tries any more, until a probe has worked."""

from collections import deque

FAILURES = 5
WINDOW_S = 10.0
PROBE_S = 5.0


class Breaker:
    """Counts failures; times are seconds on the monotonic clock. Its user locks it."""

    def __init__(self) -> None:
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._probe_at: float | None = None

    @property
    def open(self) -> bool:
        return self._probe_at is not None

    def fail(self, now: float) -> bool:
        """Counts a failure; whether it is the one that opened the breaker."""
        self._failures.append(now)
        if self.open or len(self._failures) < FAILURES or now - self._failures[0] > WINDOW_S:
            return False
        self._probe_at = now + PROBE_S
        return True

    def until_probe(self, now: float) -> float | None:
        """Seconds until the next probe is due; None where none is needed."""
        return None if self._probe_at is None else max(0.0, self._probe_at - now)

    def probed(self, now: float, *, worked: bool) -> None:
        """What became of a probe."""
        self._probe_at = None if worked else now + PROBE_S
        if worked:
            self._failures.clear()
