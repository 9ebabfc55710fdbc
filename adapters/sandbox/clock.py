"""The twins' clock: their waits pass faster than ours by a factor that may change while they wait."""

import asyncio
import time
from collections.abc import Callable


class TwinClock:
    """Sleeps in the partner's seconds: at speed 60 a minute of the partner's takes one second here."""

    def __init__(self, speed: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._monotonic = monotonic
        self._passed, self._since = 0.0, monotonic()
        self._changed = asyncio.Event()

    @property
    def speed(self) -> float:
        """How many of the partner's seconds pass in one of ours."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._passed, self._since = self.elapsed, self._monotonic()
        self._speed = speed
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @property
    def elapsed(self) -> float:
        """The partner's seconds that have passed since this clock began."""
        return self._passed + (self._monotonic() - self._since) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Waits for `seconds` of the partner's time; a change of speed counts from when it is made."""
        left = seconds
        while left > 0:
            began, speed, changed = self._monotonic(), self._speed, self._changed
            try:
                async with asyncio.timeout(left / speed):
                    await changed.wait()
            except TimeoutError:
                return
            left -= (self._monotonic() - began) * speed
