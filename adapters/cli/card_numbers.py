"""Card numbers in files that people bring: cut before anything of them leaves the command."""

import re

# Digits in one piece, or grouped as on a card.
_CANDIDATE = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})"
    r"(?![0-9A-Za-z])",
    re.ASCII,
)
# The same wherever they stand, with letters around them too.
_ANYWHERE = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])", re.ASCII)
# What card numbers of the payment schemes begin with (ISO/IEC 7812 issuer identification numbers).
_SCHEME = re.compile(r"4|5[0-8]|2[2-7]|3[0-9]|6[0-9]|8[12]|9792")


def cut(text: str) -> str:
    """An id with every card number cut to its first six and last four digits. Digits amid letters are no card number:
    our own references are full of them."""
    return _CANDIDATE.sub(_cut_one, text) if len(text) >= 13 else text


def cut_text(text: str) -> str:
    """The same of a text that is for people."""
    return _ANYWHERE.sub(_cut_one, text) if len(text) >= 13 else text


def _cut_one(found: re.Match[str]) -> str:
    digits = re.sub(r"[ -]", "", found[0])
    is_one = _SCHEME.match(digits) and _luhn(digits)
    return f"{digits[:6]}{'*' * (len(digits) - 10)}{digits[-4:]}" if is_one else found[0]


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
