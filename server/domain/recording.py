"""What one notification does: which resource it tells of, what becomes of that resource, and which event it causes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.domain import bindings, issuer_operations, merchants, names, tokens
from server.domain.bindings import Binding
from server.domain.events import Event, EventKind
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import (
    ANSWERED_WITH_400,
    TO_ISSUERS,
    D1IssuerOperation,
    D1TokenUpdate,
    NotificationFlag,
    NotificationKind,
    NotificationState,
    QuarantineReason,
    Record,
    TshBinding,
    TshMerchant,
    TshToken,
)
from server.domain.tokens import Token, TokenProvider

# D1's correlation ids are not unique; within this time the same one with the same content is a repeat.
D1_REPEAT_WINDOW = 24 * 3600 * 1_000_000

Resource = Token | Binding | Merchant | IssuerOperation
CREATIONS = frozenset({NotificationKind.TSH_BINDING_CREATION, NotificationKind.TSH_TOKEN_CREATION})


@dataclass(frozen=True, slots=True)
class Target:
    """The resource that a record tells of: its type and name, or why it cannot be known."""

    of: type[Resource] | None
    name: str
    quarantine_reason: QuarantineReason | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What a record did. `after` is the resource to save; None where nothing is."""

    state: NotificationState
    flags: tuple[NotificationFlag, ...]
    after: Resource | None = None
    event: Event | None = None
    quarantine_reason: QuarantineReason | None = None


def target(record: Record, gateway: str) -> Target:
    ids = (record.merchant_id, record.token_id, record.device_id, *_ids_at_issuer(record))
    if sum(map(len, ids)) > names.LONGEST_NAME:
        # Before a name is made of them: names are remembered, and these could be anything.
        return Target(None, "", QuarantineReason.IDENTIFIER_UNUSABLE)
    match record.content:
        case TshBinding():
            parts: Sequence[str] = (gateway, record.merchant_id, record.token_id, record.device_id)
            of: type[Resource] = Binding
            name = names.binding(gateway, record.merchant_id, record.token_id, record.device_id)
        case D1TokenUpdate() | TshToken() if record.token_id:
            parts = (gateway, record.merchant_id, record.token_id)
            of, name = Token, names.token(gateway, record.merchant_id, record.token_id)
        case TshToken() | TshMerchant():
            parts = (gateway, record.merchant_id)
            of, name = Merchant, names.merchant(gateway, record.merchant_id)
        case D1IssuerOperation() as fact:
            of, name = IssuerOperation, issuer_operations.name_of(record, fact)
            parts = (name,)
        case _:
            return Target(None, "")
    if not all(parts) or len(name) > names.LONGEST_NAME:
        return Target(None, "", QuarantineReason.IDENTIFIER_UNUSABLE)
    return Target(of, name)


def _ids_at_issuer(record: Record) -> tuple[str, ...]:
    return (record.card_id, record.digital_card_id, record.consumer_id, record.operation_id)


def identity(record: Record, gateway: str) -> tuple[bytes, ...] | None:
    """The parts that tell whether two notifications are one (safety rules, "Identity"); None where it never repeats."""
    content: bytes = record.content_digest
    place = (gateway, record.merchant_id, record.token_id, record.device_id)
    if record.kind is NotificationKind.D1_TOKEN_UPDATE and not record.correlation_id_given:
        return None
    correlation_id = record.correlation_id if record.correlation_id_given else ""
    reason = record.quarantine_reason or ""
    if record.kind in TO_ISSUERS:
        # The content says status, operation and start time too; correlation ids are not unique on D1.
        return (*(text.encode() for text in (record.kind, record.issuer_id, *_ids_at_issuer(record), reason)), content)
    texts = (record.kind, *place, correlation_id, reason)
    return (*(text.encode() for text in texts), content)


def is_repeat(record: Record, held: Resource | None, known_since: int, now: int) -> bool:
    """Whether a record whose identity is known since `known_since` is a repeat."""
    if record.kind is NotificationKind.D1_TOKEN_UPDATE:
        return now - known_since < D1_REPEAT_WINDOW
    if record.kind in TO_ISSUERS or record.correlation_id_given:
        return True
    last = last_content(record, held)
    return now - known_since < D1_REPEAT_WINDOW if last is None else last == saying(record)


def saying(record: Record) -> str:
    """What a record says, to be recognised when it comes again: a creation and an update may have the same body."""
    return f"{record.kind}.{record.content_digest.hex()}"


def last_content(record: Record, held: Resource | None) -> str | None:
    """The content last applied to what a record tells of; None where there is no such memory."""
    match held, record.content:
        case (Token() | Binding() | IssuerOperation(), _):
            return held.last_content
        case (Merchant(), TshMerchant(scheme=scheme)):
            return merchants.registration(held, scheme).last_content
        case _:
            return None


