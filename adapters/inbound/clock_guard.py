"""Whether a time has passed, when the wall clock may have jumped and the database's clock has the last word."""

from dataclasses import dataclass
from enum import Enum, auto

from adapters.clock import Clock

TOLERANCE = 10.0


class Passed(Enum):
    """Whether a time has passed."""

    NO = auto()
    YES = auto()
    UNSURE = auto()


@dataclass(frozen=True, slots=True)
class _Anchor:
    database: float
    monotonic: float
    offset: float


class ClockGuard:
    """Compares the wall clock with the monotonic one. Where they part by more than 10 s, only the database tells."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trusted: float | None = self._offset()
        self._anchor: _Anchor | None = None

    def database_says(self, seconds: float) -> None:
        """The database's clock has just shown this time."""
        offset = self._offset()
        monotonic = self._clock.monotonic()
        self._anchor = _Anchor(seconds, monotonic, offset)
        self._trusted = offset if abs(offset + monotonic - seconds) <= TOLERANCE else None

    def has_passed(self, seconds: float) -> Passed:
        """Whether a time (seconds since 1970) has passed; UNSURE until the database's clock is heard after a jump."""
        offset = self._offset()
        monotonic = self._clock.monotonic()
        anchor = self._anchor
        if self._trusted is not None and abs(offset - self._trusted) <= TOLERANCE:
            now = offset + monotonic
        elif anchor and abs(offset - anchor.offset) <= TOLERANCE:
            now = anchor.database + monotonic - anchor.monotonic
        else:
            return Passed.UNSURE if seconds <= offset + monotonic else Passed.NO
        return Passed.YES if seconds <= now else Passed.NO

    def _offset(self) -> float:
        return self._clock.wall() - self._clock.monotonic()
