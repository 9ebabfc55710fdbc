"""How an account sends payments to PaymentOptions: where to, in which unit, how much at most, and back to where."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from server.domain.money import Money, exponent, format_decimal

DEFAULT_PREFIX = "/api/v1"
DEFAULT_CONCURRENCY = 16
# What the partner's `amount` field holds.
LONGEST_AMOUNT = 10


class AmountUnit(StrEnum):
    NONE = "NONE"
    MINOR = "MINOR"
    MAJOR = "MAJOR"


class PurchasePath(StrEnum):
    PAYMENT = "PAYMENT"
    PAYMENTV2 = "PAYMENTV2"


class HostedPagePath(StrEnum):
    SERVER_TO_SERVER = "SERVER_TO_SERVER"
    OLDER = "OLDER"


@dataclass(frozen=True, slots=True)
class PaymentCurrency:
    """What may be charged in one currency. A ceiling of 0 is none."""

    currency_code: str
    amount_unit: AmountUnit
    payment_ceiling: int
    day_ceiling: int


@dataclass(frozen=True, slots=True)
class PaymentOptions:
    """What an operator states of a payment account, its secrets excepted."""

    base_url: str
    path_prefix: str
    partner_merchant_id: str
    purchase_path: PurchasePath
    currencies: tuple[PaymentCurrency, ...]
    return_url_prefixes: tuple[str, ...]
    send_concurrency: int
    # Hosted pages need it.
    merchant_email: str = ""
    hosted_page_path: HostedPagePath = HostedPagePath.SERVER_TO_SERVER

    def currency(self, code: str) -> PaymentCurrency:
        for each in self.currencies:
            if each.currency_code == code:
                return each
        return PaymentCurrency(code, AmountUnit.NONE, 0, 0)


@dataclass(frozen=True, slots=True)
class PageLink:
    """A link to a hosted page as the partner gives it: texts as they came, empty where absent."""

    url: str
    amount: str = ""
    currency: str = ""
    reference: str = ""
    partner_merchant_id: str = ""


class AmountUnsayable(ValueError):
    """The amount cannot be told to the partner. The text says why."""


def amount_text(amount: Money, unit: AmountUnit) -> str:
    """The amount as the partner takes it, in the unit that the account says: never guessed. Raises AmountUnsayable."""
    if exponent(amount.currency_code) and unit is AmountUnit.NONE:
        raise AmountUnsayable("the account says no unit for the currency")
    text = format_decimal(amount) if unit is AmountUnit.MAJOR else str(amount.minor_amount)
    if len(text) > LONGEST_AMOUNT:
        raise AmountUnsayable(f"longer than the {LONGEST_AMOUNT} characters that the partner takes")
    return text


def base_url_problem(text: str) -> str:
    """Why a base URL cannot be one; empty where it can."""
    parts = _split(text)
    if parts is None or not parts.hostname:
        return "is not a URL"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or a password"
    if parts.path not in ("", "/") or parts.query or parts.fragment or text.endswith(("?", "#")):
        return "must be scheme and host only"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return ""
    return "must be https, or http on loopback"


def prefix_problem(text: str) -> str:
    """Why a return URL's prefix cannot be one; empty where it can."""
    parts = _split(text)
    if parts is None or not parts.hostname or parts.scheme not in ("https", "http"):
        return "is not an http or https URL"
    if parts.username is not None or parts.query or parts.fragment or not _is_plain(parts.path):
        return "must be scheme, host and path only"
    return ""


# What the card-data cut leaves of what looked like a card number.
_CUT = re.compile(r"[0-9]{6}\*{3,9}[0-9]{4}")


def page_url_problem(text: str, *, live: bool) -> str:
    """Why a payer cannot be sent to a page at the partner; empty where nothing is wrong."""
    parts = _split(text)
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        return "is not an http or https URL"
    if live and parts.scheme != "https":
        return "is not https"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password"
    return "was cut: it held what looks like a card number" if _CUT.search(text) else ""


def allows_return(prefixes: tuple[str, ...], url: str) -> bool:
    """Whether a return URL is within one of the prefixes: scheme, host and port equal, and the path at or below its."""
    parts = _split(url)
    if parts is None or parts.username is not None or parts.password is not None or not _is_plain(parts.path):
        return False
    for prefix in prefixes:
        allowed = _split(prefix)
        if allowed is None or _origin(allowed) != _origin(parts):
            continue
        below = allowed.path.rstrip("/")
        if parts.path.rstrip("/") == below or parts.path.startswith(f"{below}/"):
            return True
    return False


def _split(text: str) -> SplitResult | None:
    # Browsers read a backslash as a slash, and drop what is below a blank.
    if any(char <= " " or char == "\\" or char >= "\x7f" for char in text):
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default


def _is_plain(path: str) -> bool:
    """Whether a path has no segment that a browser would walk up with."""
    decoded = unquote(path)
    return "\\" not in decoded and not any(segment in (".", "..") for segment in decoded.split("/"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
