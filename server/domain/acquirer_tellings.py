"""What the acquirer says of a transaction, in a notification or in a status answer, read leniently: every field may be
missing, numbers may be texts, amounts are decimals in major units."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from server.domain.money import LONGEST_DECIMAL, Money, MoneyInvalid, parse_decimal
from server.domain.notifications import NotificationFlag
from server.domain.partner_json import Number, storable

# Bytes that are kept of a word beside the body, which has it whole.
LONGEST_WORD = 128
LONGEST_REFERENCE = 1024
LONGEST_MESSAGE = 512
_BOOLEANS = {True: "true", False: "false"}


class AcquirerState(StrEnum):
    SUCCESS = "SUCCESS"
    PENDING = "PENDING"
    IN_PROCESSING = "IN_PROCESSING"
    DECLINED = "DECLINED"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    EXPIRED = "EXPIRED"
    PARTIAL = "PARTIAL"
    UNRECOGNIZED = "UNRECOGNIZED"


class AcquirerType(StrEnum):
    PURCHASE = "PURCHASE"
    AUTHORIZATION = "AUTHORIZATION"
    PAID_REFERENCE = "PAID_REFERENCE"
    CAPTURE = "CAPTURE"
    REFUND = "REFUND"
    CANCELLATION = "CANCELLATION"
    UNRECOGNIZED = "UNRECOGNIZED"


# The acquirer's words in lower case, blanks and underscores left out.
STATES = {
    "success": AcquirerState.SUCCESS,
    "pending": AcquirerState.PENDING,
    "inprocessing": AcquirerState.IN_PROCESSING,
    "declined": AcquirerState.DECLINED,
    "error": AcquirerState.ERROR,
    "timeout": AcquirerState.TIMEOUT,
    "expired": AcquirerState.EXPIRED,
    "partial": AcquirerState.PARTIAL,
}
TYPES = {
    "purs": AcquirerType.PURCHASE,
    "auth": AcquirerType.AUTHORIZATION,
    "pref": AcquirerType.PAID_REFERENCE,
    "capt": AcquirerType.CAPTURE,
    "rfnd": AcquirerType.REFUND,
    "canc": AcquirerType.CANCELLATION,
    "cncl": AcquirerType.CANCELLATION,
    "void": AcquirerType.CANCELLATION,
    "cancellation": AcquirerType.CANCELLATION,
}


@dataclass(frozen=True, slots=True)
class Telling:
    """Texts as they came, empty where absent."""

    transaction_id: str = ""
    state_text: str = ""
    type_text: str = ""
    method_text: str = ""
    amount_text: str = ""
    currency_text: str = ""
    time_text: str = ""
    merchant_reference: str = ""
    terminal_id: str = ""
    status_code: str = ""
    status_message: str = ""
    flags: tuple[NotificationFlag, ...] = ()

    @property
    def effect(self) -> tuple[str, ...]:
        """What two tellings have in common that say the same."""
        amount = money_of(self.amount_text, self.currency_text)
        said = (str(amount.minor_amount), amount.currency_code) if amount else (self.amount_text, self.currency_text)
        return (self.transaction_id, self.type_text, self.state_text, *said, self.time_text)


def state_of(text: str) -> AcquirerState | None:
    """None where nothing is told."""
    return STATES.get(_word(text), AcquirerState.UNRECOGNIZED) if text else None


def type_of(text: str) -> AcquirerType | None:
    """None where nothing is told."""
    return TYPES.get(_word(text), AcquirerType.UNRECOGNIZED) if text else None


def _word(text: str) -> str:
    return text.replace(" ", "").replace("_", "").casefold()


def money_of(amount_text: str, currency_text: str) -> Money | None:
    """The amount; None where the text is none in whole minor units of a current currency, or below zero."""
    text = amount_text.strip()
    if "e" in text.casefold():
        # A JSON number may have an exponent; exactly, and without making a long text of a short one.
        try:
            value = Decimal(text)
        except InvalidOperation:
            return None
        text = f"{value:f}" if abs(value.adjusted()) < LONGEST_DECIMAL else ""
    try:
        money = parse_decimal(text, currency_text.strip().upper())
    except MoneyInvalid:
        return None
    return money if money.minor_amount >= 0 else None


def read(fields: Mapping[str, Any]) -> Telling:
    """What a JSON object says. Never refuses: what is odd is flagged, and the body has it."""
    reading = _Reading(fields)
    amount, currency = reading.text("amount.value"), reading.text("amount.currency")
    state, kind = reading.text("paymentStatus"), reading.text("paymentType")
    flags: set[NotificationFlag] = set()
    if (amount or currency) and money_of(amount, currency) is None:
        flags.add(NotificationFlag.FIELD_ODD)
    if AcquirerState.UNRECOGNIZED is state_of(state) or AcquirerType.UNRECOGNIZED is type_of(kind):
        flags.add(NotificationFlag.VALUE_UNRECOGNIZED)
    return Telling(
        transaction_id=reading.text("transactionID", "transactionId", longest=LONGEST_REFERENCE),
        state_text=state,
        type_text=kind,
        method_text=reading.text("paymentMethod"),
        amount_text=amount,
        currency_text=currency,
        time_text=reading.text("transactionDateTime"),
        merchant_reference=reading.text(
            "merchant.transactionId",
            "merchant.merchantTransactionId",
            "merchantTransactionId",
            longest=LONGEST_REFERENCE,
        ),
        terminal_id=reading.text("merchant.terminalId"),
        status_code=reading.text("returnStatus.statusCode"),
        status_message=reading.text("returnStatus.statusMsg", longest=LONGEST_MESSAGE),
        flags=tuple(sorted(flags | reading.flags)),
    )


def text_at(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that has a text, whole; empty where none has."""
    texts = (_plain(fields.get(name)) for name in names)
    return next((text for text in texts if text), "")


def _plain(value: object) -> str:
    if isinstance(value, Number):
        return value.text
    return value if isinstance(value, str) else ""


class _Reading:
    """Takes texts out of an object and notes what is odd."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        self.flags: set[NotificationFlag] = set()

    def text(self, *paths: str, longest: int = LONGEST_WORD) -> str:
        for path in paths:
            found = self._as_text(self._at(path))
            if found:
                kept = found.encode()[:longest].decode(errors="ignore")
                if kept != found:
                    self.flags.add(NotificationFlag.FIELD_ODD)
                return kept
        return ""

    def _at(self, path: str) -> object:
        inner: object = self._fields
        for name in path.split("."):
            if inner is None:
                return None
            if not isinstance(inner, dict):
                self.flags.add(NotificationFlag.FIELD_ODD)
                return None
            inner = inner.get(name)
        return inner

    def _as_text(self, value: object) -> str:
        if isinstance(value, bool):
            return _BOOLEANS[value]
        if isinstance(value, str | Number) or value is None:
            return storable(_plain(value))
        self.flags.add(NotificationFlag.FIELD_ODD)
        return ""
