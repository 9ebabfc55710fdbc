"""What time it is: the wall clock, which development mode can move, and the monotonic one, which nothing moves."""

import time
from collections.abc import Callable
from pathlib import Path


class Clock:
    """Seconds. `offset_file` holds a number of seconds to add to the wall clock; it is read anew when it changes."""

    def __init__(
        self,
        offset_file: Path | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = offset_file
        self._wall = wall
        self.monotonic = monotonic
        self._modified = -1
        self._offset = 0.0

    def wall(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        return self._wall() + self._read_offset() if self._file else self._wall()

    def _read_offset(self) -> float:
        assert self._file is not None  # noqa: S101  the caller looked
        try:
            modified = self._file.stat().st_mtime_ns
            if modified != self._modified:
                self._offset = float(self._file.read_text() or 0)
                self._modified = modified
        except FileNotFoundError:
            self._offset, self._modified = 0.0, -1
        except (OSError, ValueError):
            # Somebody is writing it: the offset from before holds, and the next call looks again.
            self._modified = -1
        return self._offset
