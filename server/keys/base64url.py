"""Base64url without padding (RFC 7515 section 2), strict: one text for each value."""

import base64
import re

_ALPHABET = re.compile("[A-Za-z0-9_-]*")


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes. Raises ValueError for padding, foreign characters, an impossible length and unused bits set."""
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not base64url")
    value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(value) != text:
        raise ValueError("not the one base64url text of its bytes")
    return value
