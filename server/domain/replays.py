"""Replays: a notification decided again by today's rules, and many of them at once."""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import recording
from server.domain.api_keys import ApiKey
from server.domain.callers import Caller
from server.domain.notifications import (
    Notification,
    NotificationFlag,
    NotificationState,
    QuarantineReason,
    Record,
)
from server.domain.principals import Principals
from server.domain.recording import Target

# What is kept of one replay's results; the counts go on.
MOST_RESULTS = 10_000


class Cause(StrEnum):
    """Why a notification cannot be decided again; `errors.proto` explains them."""

    NO_RECORD = "NO_RECORD"
    RECORD_UNREADABLE = "RECORD_UNREADABLE"
    HISTORY_REMOVED = "HISTORY_REMOVED"
    HISTORY_TOO_LONG = "HISTORY_TOO_LONG"
    RESOURCE_CHANGED = "RESOURCE_CHANGED"
    RESOURCE_REMAINS = "RESOURCE_REMAINS"
    RESOURCE_MOVED = "RESOURCE_MOVED"
    STORE_REFUSED = "STORE_REFUSED"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided of a notification."""

    state: NotificationState
    quarantine_reason: QuarantineReason | None = None
    flags: tuple[NotificationFlag, ...] = ()
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a resource, as the API names it, and its value as text."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class NotificationReplay:
    """What deciding a notification again makes of it and of its resource."""

    notification: str
    before: Decision
    after: Decision
    differences: tuple[Difference, ...] = ()

    @property
    def differs(self) -> bool:
        return self.before != self.after or bool(self.differences)


class ReplayState(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of all notifications that match `filter` (as text) and were received before it was created.

    `position` is the name of the last one looked at, in the order of names. Times are microseconds.
    """

    name: str
    client: str
    reason: str
    dry_run: bool
    filter: str
    create_time: int
    update_time: int
    state: ReplayState = ReplayState.RUNNING
    end_reason: str = ""
    end_time: int | None = None
    total_count: int | None = None
    examined_count: int = 0
    different_count: int = 0
    applied_count: int = 0
    refused_count: int = 0
    result_count: int = 0
    position: str = ""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A notification that differs (`before`, `after`) or could not be replayed (`cause`); the name is its own."""

    name: str
    replay: str
    before: tuple[Decision, ...] = ()
    after: tuple[Decision, ...] = ()
    differences: tuple[Difference, ...] = ()
    applied: bool = False
    cause: str = ""


def visible(caller: Caller, replay: Replay) -> bool:
    """A replay is its client's; of others' only those see it whom nothing limits."""
    return replay.client == caller.client or caller.reach.everything


def ended(replay: Replay, state: ReplayState, now: int, reason: str = "") -> Replay:
    """The replay at its end; as it is where it has ended already."""
    if replay.state is not ReplayState.RUNNING:
        return replay
    return replace(replay, state=state, end_reason=reason, end_time=now, update_time=now)


def decision(kept: Notification) -> Decision:
    """What was decided of a notification."""
    return Decision(kept.state, kept.quarantine_reason, kept.flags, kept.resource)


def target_today(principals: Principals, record: Record, kept: Notification) -> Target:
    """What a stored record tells of by today's rules, or why it cannot be applied.

    Its sender was authenticated when it came, and a key that was revoked since takes nothing back. A merchant that
    was not bound then may be bound today.
    """
    reason = record.quarantine_reason
    if reason is None and kept.quarantine_reason is QuarantineReason.MERCHANT_NOT_BOUND:
        reason = None if _bound(principals, record, kept) else QuarantineReason.MERCHANT_NOT_BOUND
    if reason:
        return Target(None, "", reason)
    return recording.target(record, kept.merchant_gateway_id)


def _bound(principals: Principals, record: Record, kept: Notification) -> bool:
    """Whether the sender may speak for the merchant today, itself or by a key that has followed it."""
    sender = principals.api_keys.get(record.sender)
    if sender is None:
        return False
    speakers = [key for key in principals.api_keys.values() if key is sender or _follows(key, sender, kept)]
    standings = [principals.standing(replace(record, sender=key.name)) for key in speakers]
    return any(not standing.refused and not standing.quarantine_reason for standing in standings)


def _follows(key: ApiKey, sender: ApiKey, kept: Notification) -> bool:
    """Whether a key was made after the notification, for all that its sender may speak for: another sender's key of
    the same merchant gateway must not speak for this one."""
    everything = not key.merchant_ids
    covers = everything or (bool(sender.merchant_ids) and set(sender.merchant_ids) <= set(key.merchant_ids))
    later = key.create_time >= kept.receive_time
    return later and covers and key.merchant_gateway_id == kept.merchant_gateway_id
