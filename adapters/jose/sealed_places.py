"""Places in Redis: a name that tells nothing, and a seal that fits this one place only.

Both are made from the key that the core hands out and the parts of the place: HMAC-SHA-512, the first 16 bytes of which
are the name, the last 32 an AES-256-GCM key of the place's own. A sealed value is `nonce (12) | ciphertext | tag (16)`.
"""

import hmac
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# What is sealed, and how: with another number nothing that is kept can be opened.
FORMAT = b"mintmark roles 1"
PREFIX = b"mintmark:"
NAME_BYTES = 16
NONCE_BYTES = 12
LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """One place. Its cipher's key seals nothing else, so random nonces never come near their limit."""

    name: bytes
    _cipher_key: bytes = field(repr=False)

    def seal(self, plaintext: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._cipher_key).encrypt(nonce, plaintext, FORMAT)

    def open(self, sealed: bytes) -> bytes | None:
        """The plaintext; None for everything that was not sealed for this place."""
        try:
            return AESGCM(self._cipher_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], FORMAT)
        except (InvalidTag, ValueError):
            return None


def sealed_place(key: bytes, *parts: bytes) -> SealedPlace:
    """The place of these parts, under a key of 32 bytes."""
    framed = b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in parts)
    digest = hmac.digest(key, framed, "sha512")
    return SealedPlace(PREFIX + digest[:NAME_BYTES].hex().encode(), digest[-32:])
