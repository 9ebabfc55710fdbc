"""Places in a shared cache: a key that tells nothing, and a seal that fits this one place only.

Both are made from the keyring's `cache_key` and the parts of the place: HMAC-SHA-512, the first 16 bytes of which are
the key, the last 32 an AES-256-GCM key of the place's own. A value of another place, of another environment, or of
nobody opens nowhere. A sealed value is `nonce (12) | ciphertext | tag (16)`.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.keys.keyring import Keyring

# What is sealed, and how: with another number nothing that is cached can be opened.
FORMAT = b"mintmark views 1"
PREFIX = b"mintmark:"
KEY_BYTES = 16
NONCE_BYTES = 12
LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """One place. Its cipher's key seals nothing else, so random nonces never come near their limit."""

    key: bytes
    _cipher_key: bytes = field(repr=False)
    _random: Callable[[int], bytes] = field(repr=False)

    def seal(self, plaintext: bytes) -> bytes:
        nonce = self._random(NONCE_BYTES)
        return nonce + AESGCM(self._cipher_key).encrypt(nonce, plaintext, FORMAT)

    def open(self, sealed: bytes) -> bytes | None:
        """The plaintext; None for everything that was not sealed for this place."""
        try:
            return AESGCM(self._cipher_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], FORMAT)
        except (InvalidTag, ValueError):
            return None


class SealedPlaces:
    """Every place of one keyring. Safe to use from any thread."""

    def __init__(self, keyring: Keyring, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        # Views are the core's alone: roles have a key of their own.
        self._key = hmac.digest(keyring.cache_key, b"places of views", "sha512")
        self._random = random

    def place(self, *parts: bytes) -> SealedPlace:
        framed = b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in parts)
        digest = hmac.digest(self._key, framed, "sha512")
        return SealedPlace(PREFIX + digest[:KEY_BYTES].hex().encode(), digest[-32:], self._random)


def access_token_key(keyring: Keyring) -> bytes:
    """The key that roles seal access tokens of partners with: 32 bytes, which tell nothing of any other key."""
    return hmac.digest(keyring.cache_key, b"access tokens of partners", "sha512")[:32]
