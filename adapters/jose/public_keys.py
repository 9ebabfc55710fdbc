"""Public keys that card data is encrypted for, as operators give them: JWK, PEM, certificate."""

import re
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwcrypto.jwk import JWK

from adapters.jose.compact_jwe import ALG
from adapters.jose.p256 import Point
from adapters.jose.strict import LONGEST_KID, is_kid, json_object

# Certificates with long names have about 4 KiB.
LONGEST_KEY = 16_384
KID_RULE = f"a text of 1 to {LONGEST_KID} characters without control characters"
SIGNING = {"sign", "verify"}
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_PEM_KINDS = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")


class KeyInvalid(Exception):
    """A key cannot be used. The text is for operators: which key, what is wrong, what to do. No key is in it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key on P-256, and the id that JWEs for it name."""

    kid: str
    point: Point

    @property
    def thumbprint(self) -> str:
        """SHA-256, base64url (RFC 7638 section 3)."""
        return thumbprint(self.point)

    @classmethod
    def from_jwk(cls, text: str, kid: str | None) -> "PublicKey":
        """Raises KeyInvalid."""
        which = _which(kid)
        if len(text) > LONGEST_KEY:
            raise KeyInvalid(f"{which} has more than {LONGEST_KEY} characters: give one public JWK")
        try:
            jwk = json_object(text)
        except ValueError:
            raise KeyInvalid(f"{which} is not a JSON object with each name once: give one public JWK") from None
        if "keys" in jwk:
            raise KeyInvalid(f"{which} is a JWK Set: give the one JWK that is meant")
        point = point_of(jwk, which)
        if "d" in jwk:
            raise KeyInvalid(f"{which} is private: give only its public members (kty, crv, x, y, kid)")
        if not SIGNING.isdisjoint(operations(jwk, which)):
            raise KeyInvalid(f"{which} is for signatures (key_ops): give one for encryption")
        own = jwk.get("kid") if kid is None else kid
        if own is not None and not is_kid(own):
            raise KeyInvalid(f"{which} has a kid that is not {KID_RULE}: give another")
        return cls(thumbprint(point) if own is None else own, point)

    @classmethod
    def from_pem(cls, text: str, kid: str | None) -> "PublicKey":
        """Raises KeyInvalid."""
        which = _which(kid)
        if len(text) > LONGEST_KEY:
            raise KeyInvalid(f"{which} has more than {LONGEST_KEY} characters: give one PEM block")
        kinds = _PEM_KINDS.findall(text)
        if any("PRIVATE KEY" in kind for kind in kinds):
            raise KeyInvalid(f"{which} is private: give its PUBLIC KEY or CERTIFICATE block")
        if kinds not in (["PUBLIC KEY"], ["CERTIFICATE"]):
            raise KeyInvalid(f"{which} is not exactly one PEM block PUBLIC KEY or CERTIFICATE: give one")
        try:
            public = _from_certificate(text, which) if kinds == ["CERTIFICATE"] else load_pem_public_key(text.encode())
        except _UNREADABLE:
            raise KeyInvalid(f"{which} is not readable PEM: export it again") from None
        if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
            raise KeyInvalid(f"{which} is not on P-256: only ECDH-ES on P-256 is spoken")
        numbers = public.public_numbers()
        point = Point.at(numbers.x, numbers.y)
        return cls(thumbprint(point) if kid is None else kid, point)


def thumbprint(point: Point) -> str:
    """SHA-256, base64url (RFC 7638 section 3)."""
    return str(JWK(**point.jwk()).thumbprint())


def point_of(jwk: dict[str, Any], which: str) -> Point:
    """The point of a JWK that is meant for ECDH-ES on P-256 (RFC 7518 sections 4.6 and 6.2). Raises KeyInvalid."""
    if jwk.get("kty") != "EC":
        raise KeyInvalid(f"{which} is not of kty EC: make one on P-256")
    if jwk.get("crv") != "P-256":
        raise KeyInvalid(f"{which} is not on P-256 (crv): make one on P-256")
    if jwk.get("use", "enc") != "enc":
        raise KeyInvalid(f"{which} is not for encryption (use): a key that signs must not decrypt, make another")
    if jwk.get("alg", ALG) != ALG:
        raise KeyInvalid(f"{which} is for another algorithm than {ALG} (alg): make another")
    try:
        return Point.read(jwk.get("x"), jwk.get("y"))
    except ValueError:
        raise KeyInvalid(f"{which} has no x and y of 32 bytes each that are on P-256: export it again") from None


def operations(jwk: dict[str, Any], which: str) -> list[str]:
    """Its `key_ops` (RFC 7517 section 4.3); none where it has none. Raises KeyInvalid."""
    found = jwk.get("key_ops", [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise KeyInvalid(f"{which} has key_ops that are not a list of texts: leave them out")
    return found


def _which(kid: str | None) -> str:
    if kid is None:
        return "the key"
    if not is_kid(kid):
        raise KeyInvalid(f"a kid must be {KID_RULE}: give another")
    return f"the key for kid {kid!r}"


def _from_certificate(text: str, which: str) -> object:
    certificate = x509.load_pem_x509_certificate(text.encode())
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return certificate.public_key()
    # RFC 5280 section 4.2.1.3.
    if not usage.key_agreement:
        raise KeyInvalid(f"{which} is in a certificate that is not for key agreement (keyUsage): give another")
    return certificate.public_key()
