"""CardData: what it takes, that other libraries open what it makes, and that it shows nothing."""

import copy
import json
import pickle
from typing import Any

import jwskate
import pytest
from joserfc import jwe as joserfc
from joserfc.jwk import ECKey, OctKey, RSAKey
from mintmark.v1 import card_keys_pb2

from mintmark_client import CardData, Fault

NUMBER, CODE, NAME = "4111111111111111", "987", "Zoë Ωmega 李"
ALGORITHMS = ["ECDH-ES", "A256GCM"]
KEY = ECKey.generate_key("P-256", {"kid": "k 1"}, private=True)


def published(key: Any = KEY, kid: str = "k 1") -> card_keys_pb2.CardKey:
    return card_keys_pb2.CardKey(kid=kid, jwk_json=json.dumps(key.as_dict(private=False)))


def test_what_it_makes_opens_in_two_other_libraries() -> None:
    card = CardData(
        NUMBER, "1230", name=NAME, security_code=CODE, auxiliary_number="5555555555554444", auxiliary_expiry="0131"
    )
    compact = card.encrypted(published())
    assert jwskate.JweCompact(compact).headers["kid"] == "k 1"
    by_joserfc = joserfc.decrypt_compact(compact, KEY, algorithms=ALGORITHMS).plaintext
    by_jwskate = jwskate.JweCompact(compact).decrypt(jwskate.Jwk(KEY.as_dict(private=True)), alg="ECDH-ES")
    assert by_joserfc == by_jwskate
    assert json.loads(by_joserfc or b"") == {
        **{"pan": NUMBER, "exp": "1230", "name": NAME, "cvv": CODE},
        **{"auxiliaryPan": "5555555555554444", "auxiliaryExp": "0131"},
    }


def test_what_is_not_given_is_left_out_and_each_jwe_is_another() -> None:
    made = [CardData(NUMBER, "1230").encrypted(published()) for _ in range(3)]
    plain = {joserfc.decrypt_compact(each, KEY, algorithms=ALGORITHMS).plaintext for each in made}
    assert plain == {json.dumps({"pan": NUMBER, "exp": "1230"}).encode()}
    assert len({json.dumps(jwskate.JweCompact(each).headers["epk"]) for each in made}) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"number": "411111111"},
        {"number": "4" * 20},
        {"number": "41111111 1111111"},
        {"number": "٤١١١١١١١١١١١١١١١"},
        {"expiry": "1330"},
        {"expiry": "12/30"},
        {"expiry": ""},
        {"name": "x" * 129},
        {"security_code": "98"},
        {"security_code": "98765"},
        {"auxiliary_number": NUMBER},
        {"auxiliary_expiry": "1230"},
        {"auxiliary_number": "4", "auxiliary_expiry": "1230"},
        {"auxiliary_number": NUMBER, "auxiliary_expiry": "3012"},
    ],
)
def test_what_has_not_its_form_is_refused_without_showing_it(fields: dict[str, str]) -> None:
    given = {"number": NUMBER, "expiry": "1230", **fields}
    with pytest.raises(ValueError, match=r"has|is|belong") as caught:
        CardData(**given)
    assert not [value for value in given.values() if len(value) > 3 and value in str(caught.value)]


def test_it_never_shows_itself() -> None:
    card = CardData(NUMBER, "1230", name=NAME, security_code=CODE)
    for shown in (repr(card), str(card), f"{card}", f"{[card]}", repr(copy.copy(card))):
        assert shown.strip("[]") == "CardData()"
    assert pickle.loads(pickle.dumps(card)) == card  # noqa: S301  our own
    with pytest.raises(AttributeError) as caught:
        card.pan  # type: ignore[attr-defined]  # noqa: B018
    assert NUMBER not in str(caught.value)


@pytest.mark.parametrize(
    "jwk",
    [
        "",
        "[]",
        "{}",
        json.dumps(ECKey.generate_key("P-384").as_dict(private=False)),
        json.dumps(RSAKey.generate_key(2048).as_dict(private=False)),
        json.dumps(OctKey.generate_key(256).as_dict(private=True)),
        json.dumps(KEY.as_dict(private=True)),
    ],
    # The keys are others in each worker.
    ids=["nothing", "a list", "empty", "P-384", "RSA", "symmetric", "private"],
)
def test_a_key_that_is_none_is_a_fault(jwk: str) -> None:
    with pytest.raises(Fault, match="'k 2' is no public key") as caught:
        CardData(NUMBER, "1230").encrypted(card_keys_pb2.CardKey(kid="k 2", jwk_json=jwk))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
