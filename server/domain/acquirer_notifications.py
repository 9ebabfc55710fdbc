"""A notification of the acquirer's, opened: what it says, and what of it may be kept."""

from collections.abc import Collection
from dataclasses import dataclass

from server.domain import acquirer_tellings, names, partner_json
from server.domain.acquirer_tellings import Telling
from server.domain.notifications import NotificationFlag, QuarantineReason
from server.domain.ordering import order_time

NOTHING = Telling()
_ID = ("notificationID", "notificationId")
_TRANSACTION_ID = ("transactionID", "transactionId")


@dataclass(frozen=True, slots=True)
class Message:
    """An opened notification. `notification_id` is as it came, for the acknowledgement only; `kept_id`, `body` and
    `content`, which is the same for every spelling of the same content, are without card numbers. With a `problem` the
    acquirer is not told that we have it."""

    notification_id: str
    kept_id: str
    telling: Telling
    body: bytes
    content: bytes
    flags: tuple[NotificationFlag, ...] = ()
    card_number_in_id: bool = False
    problem: QuarantineReason | None = None


def read(plaintext: bytes) -> Message:
    """Never raises: what cannot be read is a message with a problem."""
    try:
        fields, duplicate_key = partner_json.parse(plaintext)
    except partner_json.Unreadable:
        body = partner_json.without_card_numbers(plaintext)
        return Message("", "", NOTHING, body, body, problem=QuarantineReason.BODY_UNREADABLE)
    document = partner_json.without_cards(fields, duplicate_key)
    telling = acquirer_tellings.read(document.fields)
    notification_id = acquirer_tellings.text_at(fields, *_ID)
    transaction_ids = (acquirer_tellings.text_at(each, *_TRANSACTION_ID) for each in (fields, document.fields))
    return Message(
        notification_id=partner_json.storable(notification_id),
        kept_id=partner_json.storable(acquirer_tellings.text_at(document.fields, *_ID)),
        telling=telling,
        body=partner_json.encode(document.fields),
        content=partner_json.canonical(document.fields),
        flags=tuple(dict.fromkeys((*document.flags, *telling.flags))),
        card_number_in_id=len(set(transaction_ids)) > 1,
        problem=None if notification_id else QuarantineReason.FIELD_INVALID,
    )


def is_test(message: Message, test_transaction_ids: Collection[str]) -> bool:
    """Whether it is the message of the acquirer's Test button: a fixed word in place of a transaction's id."""
    words = {word.casefold() for word in test_transaction_ids}
    return message.telling.transaction_id.strip().casefold() in words


def unusable(message: Message, account_id: str) -> QuarantineReason | None:
    """Why no transaction can be told apart by its id; None where one can."""
    if message.card_number_in_id:
        return QuarantineReason.CARD_NUMBER_IN_IDENTIFIER
    transaction_id = message.telling.transaction_id
    name = names.acquirer_transaction(account_id, transaction_id)
    # The name of a report is a little longer.
    fits = transaction_id.strip() and len(names.acquirer_report(name, 0)) <= names.LONGEST_NAME
    return None if fits else QuarantineReason.IDENTIFIER_UNUSABLE


def time_flags(message: Message, now: int) -> tuple[NotificationFlag, ...]:
    """What is odd about its time."""
    return order_time(message.telling.time_text, now).flags
