"""Outages of a real Valkey, which take their time."""

import random
import time

from tests.valkey import Valkey


class FakeOutages:
    """Pauses, flushes or restarts the server at each call; `happened` says what it was."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self.happened: list[str] = []

    def __call__(self, chance: random.Random) -> None:
        kind = chance.choice(["flush", "flush", "flush", "pause", "restart"])
        self.happened.append(kind)
        match kind:
            case "flush":
                self._valkey.flush()
            case "pause":
                self._valkey.pause()
                try:
                    time.sleep(chance.uniform(0.0, 0.4))
                finally:
                    self._valkey.resume()
            case "restart":
                self._valkey.stop()
                time.sleep(chance.uniform(0.0, 0.3))
                self._valkey.start()
