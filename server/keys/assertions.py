"""Assertions that say who we are (RFC 7523): compact JWS (RFC 7515), ES256, `typ` JWT, with the `kid` that the partner
knows the key by."""

import json
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from server.keys import base64url
from server.ports import KeyUnfit

COORDINATE_BYTES = 32
HOW = "give a private key on P-256, as PEM (PKCS#8) or as a JWK"

_ECDSA = ec.ECDSA(SHA256())


class Assertions:
    """Reads keys that operators give, and signs with them. Safe to use from any thread."""

    def read(self, text: str) -> bytes:
        """The key in the one form that it is kept in: its private number, 32 bytes. Raises KeyUnfit."""
        private = _from_jwk(text) if text.lstrip().startswith("{") else _from_pem(text)
        return private.private_numbers().private_value.to_bytes(COORDINATE_BYTES, "big")

    def sign(self, key: bytes, key_id: str, claims: Mapping[str, str | int]) -> str:
        """A compact JWT with these claims, signed with a key that was read."""
        header = {"alg": "ES256", "typ": "JWT", "kid": key_id}
        signed = ".".join(base64url.encode(_json(part)) for part in (header, claims))
        private = ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256R1())
        r, s = decode_dss_signature(private.sign(signed.encode(), _ECDSA))
        signature = r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
        return f"{signed}.{base64url.encode(signature)}"


def _json(value: Mapping[str, str | int]) -> bytes:
    return json.dumps(dict(value), separators=(",", ":")).encode()


def _from_pem(text: str) -> ec.EllipticCurvePrivateKey:
    if "ENCRYPTED" in text:
        raise KeyUnfit(f"is encrypted: {HOW}, without a password")
    if "PRIVATE KEY" not in text and ("PUBLIC KEY" in text or "CERTIFICATE" in text):
        raise KeyUnfit(f"is public only: {HOW}")
    try:
        private = serialization.load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnfit(f"cannot be read: {HOW}") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise KeyUnfit(f"is not on P-256: {HOW}")
    return private


def _from_jwk(text: str) -> ec.EllipticCurvePrivateKey:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        raise KeyUnfit(f"cannot be read: {HOW}") from None
    if members.get("kty") != "EC" or members.get("crv") != "P-256":
        raise KeyUnfit(f"is not on P-256 (kty EC, crv P-256): {HOW}")
    operations = members.get("key_ops", ["sign"])
    for_signing = members.get("use", "sig") == "sig" and isinstance(operations, list) and "sign" in operations
    if not for_signing or members.get("alg", "ES256") != "ES256":
        raise KeyUnfit("is not for signing with ES256 (use, key_ops, alg): a key that decrypts must not sign")
    if "d" not in members:
        raise KeyUnfit(f"is public only (no d): {HOW}")
    try:
        d, x, y = (_coordinate(members.get(name)) for name in "dxy")
        return ec.EllipticCurvePrivateNumbers(d, ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())).private_key()
    except ValueError:
        raise KeyUnfit("has d, x and y that are not one key on P-256: export it again") from None


def _coordinate(text: object) -> int:
    raw = base64url.decode(text) if isinstance(text, str) else b""
    if len(raw) != COORDINATE_BYTES:
        raise ValueError("not 32 bytes")
    return int.from_bytes(raw, "big")
