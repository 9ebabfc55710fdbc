"""How long things are kept, and how far the removal of what is older may go. Times and spans are microseconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class RetainedKind(StrEnum):
    """What is removed when its time is over, in the order in which it is."""

    EVENTS = "EVENTS"
    NOTIFICATIONS = "NOTIFICATIONS"
    QUARANTINED_NOTIFICATIONS = "QUARANTINED_NOTIFICATIONS"
    REQUESTS = "REQUESTS"
    IDENTITIES = "IDENTITIES"
    REVOKED_ACCESS_TOKENS = "REVOKED_ACCESS_TOKENS"
    ACQUIRER_TRANSACTIONS = "ACQUIRER_TRANSACTIONS"
    UNREADABLE_NOTIFICATIONS = "UNREADABLE_NOTIFICATIONS"
    CARD_DATA_ACCESSES = "CARD_DATA_ACCESSES"


# A revoked access token is remembered for this much longer than it could be used: clocks differ.
REVOKED_LEEWAY = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Periods:
    """How long each kind is kept. `pin_limit` is how much longer a subscription can hold events back."""

    events: int
    pin_limit: int
    notifications: int
    quarantined_notifications: int
    requests: int
    identities: int
    acquirer_transactions: int
    card_accesses: int

    def of(self, kind: RetainedKind) -> int:
        """The period of a kind; that of revoked access tokens begins when they expire."""
        match kind:
            case RetainedKind.EVENTS:
                return self.events
            case RetainedKind.NOTIFICATIONS:
                return self.notifications
            case RetainedKind.QUARANTINED_NOTIFICATIONS:
                return self.quarantined_notifications
            case RetainedKind.REQUESTS:
                return self.requests
            case RetainedKind.IDENTITIES:
                return self.identities
            case RetainedKind.REVOKED_ACCESS_TOKENS:
                return REVOKED_LEEWAY
            case RetainedKind.ACQUIRER_TRANSACTIONS:
                return self.acquirer_transactions
            case RetainedKind.UNREADABLE_NOTIFICATIONS:
                return self.quarantined_notifications
            case RetainedKind.CARD_DATA_ACCESSES:
                return self.card_accesses


@dataclass(frozen=True, slots=True)
class Pin:
    """A subscription, and the sequence up to which it needs no event any more."""

    name: str
    floor_sequence: int


@dataclass(frozen=True, slots=True)
class Held:
    """A pin that holds events back: how many, the time of the oldest of them, and when they go all the same."""

    pin: Pin
    events: int
    oldest_time: int
    removal_time: int


def floor_of(pins: Sequence[Pin]) -> int | None:
    """Up to which event nobody needs one any more; None where nobody holds anything back."""
    return min((pin.floor_sequence for pin in pins), default=None)


def removable(oldest: Sequence[tuple[int, int]], floor: int | None, now: int, periods: Periods) -> int:
    """The last of the oldest events, given as (sequence, time), that may go; 0 where none may.

    Only a whole prefix goes: the first one that is young, or that a pin still holds back, ends it.
    """
    last = 0
    for sequence, time in oldest:
        pinned = floor is not None and sequence > floor
        if now - time <= periods.events + (periods.pin_limit if pinned else 0):
            break
        last = sequence
    return last
