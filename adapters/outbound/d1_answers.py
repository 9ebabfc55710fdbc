"""What D1 says of a token, read leniently: names of fields are settings, and what cannot be read is left out.

Card numbers are cut here, whatever field they stand in: the core never sees one.
"""

import re
from collections.abc import Mapping
from typing import Any

from mintmark.v1 import tasks_pb2 as pb

from adapters import card_numbers, json
from adapters.outbound.outcomes import Answered
from adapters.partner_texts import Odd, at, text_of

DEPTH = 32
LONGEST = 256
LONGEST_STATE, LONGEST_REFERENCE = 64, 64
# Past it the digits are a whole card number, of which its first six and last four may be known.
LONGEST_BIN, LONGEST_END = 8, 5
EXPIRY = re.compile(r"(?:0[1-9]|1[0-2])[0-9]{2}")
REFERENCE = re.compile(r"[A-Za-z0-9]{1,64}")
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,63}\b")


def details(answered: Answered, names: pb.D1TokenDetailsNames) -> pb.TokenDetails | None:
    """What can be read of a token; None where nothing can."""
    found = fields(answered)
    if found is None:
        return None
    made = pb.TokenDetails(
        state_text=_word(_text(found, names.state))[:LONGEST_STATE],
        card_bin=_bin(_text(found, names.card_bin)),
        card_last_digits=_end(_text(found, names.card_last_digits)),
        card_expiry=_expiry(_text(found, names.card_expiry)),
        token_last_digits=_end(_text(found, names.token_last_digits)),
        token_expiry=_expiry(_text(found, names.token_expiry)),
        payment_account_reference=_reference(_text(found, names.payment_account_reference)),
    )
    return made if made.ListFields() else None


def error_code(answered: Answered) -> str:
    """What D1 calls an error, where it says so in one word, such as `INVALID_FIELD`."""
    found = fields(answered) or {}
    for name in ("error", "errorCode", "code"):
        word = CODE.match(_word(_text(found, name)))
        if word:
            return word[0].upper()
    return ""


def fields(answered: Answered) -> Mapping[str, Any] | None:
    """The answer's JSON object; None where there is none, or where nobody could say what it means."""
    if not answered.whole:
        return None
    try:
        document = json.parse(answered.body, DEPTH)
    except json.Unreadable:
        return None
    return None if document.duplicate_key else document.fields


def _text(found: Mapping[str, Any], path: str) -> str:
    """The text at a path; empty where there is none that could be meant."""
    try:
        return text_of(at(found, path), LONGEST).strip()
    except Odd:
        return ""


def _word(text: str) -> str:
    """The text without card numbers; empty where one may be left, written as nobody writes one."""
    without = card_numbers.cut(text)
    return without if sum(map(str.isdigit, without)) < card_numbers.SHORTEST else ""


def _digits(text: str) -> str:
    """The digits of a number, also of one in groups or with its middle masked."""
    return text if text.isascii() and text.isdigit() else re.sub(r"[ -]", "", text)


def _bin(text: str) -> str:
    first = re.match(r"[0-9]*", _digits(text), re.ASCII)
    digits = first[0] if first else ""
    if len(digits) > LONGEST_BIN:
        return digits[:6]
    return digits if len(digits) >= 6 else ""


def _end(text: str) -> str:
    last = re.search(r"[0-9]*\Z", _digits(text), re.ASCII)
    digits = last[0] if last else ""
    return digits[-4:] if len(digits) > LONGEST_END else digits


def _expiry(text: str) -> str:
    plain = text.replace("/", "")
    return plain if EXPIRY.fullmatch(plain) else ""


def _reference(text: str) -> str:
    return text if REFERENCE.fullmatch(text) and card_numbers.cut(text) == text else ""
