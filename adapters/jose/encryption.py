"""Compact JWEs in the profile that D1 uses (RFC 7516; ECDH-ES and A256GCM, RFC 7518 sections 4.6 and 5.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from adapters.jose.compact_jwe import ALG, ENC, LONGEST_JWE, CompactJwe, read
from adapters.jose.public_keys import PublicKey

__all__ = ["LONGEST_JWE", "JweInvalid", "Opened", "Opener", "Recipient", "looks_encrypted_for"]


class JweInvalid(Exception):
    """It is not a JWE in our profile for one of our keys. Why is not told: the sender could learn from it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a JWE held, and the `kid` of the key that opened it. Often card data: it is for memory only."""

    kid: str
    plaintext: bytes = field(repr=False)


class Opener:
    """Opens what was encrypted for one of these private keys (RFC 7516 section 5.2), chosen by `kid` alone."""

    def __init__(self, keys: Mapping[str, JWK]) -> None:
        self._keys = dict(keys)

    @property
    def kids(self) -> frozenset[str]:
        """The ids of the keys that it opens with."""
        return frozenset(self._keys)

    def open(self, compact: str) -> Opened:
        """Raises JweInvalid for everything else. At most one key agreement, whatever the text; safe to repeat."""
        try:
            jwe, kid = _named(compact)
            return Opened(kid, jwe.decrypted(self._keys[kid]))
        except (JWException, ValueError, KeyError):
            raise JweInvalid from None


def looks_encrypted_for(compact: str) -> str:
    """The `kid` that a JWE names (RFC 7516 section 4.1.6), after every check that needs no private key.

    For JWEs that only pass through: it says nothing about who made it or what is in it. Raises JweInvalid.
    """
    try:
        return _named(compact)[1]
    except ValueError:
        raise JweInvalid from None


def _named(compact: str) -> tuple[CompactJwe, str]:
    jwe = read(compact)
    if jwe.kid is None:
        raise ValueError("no kid")
    return jwe, jwe.kid


class Recipient:
    """One pinned public key on P-256, to encrypt for. `thumbprint` is SHA-256 in base64url (RFC 7638 section 3)."""

    def __init__(self, key: PublicKey) -> None:
        self.kid = key.kid
        self.thumbprint = key.thumbprint
        self._key = JWK(**key.point.jwk())

    @classmethod
    def from_jwk(cls, text: str, kid: str | None) -> "Recipient":
        """From a public JWK (RFC 7517), named `kid`, else as it says, else its thumbprint. Raises KeyInvalid."""
        return cls(PublicKey.from_jwk(text, kid))

    @classmethod
    def from_pem(cls, text: str, kid: str | None) -> "Recipient":
        """From a PEM public key or certificate (RFC 7468), named `kid`, else its thumbprint. Raises KeyInvalid.

        The key is what is pinned: a certificate's dates and issuer are not looked at.
        """
        return cls(PublicKey.from_pem(text, kid))

    def encrypt(self, plaintext: bytes) -> str:
        """A compact JWE (RFC 7516 section 5.1) with the header members `alg`, `enc`, `kid`, `epk`.

        The ephemeral key and the IV are new each time. Raises ValueError for no plaintext, and for one whose JWE would
        be longer than LONGEST_JWE (about 5,800 bytes).
        """
        if plaintext:
            jwe = JWE(plaintext, protected={"alg": ALG, "enc": ENC, "kid": self.kid}, recipient=self._key)
            compact = str(jwe.serialize(compact=True))
            if len(compact) <= LONGEST_JWE:
                return compact
        raise ValueError("a plaintext has between 1 and about 5,800 bytes")
