"""A circuit breaker for each account: after many failures nothing of it is begun for a while, then one at a time.

The dispatcher's stops claiming tasks, never an attempt that was begun: what may have been granted is sent. The
gateway's stops calls to an issuer's own system.
"""

import time
from collections import deque
from collections.abc import Callable

FAILURES = 5
WITHIN_S = 10.0
REST_S = 5.0
LONGEST_REST_S = 300.0


class Breaker:
    """All accounts. One that never fails is not in here."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failures: dict[str, deque[float]] = {}
        # Until when an account rests.
        self._resting: dict[str, float] = {}
        # Accounts with a task out that shows how their partner is.
        self._probed: set[str] = set()

    def paused(self) -> list[str]:
        """The accounts of which nothing is to be claimed now."""
        now = self._monotonic()
        return sorted(name for name, until in self._resting.items() if now < until or name in self._probed)

    def admits(self, account: str) -> bool:
        """Whether something of the account may be begun now; then say so by `claimed`."""
        until = self._resting.get(account)
        return until is None or (self._monotonic() >= until and account not in self._probed)

    @property
    def probing(self) -> bool:
        """Whether an account has rested: then one task is claimed at a time, to see how its partner is."""
        return len(self._resting) > len(self.paused())

    def wait(self, longest: float) -> float:
        """How long a claim may wait, in seconds, so that no account rests for longer than it has to."""
        now = self._monotonic()
        ends = [until - now for name, until in self._resting.items() if until > now and name not in self._probed]
        return max(0.05, min([longest, *ends]))

    def claimed(self, account: str) -> None:
        """A task of the account was claimed, or a call begun."""
        if account in self._resting:
            self._probed.add(account)

    def unused(self, account: str) -> None:
        """What was claimed or begun came to nothing that says how the partner is."""
        self._probed.discard(account)

    def succeeded(self, account: str) -> None:
        """The partner has answered."""
        self._failures.pop(account, None)
        self._resting.pop(account, None)
        self._probed.discard(account)

    def failed(self, account: str) -> None:
        """The partner could not be reached, or was in trouble."""
        now = self._monotonic()
        failures = self._failures.setdefault(account, deque(maxlen=FAILURES))
        failures.append(now)
        recent = len(failures) == FAILURES and now - failures[0] <= WITHIN_S
        if recent or account in self._probed:
            self._resting[account] = now + REST_S
        self._probed.discard(account)

    def rest(self, account: str, seconds: float) -> None:
        """The partner asks to be left alone for so long: for REST_S at least, and LONGEST_REST_S at most."""
        until = self._monotonic() + min(max(seconds, REST_S), LONGEST_REST_S)
        self._resting[account] = max(until, self._resting.get(account, 0.0))

    @property
    def open(self) -> int:
        """How many accounts rest, or are being probed."""
        return len(self._resting)
