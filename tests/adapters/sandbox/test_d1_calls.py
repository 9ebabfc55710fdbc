"""The D1 twin asks a card issuer: what it sends, what it tells of the answer, and that it shows no card data."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwskate
import pytest
from joserfc import jwe as joserfc
from joserfc.jwk import ECKey

from adapters.sandbox.sample_cards import SAMPLES
from tests.adapters.sandbox.gateway import DROP, Gateway, settings_for
from tests.adapters.sandbox.running import running

ALGORITHMS = ["ECDH-ES", "A256GCM"]
OURS = ECKey.generate_key("P-256", {"kid": "ours"}, private=True)
KEYS = "/.well-known/card-keys.json"
VERIFY = "/cms/api/v1/issuers/ISSUER0002/cards/credentials"
CREDENTIALS = "/cms/api/v1/issuers/ISSUER0002/cards/c-1/credentials"
ANSWER = {"cardId": "c-1", "verificationResults": {"card": {"invalid": False}}}


@pytest.fixture
def issuer(gateway: Gateway) -> Gateway:
    gateway.documents = {KEYS: (200, {"keys": [OURS.as_dict(private=False)]}), VERIFY: (200, ANSWER)}
    return gateway


@pytest.fixture
def control(issuer: Gateway, tmp_path: Path) -> Iterator[httpx.Client]:
    with running(settings_for(issuer, tmp_path)) as client:
        yield client


def opened(compact: str) -> dict[str, Any]:
    plaintext = joserfc.decrypt_compact(compact, OURS, algorithms=ALGORITHMS).plaintext
    assert plaintext is not None
    card: dict[str, Any] = json.loads(plaintext)
    return card


def asked(control: httpx.Client, call: str, **order: Any) -> Any:
    answer = control.post(f"/d1-issuer/{call}", json={"issuerId": "ISSUER0002", **order})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_card_is_verified_with_a_jwe_for_the_published_key(issuer: Gateway, control: httpx.Client) -> None:
    fields = {"cvv": "999", "exp": None}
    told = asked(control, "verify-card", sample="visa", cardId="proposed", fields=fields, correlationId="x-1")
    assert (told["status"], told["error"], told["answer"], told["correlationId"]) == (200, "", ANSWER, "x-1")
    keys, call = issuer.received
    assert (keys.path, call.path, call.headers["x-correlation-id"]) == (KEYS, VERIFY, "x-1")
    assert (call.json["cardId"], call.json["cardBin"]) == ("proposed", "411111")
    compact = call.json["encryptedData"]
    header = jwskate.JweCompact(compact).headers
    assert [header[name] for name in ("alg", "enc", "kid")] == [*ALGORITHMS, "ours"]
    expected = {name: value for name, value in {**SAMPLES["visa"], "cvv": "999"}.items() if name != "exp"}
    assert opened(compact) == expected
    assert header["epk"]["crv"] == "P-256"


def test_the_access_token_is_that_of_the_issuers_endpoint(issuer: Gateway, control: httpx.Client) -> None:
    for _ in range(2):
        asked(control, "verify-card", sample="visa")
    assert [request.path for request in issuer.token_requests] == ["/authz/d1/v1/oauth2/token"]
    assert [request.headers.get("authorization") for request in issuer.received] == [None, "Bearer at-1", "Bearer at-1"]
    control.post("/notifications/d1-token-update")
    assert issuer.token_requests[-1].path == "/oauth2/token"
    assert control.post("/configure", json={"issuerTokenPath": "/oauth2/token"}).status_code == 200
    asked(control, "verify-card", sample="visa")
    assert issuer.token_requests[-1].path == "/oauth2/token"


def test_each_call_has_an_ephemeral_key_of_its_own(issuer: Gateway, control: httpx.Client) -> None:
    for _ in range(3):
        asked(control, "verify-card", card={"pan": "4111111111111111"}, cardBin="41111111")
    calls = [request.json for request in issuer.received[1:]]
    assert {call["cardBin"] for call in calls} == {"41111111"}
    keys = [jwskate.JweCompact(call["encryptedData"]).headers["epk"]["x"] for call in calls]
    assert len(set(keys)) == 3
    assert "cardId" not in calls[0]


def by_joserfc(card: bytes, jwk: dict[str, str]) -> str:
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": jwk["kid"]}
    return joserfc.encrypt_compact(header, card, ECKey.import_key(dict(jwk)), algorithms=ALGORITHMS)


def by_jwskate(card: bytes, jwk: dict[str, str]) -> str:
    return str(jwskate.JweCompact.encrypt(card, jwskate.Jwk(jwk), alg="ECDH-ES", enc="A256GCM"))


@pytest.mark.parametrize("encrypt", [by_joserfc, by_jwskate])
def test_credentials_are_opened_with_d1s_key_and_veiled(
    issuer: Gateway, control: httpx.Client, encrypt: Callable[[bytes, dict[str, str]], str]
) -> None:
    key = control.get("/d1-issuer/key").json()
    card = {**SAMPLES["mastercard"], "auxiliaryPan": "4111111111111111", "auxiliaryExp": "0131"}
    compact = encrypt(json.dumps(card).encode(), key["jwk"])
    issuer.documents[CREDENTIALS] = (200, {"encryptedData": compact})
    told = asked(control, "get-credentials", cardId="c-1")
    assert told["card"] == {
        **{"pan": "*4444", "exp": "1230", "name": "*", "cvv": "*"},
        **{"auxiliaryPan": "*1111", "auxiliaryExp": "0131"},
    }
    assert asked(control, "get-credentials", cardId="c-1", reveal=True)["card"] == card


def test_credentials_that_are_not_for_d1_are_told(issuer: Gateway, control: httpx.Client) -> None:
    key = control.get("/d1-issuer/key").json()["jwk"]
    other: dict[str, Any] = OURS.as_dict(private=False)
    good = by_joserfc(b"{}", key)
    for compact, why in (
        (by_joserfc(b"{}", {**other, "kid": "ours"}), "its kid"),
        (by_joserfc(b"{}", {**other, "kid": key["kid"]}), "does not open"),
        (good[:-2] + ("AA" if good[-2:] != "AA" else "QQ"), "does not open"),
        (by_joserfc(b"[]", key), "no JSON object"),
        (by_joserfc(b"{", key), "no JSON"),
        ("a.b", "no compact JWE"),
        (None, "no encryptedData"),
    ):
        issuer.documents[CREDENTIALS] = (200, {"encryptedData": compact})
        answer = control.post("/d1-issuer/get-credentials", json={"issuerId": "ISSUER0002", "cardId": "c-1"})
        assert answer.status_code == 502
        assert why in answer.json()["error"]


@pytest.mark.parametrize("status", [400, 403, 404, 503, DROP])
def test_a_refusal_is_told_as_it_is(issuer: Gateway, control: httpx.Client, status: int) -> None:
    issuer.documents[VERIFY] = issuer.documents[CREDENTIALS] = (status, {"error": "no"})
    for call, order in (("verify-card", {"sample": "visa"}), ("get-credentials", {"cardId": "c-1"})):
        told = asked(control, call, **order)
        assert (told["status"], bool(told["error"])) == (status or None, True)
        assert not told.get("card")


def test_after_a_400_the_keys_are_fetched_again(issuer: Gateway, control: httpx.Client) -> None:
    issuer.documents[VERIFY] = (400, {"error": "no"})
    for _ in range(2):
        asked(control, "verify-card", sample="visa")
    assert [request.path for request in issuer.received] == [KEYS, VERIFY] * 2


def test_keys_can_be_given_by_hand(issuer: Gateway, control: httpx.Client) -> None:
    del issuer.documents[KEYS]
    refused = control.post("/d1-issuer/verify-card", json={"issuerId": "ISSUER0002", "sample": "visa"})
    assert refused.status_code == 409
    assert KEYS in refused.json()["error"]
    given = {"keys": [{**OURS.as_dict(private=False), "kid": "by hand"}]}
    assert control.post("/configure", json={"cardKeys": given, "cardsPrefix": "/cms/api/v1"}).status_code == 200
    asked(control, "verify-card", sample="visa")
    header = jwskate.JweCompact(issuer.received[-1].json["encryptedData"]).headers
    assert header["kid"] == "by hand"


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": [{"kty": "EC"}]}, {"keys": ["x"]}])
def test_keys_that_are_none_are_told(issuer: Gateway, control: httpx.Client, keys: dict[str, Any]) -> None:
    issuer.documents[KEYS] = (200, keys)
    answer = control.post("/d1-issuer/verify-card", json={"sample": "visa"})
    assert (answer.status_code, "key" in answer.json()["error"]) == (409, True)


def test_the_key_pair_is_made_once_and_only_we_may_read_it(gateway: Gateway, tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        with running(settings_for(gateway, tmp_path)) as control:
            shown.append(control.get("/d1-issuer/key").json())
    assert shown[0] == shown[1]
    file = tmp_path / "sandbox" / "d1_key.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = ECKey.import_key(json.loads(file.read_text()))
    assert shown[0]["thumbprint"] == key.thumbprint() == shown[0]["jwk"]["kid"]
    assert "d" not in shown[0]["jwk"]


@pytest.mark.parametrize(
    "text",
    ["{}", "x", '{"kty": "oct", "k": "AAAA"}', json.dumps(OURS.as_dict(private=False))],
    # The key is another in each worker.
    ids=["empty", "no JSON", "symmetric", "public"],
)
def test_a_key_file_that_is_none_is_told(gateway: Gateway, tmp_path: Path, text: str) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "d1_key.json").write_text(text)
    with running(settings_for(gateway, tmp_path)) as control:
        answer = control.get("/d1-issuer/key")
    assert (answer.status_code, "d1_key.json" in answer.json()["error"]) == (409, True)


@pytest.mark.parametrize(
    ("call", "order"),
    [
        ("verify-card", {}),
        ("verify-card", {"sample": "visa", "card": {"pan": "4"}}),
        ("verify-card", {"sample": "diners"}),
        ("verify-card", {"sample": "visa", "cardBin": "4" * 20}),
        ("verify-card", {"sample": "visa", "pan": "4"}),
        ("get-credentials", {}),
        ("get-credentials", {"cardId": ""}),
    ],
)
def test_orders_that_make_no_sense_are_refused(
    issuer: Gateway, control: httpx.Client, call: str, order: dict[str, Any]
) -> None:
    answer = control.post(f"/d1-issuer/{call}", json=order)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert issuer.received == []


def test_the_samples_are_card_numbers_that_check(control: httpx.Client) -> None:
    samples = control.get("/d1-issuer/samples").json()
    assert samples.keys() == SAMPLES.keys()
    for card in samples.values():
        digits = [int(digit) for digit in reversed(card["pan"])]
        doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0
        assert len(card["exp"]) == 4
