"""One stored notification replayed: planned beside the writer, carried out in its transaction."""

from dataclasses import replace

from server.domain import recording
from server.domain.bindings import Binding
from server.domain.callers import Caller, Reach
from server.domain.events import Event, EventKind
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import Notification, NotificationState, Record
from server.domain.recording import Resource
from server.domain.refusals import NotReplayable, ResourceNotFound
from server.domain.replays import Cause, NotificationReplay, decision
from server.domain.tokens import Token
from server.ports import Hasher, Identity, SealBroken, Sealer, Store, Transaction, View
from server.services.digital_cards import DigitalCardBook, Telling
from server.services.notifications import record_context
from server.services.principals import Directory
from server.services.records import RecordUnreadable, unpack
from server.services.replay_plans import REPLAYED, Plan, Planning, read

TRIES = 3
UPDATED: dict[type[Resource], EventKind] = {
    Token: EventKind.TOKEN_UPDATED,
    Binding: EventKind.BINDING_UPDATED,
    Merchant: EventKind.MERCHANT_UPDATED,
    IssuerOperation: EventKind.ISSUER_OPERATION_UPDATED,
}


class Replayer:
    """Decides stored notifications again."""

    def __init__(self, store: Store, directory: Directory, hasher: Hasher, sealer: Sealer) -> None:
        self._view: View = store.view
        self._directory = directory
        self._hasher = hasher
        self._sealer = sealer

    def plan(self, reach: Reach, name: str) -> Plan:
        """What a replay would change. Raises ResourceNotFound, NotReplayable, StoreUnavailable."""
        left = TRIES
        while True:
            left -= 1
            plan = self._plan(reach, name)
            # What was read one after the other belongs together where the resource has not changed meanwhile.
            if plan.of is None or not left or _revision(read(self._view, plan.of, plan.resource)) == plan.revision:
                return plan

    def _plan(self, reach: Reach, name: str) -> Plan:
        kept = self._view.notification(name)
        if kept is None or not reach.sees(kept.merchant_gateway_id, kept.merchant_id, kept.issuer_id):
            raise ResourceNotFound(name)
        return Planning(self._view, self._directory.principals, kept, self.record_of).plan()

    def record_of(self, kept: Notification) -> Record:
        """What the gateway read of a stored notification. Raises NotReplayable."""
        if kept.sealed_record is None:
            raise NotReplayable(kept.name, Cause.NO_RECORD)
        try:
            return unpack(self._sealer.open(kept.sealed_record, record_context(kept.name)))
        except (RecordUnreadable, SealBroken):
            raise NotReplayable(kept.name, Cause.RECORD_UNREADABLE) from None

    @staticmethod
    def check(transaction: Transaction, plan: Plan) -> Resource | None:
        """The resource as it is, locked. Raises NotReplayable where it or the notification has changed since the plan,
        or where it would not exist; ResourceNotFound."""
        return _checked(transaction, plan)

    def carry_out(
        self, transaction: Transaction, plan: Plan, caller: Caller, now: int, *, replay: str = ""
    ) -> NotificationReplay:
        """Makes the plan real, or finds that nothing differs. `replay` names the replay that it is part of.

        Raises NotReplayable where the resource or the notification has changed since the plan, before it writes.
        """
        held = self.check(transaction, plan)
        if plan.replay.differs:
            saved = _save(transaction, plan, held, now) if plan.of else None
            event = _event(plan, saved, caller, now, replay)
            if event:
                transaction.append(event)
            _tell_digital_cards(transaction, plan, caller, now, replay)
            after = plan.replay.after
            decided = replace(
                transaction.notifications.get(plan.kept.name) or plan.kept,
                state=after.state,
                quarantine_reason=after.quarantine_reason,
                flags=after.flags,
                resource=after.resource,
                replay_time=now,
            )
            transaction.notifications.update([decided])
            self._remember(transaction, plan)
        if plan.replay.differs or not replay:
            transaction.append(_audit(plan, caller, now, replay))
        return plan.replay

    def _remember(self, transaction: Transaction, plan: Plan) -> None:
        """What is applied now is a repeat when it comes again; what is not may be applied then."""
        parts = recording.identity(plan.record, plan.kept.merchant_gateway_id)
        if parts is None:
            return
        digest = self._hasher.identity_hash(*parts)
        applied = plan.applied.quarantine_reason is None
        known = transaction.identities([digest]).get(digest)
        if known is None:
            transaction.know([Identity(digest, plan.kept.name, plan.kept.receive_time, applied)], [])
        elif known.notification == plan.kept.name and known.applied is not applied:
            transaction.know([], [replace(known, applied=applied)])


def _revision(resource: Resource | None) -> int:
    return resource.revision if resource else 0


