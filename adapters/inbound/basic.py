"""HTTP Basic credentials as partners really send them (RFC 7617, RFC 6749 section 2.3.1)."""

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

_ALPHABET = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_TO_STANDARD = str.maketrans("-_", "+/")


def pairs(credentials: str) -> list[tuple[str, str]]:
    """The pairs of id and secret that the credentials may mean, the likeliest first; none where they are malformed.

    Base64 in either alphabet, padded or not; split at the first colon. Raw first, then with each half form-decoded;
    bytes that are not ASCII as UTF-8, then as Latin-1.
    """
    if not _ALPHABET.fullmatch(credentials):
        return []
    standard = credentials.translate(_TO_STANDARD).rstrip("=")
    try:
        content = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return []
    name, colon, secret = content.partition(b":")
    if not colon:
        return []
    found = [*_texts(name, secret), *_texts(_form_decoded(name), _form_decoded(secret))]
    return list(dict.fromkeys(found))


def _form_decoded(half: bytes) -> bytes:
    return unquote_to_bytes(half.replace(b"+", b" "))


def _texts(name: bytes, secret: bytes) -> Iterator[tuple[str, str]]:
    for encoding in ("utf-8", "latin-1"):
        try:
            yield name.decode(encoding), secret.decode(encoding)
        except UnicodeDecodeError:
            continue
