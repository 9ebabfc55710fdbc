"""Our own private keys that partners and internal services encrypt card data for; only gateways hold them."""

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from jwcrypto.jwk import JWK

from adapters.jose.compact_jwe import ALG
from adapters.jose.encryption import Opener, Recipient
from adapters.jose.key_lists import listed
from adapters.jose.p256 import Point, coordinate
from adapters.jose.public_keys import KID_RULE, SIGNING, KeyInvalid, PublicKey, operations, point_of, thumbprint
from adapters.jose.strict import is_kid

__all__ = ["KeyInvalid", "PrivateKeys", "new_key"]

WANTED = 'give a JWK Set: {"keys": [...]} with private keys, the current one first'
_DERIVING = {"deriveBits", "deriveKey"}


@dataclass(frozen=True, slots=True)
class _PrivateKey:
    kid: str
    point: Point
    d: str = field(repr=False)

    def jwk(self) -> JWK:
        return JWK(**self.point.jwk(), d=self.d)


class PrivateKeys:
    """The private keys of a JWK Set (RFC 7517 section 5), all on P-256 and for ECDH-ES only.

    Order counts: the first is current, the one to be encrypted for; the others open what is still under way or at
    rest. So a key is replaced without a pause: put the new one behind, then to the front once every gateway has it, and
    take the old one out when nothing is encrypted for it any more.
    """

    def __init__(self, text: str) -> None:
        """Raises KeyInvalid, and holds either all keys or none."""
        self._keys: dict[str, _PrivateKey] = {}
        for index, jwk in enumerate(listed(text, "JWK Set", WANTED), start=1):
            key = _read(jwk, index)
            if key.kid in self._keys:
                raise KeyInvalid(f"key {index} has the kid {key.kid!r} of an earlier one: give each its own")
            self._keys[key.kid] = key

    @property
    def current(self) -> str:
        """The id of the key that others shall encrypt for now."""
        return next(iter(self._keys))

    @property
    def kids(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(self._keys)

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """The JWK Set to publish: public members only, the current key first."""
        return {"keys": [key.point.jwk() | {"kid": key.kid, "use": "enc", "alg": ALG} for key in self._keys.values()]}

    def opener(self) -> Opener:
        """Opens what was encrypted for any of the keys."""
        return Opener({kid: key.jwk() for kid, key in self._keys.items()})

    def recipient(self, kid: str) -> Recipient:
        """The public part of a key, to encrypt for ourselves. Raises KeyInvalid."""
        return Recipient(PublicKey(kid, self._key(kid).point))

    def pem(self, kid: str) -> str:
        """The public part of a key as PEM, SubjectPublicKeyInfo (RFC 7468 section 13). Raises KeyInvalid."""
        exported: bytes = JWK(**self._key(kid).point.jwk()).export_to_pem()
        return exported.decode("ascii")

    def _key(self, kid: str) -> _PrivateKey:
        key = self._keys.get(kid)
        if key is None:
            raise KeyInvalid(f"no key has the kid {kid!r}: there are {', '.join(map(repr, self._keys))}")
        return key


def new_key(kid: str | None) -> dict[str, str]:
    """A new private JWK for such a set, named `kid`, else its thumbprint (RFC 7638). Raises KeyInvalid.

    It is a secret: write it only where the keys of gateways are kept.
    """
    if kid is not None and not is_kid(kid):
        raise KeyInvalid(f"a kid must be {KID_RULE}: give another")
    made = JWK.generate(kty="EC", crv="P-256").export_private(as_dict=True)
    point = Point.read(made["x"], made["y"])
    named = {"kid": thumbprint(point) if kid is None else kid, "use": "enc", "alg": ALG}
    return point.jwk() | {"d": str(made["d"])} | named


def _read(jwk: object, index: int) -> _PrivateKey:
    if not isinstance(jwk, dict):
        raise KeyInvalid(f"key {index} is not a JSON object: give a private JWK")
    kid = jwk.get("kid")
    if not is_kid(kid):
        raise KeyInvalid(f"key {index} has no kid that is {KID_RULE}: give it one")
    which = f"key {index} (kid {kid!r})"
    point = point_of(jwk, which)
    allowed = set(operations(jwk, which))
    if "key_ops" in jwk and (allowed & SIGNING or not allowed & _DERIVING):
        raise KeyInvalid(f"{which} is not for key agreement alone (key_ops): leave key_ops out, or make another")
    return _PrivateKey(kid, point, _private_part(jwk, point, which))


def _private_part(jwk: dict[str, Any], point: Point, which: str) -> str:
    if "d" not in jwk:
        raise KeyInvalid(f"{which} has no private part (d): give the private key")
    try:
        belongs = _multiplied(coordinate(jwk["d"])) == point
    except ValueError:
        raise KeyInvalid(
            f"{which} has no private part of 32 bytes (d) in the range of P-256: export it again"
        ) from None
    if not belongs:
        raise KeyInvalid(f"{which} has a private part (d) that does not belong to x and y: export it again")
    return str(jwk["d"])


def _multiplied(secret: int) -> Point:
    numbers = derive_private_key(secret, SECP256R1()).public_key().public_numbers()
    return Point.at(numbers.x, numbers.y)
