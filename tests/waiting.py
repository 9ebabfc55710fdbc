"""Waiting for a condition: the one place in the tests that sleeps."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

PAUSE = 0.01
LONGEST_PAUSE = 0.5
T = TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 10.0, what: str = "the condition") -> T:
    """The first true value of `check`. Fails with what was seen last when `seconds` have passed.

    An AssertionError that `check` raises counts as "not yet".
    """
    deadline = time.monotonic() + seconds
    while True:
        seen: object
        begun = time.monotonic()
        try:
            value = check()
            if value:
                return value
            seen = value
        except AssertionError as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s; seen last: {seen!r}")
        # Whoever asks with a command of 0.3 s leaves half of the time to what it waits for.
        time.sleep(min(max(time.monotonic() - begun, PAUSE), LONGEST_PAUSE))


async def paused(seconds: float) -> None:
    """For what takes its time on purpose, such as a peer that drips."""
    await asyncio.sleep(seconds)
