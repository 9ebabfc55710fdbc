"""Card numbers where none belong: what our own clients write must not hold one, because it is stored as it comes."""

import re

# Digits in one piece, or grouped as on a card.
_CANDIDATE = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})"
    r"(?![0-9A-Za-z])"
)
# What card numbers of the payment schemes begin with (ISO/IEC 7812 issuer identification numbers).
_SCHEME = re.compile(r"4|5[0-8]|2[2-7]|3[0-9]|6[0-9]|8[12]|9792")


def holds_one(text: str) -> bool:
    """Whether a text holds what can only be a card number: its length, its beginning and its check digit fit."""
    if len(text) < 13:
        return False
    return any(_is_one(re.sub(r"[ -]", "", found[0])) for found in _CANDIDATE.finditer(text))


def cut(text: str) -> str:
    """The text with every card number cut to its first six and last four digits."""

    def cut_one(found: re.Match[str]) -> str:
        digits = re.sub(r"[ -]", "", found[0])
        return f"{digits[:6]}{'*' * (len(digits) - 10)}{digits[-4:]}" if _is_one(digits) else found[0]

    return _CANDIDATE.sub(cut_one, text) if len(text) >= 13 else text


def cut_any(text: str) -> str:
    """The same where a card number is expected: whatever its check digit says."""
    return re.sub(r"[0-9]{12,19}", lambda found: f"{found[0][:6]}{'*' * (len(found[0]) - 10)}{found[0][-4:]}", text)


def _is_one(digits: str) -> bool:
    return _SCHEME.match(digits) is not None and _luhn(digits)


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
