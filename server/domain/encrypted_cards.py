"""The form of card data as it comes: compact JWEs (RFC 7516 section 7.1) for a gateway's key. What needs no key is
looked at here, so that nothing is kept that no gateway could open."""

import base64
import json
import re
from collections.abc import Collection
from typing import Any

from server.domain import card_numbers
from server.domain.cards import EncryptedCard
from server.domain.refusals import CardKeyUnknown
from server.domain.strict_json import json_object

LONGEST_HEADER = 2731
# Header, no encrypted key (RFC 7518 section 4.6), 12 bytes of IV, ciphertext, 16 bytes of tag (section 5.3).
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22}")
# They compress, ask for what we don't do, or bring keys of their own (RFC 7516 sections 4.1.3 to 4.1.13).
_REFUSED = frozenset({"crit", "jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "zip"})
_COORDINATE = re.compile("[A-Za-z0-9_-]{43}")


def read(jwe: str, kids: Collection[str], where: str) -> EncryptedCard:
    """Card data for one of these keys. Raises CardKeyUnknown."""
    try:
        header = _header_of(jwe)
        kid, legible = _kid_of(header), json.dumps(header)
    except (ValueError, RecursionError):
        raise CardKeyUnknown(where, "is not a compact JWE with ECDH-ES on P-256, A256GCM and a `kid`") from None
    if card_numbers.holds_one(legible):
        # The header is not encrypted.
        raise CardKeyUnknown(where, "holds a card number where anybody can read it")
    if kid not in kids:
        raise CardKeyUnknown(where, "no gateway has the key that it is for")
    return EncryptedCard(jwe, kid)


def _header_of(jwe: str) -> dict[str, Any]:
    """Raises ValueError for what is no compact JWE."""
    found = _COMPACT.fullmatch(jwe)
    if found is None or len(found[1]) > LONGEST_HEADER:
        raise ValueError("not five parts of the right lengths")
    text = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode("utf-8")
    return json_object(text)


def _kid_of(header: dict[str, Any]) -> str:
    """The id of the key that a JWE of our profile is for. Raises ValueError for all others."""
    if (header.get("alg"), header.get("enc")) != ("ECDH-ES", "A256GCM"):
        raise ValueError("another algorithm")
    if not _REFUSED.isdisjoint(header):
        raise ValueError("a header that is refused")
    _check_point(header.get("epk"))
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise ValueError("no kid")
    return kid


def _check_point(epk: Any) -> None:
    if not isinstance(epk, dict) or (epk.get("kty"), epk.get("crv")) != ("EC", "P-256") or "d" in epk:
        raise ValueError("not a public key on P-256")
    for coordinate in ("x", "y"):
        given = epk.get(coordinate)
        if not isinstance(given, str) or not _COORDINATE.fullmatch(given):
            raise ValueError("not a point")
