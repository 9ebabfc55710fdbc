"""What D1 tells a card issuer of one operation: its fields, and the words that the contract knows for each kind."""

import re
from dataclasses import dataclass

from mintmark.v1 import notifications_pb2 as pb

from adapters import json
from adapters.inbound.received import Received

# What is longer than this fits into no record: it identifies nothing.
LONGEST_IDENTIFIER = 65536
ANY_LENGTH = 1 << 30
# How D1 writes ids of any length, and those of cards.
ID = re.compile(r"[A-Za-z0-9_-]*")
CARD_ID = re.compile(r"[A-Za-z0-9_-]{1,48}")

STATUSES = ("PENDING", "SUCCESSFUL", "FAILED")
CARD_OPERATIONS = (
    *("CREATE", "REGISTER", "ACTIVATE", "SUSPEND", "RESUME", "DELETE", "DIGITIZE", "RENEW", "REPLACE", "PRODUCE"),
    *("STANDALONE_TRACKING", "CLICK_TO_PAY_ENROLMENT", "CLICK_TO_PAY_UPDATE", "CLICK_TO_PAY_OPTOUT", "UPDATE_ORDER"),
    *("D1_PAY_ENROLMENT", "DISPLAY", "PIN_CHANGE", "PIN_DISPLAY", "PUSH", "VERIFY", "CARDHOLDER_VERIFICATION"),
)
DIGITAL_CARD_OPERATIONS = ("SUSPEND", "DELETE", "RESUME", "RENEW", "CREATE", "UPDATE")
THREE_D_SECURE_OPERATIONS = (
    "3DS_FRICTIONLESS",
    "3DS_CHALLENGE_OOB",
    "3DS_CHALLENGE_OOB_ISSUER",
    "3DS_CHALLENGE_OTP_SMS",
)
CONSUMER_OPERATIONS = ("CLICK_TO_PAY_ENROLMENT", "CLICK_TO_PAY_UPDATE", "CLICK_TO_PAY_OPTOUT", "D1_PAY_ENROLMENT")


@dataclass(frozen=True, slots=True)
class Words:
    """A kind of operation and the words that are known for it; others are flagged and kept."""

    kind: "pb.NotificationKind.ValueType"
    operations: tuple[str, ...]
    statuses: tuple[str, ...] = STATUSES
    # What begins so is a known operation too.
    operations_beginning: str = ""
    longest_operation_id: int = 64
    names_consumer: bool = False


CARD = Words(pb.NOTIFICATION_KIND_D1_CARD_OPERATION, CARD_OPERATIONS)
DIGITAL_CARD = Words(pb.NOTIFICATION_KIND_D1_DIGITAL_CARD_OPERATION, DIGITAL_CARD_OPERATIONS)
THREE_D_SECURE = Words(
    pb.NOTIFICATION_KIND_D1_THREE_D_SECURE_OPERATION,
    THREE_D_SECURE_OPERATIONS,
    ("SUCCESSFUL", "FAILED"),
    names_consumer=True,
)
CONSUMER = Words(pb.NOTIFICATION_KIND_D1_CONSUMER_OPERATION, CONSUMER_OPERATIONS)
# From the processing code and the action code of ISO 8583; the operation id is its retrieval reference number.
AUTHORISATION = Words(
    pb.NOTIFICATION_KIND_D1_CARD_AUTHORISATION, ("PURCHASE", "WITHDRAWAL"), ("APPROVED", "DECLINED"), "R", 12
)


def read(received: Received, record: pb.NotificationRecord, words: Words) -> None:
    """Reads the operation into the record. What it lacks is told in `received.problem`; then there is no content."""
    record.operation_id = identifier(received, "operationId", words.longest_operation_id, ID)
    if words.names_consumer:
        record.consumer_id = _consumer(received)
    operation = received.mandatory("operation", 1, ANY_LENGTH)
    beginning = words.operations_beginning
    if operation and operation not in words.operations and not (beginning and operation.startswith(beginning)):
        received.flag(pb.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED)
    content = pb.D1IssuerOperation(
        operation=operation,
        status=received.mandatory("status", 1, ANY_LENGTH, words.statuses),
        start_time=received.optional("startTime", 1, 64),
        end_time=received.optional("endTime", 1, 64),
        digital_card_ids=_texts(received, "digitalCardIds"),
        details_json=_details(received),
        message=_message(received),
        error_code=received.optional("errorCode", 0, ANY_LENGTH),
        error=received.optional("error", 0, ANY_LENGTH),
        input_file_name=received.optional("inputFileName", 0, ANY_LENGTH),
        issuer_request_id=received.optional("issuerRequestId", 0, ANY_LENGTH),
    )
    if not received.problem:
        record.d1_issuer_operation.CopyFrom(content)


def identifier(received: Received, name: str, longest: int, form: re.Pattern[str]) -> str:
    """A mandatory identifier. One of an odd length or form is flagged; one that fits into no record is a problem."""
    found = received.mandatory(name, 1, longest)
    if len(found) > LONGEST_IDENTIFIER:
        received.reject(f"{name} is too long")
        return ""
    if not form.fullmatch(found):
        received.flag(pb.NOTIFICATION_FLAG_FIELD_ODD)
    return found


def _consumer(received: Received) -> str:
    """The consumer where it may be named. One that fits into no record is left out."""
    found = received.optional("consumerId", 1, 64)
    if not ID.fullmatch(found):
        received.flag(pb.NOTIFICATION_FLAG_FIELD_ODD)
    return found if len(found) <= LONGEST_IDENTIFIER else ""


def _texts(received: Received, name: str) -> list[str]:
    value = received.fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        received.flag(pb.NOTIFICATION_FLAG_FIELD_ODD)
        return []
    texts = []
    for each in value:
        if isinstance(each, json.Number):
            received.flag(pb.NOTIFICATION_FLAG_NUMBER_AS_TEXT)
            texts.append(each.text)
        elif isinstance(each, str):
            texts.append(json.storable(each))
        else:
            received.flag(pb.NOTIFICATION_FLAG_FIELD_ODD)
    return texts


def _details(received: Received) -> str:
    value = received.fields.get("details")
    if value is None:
        return ""
    if not isinstance(value, dict):
        received.flag(pb.NOTIFICATION_FLAG_FIELD_ODD)
    return json.written(value)


def _message(received: Received) -> str:
    """The text for the end user. Its shape is not documented: of what is no text, the JSON."""
    value = received.fields.get("message")
    if value is None or isinstance(value, str):
        return json.storable(value or "")
    return json.written(value)
