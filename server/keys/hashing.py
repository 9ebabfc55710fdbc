"""Keyed hashes: identities of notifications, client secrets and API keys."""

import hashlib
import hmac
import secrets
from collections.abc import Callable

from server.keys import base64url
from server.keys.keyring import Keyring

MADE_PREFIX = "mmk_"
SECRET_BYTES = 32
LENGTH_BYTES = 8
SCRYPT_N = 16384
SCRYPT_R = 8
SCRYPT_P = 1
# OpenSSL counts a little more than the 128 * N * r bytes that scrypt needs.
SCRYPT_MEMORY = 2 * 128 * SCRYPT_N * SCRYPT_R


class Hasher:
    """Every hash is deterministic for its keyring, so equal secrets can be found. Safe to use from any thread."""

    def __init__(self, keyring: Keyring, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random = random
        self._identity_key = keyring.identity_key
        self._api_key_hash_key = keyring.api_key_hash_key
        self._client_secret_pepper = keyring.client_secret_pepper

    def identity_hash(self, *parts: bytes) -> bytes:
        """HMAC-SHA-256 of the parts, 32 bytes. Each part goes behind its length, so no two lists hash the same text."""
        framed = b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in parts)
        return hmac.digest(self._identity_key, framed, "sha256")

    def made_secret(self) -> str:
        """A new client secret or API key: 256 bits, safe in URLs and headers, `mmk_` before it for secret scanners."""
        return MADE_PREFIX + base64url.encode(self._random(SECRET_BYTES))

    def hash_client_secret(self, secret: str, *, taken_over: bool) -> str:
        """64 hexadecimal digits: HMAC-SHA-256 of a secret that we made, scrypt of one taken over (some 50 ms)."""
        return _keyed_hash(self._client_secret_pepper, secret, taken_over=taken_over).hex()

    def verify_client_secret(self, secret: str, secret_hash: str, *, taken_over: bool) -> bool:
        """Whether the hash is that secret's; compared in constant time."""
        computed = self.hash_client_secret(secret, taken_over=taken_over)
        return hmac.compare_digest(computed.encode(), secret_hash.encode())

    def hash_api_key(self, key: str, *, taken_over: bool) -> bytes:
        """32 bytes, as the protocol's enum KeyHash defines them: gateways compute the same."""
        return _keyed_hash(self._api_key_hash_key, key, taken_over=taken_over)


def _keyed_hash(key: bytes, secret: str, *, taken_over: bool) -> bytes:
    # A lone surrogate has no UTF-8: it must hash to something that no stored secret has, not raise.
    content = secret.encode("utf-8", "surrogatepass")
    if not taken_over:
        return hmac.digest(key, content, "sha256")
    return scrypt(content, key)


def scrypt(content: bytes, key: bytes) -> bytes:
    """32 bytes, some 50 ms."""
    # It takes a secret with NULs behind it for the same one; nobody can send that who does not know the secret.
    return hashlib.scrypt(content, salt=key, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=SCRYPT_MEMORY, dklen=32)
