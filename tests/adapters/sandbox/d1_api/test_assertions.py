"""The twin's token endpoint: verifies an assertion wholly, and refuses in D1's shape."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from tests.adapters.sandbox.d1_api.caller import GATEWAY, Caller, caller_of


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with caller_of(tmp_path_factory.mktemp("twin")) as made:
        yield made


def test_a_good_one_is_worth_an_access_token_once(caller: Caller) -> None:
    assertion = caller.assertion()
    first = caller.ask_token(assertion)
    assert first.status_code == 200
    answer = first.json()
    assert (answer["expires_in"], answer["token_type"]) == (900, "Bearer")
    assert caller.details("t-1", answer["access_token"]).status_code == 200
    again = caller.ask_token(assertion)
    assert (again.status_code, again.json()["error"]) == (400, "INVALID_FIELD")


def test_the_life_can_be_told_as_text(caller: Caller) -> None:
    caller.control("PATCH", "/habits", {"expires_in": "text"})
    assert caller.ask_token().json()["expires_in"] == "900"
    caller.control("PATCH", "/habits", {"expires_in": "number"})


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"kid": "nobody"}, {}),
        ({"kid": None}, {}),
        ({"typ": "at+jwt"}, {}),
        ({"typ": ""}, {}),
        ({}, {"iss": "MGW_000002"}),
        ({}, {"iss": None}),
        ({}, {"exp": None}),
        ({}, {"exp": "soon"}),
        ({}, {"exp": True}),
        ({}, {"exp": 1}),
        ({}, {"exp": 2**40}),
        ({}, {"exp": 1e300}),
        ({}, {"iat": 2**40}),
        ({}, {"iat": "now"}),
        ({}, {"jti": 7}),
    ],
)
def test_one_that_breaks_a_rule_is_an_invalid_field(
    caller: Caller, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    answer = caller.ask_token(caller.assertion(header, **claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_FIELD")


def test_it_must_not_be_good_for_more_than_15_minutes(caller: Caller) -> None:
    now = int(time.time())
    assert caller.ask_token(caller.assertion(exp=now + 890)).status_code == 200
    assert caller.ask_token(caller.assertion(exp=now + 1000)).status_code == 400


def test_another_key_or_algorithm_is_refused(caller: Caller) -> None:
    other = caller.assertion(key=ECKey.generate_key("P-256"))
    symmetric: Any = OctKey.generate_key(256)
    for assertion in (other, caller.assertion({"alg": "HS256"}, key=symmetric), "a.b.c", "", "x" * 9000):
        answer = caller.ask_token(assertion)
        assert answer.status_code == 400
        assert answer.json()["error"] in ("INVALID_FIELD", "MISSING_FIELD")
    unsigned = caller.assertion().rpartition(".")[0] + "."
    assert caller.ask_token(unsigned).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": None}, "MISSING_FIELD"),
        ({"grant_type": "client_credentials"}, "INVALID_FIELD"),
        ({"headers": {"x-correlation-id": ""}}, "MISSING_FIELD"),
        ({"headers": {"x-correlation-id": "a b"}}, "INVALID_FIELD"),
        ({"headers": {"content-type": "application/x-www-form-urlencoded"}}, "INVALID_FIELD"),
    ],
)
def test_the_first_field_that_is_wrong_is_told(caller: Caller, changes: dict[str, Any], error: str) -> None:
    answer = caller.ask_token(**changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_only_public_keys_on_p256_can_be_given(caller: Caller) -> None:
    for text in ("no key", "{}", ECKey.generate_key("P-384").as_pem(private=False).decode()):
        given = {"issuer": GATEWAY, "keyId": "k", "publicKey": text}
        assert caller.client.put("/d1-api/control/keys", json=given).status_code == 400
    pem = ECKey.generate_key("P-256").as_pem(private=False).decode()
    caller.control("PUT", "/keys", {"issuer": GATEWAY, "keyId": "pem", "publicKey": pem})
