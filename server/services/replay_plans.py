"""What replaying one notification would change, found out by telling its resource's history again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from server.domain import histories, names, recording
from server.domain.bindings import Binding
from server.domain.differences import differences, with_bookkeeping
from server.domain.events import Event
from server.domain.histories import Place, Step
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import D1TokenUpdate, Notification, NotificationState, Record, TshToken
from server.domain.principals import Principals
from server.domain.recording import Applied, Resource
from server.domain.refusals import NotReplayable
from server.domain.replays import Cause, Decision, NotificationReplay, decision, target_today
from server.domain.tokens import Token
from server.ports import View

# So much may have happened to a resource since a notification that is decided again.
LONGEST_HISTORY = 5_000
AT_ONCE = 200
# The event of a resource that a replay has changed says which notification's it was.
REPLAYED = "replayed_notification"
TYPES: dict[int, type[Resource]] = {2: Merchant, 3: Token, 4: Binding}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would do. `held` is the resource that it was found out with, `would` what that would be; without a
    type the resource stays as it is."""

    kept: Notification
    record: Record
    applied: Applied
    replay: NotificationReplay
    of: type[Resource] | None = None
    resource: str = ""
    held: Resource | None = None
    would: Resource | None = None

    @property
    def revision(self) -> int:
        """The revision of the resource that the plan saw; 0 where there was none."""
        return self.held.revision if self.held else 0