def repeated(record: Record, held: Resource | None, now: int) -> Resource | None:
    """The resource after one more delivery of what it knows: D1 asks for a refresh again, TSH is only counted."""
    match held, record.content:
        case (Token(), D1TokenUpdate() as fact):
            return tokens.request_refresh(held, fact, now)
        case (None, _) | (Merchant(), TshToken()):
            return None
        case _:
            return replace(held, delivery_count=held.delivery_count + 1)


def quarantined(record: Record, reason: QuarantineReason) -> Applied:
    rejected = reason in ANSWERED_WITH_400
    state = NotificationState.REJECTED if rejected else NotificationState.QUARANTINED
    return Applied(state, record.flags, quarantine_reason=reason)


def apply(record: Record, notification: str, gateway: str, held: Resource | None, now: int) -> Applied:
    """Applies a new record to the resource it tells of, `held` being that resource or None where it is unknown.

    `notification` is the name that the record is kept under.
    """
    creation = record.kind in CREATIONS
    digest = saying(record)
    details: dict[str, str] = {}
    after: Resource
    stale = False
    flags: tuple[NotificationFlag, ...] = ()
    match record.content:
        case D1TokenUpdate() as update:
            token = held if isinstance(held, Token) else _new_token(record, gateway, TokenProvider.D1_ECOM, now)
            after = tokens.request_refresh(token, update, now)
            kind, details = EventKind.TOKEN_REFRESH_REQUESTED, {"update_type": update.update_type}
        case TshToken() as told if record.token_id:
            token = held if isinstance(held, Token) else _new_token(record, gateway, TokenProvider.TSH, now)
            report = tokens.report(token, told, digest, now, creation=creation)
            after, stale, flags = report.token, report.stale, report.flags
            kind = EventKind.TOKEN_CREATED if creation else EventKind.TOKEN_UPDATED
            details = {"error_code": told.error_code} if told.error_code else {}
        case TshToken() as told:
            merchant_name = names.merchant(gateway, record.merchant_id)
            details = {"error_code": told.error_code}
            failed = _event(record, notification, EventKind.TOKEN_CREATION_FAILED, gateway, merchant_name, now, details)
            return Applied(NotificationState.APPLIED, record.flags, event=failed)
        case TshBinding() as bound:
            binding = held if isinstance(held, Binding) else _new_binding(record, gateway, now)
            outcome = bindings.report(binding, bound, digest, now, creation=creation)
            after, stale, flags = outcome.binding, outcome.stale, outcome.flags
            kind = EventKind.BINDING_CREATED if creation else EventKind.BINDING_UPDATED
        case TshMerchant() as registered:
            merchant = held if isinstance(held, Merchant) else merchants.first_seen(gateway, record.merchant_id, now)
            change = merchants.report(merchant, registered, digest, now)
            after, stale, flags = change.merchant, change.stale, change.flags
            kind, details = EventKind.MERCHANT_UPDATED, {"scheme": registered.scheme}
            if registered.error_code:
                details["error_code"] = registered.error_code
        case D1IssuerOperation() as told_issuer:
            operation = held if isinstance(held, IssuerOperation) else _new_operation(record, told_issuer, now)
            news = issuer_operations.report(operation, told_issuer, digest, now)
            after, stale, flags = news.operation, news.stale, news.flags
            kind = EventKind.ISSUER_OPERATION_UPDATED
            details = {"kind": after.kind, "operation": after.operation, "state": after.state}
            if held is not None:
                details["state_before"] = operation.state
        case None:
            return quarantined(record, QuarantineReason.IDENTIFIER_UNUSABLE)
    all_flags = tuple(dict.fromkeys((*record.flags, *flags)))
    if stale:
        return Applied(NotificationState.STALE, all_flags, after)
    event = _event(record, notification, kind, gateway, after.name, now, details, after)
    return Applied(NotificationState.APPLIED, all_flags, after, event)


def _new_token(record: Record, gateway: str, provider: TokenProvider, now: int) -> Token:
    return tokens.first_seen(gateway, record.merchant_id, record.token_id, provider, now)


def _new_binding(record: Record, gateway: str, now: int) -> Binding:
    return bindings.first_seen(gateway, record.merchant_id, record.token_id, record.device_id, now)


def _new_operation(record: Record, fact: D1IssuerOperation, now: int) -> IssuerOperation:
    return issuer_operations.first_seen(record, issuer_operations.name_of(record, fact), now)


def _event(
    record: Record,
    notification: str,
    kind: EventKind,
    gateway: str,
    resource: str,
    now: int,
    details: dict[str, str],
    snapshot: Resource | None = None,
) -> Event:
    return Event(
        kind=kind,
        resource=resource,
        time=now,
        merchant_gateway_id=gateway,
        merchant_id=record.merchant_id,
        correlation_id=record.correlation_id,
        notification=notification,
        actor=record.sender,
        details=details,
        snapshot=snapshot,
        issuer_id=record.issuer_id,
    )
