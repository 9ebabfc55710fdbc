"""Digital cards: what D1's reports on operations, in whatever order they come, say of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import issuer_operations, names
from server.domain.issuer_operations import IssuerOperationState
from server.domain.notifications import D1IssuerOperation, NotificationFlag, NotificationKind, Record
from server.domain.ordering import newest, order_time


class DigitalCardState(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    UNRECOGNIZED = "UNRECOGNIZED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


# What a digital card is in after an operation that was successful; None leaves it in what it was. An operation that is
# not listed leaves it too, and what is UNSPECIFIED becomes UNRECOGNIZED. What is DELETED is left only by a report that
# the partner's own times show to be newer than the deletion.
AFTER: dict[str, DigitalCardState | None] = {
    "CREATE": DigitalCardState.ACTIVE,
    "RESUME": DigitalCardState.ACTIVE,
    "SUSPEND": DigitalCardState.SUSPENDED,
    "DELETE": DigitalCardState.DELETED,
    "RENEW": None,
    "UPDATE": None,
}
# The operation of a card that says which digital cards stand for it.
BINDING_OPERATION = "DIGITIZE"
# A list of D1's has no end that is documented, and each digital card is a row and an event.
MOST_OF_ONE_OPERATION = 100


@dataclass(frozen=True, slots=True)
class DigitalCard:
    """A digital card. Times are microseconds; an order time is the partner's and None where it could not be read, an
    arrival time is when we were told, different for each notification.

    `partner_order_time` and `report_arrival_time` are of the report that `last_...` tells of, `partner_state_time` and
    `state_arrival_time` of the one that `state` comes from, `card_order_time` and `card_arrival_time` of the one that
    `card_id` comes from: a newer report that says nothing of the state does not make an older one that does stale.
    """

    name: str
    issuer_id: str
    digital_card_id: str
    create_time: int
    update_time: int
    card_id: str = ""
    state: DigitalCardState = DigitalCardState.UNSPECIFIED
    last_operation: str = ""
    last_operation_id: str = ""
    last_operation_state: IssuerOperationState = IssuerOperationState.UNSPECIFIED
    last_operation_state_text: str = ""
    last_issuer_operation: str = ""
    partner_order_time: int | None = None
    report_arrival_time: int = 0
    partner_state_time: int | None = None
    state_arrival_time: int = 0
    card_order_time: int | None = None
    card_arrival_time: int = 0
    revision: int = 0


def names_told(record: Record) -> tuple[str, ...]:
    """The names of the digital cards that a record tells of, each once."""
    return tuple(dict.fromkeys(name for _, name in _told(record)))


def ids_told(record: Record) -> dict[str, str]:
    """The ids of the digital cards that a record tells of, by their names."""
    return {name: digital_card_id for digital_card_id, name in _told(record)}


def _told(record: Record) -> Sequence[tuple[str, str]]:
    fact = record.content
    if not isinstance(fact, D1IssuerOperation) or not record.issuer_id:
        return ()
    wanted: tuple[str, ...] = ()
    if record.kind is NotificationKind.D1_DIGITAL_CARD_OPERATION:
        wanted = (record.digital_card_id,)
    elif record.kind is NotificationKind.D1_CARD_OPERATION and fact.operation == BINDING_OPERATION:
        # What is left of a card number stands for many.
        cut = NotificationFlag.CARD_NUMBER_CUT in record.flags
        wanted = tuple(each for each in fact.digital_card_ids if not (cut and "*" in each))[:MOST_OF_ONE_OPERATION]
    named = [(each, names.issuer_resource(record.issuer_id, "digitalCards", each)) for each in wanted if _fits(each)]
    return [(each, name) for each, name in named if len(name) <= names.LONGEST_NAME]


def _fits(digital_card_id: str) -> bool:
    # Before a name is made of it: names are remembered, and it could be anything.
    return 0 < len(digital_card_id) <= names.LONGEST_NAME


def report(
    held: DigitalCard | None,
    name: str,
    record: Record,
    fact: D1IssuerOperation,
    now: int,
    arrival: int,
    *,
    again: bool = False,
) -> DigitalCard | None:
    """The digital card `name` after a report on an operation that tells of it; the one that is held, itself, where the
    report changes nothing, and None where it makes none.

    `arrival` is when the report came. Where it is decided `again`, others have come meanwhile; else it is the last of
    all so far, whatever a clock says.
    """
    state = issuer_operations.state_of(fact.status)
    binds = record.kind is NotificationKind.D1_CARD_OPERATION
    if held is None and binds and state is IssuerOperationState.FAILED:
        # Nothing was digitized.
        return None
    before = held or _first_seen(name, record, now)
    time = order_time(fact.end_time or fact.start_time, now).micros
    after = before

    def is_older(held_time: int | None, held_arrival: int) -> bool:
        if held_time is not None and time is not None and time != held_time:
            return time < held_time
        return again and arrival < held_arrival

    if not is_older(before.partner_order_time, before.report_arrival_time):
        after = replace(
            after,
            last_operation=fact.operation,
            last_operation_id=record.operation_id,
            last_operation_state=state,
            last_operation_state_text=fact.status,
            last_issuer_operation=issuer_operations.name_of(record, fact),
            partner_order_time=newest(before.partner_order_time, time),
            report_arrival_time=max(arrival, before.report_arrival_time),
        )
    if binds:
        bound = state in (IssuerOperationState.PENDING, IssuerOperationState.SUCCESSFUL)
        if bound and record.card_id and not is_older(before.card_order_time, before.card_arrival_time):
            after = replace(
                after,
                card_id=record.card_id,
                card_order_time=newest(before.card_order_time, time),
                card_arrival_time=max(arrival, before.card_arrival_time),
            )
    elif state is IssuerOperationState.SUCCESSFUL and not is_older(
        before.partner_state_time, before.state_arrival_time
    ):
        after = _moved(after, fact.operation, time, arrival)
    if after == before:
        return held or replace(before, revision=1)
    return replace(after, update_time=now, revision=before.revision + 1)


def _moved(card: DigitalCard, operation: str, time: int | None, arrival: int) -> DigitalCard:
    """After a successful operation that is not older than the one that the state comes from."""
    if operation not in AFTER:
        unknown = card.state is DigitalCardState.UNSPECIFIED
        return replace(card, state=DigitalCardState.UNRECOGNIZED) if unknown else card
    state = AFTER[operation]
    if state is None:
        return card
    if card.state is DigitalCardState.DELETED:
        deletion = card.partner_state_time
        if deletion is None or time is None or time <= deletion:
            return card
    # A deletion without a time has none: no time shows what is newer than it.
    deleted = state is DigitalCardState.DELETED
    return replace(
        card,
        state=state,
        partner_state_time=time if deleted else newest(card.partner_state_time, time),
        state_arrival_time=max(arrival, card.state_arrival_time),
    )


def _first_seen(name: str, record: Record, now: int) -> DigitalCard:
    return DigitalCard(
        name=name,
        issuer_id=record.issuer_id,
        digital_card_id=ids_told(record)[name],
        create_time=now,
        update_time=now,
    )
