"""Recording what the acquirer sends: opened here, durable, applied once, or kept until a key opens it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import acquirer_notifications, names, webhook_keys
from server.domain.accounts import Account
from server.domain.acquirer_notifications import Message
from server.domain.acquirer_transactions import ReportEffect
from server.domain.events import Event, EventKind
from server.domain.notifications import (
    ANSWERED_WITH_400,
    LONGEST_SEARCHABLE,
    Notification,
    NotificationKind,
    NotificationState,
    QuarantineReason,
)
from server.ports import ContentRefused, Identity, Transaction
from server.services import acquirer_transactions, unreadable_notifications
from server.services.acquirer_desk import SENDER, AcquirerDesk, Intake
from server.services.unreadable_notifications import Envelope
from server.services.webhook_keys import Opening, mark_used, to_open_with


class Outcome(StrEnum):
    """How the acquirer is to be answered."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    UNREADABLE = "UNREADABLE"
    MALFORMED = "MALFORMED"
    CONFIG_UNKNOWN = "CONFIG_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a notification. `state` and `reason` are those it was stored with; a repeat has none."""

    outcome: Outcome
    acknowledgement_status_code: str = ""
    notification_id: str = ""
    notification: str = ""
    repeated: bool = False
    state: NotificationState | None = None
    reason: QuarantineReason | None = None
    # Of what no key opens: how many had to make room for it.
    dropped: int = 0


UNKNOWN = Recorded(Outcome.CONFIG_UNKNOWN)


def record(
    desk: AcquirerDesk, config_id: str, envelope: Envelope, correlation_id: str, deadline: float | None = None
) -> Recorded:
    """Opens, stores and applies a notification; when it says ACKNOWLEDGED, that is durable. Safe to repeat. Raises
    StoreUnavailable."""
    view, store = desk.house.store.view, desk.house.store
    opening = to_open_with(view, config_id)
    if opening is None:
        return UNKNOWN
    config = opening.config.name
    opened = opening.opened(desk.house.sealer, desk.cipher, envelope.initialization_vector, envelope.tag, envelope.body)
    if opened is None:
        return store.write(
            config,
            lambda transaction: _unopened(desk, transaction, config_id, envelope, correlation_id),
            deadline=deadline,
            correlation_ids=[correlation_id],
        )
    key, plaintext = opened
    account = view.account(opening.config.account)
    message = acquirer_notifications.read(plaintext)

    def unit(transaction: Transaction) -> Recorded:
        now = desk.now(transaction)
        intake = Intake(opening.config, account, correlation_id, now)
        recorded = keep(desk, transaction, intake, message)
        if webhook_keys.used(key, now):
            mark_used(transaction, key.name, now)
        return acknowledged(recorded, opening, message)

    # Units go in the order of what they lock.
    place = names.acquirer_transaction(
        opening.config.account.removeprefix("partnerAccounts/"), message.telling.transaction_id
    )
    try:
        return store.write(place, unit, deadline=deadline, correlation_ids=[correlation_id])
    except ContentRefused:
        bare = without_fields(message)
        return store.write(
            place,
            lambda transaction: acknowledged(
                keep(desk, transaction, Intake(opening.config, account, "refused", desk.now(transaction)), bare),
                opening,
                message,
            ),
        )


def _unopened(
    desk: AcquirerDesk, transaction: Transaction, config_id: str, envelope: Envelope, correlation_id: str
) -> Recorded:
    """Keeps what no key opens, unless one has come meanwhile that does."""
    opened = unreadable_notifications.opened(desk, transaction, config_id, envelope)
    if opened is None:
        return UNKNOWN
    opening, found = opened
    if found is None:
        kept, dropped = unreadable_notifications.keep(desk, transaction, opening, envelope, correlation_id)
        return Recorded(Outcome.UNREADABLE, repeated=not kept, dropped=dropped)
    key, plaintext = found
    message, now = acquirer_notifications.read(plaintext), desk.now(transaction)
    account = transaction.accounts.get(opening.config.account)
    recorded = keep(desk, transaction, Intake(opening.config, account, correlation_id, now), message)
    mark_used(transaction, key.name, now)
    return acknowledged(recorded, opening, message)


def open_kept(desk: AcquirerDesk, transaction: Transaction, config_id: str, limit: int, after: str = "") -> "Opened":
    """Tries those of a config that no key has opened, `limit` at most, the oldest first, from behind the one with the
    id `after`. What opens is stored and applied as if it came now, and is kept apart no longer."""
    name = names.webhook_config(config_id)
    opening = unreadable_notifications.to_open(transaction, config_id)
    kept = transaction.acquirer.unreadable_of(name, after, limit) if opening else []
    if opening is None or not kept:
        return Opened()
    account: Account | None = transaction.accounts.get(opening.config.account)
    now, newest = desk.now(transaction), max(key.number for key in opening.keys)
    gone: list[str] = []
    for each in kept:
        envelope = unreadable_notifications.envelope(desk, each)
        found = opening.opened(
            desk.house.sealer, desk.cipher, envelope.initialization_vector, envelope.tag, envelope.body
        )
        if found is None:
            transaction.acquirer.unreadable.update([replace(each, tried_key=newest)])
            continue
        key, plaintext = found
        intake = Intake(opening.config, account, each.correlation_id, now)
        keep(desk, transaction, intake, acquirer_notifications.read(plaintext))
        mark_used(transaction, key.name, now)
        gone.append(each.name)
    transaction.acquirer.unreadable.delete(gone)
    return Opened(len(gone), len(kept) - len(gone), kept[-1].unreadable_id)


