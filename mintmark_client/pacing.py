"""When to repeat: capped exponential backoff with full jitter."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pacing:
    """How calls are repeated, in seconds; tests give a clock of their own.

    The n-th pause is drawn from 0 to `first * 2**n`, `longest` at most. One try of a call takes `attempt` at most, so
    that a connection on which nothing comes does not use up the caller's time.
    """

    first: float = 0.1
    longest: float = 5.0
    attempt: float = 10.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform


@dataclass(slots=True)
class Backoff:
    """The pauses between the tries of one call."""

    pacing: Pacing
    _ceiling: float = field(default=0.0, init=False)

    def pause(self) -> float:
        """The next pause in seconds."""
        self._ceiling = min(self.pacing.longest, 2 * self._ceiling or self.pacing.first)
        return self.pacing.uniform(0.0, self._ceiling)

    def reset(self) -> None:
        """Begin with short pauses again: something worked."""
        self._ceiling = 0.0
