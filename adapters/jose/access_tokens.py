"""Verifies our own access tokens: JWTs of type `at+jwt` (RFC 9068), ES256 only (RFC 8725 section 3.1)."""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

LONGEST_TOKEN = 8192
# Ours have about 130; it is read before anything is verified.
LONGEST_HEADER = 512
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")


class AccessTokenInvalid(Exception):
    """It is not an access token of ours. Why is not told: the sender could learn from it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key on P-256; `x` and `y` are base64url, as in a JWK (RFC 7518 section 6.2)."""

    kid: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified access token says; `expire_time` in seconds since 1970. Its time has not been looked at."""

    client_id: str
    jwt_id: str
    scopes: frozenset[str]
    expire_time: float


class Verifier:
    """Verifies with the given keys. About 0.15 ms a token: keep what it found."""

    def __init__(self, keys: Iterable[Key], issuer: str, audience: str) -> None:
        self._keys = {key.kid: JWK(kty="EC", crv="P-256", x=key.x, y=key.y) for key in keys}
        self._issuer = issuer
        self._audience = audience

    def verify(self, text: str) -> AccessToken:
        """The claims, whatever their times say. Raises AccessTokenInvalid."""
        try:
            return self._read(text)
        except (JWException, ValueError, TypeError, KeyError, RecursionError):
            raise AccessTokenInvalid from None

    def _read(self, text: str) -> AccessToken:
        if len(text) > LONGEST_TOKEN or not _COMPACT.fullmatch(text):
            raise ValueError
        encoded = text.partition(".")[0]
        if len(encoded) > LONGEST_HEADER:
            raise ValueError
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        kid = header["kid"]
        # Exactly our header: no `crit`, `jku`, `jwk`, `x5c`, no other algorithm or type.
        if header != {"alg": "ES256", "kid": kid, "typ": "at+jwt"}:
            raise ValueError
        signed = JWS()
        signed.allowed_algs = ["ES256"]
        signed.deserialize(text, self._keys[kid])
        claims = json.loads(signed.payload)
        audience = claims["aud"]
        if claims["iss"] != self._issuer or self._audience not in (
            [audience] if isinstance(audience, str) else audience
        ):
            raise ValueError
        client_id, jwt_id, scope = claims["client_id"], claims["jti"], claims.get("scope", "")
        if not (isinstance(client_id, str) and client_id and isinstance(jwt_id, str) and jwt_id):
            raise ValueError
        return AccessToken(client_id, jwt_id, frozenset(str(scope).split()), float(claims["exp"]))
