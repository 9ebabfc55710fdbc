"""Checks of what a merchant sends, by the partner's own tables of fields."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from adapters.sandbox.payment_options.charges import Order
from adapters.sandbox.payment_options.methods import sample_card

UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
AMOUNT = re.compile(r"^[0-9]{1,10}(\.[0-9]{1,3})?$")
CURRENCY = re.compile(r"^[A-Z]{3}$")
COUNTRY = re.compile(r"^[A-Z]{2}$")
EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")
ZONE = re.compile(r"^[A-Za-z0-9_+\-/]+$")
# Nothing that could end a header line or a directive of a policy.
URL = re.compile(r"^https?://[!-~]+$")
DIGITS = re.compile(r"^[0-9]+$")


class CallRefused(Exception):
    """The partner refuses the call with an HTTP status; nothing has happened."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def is_url(text: str) -> bool:
    """Whether it is an absolute http or https URL."""
    try:
        parts = urlsplit(text)
        return URL.match(text) is not None and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def is_amount(text: str) -> bool:
    """Whether it is an amount above zero."""
    return AMOUNT.match(text) is not None and Decimal(text) > 0


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.match(text) is not None


def _any(_text: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Field:
    """One field: a dotted path, its longest text, whether it must be there, what it must look like."""

    path: str
    longest: int
    mandatory: bool = True
    fits: Callable[[str], bool] = _any


ADDRESS = (
    Field("country", 2, fits=_matches(COUNTRY)),
    Field("email", 45, fits=_matches(EMAIL)),
    Field("phone_number", 20),
    Field("address1", 199),
    Field("address2", 199, mandatory=False),
    Field("city", 65),
    Field("state", 65),
    Field("postal_code", 45),
)
RETURN_URL = tuple(
    Field(f"return_url.{name}_url", 255, mandatory=name != "cancel", fits=is_url)
    for name in ("webhook", "success", "decline", "cancel")
)
PAYMENT = (
    Field("amount", 10, fits=is_amount),
    Field("currency", 3, fits=_matches(CURRENCY)),
    Field("payment_method.type", 45, mandatory=False),
    Field("payment_method.stored_payment_method_id", 36, mandatory=False, fits=_matches(UUID)),
    Field("merchant_txn_ref", 45),
    Field("customer_ip", 45, fits=_is_ip),
    Field("merchant_id", 128),
    Field("time_zone", 128, fits=_matches(ZONE)),
    *RETURN_URL,
)
CARD = (
    Field("card.number", 16, fits=_matches(DIGITS)),
    Field("card.name", 255),
    Field("card.expiry_month", 2, fits=_matches(re.compile(r"^(0[1-9]|1[0-2])$"))),
    Field("card.expiry_year", 2, fits=_matches(re.compile(r"^[0-9]{2}$"))),
    Field("card.cvc", 4, fits=_matches(re.compile(r"^[0-9]{3,4}$"))),
)
TRANSACTION = (Field("transactionId", 36, fits=_matches(UUID)), Field("merchant_id", 10))
MONEY = (Field("amount", 10, fits=is_amount), Field("notes", 128, mandatory=False))
HOSTED = (
    Field("amount", 10, mandatory=False, fits=is_amount),
    Field("currency", 3, mandatory=False, fits=_matches(CURRENCY)),
    Field("merchant_id", 128),
    Field("merchant_email", 45, fits=_matches(EMAIL)),
    Field("merchant_txn_ref", 45),
    *RETURN_URL,
)


def parse(body: bytes) -> dict[str, Any]:
    """The body's JSON object. Raises CallRefused."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CallRefused(400, "The body is not JSON") from None
    if not isinstance(document, dict):
        raise CallRefused(400, "The body is not a JSON object")
    return document


def text_at(document: Mapping[str, Any], path: str) -> str | None:
    """The value at a dotted path as text; numbers as they are written. None where it is absent or has another type."""
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return str(value)
    except ValueError:  # an int of thousands of digits
        return None


def check(document: Mapping[str, Any], fields: tuple[Field, ...], prefix: str = "") -> None:
    """Raises CallRefused: 400 where something is missing, 406 where something has the wrong form."""
    absent, wrong = [], []
    for field in fields:
        path = f"{prefix}.{field.path}" if prefix else field.path
        text = text_at(document, path)
        if not text:
            if field.mandatory or _is_there(document, path):
                absent.append(path)
        elif len(text) > field.longest or not field.fits(text):
            wrong.append(path)
    if absent:
        raise CallRefused(400, f"Missing: {', '.join(absent)}")
    if wrong:
        raise CallRefused(406, f"Invalid format: {', '.join(wrong)}")


def _is_there(document: Mapping[str, Any], path: str) -> bool:
    """Whether something other than null stands there."""
    value: Any = document
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return value is not None
        value = value.get(name)
    return value is not None and value != ""


def check_addresses(document: Mapping[str, Any]) -> None:
    """The billing address must be there, the shipping address may. Raises CallRefused."""
    check(document, ADDRESS, "billing_address")
    if document.get("shipping_address") is not None:
        optional = tuple(
            Field(field.path, field.longest, field.mandatory and field.path != "postal_code", field.fits)
            for field in ADDRESS
        )
        check(document, optional, "shipping_address")


def payment(document: Mapping[str, Any]) -> Order:
    """An order from a payment or authorization. Raises CallRefused."""
    check(document, PAYMENT)
    check_addresses(document)
    method_id = text_at(document, "payment_method.stored_payment_method_id") or ""
    card = None
    if document.get("card") is not None:
        if method_id:
            raise CallRefused(400, "Give a card or a stored payment method, not both")
        check(document, CARD)
        try:
            card = sample_card(*(str(text_at(document, f"card.{name}")) for name in _KEPT))
        except KeyError:
            raise CallRefused(406, "Invalid card: the sandbox takes test cards only") from None
    elif not method_id:
        raise CallRefused(400, "Missing: card or payment_method.stored_payment_method_id")
    return Order(
        amount=str(text_at(document, "amount")),
        currency=str(text_at(document, "currency")),
        reference=str(text_at(document, "merchant_txn_ref")),
        merchant_id=str(text_at(document, "merchant_id")),
        method_id=method_id,
        card=card,
        store=wants_storing(document),
        customer_ip=str(text_at(document, "customer_ip")),
        billing_address=address(document),
        return_url=return_url(document),
    )


_KEPT = ("number", "name", "expiry_month", "expiry_year")


def wants_storing(document: Mapping[str, Any]) -> bool:
    """Whether a payment method is to be stored."""
    method = document.get("payment_method")
    return isinstance(method, Mapping) and method.get("store_payment_method") is True


def address(document: Mapping[str, Any], name: str = "billing_address") -> dict[str, Any]:
    """The known fields of an address."""
    given = document.get(name)
    if not isinstance(given, Mapping):
        return {}
    return {field.path: str(text_at(given, field.path)) for field in ADDRESS if text_at(given, field.path)}


def return_url(document: Mapping[str, Any]) -> dict[str, str]:
    """The return URLs that were given."""
    names = [field.path.partition(".")[2] for field in RETURN_URL]
    return {name: text for name in names if (text := text_at(document, f"return_url.{name}"))}


def hosted(document: Mapping[str, Any]) -> Order:
    """An order from a request for a hosted page; amount and currency may be left to the payer. Raises CallRefused."""
    check(document, HOSTED)
    check_addresses(document)
    return Order(
        amount=text_at(document, "amount") or "",
        currency=text_at(document, "currency") or "",
        reference=str(text_at(document, "merchant_txn_ref")),
        merchant_id=str(text_at(document, "merchant_id")),
        store=wants_storing(document),
        billing_address=address(document),
        return_url=return_url(document),
    )
