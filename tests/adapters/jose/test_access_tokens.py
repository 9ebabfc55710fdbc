"""Only our own access tokens are verified; anything else is one and the same error."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from adapters.jose.access_tokens import AccessTokenInvalid, Key, Verifier

SIGNING = JWK.generate(kty="EC", crv="P-256", kid="k1")
FOREIGN = JWK.generate(kty="EC", crv="P-256", kid="k1")
HEADER = {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}
CLAIMS = {"iss": "us", "aud": "mintmark", "client_id": "c", "jti": "j", "exp": 100, "scope": "d1-notify x"}


def key(jwk: JWK, kid: str = "k1") -> Key:
    public = jwk.export_public(as_dict=True)
    return Key(kid, public["x"], public["y"])


VERIFIER = Verifier([key(SIGNING)], "us", "mintmark")


def signed(header: dict[str, Any] | None = None, jwk: JWK = SIGNING, payload: object = None, **claims: Any) -> str:
    content = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    token = JWS(json.dumps(content if payload is None else payload))
    token.add_signature(jwk, protected=json.dumps(HEADER if header is None else header))
    return str(token.serialize(compact=True))


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_ours() -> None:
    token = VERIFIER.verify(signed())
    assert (token.client_id, token.jwt_id, token.expire_time) == ("c", "j", 100.0)
    assert token.scopes == {"d1-notify", "x"}
    assert VERIFIER.verify(signed(aud=["other", "mintmark"])).client_id == "c"


GOOD = signed()
RSA = JWK.generate(kty="RSA", size=2048, kid="k1")
OCTETS = JWK.generate(kty="oct", size=256, kid="k1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        GOOD + "A",
        GOOD[:-3] + "AAA",
        GOOD + "." + GOOD,
        "A" * 8193,
        signed(jwk=FOREIGN),
        signed(header={**HEADER, "typ": "JWT"}),
        signed(header={"alg": "ES256", "kid": "k1"}),
        signed(header={**HEADER, "kid": "k2"}),
        signed(header={**HEADER, "kid": 1}),
        signed(header={**HEADER, "jku": "http://127.0.0.1/"}),
        signed(header={**HEADER, "x5u": "x" * 600}),
        signed(header={**HEADER, "alg": "RS256"}, jwk=RSA),
        signed(header={**HEADER, "alg": "HS256"}, jwk=OCTETS),
        f"{encoded({**HEADER, 'alg': 'none'})}.{encoded(CLAIMS)}.{'A' * 86}",
        f"{encoded([])}.{encoded(CLAIMS)}.{'A' * 86}",
        signed(iss="them"),
        signed(iss=None),
        signed(aud="elsewhere"),
        signed(aud=None),
        signed(aud=7),
        signed(client_id=None),
        signed(client_id=7),
        signed(jti=None),
        signed(exp=None),
        signed(exp="soon"),
        signed(payload=[]),
        signed(payload="x"),
        "[" * 8000,
    ],
)
def test_not_ours(text: str) -> None:
    with pytest.raises(AccessTokenInvalid):
        VERIFIER.verify(text)


@given(
    st.text()
    | st.lists(st.binary(max_size=80), min_size=3, max_size=3).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    )
)
def test_any_text_is_that_one_error(text: str) -> None:
    with pytest.raises(AccessTokenInvalid):
        VERIFIER.verify(text)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("ABab01-_.="))
def test_one_character_changed_is_noticed(place: int, other: str) -> None:
    changed = GOOD[:place] + other + GOOD[place + 1 :]
    if changed == GOOD or place == len(GOOD) - 1:  # the last character carries bits that mean nothing
        return
    with pytest.raises(AccessTokenInvalid):
        VERIFIER.verify(changed)
