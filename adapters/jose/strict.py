"""What can be read in one way only: base64url without padding (RFC 7515 section 2) and JSON objects (RFC 8259)."""

import base64
import json
import unicodedata
from typing import Any, TypeGuard

LONGEST_KID = 128
# Control characters, and surrogates, which no UTF-8 holds.
_NOT_IN_A_KID = {"Cc", "Cs"}


def octets(text: object) -> bytes:
    """The bytes of a base64url text. Raises ValueError for padding, other characters, and bits that mean nothing.

    Those bits are refused because a text that was changed in them alone would read the same.
    """
    if not isinstance(text, str):
        raise ValueError("not base64url without padding")
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # Python skips what is not in the alphabet; here it shows as a difference.
    if text_of(decoded) != text:
        raise ValueError("not the base64url of any bytes")
    return decoded


def text_of(decoded: bytes) -> str:
    """The base64url text of the bytes."""
    return base64.urlsafe_b64encode(decoded).decode("ascii").rstrip("=")


def json_object(text: str) -> dict[str, Any]:
    """The object. Raises ValueError for everything else: a name twice at any depth, NaN, Infinity, too deep."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def is_kid(kid: object) -> TypeGuard[str]:
    """A key's id: 1 to 128 characters of free text (partners use dots and blanks) without control characters."""
    return (
        isinstance(kid, str)
        and 0 < len(kid) <= LONGEST_KID
        and not any(unicodedata.category(each) in _NOT_IN_A_KID for each in kid)
    )


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) != len(members):
        raise ValueError("a name twice")
    return made


def _refused(_text: str) -> None:
    raise ValueError("not a number")
