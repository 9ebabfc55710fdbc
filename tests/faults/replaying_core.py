"""A core that kills itself while it replays: `python -m tests.faults.replaying_core K inside|after`.

At the K-th notification that its replays change it gets SIGKILL: inside the transaction, when everything is written and
nothing committed, or right after the commit. K = 0 lets it live. The product knows nothing of this.
"""

import os
import signal
import sys
from typing import Any


def wrap(at: int, side: str) -> None:
    from server.services import steward
    from server.services.notification_replays import Replayer
    from server.services.replays import Replaying

    # A killed core keeps its successor from its chores for so long: half a minute in the product.
    steward.LEASE_S = 0.5
    count = 0

    def killing(change: Any, *, counts: bool) -> Any:
        def changed(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            done = change(*arguments, **named)
            count += counts
            if count == at and counts is (side == "inside"):
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return changed

    if at:
        Replayer.carry_out = killing(Replayer.carry_out, counts=True)  # type: ignore[method-assign]
        Replaying._carry_out = killing(Replaying._carry_out, counts=False)  # type: ignore[method-assign]


def main(at: str, side: str) -> int:
    from server.__main__ import main as serve

    wrap(int(at), side)
    return serve([])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
