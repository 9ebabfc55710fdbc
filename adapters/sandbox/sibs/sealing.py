"""AES-256-GCM as the acquirer uses it: Base64 everywhere, the tag apart, no additional data (contract, section 4)."""

import base64
import binascii
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES, IV_BYTES, TAG_BYTES = 32, 12, 16
ALGORITHM = "AES-256-GCM"


class Unopened(Exception):
    """The message was not made with this key, or is damaged."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message as it goes over the wire: body, X-Initialization-Vector, X-Authentication-Tag."""

    body: str
    iv: str
    tag: str


def new_key() -> str:
    """A key as configs have it."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def is_key(text: str) -> bool:
    """Whether it is Base64 of 32 bytes, in its one canonical spelling."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == KEY_BYTES and base64.b64encode(raw).decode() == text


def seal(key: str, plaintext: bytes, iv: bytes | None = None) -> Sealed:
    """Encrypts; `iv` is a fresh one unless a vector prescribes it."""
    chosen = os.urandom(IV_BYTES) if iv is None else iv
    whole = AESGCM(base64.b64decode(key)).encrypt(chosen, plaintext, None)
    return Sealed(*(base64.b64encode(part).decode() for part in (whole[:-TAG_BYTES], chosen, whole[-TAG_BYTES:])))


def unseal(key: str, sealed: Sealed) -> bytes:
    """The plaintext. Raises Unopened."""
    try:
        body, iv, tag = (base64.b64decode(part, validate=True) for part in (sealed.body, sealed.iv, sealed.tag))
        if len(iv) != IV_BYTES or len(tag) != TAG_BYTES:
            raise Unopened
        return AESGCM(base64.b64decode(key)).decrypt(iv, body + tag, None)
    except (binascii.Error, ValueError, InvalidTag):
        raise Unopened from None
