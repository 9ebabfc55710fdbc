"""Amounts of money: whole minor units of an ISO 4217 currency, exact, never a float."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
        COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
        INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
        MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
        STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: Mapping[str, int] = MappingProxyType(
    {code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()}
)
"""The digits behind the point of every current code that has a minor unit (ISO 4217 list one, February 2026)."""

LARGEST = 2**63 - 1
LONGEST_DECIMAL = 32

_DECIMAL = re.compile(r"(?P<sign>-?)(?P<whole>[0-9]+)(?:\.(?P<fraction>[0-9]+))?")


class MoneyInvalid(ValueError):
    """No such amount or currency."""


def exponent(currency_code: str) -> int:
    """The digits behind the point. Raises MoneyInvalid for codes without a minor unit (XAU), withdrawn and unknown."""
    found = EXPONENTS.get(currency_code)
    if found is None:
        raise MoneyInvalid("currency_code: not a current ISO 4217 code with a minor unit")
    return found


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units: cents for EUR, yen for JPY, fils for KWD. Raises MoneyInvalid beyond 64 bits."""

    minor_amount: int
    currency_code: str

    def __post_init__(self) -> None:
        exponent(self.currency_code)
        if type(self.minor_amount) is not int or not -LARGEST - 1 <= self.minor_amount <= LARGEST:
            raise MoneyInvalid("minor_amount: not a whole number of 64 bits")


def parse_decimal(text: str, currency_code: str) -> Money:
    """The amount that a decimal text such as `12.50` says, exactly.

    Fewer digits behind the point than the currency has are read, and more where they are zeros. Raises MoneyInvalid for
    anything else: more precision, exponents, signs other than a leading minus, separators, blanks, over 32 characters.
    """
    digits = exponent(currency_code)
    found = _DECIMAL.fullmatch(text) if len(text) <= LONGEST_DECIMAL else None
    if found is None:
        raise MoneyInvalid("amount: not a decimal number")
    fraction = (found["fraction"] or "").ljust(digits, "0")
    if fraction[digits:].strip("0"):
        raise MoneyInvalid(f"amount: {currency_code} has {digits} digits behind the point")
    return Money(int(found["sign"] + found["whole"] + fraction[:digits]), currency_code)


def format_decimal(money: Money) -> str:
    """The amount with all digits of its currency: `12.50` EUR, `1250` JPY, `0.005` KWD."""
    digits = exponent(money.currency_code)
    sign = "-" if money.minor_amount < 0 else ""
    text = str(abs(money.minor_amount)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text
