"""Assertions that access tokens are asked for with (RFC 7523): who may ask, and whether one is good."""

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeGuard

from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from msgspec import Meta, Struct

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.d1_api.answers import INVALID, CallRefused

# The longest that an assertion may be good for, and by how much clocks may differ.
LONGEST_LIFE_S = 15 * 60
LEEWAY_S = 10
MOST_IDS = 10_000


class GivenKey(Struct, rename="camel", forbid_unknown_fields=True):
    """A public key as it is given at onboarding: whose it is, and the id that assertions name it by. `public_key` is a
    JWK or PEM."""

    issuer: Annotated[str, Meta(min_length=1, max_length=128)]
    key_id: Annotated[str, Meta(min_length=1, max_length=128)]
    public_key: Annotated[str, Meta(min_length=1, max_length=16_384)]


class Assertions:
    """The keys that were given, by their ids; and which assertions have been used."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._keys: dict[str, tuple[str, JWK]] = {}
        self._used: dict[str, float] = {}

    def give(self, given: GivenKey) -> None:
        """Takes a key; one with the same id is replaced. Raises ControlInvalid."""
        self._keys[given.key_id] = (given.issuer, _public(given.public_key))

    def document(self) -> list[dict[str, str]]:
        """Who may ask, and the thumbprints (RFC 7638) of their keys."""
        return [
            {"keyId": key_id, "issuer": issuer, "thumbprint": str(key.thumbprint())}
            for key_id, (issuer, key) in sorted(self._keys.items())
        ]

    def issuer_of(self, assertion: str) -> str:
        """Whose assertion it is. Raises CallRefused for one that is not good."""
        issuer, claims = self._verified(assertion)
        now = self._wall()
        expires, issued = claims.get("exp"), claims.get("iat", now)
        if claims.get("iss") != issuer:
            raise CallRefused(400, INVALID, "assertion: iss is not whose key it is")
        if not _is_whole(expires) or not now - LEEWAY_S < expires <= now + LONGEST_LIFE_S + LEEWAY_S:
            raise CallRefused(400, INVALID, "assertion: exp is past, or more than 15 minutes away")
        if isinstance(issued, bool) or not isinstance(issued, int | float) or issued > now + LEEWAY_S:
            raise CallRefused(400, INVALID, "assertion: iat is not in the past")
        self._use_once(claims.get("jti"), expires)
        return issuer

    def _verified(self, assertion: str) -> tuple[str, dict[str, Any]]:
        signed = JWS()
        signed.allowed_algs = ["ES256"]
        try:
            signed.deserialize(assertion)
            header = signed.jose_header
            if assertion.count(".") != 2 or header.get("typ") != "JWT" or header.get("alg") != "ES256":
                raise CallRefused(400, INVALID, "assertion: must be a JWT (typ) with alg ES256")
            issuer, key = self._keys[header["kid"]]
            signed.verify(key)
            claims = json.loads(signed.payload)
        except KeyError:
            raise CallRefused(400, INVALID, "assertion: its kid is none of those that were given") from None
        except (JWException, ValueError, TypeError, RecursionError):
            raise CallRefused(400, INVALID, "assertion: cannot be verified") from None
        if not isinstance(claims, dict):
            raise CallRefused(400, INVALID, "assertion: has no claims")
        return issuer, claims

    def _use_once(self, jwt_id: object, expires: float) -> None:
        """Raises CallRefused where it was used before."""
        if jwt_id is None:
            return
        now = self._wall()
        self._used = {name: until for name, until in self._used.items() if until > now - LEEWAY_S}
        if not isinstance(jwt_id, str) or jwt_id in self._used or len(self._used) >= MOST_IDS:
            raise CallRefused(400, INVALID, "assertion: its jti was used before")
        self._used[jwt_id] = expires


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _public(text: str) -> JWK:
    try:
        key = JWK.from_json(text) if text.lstrip().startswith("{") else JWK.from_pem(text.encode())
        public = JWK.from_json(key.export_public())
    except (JWException, ValueError, TypeError):
        raise ControlInvalid("publicKey: is no JWK and no PEM of a public key") from None
    if public.get("kty") != "EC" or public.get("crv") != "P-256":
        raise ControlInvalid("publicKey: must be on P-256")
    return public
