"""Composes compact JWEs by hand, in and outside the profile, without a JOSE library: RFC 7516 section 5.1, RFC 7518
section 4.6. What a rule refuses has to be right in everything else, or its refusal shows nothing."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# The ephemeral and the static key of RFC 7518 appendix C.
ALICE = {
    "kty": "EC",
    "crv": "P-256",
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
    "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
}
BOB = {
    "kty": "EC",
    "crv": "P-256",
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
}
EPK = {name: ALICE[name] for name in ("kty", "crv", "x", "y")}
HEADER: dict[str, Any] = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "Bob", "epk": EPK}


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def private(jwk: Mapping[str, str]) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(decoded(jwk["d"]), "big"), ec.SECP256R1())


def agreed(ours: Mapping[str, str], theirs: Mapping[str, str]) -> bytes:
    """The shared secret of a private and a public JWK on P-256."""
    x, y = (int.from_bytes(decoded(theirs[name]), "big") for name in ("x", "y"))
    return private(ours).exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())


def derived(shared: bytes, enc: str = "A256GCM", bits: int = 256, apu: bytes = b"", apv: bytes = b"") -> bytes:
    """The Concat KDF of RFC 7518 section 4.6.2, for keys of up to 256 bits."""
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in (enc.encode(), apu, apv))
    return hashlib.sha256(b"\0\0\0\1" + shared + framed + bits.to_bytes(4, "big")).digest()[: bits // 8]


def written(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, separators=(",", ":")).encode()


def composed(
    header: Mapping[str, Any] | bytes = HEADER,
    plaintext: bytes = b"plain",
    *,
    shared: bytes | None = None,
    apu: bytes = b"",
    apv: bytes = b"",
    iv_bytes: int = 12,
) -> str:
    """A JWE from Alice for Bob, or with this shared secret, that opens wherever its header and form are accepted."""
    protected = encoded(header if isinstance(header, bytes) else written(header))
    key = derived(agreed(ALICE, BOB) if shared is None else shared, apu=apu, apv=apv)
    iv = secrets.token_bytes(iv_bytes)
    sealed = AESGCM(key).encrypt(iv, plaintext, protected.encode())
    return f"{protected}..{encoded(iv)}.{encoded(sealed[:-16])}.{encoded(sealed[-16:])}"
