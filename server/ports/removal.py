"""What retention reads and removes."""

from collections.abc import Sequence
from typing import Protocol

from server.domain.notifications import Notification
from server.domain.retention import RetainedKind


class Retained(Protocol):
    """Reads of what is kept, by its age."""

    def oldest(self) -> dict[RetainedKind, int]:
        """The time of the oldest one of each kind that there is any of; of revoked access tokens when it expires."""

    def event_times(self, after: int, limit: int) -> list[tuple[int, int]]:
        """Sequence and time of the events after `after`, in order."""

    def last_event_before(self, time: int) -> int:
        """The sequence of the last event that is older; 0 where none is. Events lie nearly in the order of time."""

    def notifications(self, before: str, after: str, limit: int, *, quarantined: bool) -> list[Notification]:
        """Those with a name between the two, in order; either those in quarantine or all others."""


class Removal(Protocol):
    """What retention does within a transaction. `before` is a time; each call removes a bounded number of rows and
    returns how many those were."""

    def events(self, up_to: int) -> int:
        """Every event up to this sequence. Locks the head, as numbering does: let it be the last thing of a unit whose
        key is `LAST_KEY`."""

    def notifications(self, seen: Sequence[Notification]) -> int:
        """Those that are still as they were seen."""

    def requests(self, before: int, limit: int) -> int: ...
    def identities(self, before: int, limit: int) -> int: ...
    def revoked_access_tokens(self, before: int, limit: int) -> int:
        """Those that have expired before."""

    def acquirer_transactions(self, before: int, limit: int) -> int:
        """Those that have not changed since, with their reports and tasks."""

    def unreadable_notifications(self, before: int, limit: int) -> int: ...
    def card_accesses(self, before: int, limit: int) -> int: ...

    def may_warn(self, of: str, now: int, interval: int) -> bool:
        """Whether the last warning of this name is older than `interval`; if so, this is the last one."""

    def forget_warnings(self, before: int, limit: int) -> int: ...
