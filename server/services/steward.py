"""The steward: does the chores of the house, each on one core at a time."""

import threading
from collections.abc import Callable, Sequence

import structlog

from server.domain.refusals import Refusal
from server.ports import Chore, Store

# A core that dies in the middle of a chore keeps the others from it for so long.
LEASE_S = 30.0
# After a fault a chore is let alone for so long: what failed now will most likely fail at once again.
FAULT_PAUSE_S = 5.0
# How long the end waits for the steps that are being done.
CLOSE_S = 10.0

log = structlog.get_logger("steward")


class Steward:
    """Looks after every chore, each on a thread of its own: one that hangs, on the disk of an export say, stops no
    other. `holder` names this core among those of the database."""

    def __init__(self, store: Store, chores: Sequence[Chore], holder: str, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._holder = holder
        self._monotonic = monotonic
        self._names = frozenset(chore.name for chore in chores)
        self._woken: set[str] = set()
        self._changed = threading.Condition()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, args=(chore,), name=f"steward {chore.name}", daemon=True)
            for chore in chores
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self, name: str) -> None:
        """Makes the chore due now: there is something new to do."""
        with self._changed:
            self._woken.update({name} & self._names)
            self._changed.notify_all()

    def close(self) -> None:
        """Ends after the steps that are being done; what hangs is not waited for."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        until = self._monotonic() + CLOSE_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - self._monotonic()))

    def _work(self, chore: Chore) -> None:
        due = self._monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closing or chore.name in self._woken, max(0.0, due - self._monotonic())
                )
                if self._closing:
                    return
                self._woken.discard(chore.name)
            due = self._monotonic() + self._look_after(chore)

    def _look_after(self, chore: Chore) -> float:
        """Does a step where there is one to do and no other core is at it; the seconds until the next look."""
        try:
            if not chore.wanted() or not self._leased(chore):
                return chore.interval
            return 0.0 if chore.step() else chore.interval
        except Refusal as refusal:
            log.warning("chore_waits", chore=chore.name, why=type(refusal).__name__)
        except Exception as error:
            # The text of an unforeseen error may hold anything.
            log.error("chore_fault", chore=chore.name, error=type(error).__name__)
        return max(chore.interval, FAULT_PAUSE_S)

    def _leased(self, chore: Chore) -> bool:
        lease = f"chores/{chore.name}"
        return self._store.write(lease, lambda transaction: transaction.take_lease(lease, self._holder, LEASE_S))
