"""The partner's response codes by what they say: the tables of its contract.

Where a code is in two classes the more careful one holds, so 68 and 452 (time-outs), 79 (already reversed) and 94
(duplicate transmission) leave doubt.
"""

from enum import StrEnum


class CodeClass(StrEnum):
    """What a response code says, the more careful classes last."""

    NONE = "NONE"
    APPROVED = "APPROVED"
    PARTIAL = "PARTIAL"
    SOFT = "SOFT"
    HARD = "HARD"
    RISK = "RISK"
    REQUEST = "REQUEST"
    UNRECOGNIZED = "UNRECOGNIZED"
    PENDING = "PENDING"
    UNCLEAR = "UNCLEAR"


def _codes(text: str) -> frozenset[int]:
    """Codes from `4, 7, 586-589`."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


RESPONSE_CODES: dict[CodeClass, frozenset[int]] = {
    CodeClass.APPROVED: _codes("0, 8, 85"),
    CodeClass.PARTIAL: _codes("10"),
    CodeClass.SOFT: _codes("1, 2, 5, 19, 51, 61, 65, 82, 83, 91, 92, 96")
    # System busy, try again.
    | _codes("443-450, 453-457, 459, 460, 675, 678, 681, 703, 705"),
    CodeClass.HARD: _codes("4, 7, 14, 15, 34, 41, 43, 54, 57, 59, 62, 577, 586-589, 605, 606, 608, 972, 973, 975"),
    # The merchant's or the message's own fault; 836 is an amount above the preauthorized one.
    CodeClass.REQUEST: _codes("3, 12, 13, 30, 58, 590-604, 622-674, 836"),
    CodeClass.RISK: frozenset(range(-8015, -7999)),
    CodeClass.UNRECOGNIZED: _codes("828-835, 837-937, 1044-1051, 1198, 1201"),
    CodeClass.PENDING: _codes("578"),
    # -1 is a gateway error; 1263 and 1295 mean `unknown`.
    CodeClass.UNCLEAR: _codes("68, 79, 94, 452, 676, 677, 679, 680, 682, 683, 694-702, 704, 1263, 1295") | {-1},
}
_CLASS_OF_CODE = {code: of for of, codes in RESPONSE_CODES.items() for code in codes}


def class_of_code(text: str) -> CodeClass:
    """The class of a response code as it came; NONE where there is none."""
    if not text:
        return CodeClass.NONE
    try:
        return _CLASS_OF_CODE.get(int(text), CodeClass.UNRECOGNIZED)
    except ValueError:
        return CodeClass.UNRECOGNIZED
