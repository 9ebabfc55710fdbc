"""What D1 tells card issuers of operations: each as it was last reported."""

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from server.domain import names
from server.domain.notifications import D1IssuerOperation, NotificationFlag, NotificationKind, Record
from server.domain.ordering import is_stale, newest, order_time


class IssuerOperationKind(StrEnum):
    CARD = "CARD"
    DIGITAL_CARD = "DIGITAL_CARD"
    THREE_D_SECURE = "THREE_D_SECURE"
    CONSUMER = "CONSUMER"
    AUTHORISATION = "AUTHORISATION"


class IssuerOperationState(StrEnum):
    """The status that D1 last reported; an open list."""

    UNSPECIFIED = "UNSPECIFIED"
    UNRECOGNIZED = "UNRECOGNIZED"
    PENDING = "PENDING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"


KIND_OF = {
    NotificationKind.D1_CARD_OPERATION: IssuerOperationKind.CARD,
    NotificationKind.D1_DIGITAL_CARD_OPERATION: IssuerOperationKind.DIGITAL_CARD,
    NotificationKind.D1_THREE_D_SECURE_OPERATION: IssuerOperationKind.THREE_D_SECURE,
    NotificationKind.D1_CONSUMER_OPERATION: IssuerOperationKind.CONSUMER,
    NotificationKind.D1_CARD_AUTHORISATION: IssuerOperationKind.AUTHORISATION,
}
FINAL = frozenset(
    {
        IssuerOperationState.SUCCESSFUL,
        IssuerOperationState.FAILED,
        IssuerOperationState.APPROVED,
        IssuerOperationState.DECLINED,
    }
)
REPORTED_STATES = {state.value: state for state in (IssuerOperationState.PENDING, *FINAL)}


@dataclass(frozen=True, slots=True)
class IssuerOperation:
    """An operation. Texts are D1's own, empty where it reported none; times are microseconds."""

    name: str
    issuer_id: str
    kind: IssuerOperationKind
    operation_id: str
    card_id: str
    digital_card_id: str
    consumer_id: str
    create_time: int
    update_time: int
    operation: str = ""
    state: IssuerOperationState = IssuerOperationState.UNSPECIFIED
    state_text: str = ""
    digital_card_ids: tuple[str, ...] = ()
    start_time_text: str = ""
    end_time_text: str = ""
    partner_order_time: int | None = None
    details_json: str = ""
    message: str = ""
    error_code: str = ""
    error: str = ""
    input_file_name: str = ""
    issuer_request_id: str = ""
    delivery_count: int = 0
    last_content: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class OperationReport:
    """What a report made of the operation. A stale one changed nothing but the count of deliveries."""

    operation: IssuerOperation
    stale: bool
    flags: tuple[NotificationFlag, ...]


def state_of(text: str) -> IssuerOperationState:
    return REPORTED_STATES.get(text, IssuerOperationState.UNRECOGNIZED) if text else IssuerOperationState.UNSPECIFIED


def name_of(record: Record, fact: D1IssuerOperation) -> str:
    """The name of the operation that a record tells of; empty where an id that it is made of is missing."""
    kind = KIND_OF[record.kind]
    card, operation = record.card_id, record.operation_id
    match kind:
        case IssuerOperationKind.CARD:
            parts: tuple[str, ...] = ("cards", card, "operations", operation)
        case IssuerOperationKind.DIGITAL_CARD:
            parts = ("digitalCards", record.digital_card_id, "operations", operation)
        case IssuerOperationKind.THREE_D_SECURE:
            parts = ("cards", card, "threeDSecureOperations", operation)
        case IssuerOperationKind.CONSUMER:
            parts = ("consumers", record.consumer_id, "operations", operation)
        case IssuerOperationKind.AUTHORISATION:
            parts = ("cards", card, "authorisations", authorisation_id(operation, fact))
    if not record.issuer_id or not operation or not all(parts):
        return ""
    return names.issuer_resource(record.issuer_id, *parts)


def authorisation_id(operation_id: str, fact: D1IssuerOperation) -> str:
    """Retrieval reference numbers are used again: what was done, and when it began, belong to the id."""
    told = "\0".join((fact.operation, fact.start_time)).encode("utf-8", "surrogatepass")
    return f"{operation_id}~{sha256(told).hexdigest()[:16]}"


def first_seen(record: Record, name: str, now: int) -> IssuerOperation:
    return IssuerOperation(
        name=name,
        issuer_id=record.issuer_id,
        kind=KIND_OF[record.kind],
        operation_id=record.operation_id,
        card_id=record.card_id,
        digital_card_id=record.digital_card_id,
        consumer_id=record.consumer_id,
        create_time=now,
        update_time=now,
        revision=0,
    )


def report(held: IssuerOperation, fact: D1IssuerOperation, content: str, now: int) -> OperationReport:
    """Applies what D1 tells of an operation; `content` is the digest that recognises the same report again."""
    order = order_time(fact.end_time or fact.start_time, now)
    state, flags = state_of(fact.status), order.flags
    if state is IssuerOperationState.UNRECOGNIZED:
        flags = (*flags, NotificationFlag.VALUE_UNRECOGNIZED)
    # The clock that orders reports may be coarse or missing; that nothing is pending after its end is certain.
    overtaken = state is IssuerOperationState.PENDING and held.state in FINAL
    if _contradicts(held, state, order.micros):
        flags = (*flags, NotificationFlag.CONTRADICTORY)
        # Which came first says nothing: approved counts, for the money may be reserved.
        overtaken = state is IssuerOperationState.DECLINED
    if overtaken or is_stale(held.partner_order_time, order.micros, creation=False):
        return OperationReport(replace(held, delivery_count=held.delivery_count + 1), stale=True, flags=flags)
    changed = replace(
        held,
        operation=fact.operation or held.operation,
        state=state,
        state_text=fact.status,
        digital_card_ids=fact.digital_card_ids or held.digital_card_ids,
        start_time_text=fact.start_time or held.start_time_text,
        end_time_text=fact.end_time or held.end_time_text,
        partner_order_time=newest(held.partner_order_time, order.micros),
        details_json=fact.details_json or held.details_json,
        message=fact.message or held.message,
        error_code=fact.error_code,
        error=fact.error,
        input_file_name=fact.input_file_name or held.input_file_name,
        issuer_request_id=fact.issuer_request_id or held.issuer_request_id,
        delivery_count=held.delivery_count + 1,
        last_content=content,
        update_time=now,
        revision=held.revision + 1,
    )
    return OperationReport(changed, stale=False, flags=flags)


def _contradicts(held: IssuerOperation, state: IssuerOperationState, reported: int | None) -> bool:
    """Whether one authorisation is told to have ended in two ways, and no time says which is newer or older."""
    if held.kind is not IssuerOperationKind.AUTHORISATION:
        return False
    ordered = held.partner_order_time is not None and reported is not None and held.partner_order_time != reported
    return {held.state, state} == {IssuerOperationState.APPROVED, IssuerOperationState.DECLINED} and not ordered
