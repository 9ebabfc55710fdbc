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

log = structlog.get_logger("steward")


class Steward:
    """One thread that looks after every chore in turn. `holder` names this core among those of the database."""

    def __init__(self, store: Store, chores: Sequence[Chore], holder: str, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._chores = tuple(chores)
        self._holder = holder
        self._monotonic = monotonic
        self._due = {chore.name: monotonic() for chore in self._chores}
        self._woken: set[str] = set()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="steward", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, name: str) -> None:
        """Makes the chore due now: there is something new to do."""
        with self._changed:
            self._woken.update({name} & self._due.keys())
            self._changed.notify_all()

    def close(self) -> None:
        """Ends after the step that is being done."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(10)

    def _work(self) -> None:
        while not self._closing:
            for chore in self._chores:
                if self._is_due(chore) and not self._closing:
                    self._due[chore.name] = self._monotonic() + self._look_after(chore)
            with self._changed:
                if not (self._closing or self._woken):
                    self._changed.wait(max(0.0, min(self._due.values(), default=1.0) - self._monotonic()))

    def _is_due(self, chore: Chore) -> bool:
        with self._changed:
            woken = chore.name in self._woken
            self._woken.discard(chore.name)
        return woken or self._due[chore.name] <= self._monotonic()

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
