"""The wall clock and the monotonic clock, which tests and demonstrations can move in development."""

import time
from pathlib import Path

MICROS = 1_000_000


class SystemClock:
    """The machine's clocks. A clock file, only in development, holds seconds that are added to the wall clock."""

    def __init__(self, clock_file: Path | None = None) -> None:
        self._clock_file = clock_file
        self._modified = 0.0
        self._offset = 0

    def now(self) -> int:
        return time.time_ns() // 1000 + self.offset()

    def monotonic(self) -> float:
        return time.monotonic()

    def offset(self) -> int:
        """The microseconds that the clock file adds."""
        if self._clock_file is None:
            return 0
        try:
            modified = self._clock_file.stat().st_mtime
            if modified != self._modified:
                self._offset = int(float(self._clock_file.read_text()) * MICROS)
                self._modified = modified
        except (OSError, ValueError):
            # Being written right now, or not there yet: the last offset holds.
            return self._offset
        return self._offset
