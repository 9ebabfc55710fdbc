"""The acquirer's own time in seconds: goes on where an earlier run ended, as fast as the twins' clock or by leaps."""

import asyncio
from typing import Any

from adapters.sandbox.clock import TwinClock


class Calendar:
    """Counts from when the twin was first started; the time that it was not running does not count."""

    def __init__(self, clock: TwinClock) -> None:
        self._clock = clock
        self._base = -clock.elapsed
        self._changed = asyncio.Event()

    @property
    def now(self) -> float:
        """The time."""
        return self._base + self._clock.elapsed

    def leap_to(self, time: float) -> None:
        """It is `time` now, unless it is later already."""
        self._base += max(0.0, time - self.now)
        self.wake()

    def wake(self) -> None:
        """Whoever waits is to look again at what it waits for."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, due: float | None) -> None:
        """Returns when it is `due`, or earlier at a leap or a call of `wake`. None: never due."""
        waits: set[asyncio.Future[Any]] = {asyncio.ensure_future(self._changed.wait())}
        if due is not None:
            waits.add(asyncio.ensure_future(self._clock.sleep(due - self.now)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
