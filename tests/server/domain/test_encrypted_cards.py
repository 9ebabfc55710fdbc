"""Card data as it comes: what is not for one of the keys is refused, whatever it is."""

import base64
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server.domain import encrypted_cards
from server.domain.cards import EncryptedCard
from server.domain.refusals import CardKeyUnknown

POINT = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
HEADER: dict[str, Any] = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "k1", "epk": POINT}
REST = f"..{'i' * 16}.cipher.{'t' * 22}"


def compact(header: bytes, rest: str = REST) -> str:
    return base64.urlsafe_b64encode(header).rstrip(b"=").decode() + rest


def stated(**more: Any) -> str:
    return compact(json.dumps({**HEADER, **more}).encode())


@pytest.mark.parametrize(
    "jwe", [stated(), stated(typ="JOSE"), stated(epk={**POINT, "kid": "x"}), stated(apu="QQ"), stated(cty="json")]
)
def test_the_key_is_found(jwe: str) -> None:
    assert encrypted_cards.read(jwe, ["k0", "k1"], "encrypted_card") == EncryptedCard(jwe, "k1")


@pytest.mark.parametrize(
    "more", [{"pan": "4111111111111111"}, {"card": {"pan": 4111111111111111}}, {"cty": "4111 1111 1111 1111"}]
)
def test_a_header_is_no_place_for_a_card_number(more: dict[str, Any]) -> None:
    """It is not encrypted."""
    with pytest.raises(CardKeyUnknown, match="card number") as refused:
        encrypted_cards.read(stated(**more), ["k1"], "encrypted_card")
    assert "1111" not in refused.value.text
    escaped = json.dumps({**HEADER, "pan": "4111111111111111"}).replace("4111", "\\u0034111").encode()
    with pytest.raises(CardKeyUnknown, match="card number"):
        encrypted_cards.read(compact(escaped), ["k1"], "encrypted_card")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
HEADERS = st.builds(
    lambda base, other: {**base, **other},
    st.just(HEADER),
    st.dictionaries(st.sampled_from(["alg", "enc", "epk", "zip", "crit", "jwk", "x5c", "b64"]), JSON, max_size=3),
)
TEXTS = (
    st.text(max_size=200)
    | st.binary(max_size=200).map(compact)
    | JSON.map(lambda value: compact(json.dumps(value).encode()))
    | HEADERS.map(lambda header: compact(json.dumps({**header, "kid": "other"}).encode()))
    | st.integers(1, 2000).map(lambda depth: compact(b"[" * depth))
    | st.integers(1, 2000).map(lambda digits: compact(b'{"kid":' + b"9" * digits + b"}"))
)


@given(TEXTS)
def test_anything_else_is_refused_in_one_way(jwe: str) -> None:
    with pytest.raises(CardKeyUnknown) as refused:
        encrypted_cards.read(jwe, ["k1"], "encrypted_card")
    assert refused.value.metadata == {"field": "encrypted_card"}
    assert len(jwe) < 20 or jwe not in refused.value.text