def _checked(transaction: Transaction, plan: Plan) -> Resource | None:
    """The resource as it is, locked. Raises NotReplayable where it or the notification is not what the plan saw."""
    name = plan.kept.name
    held = _shelved(transaction, plan.of, plan.resource) if plan.of else None
    if plan.of and _revision(held) != plan.revision:
        raise NotReplayable(name, Cause.RESOURCE_CHANGED)
    kept = transaction.notifications.get(name)
    if kept is None:
        raise ResourceNotFound(name)
    if (decision(kept), kept.replay_time) != (decision(plan.kept), plan.kept.replay_time):
        raise NotReplayable(name, Cause.RESOURCE_CHANGED)
    if plan.held is not None and plan.would is None:
        raise NotReplayable(name, Cause.RESOURCE_REMAINS)
    return held


def _shelved(transaction: Transaction, of: type[Resource], name: str) -> Resource | None:
    if of is Token:
        return transaction.tokens.get(name)
    if of is IssuerOperation:
        return transaction.issuer_operations.get(name)
    return transaction.bindings.get(name) if of is Binding else transaction.merchants.get(name)


def _save(transaction: Transaction, plan: Plan, held: Resource | None, now: int) -> Resource | None:
    """Saves what the resource is to be, where that is another thing than it is, and returns it."""
    would = plan.would
    if would is None:
        return None
    # What was in quarantine was not counted as delivered to the resource.
    counted = plan.kept.delivery_count if plan.kept.quarantine_reason and not plan.applied.quarantine_reason else 0
    if held is None:
        made = replace(would, create_time=now, update_time=now, revision=1, delivery_count=counted)
        _shelve(transaction, made, new=True)
        return made
    changed = replace(would, delivery_count=held.delivery_count + counted)
    if plan.replay.differences:
        changed = replace(changed, update_time=now, revision=held.revision + 1)
    if changed != held:
        _shelve(transaction, changed, new=False)
    return changed


def _shelve(transaction: Transaction, resource: Resource, *, new: bool) -> None:
    match resource:
        case Token():
            (transaction.tokens.insert if new else transaction.tokens.update)([resource])
        case Binding():
            (transaction.bindings.insert if new else transaction.bindings.update)([resource])
        case Merchant():
            (transaction.merchants.insert if new else transaction.merchants.update)([resource])
        case IssuerOperation():
            (transaction.issuer_operations.insert if new else transaction.issuer_operations.update)([resource])


def _tell_digital_cards(transaction: Transaction, plan: Plan, caller: Caller, now: int, replay: str) -> None:
    """What was in quarantine and is applied now tells of digital cards too, in the place where it came. What a replay
    takes back stays with them: the next report says how they are."""
    if plan.kept.quarantine_reason is None or plan.applied.state is not NotificationState.APPLIED:
        return
    book = DigitalCardBook.open(transaction.digital_cards, [plan.record])
    name, details = plan.kept.name, _details(plan, replay)
    telling = Telling(plan.record, name, caller.client, caller.correlation_id, again=True, details=details)
    book.tell(telling, now, transaction.append)
    book.save(transaction.digital_cards)


def _event(plan: Plan, saved: Resource | None, caller: Caller, now: int, replay: str) -> Event | None:
    """What others are told of the resource: what the notification causes where it has had no effect so far."""
    caused = plan.applied.event if plan.kept.quarantine_reason else None
    if not plan.replay.differences and (caused is None or plan.of):
        return None
    kind = caused.kind if caused else UPDATED[type(saved)] if saved else None
    if kind is None:
        return None
    return Event(
        kind=kind,
        resource=saved.name if saved else plan.replay.after.resource,
        time=now,
        merchant_gateway_id=plan.kept.merchant_gateway_id,
        merchant_id=plan.record.merchant_id,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        details={**(caused.details if caused else {}), **_details(plan, replay)},
        snapshot=saved,
        issuer_id=plan.kept.issuer_id,
    )


def _details(plan: Plan, replay: str) -> dict[str, str]:
    return {REPLAYED: plan.kept.name} | ({"replay": replay} if replay else {})


def _audit(plan: Plan, caller: Caller, now: int, replay: str) -> Event:
    return Event(
        kind=EventKind.NOTIFICATION_REPLAYED,
        resource=plan.kept.name,
        time=now,
        merchant_gateway_id=plan.kept.merchant_gateway_id,
        merchant_id=plan.kept.merchant_id,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        details={
            "changed": str(plan.replay.differs).lower(),
            "state_before": plan.replay.before.state,
            "state": plan.replay.after.state,
            **({"replay": replay} if replay else {}),
        },
        issuer_id=plan.kept.issuer_id,
    )
