"""The history of one resource, told again by today's rules.

What happened to a resource is a row of steps in their order: notifications, which are decided again; and changes by
calls, or by notifications that are not kept any more, which are carried over as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.domain import recording
from server.domain.differences import carried_over, same
from server.domain.events import EventKind
from server.domain.notifications import D1TokenUpdate, Notification, NotificationState, Record
from server.domain.principals import Principals
from server.domain.recording import Applied, Resource
from server.domain.replays import target_today
from server.domain.tokens import Token

# A place in the order of commits: the event's sequence, then 0 for the event itself and 1 for what came after it
# without an event of its own, then the notification's name.
Place = tuple[int, int, str]

# A repeat of a D1 notification sets this and causes no event.
_SET_BY_REPEATS = "last_update_type"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. `snapshot` is the resource as it was recorded after it; None where it left no event.

    A step with a record is decided again. One that is `undone` has no effect of its own: its effect is part of others'.
    """

    place: Place
    kind: EventKind | None = None
    snapshot: Resource | None = None
    kept: Notification | None = None
    record: Record | None = None
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """How a history ends by today's rules, and what becomes of the notification in question."""

    after: Resource | None
    applied: Applied


def decide(principals: Principals, record: Record, kept: Notification, held: Resource | None) -> Applied:
    """What becomes of a stored notification by today's rules, `held` being the resource as it was before it."""
    target = target_today(principals, record, kept)
    if target.quarantine_reason:
        return recording.quarantined(record, target.quarantine_reason)
    return recording.apply(record, kept.name, kept.merchant_gateway_id, held, kept.receive_time)


def tell(
    principals: Principals, before: Resource | None, steps: Sequence[Step], notification: str, now: Resource | None
) -> Told:
    """Tells the steps again, in their order; `notification` is among them. `before` is the resource before the first,
    `now` as it is today."""
    would, recorded = before, before
    answer: Applied | None = None
    for step in steps:
        if step.record and step.kept:
            applied = decide(principals, step.record, step.kept, would)
            would = applied.after or would
            if step.kept.name == notification:
                answer = applied
        elif step.snapshot and not step.undone:
            would = _carried(would, recorded, step.snapshot, step.kind)
        if step.snapshot:
            would = _with_repeats(would, recorded, step)
            recorded = step.snapshot
    if isinstance(would, Token) and isinstance(recorded, Token) and isinstance(now, Token):
        would = _with_repeats(would, recorded, Step((0, 0, ""), snapshot=now))
    if answer is None:
        raise LookupError(notification)
    return Told(would, answer)


def _carried(
    would: Resource | None, recorded: Resource | None, snapshot: Resource, kind: EventKind | None
) -> Resource | None:
    if would is None:
        # What did not exist could not be changed, but it could be created.
        return snapshot if recorded is None else None
    if kind is EventKind.TOKEN_IMPORTED:
        # A token that is known stays as it is.
        return would
    return carried_over(would, recorded, snapshot)


def _with_repeats(would: Resource | None, recorded: Resource | None, step: Step) -> Resource | None:
    """With what repeats of D1 notifications set between two steps: they leave no event."""
    by_d1 = step.record is not None and isinstance(step.record.content, D1TokenUpdate)
    if by_d1 or not (isinstance(would, Token) and isinstance(recorded, Token) and isinstance(step.snapshot, Token)):
        return would
    if step.snapshot.last_update_type == recorded.last_update_type:
        return would
    return replace(would, last_update_type=step.snapshot.last_update_type)


def is_as_recorded(
    kept: Notification, record: Record, applied: Applied, before: Resource | None, recorded: Resource | None
) -> bool:
    """Whether today's decision on the recorded resource did what was recorded: the same state and the same effect."""
    decided = (applied.state, applied.quarantine_reason, applied.flags)
    if decided != (kept.state, kept.quarantine_reason, kept.flags):
        return False
    if applied.state is not NotificationState.APPLIED or applied.after is None:
        return True
    by_d1 = isinstance(record.content, D1TokenUpdate)
    besides = frozenset() if by_d1 else frozenset({_SET_BY_REPEATS})
    return same(applied.after, recorded or before, besides=besides)
