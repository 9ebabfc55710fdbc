"""A clock that only sleeping moves."""

import random
import threading

from mintmark_client import Pacing


class FakeTime:
    """`pauses` has every sleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self._random = random.Random(1)
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.pauses.append(seconds)
            self.now += seconds

    def pacing(self) -> Pacing:
        return Pacing(monotonic=lambda: self.now, sleep=self.sleep, uniform=self._random.uniform)