@dataclass(frozen=True, slots=True)
class Opened:
    """How many were opened, and how many no key opens still. `last` is the id of the last one that was tried."""

    opened: int = 0
    unreadable: int = 0
    last: str = ""


def keep(desk: AcquirerDesk, transaction: Transaction, intake: Intake, message: Message) -> Recorded:
    """Stores an opened notification and does what it says, once."""
    account = intake.config.account
    delivery = desk.digest("delivery", account, message.problem or "", message.kept_id, message.content)
    of_id = desk.digest("notification id", account, message.kept_id) if message.problem is None else b""
    known = transaction.identities([digest for digest in (delivery, of_id) if digest])
    if delivery in known:
        first = known[delivery].notification
        transaction.count_deliveries({first: 1}, intake.now)
        return Recorded(_outcome(message), notification=first, repeated=True)
    name = names.notification(desk.house.ids.notification_id(intake.now))
    decided = _decide(desk, transaction, intake, message, name, reused=of_id in known)
    new = [Identity(delivery, name, intake.now, decided.reason is None)]
    if of_id and of_id not in known:
        new.append(Identity(of_id, name, intake.now, decided.reason is None))
    transaction.know(sorted(new, key=lambda identity: identity.digest), [])
    transaction.keep_notifications([_kept(desk, intake, message, name, decided)])
    if decided.reason is not None:
        details = {"quarantine_reason": decided.reason.value}
        transaction.append(_event(EventKind.NOTIFICATION_QUARANTINED, name, name, intake, details))
    return Recorded(_outcome(message), notification=name, state=decided.state, reason=decided.reason)


@dataclass(frozen=True, slots=True)
class _Decided:
    state: NotificationState
    resource: str = ""
    reason: QuarantineReason | None = None


def _decide(
    desk: AcquirerDesk, transaction: Transaction, intake: Intake, message: Message, name: str, *, reused: bool
) -> _Decided:
    if message.problem is not None:
        rejected = message.problem in ANSWERED_WITH_400
        state = NotificationState.REJECTED if rejected else NotificationState.QUARANTINED
        return _Decided(state, reason=message.problem)
    if acquirer_notifications.is_test(message, intake.test_transaction_ids):
        config = intake.config.name
        transaction.append(_event(EventKind.ACQUIRER_TEST_RECEIVED, config, name, intake, {}))
        return _Decided(NotificationState.APPLIED, config)
    if reason := acquirer_notifications.unusable(message, intake.account_id):
        return _Decided(NotificationState.QUARANTINED, reason=reason)
    resource = names.acquirer_transaction(intake.account_id, message.telling.transaction_id)
    effect = acquirer_transactions.hear(desk, transaction, intake, message, name, reused=reused)
    if reused:
        return _Decided(NotificationState.QUARANTINED, resource, QuarantineReason.NOTIFICATION_ID_REUSED)
    applied = effect in (ReportEffect.APPLIED, ReportEffect.KNOWN)
    return _Decided(NotificationState.APPLIED if applied else NotificationState.STALE, resource)


def _kept(desk: AcquirerDesk, intake: Intake, message: Message, name: str, decided: _Decided) -> Notification:
    flags = (*message.flags, *acquirer_notifications.time_flags(message, intake.now))
    return Notification(
        name=name,
        kind=NotificationKind.SIBS_TRANSACTION,
        state=decided.state,
        quarantine_reason=decided.reason,
        flags=tuple(dict.fromkeys(flags)),
        resource=decided.resource,
        merchant_gateway_id=intake.config.merchant_gateway_id,
        merchant_id=intake.config.merchant_id,
        token_id="",
        device_id="",
        correlation_id=intake.correlation_id[:LONGEST_SEARCHABLE],
        sender=SENDER,
        receive_time=intake.now,
        delivery_count=1,
        last_delivery_time=intake.now,
        body_size=len(message.body),
        sealed_body=desk.house.sealer.seal(message.body, name.encode()),
        partner_notification_id=message.kept_id[:LONGEST_SEARCHABLE],
        webhook_config=intake.config.name,
    )


def _event(kind: EventKind, resource: str, notification: str, intake: Intake, details: dict[str, str]) -> Event:
    return Event(
        kind=kind,
        resource=resource,
        time=intake.now,
        merchant_gateway_id=intake.config.merchant_gateway_id,
        merchant_id=intake.config.merchant_id,
        correlation_id=intake.correlation_id[:LONGEST_SEARCHABLE],
        notification=notification,
        actor=SENDER,
        details=details,
    )


def _outcome(message: Message) -> Outcome:
    return Outcome.MALFORMED if message.problem in ANSWERED_WITH_400 else Outcome.ACKNOWLEDGED


def acknowledged(recorded: Recorded, opening: Opening, message: Message) -> Recorded:
    """With what the acquirer is to be told."""
    if recorded.outcome is not Outcome.ACKNOWLEDGED:
        return recorded
    return replace(
        recorded,
        acknowledgement_status_code=opening.acknowledgement_status_code,
        notification_id=message.notification_id,
    )


def without_fields(message: Message) -> Message:
    """The same notification without anything that a database could refuse."""
    return replace(
        message,
        kept_id="",
        telling=acquirer_notifications.NOTHING,
        flags=(),
        problem=message.problem or QuarantineReason.STORE_REFUSED,
    )
