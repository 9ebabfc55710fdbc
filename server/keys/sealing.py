"""Sealing at rest: AES-256-GCM (NIST SP 800-38D) under the keyring's keys.

A sealed value is `version (1) | key id (4) | nonce (12) | ciphertext | tag (16)`. Version, key id and the caller's
context are authenticated: a value opens only in the place for which it was sealed.
"""

import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.keys.keyring import KEY_ID_BYTES, Keyring
from server.ports import SealBroken as SealBroken

VERSION = b"\x01"
HEADER_BYTES = len(VERSION) + KEY_ID_BYTES
NONCE_BYTES = 12
TAG_BYTES = 16


class Sealer:
    """Seals with the newest active key and opens with every key. Safe to use from any thread."""

    def __init__(self, keyring: Keyring, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random = random
        self._ciphers = {VERSION + key.key_id: AESGCM(key.key) for key in keyring.sealing_keys}
        self._header = VERSION + keyring.sealing_key.key_id

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """The sealed value. `context` says what it is and whose, such as a resource name and a field."""
        nonce = self._random(NONCE_BYTES)
        # The header has one length only, so header and context cannot be mistaken for another pair.
        return self._header + nonce + self._ciphers[self._header].encrypt(nonce, plaintext, self._header + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plaintext. Raises SealBroken."""
        header, nonce = sealed[:HEADER_BYTES], sealed[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        cipher = self._ciphers.get(header)
        if cipher is None:
            raise SealBroken("not a sealed value, or sealed with a key that is not in the keyring")
        if len(sealed) < HEADER_BYTES + NONCE_BYTES + TAG_BYTES:
            raise SealBroken("cut short")
        try:
            return cipher.decrypt(nonce, sealed[HEADER_BYTES + NONCE_BYTES :], header + context)
        except InvalidTag:
            raise SealBroken("damaged, or sealed for another context") from None
