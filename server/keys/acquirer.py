"""Messages from the acquirer: AES-256-GCM (NIST SP 800-38D) without further data, the tag apart from the ciphertext."""

import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
IV_BYTES = 12
TAG_BYTES = 16


class AcquirerKeys:
    """Makes keys, and opens what was encrypted with one. Safe to use from any thread."""

    def __init__(self, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random = random

    def made_key(self) -> bytes:
        return self._random(KEY_BYTES)

    def open(self, key: bytes, initialization_vector: bytes, tag: bytes, ciphertext: bytes) -> bytes | None:
        """The plaintext; None where the key is another, or anything is damaged or of another length."""
        if (len(key), len(initialization_vector), len(tag)) != (KEY_BYTES, IV_BYTES, TAG_BYTES):
            return None
        try:
            return AESGCM(key).decrypt(initialization_vector, ciphertext + tag, None)
        except InvalidTag:
            return None
