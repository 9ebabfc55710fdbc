"""The correlation id that a partner sends: never a reason to refuse."""

import contextlib
import hashlib
import re
import uuid
from dataclasses import dataclass

from mintmark.v1 import notifications_pb2 as pb

from adapters.inbound import card_numbers

LONGEST = 256
_DOCUMENTED = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What the core takes as metadata, and what may stand in a header of an answer.
# So many digits in a row could be a card number.
_DIGITS = re.compile(r"[0-9]{13}")
_PLAIN = re.compile(r"[A-Za-z0-9._~:@/+=-]{1,128}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class CorrelationId:
    """The id to go by, whether the partner sent it, and what was odd."""

    text: str
    given: bool
    flags: tuple["pb.NotificationFlag.ValueType", ...] = ()


def read(value: bytes, times: int = 1) -> CorrelationId:
    """Reads the header `x-correlation-id`.

    One that is missing or holds a card number is replaced by ours. One that is too long to keep is shortened so that
    it stays as distinct as it was.
    """
    text = value.decode("latin-1")
    if times <= 1 and _DOCUMENTED.fullmatch(text):
        if card_numbers.cut_identifier(text) == text:
            return CorrelationId(text, True)
        odd = (pb.NOTIFICATION_FLAG_CORRELATION_ID_ODD, pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT)
        return CorrelationId(made(), False, odd)
    with contextlib.suppress(UnicodeDecodeError):
        text = value.decode("utf-8")
    text = _CONTROLS.sub("", text).strip()
    if not text:
        return CorrelationId(made(), False, (pb.NOTIFICATION_FLAG_CORRELATION_ID_ODD,))
    if card_numbers.cut_identifier(text) != text:
        odd = (pb.NOTIFICATION_FLAG_CORRELATION_ID_ODD, pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT)
        return CorrelationId(made(), False, odd)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 65]}~{hashlib.sha256(text.encode()).hexdigest()}"
    return CorrelationId(text, True, (pb.NOTIFICATION_FLAG_CORRELATION_ID_ODD,))


def plain(text: str) -> bool:
    """Whether the core takes the id as it is: what it would replace by one of its own must not be sent to it."""
    return bool(_PLAIN.fullmatch(text)) and not _DIGITS.search(text)


def metadata(text: str) -> tuple[tuple[str, str], ...]:
    """The id as metadata of a call to the core; none where it is not plain, and the core makes one of its own."""
    return (("x-correlation-id", text),) if plain(text) else ()


def header(text: str) -> tuple[tuple[bytes, bytes], ...]:
    """The id as a header of an answer; none where it is not plain."""
    return ((b"x-correlation-id", text.encode()),) if plain(text) else ()


def made() -> str:
    """A new id."""
    return str(uuid.uuid4())
