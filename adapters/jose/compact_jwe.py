"""One compact JWE (RFC 7516 section 7.1) of the profile that D1 uses: ECDH-ES, A256GCM, P-256.

This is the wall: nothing that it refuses reaches a library. Behind it jwcrypto would take any length of header and
of IV, inflate `zip`, and generate a key of any size for an `epk` with a member `generate`.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from adapters.jose.p256 import Point
from adapters.jose.strict import is_kid, json_object, octets

# The longest `encryptedData` of the partner's contract, in characters.
LONGEST_JWE = 8192
LONGEST_HEADER_BYTES = 2048
ALG, ENC = "ECDH-ES", "A256GCM"
_LONGEST_HEADER = (LONGEST_HEADER_BYTES * 4 + 2) // 3
# Header, no encrypted key (RFC 7518 section 4.6), 12 bytes of IV, ciphertext, 16 bytes of tag (section 5.3).
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.\.[A-Za-z0-9_-]{16}\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{22})")
# They compress, ask for what we don't do, or bring keys of their own (RFC 7516 sections 4.1.3 to 4.1.13).
_REFUSED = {"crit", "jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "zip"}
_POINT = {"crv", "kty", "x", "y"}
# What some libraries add to an `epk`, though it should be minimal (RFC 7518 section 4.6.1.1).
_BESIDE_A_POINT = {"alg", "ext", "kid"}


@dataclass(frozen=True, slots=True)
class CompactJwe:
    """It has the form that the profile wants. Whether it opens is not known yet. `kid` is free text (section 4.1.6)."""

    kid: str | None
    _text: str = field(repr=False)

    def decrypted(self, key: JWK) -> bytes:
        """What it holds, by a private key on P-256: one key agreement, one derivation, one A256GCM.

        Raises JWException for every reason why it does not open.
        """
        jwe = JWE()
        jwe.allowed_algs = [ALG, ENC]
        jwe.deserialize(self._text, key)
        return bytes(jwe.payload)


def read(text: str) -> CompactJwe:
    """Raises ValueError for everything outside the profile; what it does for that is bound by the lengths above."""
    if len(text) > LONGEST_JWE:
        raise ValueError("too long")
    found = _COMPACT.fullmatch(text)
    if found is None or len(found[1]) > _LONGEST_HEADER:
        raise ValueError("not five parts of the right lengths")
    header = json_object(octets(found[1]).decode("utf-8"))
    octets(found[2])
    octets(found[3])
    _check(header)
    return CompactJwe(header.get("kid"), text)


def _check(header: dict[str, Any]) -> None:
    if (header.get("alg"), header.get("enc")) != (ALG, ENC):
        raise ValueError("another algorithm")
    if not _REFUSED.isdisjoint(header):
        raise ValueError("a header that is refused")
    if "kid" in header and not is_kid(header["kid"]):
        raise ValueError("not a kid")
    epk = header.get("epk")
    if not isinstance(epk, dict) or not _POINT <= epk.keys() <= _POINT | _BESIDE_A_POINT:
        raise ValueError("not a public key")
    if (epk["kty"], epk["crv"]) != ("EC", "P-256"):
        raise ValueError("another curve")
    Point.read(epk["x"], epk["y"])
    for party in ("apu", "apv"):
        if party in header:
            octets(header[party])