class Planning:
    """Finds out what replaying one notification would change."""

    def __init__(
        self, view: View, principals: Principals, kept: Notification, record_of: Callable[[Notification], Record]
    ) -> None:
        self._view = view
        self._principals = principals
        self._kept = kept
        self._record_of = record_of
        self._record = record_of(kept)

    def plan(self) -> Plan:
        """Raises NotReplayable."""
        kept, record = self._kept, self._record
        target = target_today(self._principals, record, kept)
        name = kept.resource or recording.target(record, kept.merchant_gateway_id).name
        if kept.resource and target.name and kept.resource != target.name:
            raise NotReplayable(kept.name, Cause.RESOURCE_MOVED)
        has_effect = kept.state in (NotificationState.APPLIED, NotificationState.STALE)
        tells_of_failure = isinstance(record.content, TshToken) and not record.token_id
        of = _type_of(name)
        if of is None or tells_of_failure or not (has_effect or target.of):
            applied = histories.decide(self._principals, record, kept, None)
            return self._plan(applied, target.name)
        place = self._place(name)
        before = self._before(of, name, place)
        applied = histories.decide(self._principals, record, kept, before)
        earlier = [each for each in self._replayed(name) if each < place]
        as_recorded = histories.is_as_recorded(kept, record, applied, before, self._recorded(name, place))
        if as_recorded and not earlier:
            return self._plan(applied, target.name)
        start = min([place, *earlier])
        if start != place:
            before = self._before(of, name, start)
        held = read(self._view, of, name)
        steps = self._steps(name, start, place)
        if self._view.bounds()[0] >= start[0] + start[1]:
            # Retention has come so far while this was read: what is missing would look as if it had never been.
            raise NotReplayable(kept.name, Cause.HISTORY_REMOVED)
        told = histories.tell(self._principals, before, steps, kept.name, held)
        plan = self._plan(told.applied, target.name)
        if as_recorded and not plan.replay.differs:
            return plan
        would = self._settled(told, held)
        shown = replace(plan.replay, differences=differences(held, would))
        return replace(plan, replay=shown, of=of, resource=name, held=held, would=would)

    def _plan(self, applied: Applied, resource: str) -> Plan:
        """The plan of what becomes of the notification; its resource stays as it is."""
        named = "" if applied.quarantine_reason else resource
        after = Decision(applied.state, applied.quarantine_reason, applied.flags, named)
        replay = NotificationReplay(self._kept.name, decision(self._kept), after)
        return Plan(self._kept, self._record, applied, replay)

    def _settled(self, told: histories.Told, held: Resource | None) -> Resource | None:
        """What the resource would be, counted on from what it is."""
        would = told.after
        if would is None or held is None:
            return would
        settled = with_bookkeeping(would, held)
        newly = told.applied.state is NotificationState.APPLIED and self._kept.quarantine_reason is not None
        if newly and isinstance(self._record.content, D1TokenUpdate) and isinstance(settled, Token):
            return replace(settled, refresh_generation=settled.refresh_generation + 1)
        return settled

    def _place(self, name: str) -> Place:
        """Where the notification stands in the history of its resource."""
        sequence = self._view.event_sequence(self._kept.name)
        if sequence:
            return sequence, 0, self._kept.name
        return self._place_by_revision(name, self._kept)

    def _place_by_revision(self, name: str, kept: Notification) -> Place:
        """After the newest event that left no later revision than the one that the notification found."""
        before: int | None = None
        for _ in range(LONGEST_HISTORY // AT_ONCE):
            events = self._view.snapshots(name, before=before, newest_first=True, limit=AT_ONCE)
            for event in events:
                if _snapshot(event).revision <= kept.resource_revision:
                    return event.sequence, 1, kept.name
            if len(events) < AT_ONCE:
                raise NotReplayable(self._kept.name, Cause.HISTORY_REMOVED)
            before = events[-1].sequence
        raise NotReplayable(self._kept.name, Cause.HISTORY_TOO_LONG)

    def _before(self, of: type[Resource], name: str, place: Place) -> Resource | None:
        """The resource as it was recorded right before a place; None where it did not exist."""
        end = place[0] + place[1]
        found = self._view.snapshots(name, before=end, newest_first=True, limit=1)
        if found:
            return _snapshot(found[0])
        later = self._view.snapshots(name, start=end, limit=1)
        created = _snapshot(later[0]).revision == 1 if later else read(self._view, of, name) is None
        known = place[2] == self._kept.name and self._kept.resource_revision > 0
        if known or not created:
            raise NotReplayable(self._kept.name, Cause.HISTORY_REMOVED)
        return None

    def _recorded(self, name: str, place: Place) -> Resource | None:
        """The resource as it was recorded right after the notification; None where that left no event of it."""
        if place[1]:
            return None
        found = self._view.snapshots(name, start=place[0], before=place[0] + 1, limit=1)
        return _snapshot(found[0]) if found else None

    def _replayed(self, name: str) -> list[Place]:
        """The places of those that replays have changed."""
        found = self._apart(name, replayed_only=True)
        sequences = self._view.event_sequences([each.name for each in found]) if found else {}
        return [
            (sequences[each.name], 0, each.name) if each.name in sequences else self._place_by_revision(name, each)
            for each in found
        ]

    def _apart(self, name: str, *, replayed_only: bool = False) -> list[Notification]:
        found = self._view.notifications_apart(name, replayed_only=replayed_only, limit=LONGEST_HISTORY + 1)
        if len(found) > LONGEST_HISTORY:
            raise NotReplayable(self._kept.name, Cause.HISTORY_TOO_LONG)
        return found

    def _steps(self, name: str, start: Place, mine: Place) -> Sequence[Step]:
        """What happened to the resource from a place on, the notification in question among it."""
        first = start[0] + start[1]
        events = self._view.snapshots(name, start=first, limit=LONGEST_HISTORY + 1)
        if len(events) > LONGEST_HISTORY:
            raise NotReplayable(self._kept.name, Cause.HISTORY_TOO_LONG)
        apart = {each.name: each for each in self._apart(name)}
        wanted = {each.notification or each.details.get(REPLAYED, "") for each in events} - {""}
        kept = self._named(sorted(wanted)) | apart | {self._kept.name: self._kept}
        steps = [self._step(event, kept) for event in events]
        there = {step.kept.name for step in steps if step.kept}
        for each in apart.values():
            place = self._among(events, start, each)
            if each.name not in there and place and place >= start and each.sealed_record is not None:
                steps.append(Step(place, kept=each, record=self._record_of(each)))
                there.add(each.name)
        if self._kept.name not in there:
            steps.append(Step(mine, kept=self._kept, record=self._record))
        return sorted(steps, key=lambda each: each.place)

    def _among(self, events: Sequence[Event], start: Place, kept: Notification) -> Place | None:
        """The place of a notification that left no event of the resource; None where it is before the start."""
        sequence = 0 if kept.state is NotificationState.STALE else self._view.event_sequence(kept.name)
        if sequence:
            return sequence, 0, kept.name
        older = [event for event in events if _snapshot(event).revision <= kept.resource_revision]
        if older:
            return older[-1].sequence, 1, kept.name
        # Before the first of these events: after the start where that stands behind the same event.
        return (start[0], 1, kept.name) if start[1] and kept.resource_revision else None

    def _step(self, event: Event, kept: dict[str, Notification]) -> Step:
        place, snapshot = (event.sequence, 0, event.notification), _snapshot(event)
        if event.details.get(REPLAYED):
            cause = kept.get(event.details[REPLAYED])
            # It is decided again in its own place.
            return Step(place, event.kind, snapshot, undone=cause is not None and cause.sealed_record is not None)
        told = kept.get(event.notification)
        if told is None or told.sealed_record is None:
            return Step(place, event.kind, snapshot)
        if told.quarantine_reason and told.name != self._kept.name:
            # A replay has put it into quarantine.
            return Step(place, event.kind, snapshot, undone=True)
        return Step(place, event.kind, snapshot, told, self._record_of(told))

    def _named(self, wanted: Sequence[str]) -> dict[str, Notification]:
        found: dict[str, Notification] = {}
        for first in range(0, len(wanted), AT_ONCE):
            found |= self._view.notifications_named(wanted[first : first + AT_ONCE])
        return found


def _type_of(name: str) -> type[Resource] | None:
    """What a resource of this name is; None where it is nothing that notifications change."""
    return IssuerOperation if name.startswith("issuers/") else TYPES.get(len(names.ids_of(name)))


def read(view: View, of: type[Resource], name: str) -> Resource | None:
    """The resource as it is."""
    if of is Token:
        return view.token(name)
    if of is IssuerOperation:
        return view.issuers.operation(name)
    return view.binding(name) if of is Binding else view.merchant(name)


def _snapshot(event: Event) -> Resource:
    snapshot = event.snapshot
    if not isinstance(snapshot, Token | Binding | Merchant | IssuerOperation):
        raise TypeError(type(snapshot).__name__)
    return snapshot
