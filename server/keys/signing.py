"""Access tokens as signed JWTs: compact JWS (RFC 7515), ES256 (RFC 7518 section 3.4), typ `at+jwt` (RFC 9068).

`cryptography` is used directly: it verifies more than twice as fast as a JOSE library, and one profile needs no more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from server.keys import base64url
from server.keys.keyring import Keyring

LARGEST_TOKEN = 8 * 1024
# Ours have about 130; read before anything is verified, so kept small.
LARGEST_HEADER = 512
COORDINATE_BYTES = 32
SIGNATURE_BYTES = 2 * COORDINATE_BYTES

_ECDSA = ec.ECDSA(SHA256())


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A JWK that verifies access tokens (RFC 7517)."""

    kid: str
    kty: str
    crv: str
    x: str
    y: str
    alg: str
    use: str


class Signer:
    """Signs with the newest active key and verifies with every key. Safe to use from any thread."""

    def __init__(self, keyring: Keyring) -> None:
        newest = keyring.signing_key
        self._private = newest.private
        self._header = base64url.encode(_json(_header(newest.kid)))
        self._public = {key.kid: key.private.public_key() for key in keyring.signing_keys}
        self._jwks = [
            PublicKey(kid=key.kid, kty="EC", crv="P-256", x=key.x, y=key.y, alg="ES256", use="sig")
            for key in reversed(keyring.signing_keys)
        ]

    def sign(self, claims: Mapping[str, str | int]) -> str:
        """A compact JWT. Raises ValueError for claims that make it longer than `verify` would read."""
        signed = f"{self._header}.{base64url.encode(_json(claims))}"
        r, s = decode_dss_signature(self._private.sign(signed.encode(), _ECDSA))
        signature = r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
        token = f"{signed}.{base64url.encode(signature)}"
        if len(token) > LARGEST_TOKEN:
            raise ValueError(f"claims make a token longer than {LARGEST_TOKEN} characters")
        return token

    def verify(self, token: str) -> dict[str, object] | None:
        """The claims of a token that this keyring signed, whatever its times say; None for anything else."""
        if len(token) > LARGEST_TOKEN:
            return None
        try:
            header, payload, signature = token.split(".")
            key = self._key(header)
            raw = base64url.decode(signature)
            if key is None or len(raw) != SIGNATURE_BYTES:
                return None
            r, s = (int.from_bytes(half, "big") for half in (raw[:COORDINATE_BYTES], raw[COORDINATE_BYTES:]))
            key.verify(encode_dss_signature(r, s), f"{header}.{payload}".encode(), _ECDSA)
            claims = json.loads(base64url.decode(payload))
        except (ValueError, RecursionError, InvalidSignature):
            return None
        return claims if isinstance(claims, dict) else None

    def jwks(self) -> list[PublicKey]:
        """Every key that verifies, newest first."""
        return list(self._jwks)

    def _key(self, encoded_header: str) -> ec.EllipticCurvePublicKey | None:
        """The key that a header names, where the header is ours member for member: no `crit`, `jku`, `jwk`, `x5c`."""
        if len(encoded_header) > LARGEST_HEADER:
            return None
        header = json.loads(base64url.decode(encoded_header))
        kid = header.get("kid") if isinstance(header, dict) else None
        if not isinstance(kid, str) or header != _header(kid):
            return None
        return self._public.get(kid)


def _header(kid: str) -> dict[str, str]:
    return {"alg": "ES256", "kid": kid, "typ": "at+jwt"}


def _json(value: Mapping[str, str | int]) -> bytes:
    return json.dumps(dict(value), separators=(",", ":")).encode()
