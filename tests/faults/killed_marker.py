"""A core that kills itself around a commit that changes what caches hold: `python -m tests.faults.killed_marker PLACE`.

The places, in their order, of the first token or binding that it changes: `paused` (where Redis is dead for it),
`marked` (the commit is next), `committed` (the cache has not been told yet), `released` (nobody has been told yet).
The product knows nothing of this: what it calls is wrapped from outside.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

PAUSE_S, RENEWED_BELOW_S, QUICK_S = 2.0, 1.5, 0.7


def shorten(put: Callable[[Any, str, float], object]) -> None:
    """Pauses end soon: `put` sets a module's constant."""
    from server.store import cache_pause, marking

    put(cache_pause, "PAUSE_S", PAUSE_S)
    put(cache_pause, "RENEWED_BELOW_S", RENEWED_BELOW_S)
    put(marking, "QUICK_S", QUICK_S)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(place: str) -> None:
    from server.store.marking import Marking

    check, release, pause = Marking.check, Marking.release, Marking.pause

    def checked(self: Any, marked: Any, transaction: Any) -> None:
        check(self, marked, transaction)
        if marked is not None and place == "marked":
            die()

    def released(self: Any, marked: Any, connection: Any) -> None:
        if marked is not None and place == "committed":
            die()
        release(self, marked, connection)
        if marked is not None and place == "released":
            die()

    def paused(self: Any, connection: Any) -> None:
        pause(self, connection)
        if place == "paused":
            die()

    Marking.check, Marking.release, Marking.pause = checked, released, paused  # type: ignore[method-assign]


def main(place: str) -> int:
    from server.__main__ import main as serve

    shorten(setattr)
    wrap(place)
    return serve([])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
