"""Card data in the clear: for memory only, and for as long as one call takes.

Nothing here raises what could quote it, and no `repr` shows it.
"""

import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from mintmark.v1 import card_fingerprints_pb2 as pb

from adapters.card_numbers import passes_check
from adapters.jose.strict import json_object

SHORTEST_NUMBER, LONGEST_NUMBER = 10, 19
LONGEST_NAME = 128
_DIGITS = re.compile(r"[0-9]+")
_MMYY = re.compile(r"(0[1-9]|1[0-2])[0-9]{2}")
_FOUR_DIGITS = re.compile(r"[0-9]{4}")
_SECURITY_CODE = re.compile(r"[0-9]{3,4}")
# The members of the contract, in its order, and the fields that hold them here.
_MEMBERS = {
    "pan": "number",
    "exp": "expiry",
    "name": "cardholder",
    "cvv": "security_code",
    "auxiliaryPan": "auxiliary_number",
    "auxiliaryExp": "auxiliary_expiry",
}


@dataclass(frozen=True, slots=True)
class CardContent:
    """What is on a card; empty where it is not known. Dates are MMYY."""

    number: str = field(repr=False)
    expiry: str = field(repr=False, default="")
    cardholder: str = field(repr=False, default="")
    security_code: str = field(repr=False, default="")
    auxiliary_number: str = field(repr=False, default="")
    auxiliary_expiry: str = field(repr=False, default="")

    @property
    def bin(self) -> str:
        """The first 6 digits, 8 of a number of 16 digits or more."""
        return self.number[: 8 if len(self.number) >= 16 else 6]

    @property
    def last_digits(self) -> str:
        """The last four digits."""
        return self.number[-4:]

    def members(self) -> dict[str, str]:
        """The members of the contract's JSON object, without what is not known."""
        return {name: getattr(self, held) for name, held in _MEMBERS.items() if getattr(self, held)}

    def written(self) -> bytes:
        """That object."""
        return json.dumps(self.members(), separators=(",", ":"), ensure_ascii=False).encode()


def could_be_a_number(digits: str) -> bool:
    """Whether cards have such numbers: their length, and their check digit."""
    return SHORTEST_NUMBER <= len(digits) <= LONGEST_NUMBER and passes_check(digits)


def asked(plaintext: bytes) -> CardContent | None:
    """What D1 wants to be verified; None for what has not the contract's form.

    Milder than what is registered: the number may be one that no card can have, for which there is an answer, and the
    expiry date may be missing. Blank counts as missing, and members that the contract does not know are left out.
    """
    members = _members(plaintext)
    if members is None:
        return None
    number, expiry, security_code = (members[name] for name in ("pan", "exp", "cvv"))
    fits = (
        len(number) <= LONGEST_NUMBER
        and _DIGITS.fullmatch(number)
        and (not expiry or _FOUR_DIGITS.fullmatch(expiry))
        and (not security_code or _SECURITY_CODE.fullmatch(security_code))
    )
    return CardContent(number, expiry, members["name"], security_code) if fits else None


def registered(plaintext: bytes) -> "CardContent | pb.CardFingerprintRefusal.ValueType":
    """The card data that an issuer has registered, or why it is refused."""
    members = _members(plaintext)
    if members is None or not members["pan"]:
        return pb.CARD_FINGERPRINT_REFUSAL_FIELDS_INVALID
    content = CardContent(**{held: members[name] for name, held in _MEMBERS.items()})
    if not _DIGITS.fullmatch(content.number) or not could_be_a_number(content.number):
        return pb.CARD_FINGERPRINT_REFUSAL_CARD_NUMBER_INVALID
    fits = (
        _MMYY.fullmatch(content.expiry)
        and len(content.cardholder) <= LONGEST_NAME
        and (not content.security_code or _SECURITY_CODE.fullmatch(content.security_code))
        and _auxiliary_fits(content)
    )
    return content if fits else pb.CARD_FINGERPRINT_REFUSAL_FIELDS_INVALID


def kept(plaintext: bytes) -> CardContent | None:
    """Card data that was registered once; None where it is not what was accepted then."""
    content = registered(plaintext)
    return content if isinstance(content, CardContent) else None


def holds_more(plaintext: bytes) -> bool:
    """Whether card data that was accepted has members that the contract does not know."""
    return bool(json.loads(plaintext).keys() - _MEMBERS.keys())


def _holds_controls(text: str) -> bool:
    """Control characters, and surrogates, which no UTF-8 holds."""
    return any(unicodedata.category(each) in {"Cc", "Cs"} for each in text)


def _auxiliary_fits(content: CardContent) -> bool:
    """A co-badged card has a second number and its date, both or neither."""
    number, expiry = content.auxiliary_number, content.auxiliary_expiry
    if not number and not expiry:
        return True
    return bool(_DIGITS.fullmatch(number) and could_be_a_number(number) and _MMYY.fullmatch(expiry))


def _members(plaintext: bytes) -> dict[str, str] | None:
    """The members of the contract as text, empty where missing or blank; None for what is no object of such."""
    try:
        found: dict[str, Any] = json_object(plaintext.decode("utf-8"))
    except ValueError:
        # Not raised on: the error holds the text that it is about.
        return None
    members = {name: "" if found.get(name) is None else found[name] for name in _MEMBERS}
    if not all(isinstance(text, str) and not _holds_controls(text) for text in members.values()):
        return None
    return {name: text if text.strip() else "" for name, text in members.items()}
