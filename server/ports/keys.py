"""What is done with the keyring by those who never see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class SealBroken(Exception):
    """The value cannot be opened: damaged, of another context, or sealed with a key that is not in the keyring."""


class Sealer(Protocol):
    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypts under the newest key; opens only with the same context."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypts. Raises SealBroken."""


class Hasher(Protocol):
    """Keyed hashes. Secrets are never kept in any other form."""

    def identity_hash(self, *parts: bytes) -> bytes: ...
    def made_secret(self) -> str: ...
    def hash_client_secret(self, secret: str, *, taken_over: bool) -> str: ...
    def verify_client_secret(self, secret: str, secret_hash: str, *, taken_over: bool) -> bool: ...
    def hash_api_key(self, key: str, *, taken_over: bool) -> bytes: ...


class MessageKeys(Protocol):
    """Keys of webhook configs, and what is encrypted with them."""

    def made_key(self) -> bytes:
        """A new key, 32 bytes."""

    def open(self, key: bytes, initialization_vector: bytes, tag: bytes, ciphertext: bytes) -> bytes | None:
        """The plaintext; None where it was not encrypted with this key, or anything is damaged."""


class KeyUnfit(Exception):
    """A key that was given cannot be used. The text follows the key's name, says why and never holds any of it."""


class Assertions(Protocol):
    """Keys that say who we are at a partner."""

    def read(self, text: str) -> bytes:
        """A private key from what an operator gives, in the form that it is kept in. Raises KeyUnfit."""

    def sign(self, key: bytes, key_id: str, claims: Mapping[str, str | int]) -> str:
        """A compact JWT with these claims, ES256, by such a key."""


class Signer(Protocol):
    def sign(self, claims: Mapping[str, str | int]) -> str:
        """A compact JWT, ES256, type at+jwt."""

    def verify(self, token: str) -> dict[str, object] | None:
        """The claims of a token that we signed, whatever its times say; None for anything else."""


@dataclass(frozen=True, slots=True)
class ReadPublicKey:
    """What a public key is known by: the `kid` that JWEs for it name, and its thumbprint (RFC 7638, SHA-256)."""

    key_id: str
    thumbprint: str


class EncryptionKeys(Protocol):
    def read(self, text: str, kid: str) -> ReadPublicKey:
        """A public key for ECDH-ES on P-256 as JWK, PEM or certificate; `kid` where it is not empty. Raises
        KeyUnfit."""
