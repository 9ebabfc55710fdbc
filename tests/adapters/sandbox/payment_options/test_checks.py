"""What a merchant gets wrong is answered with the documented statuses and charges nothing."""

import json
from typing import Any

import pytest

from tests.adapters.sandbox.payment_options.merchant import CARD, S2S, Merchant, without

MANDATORY = (
    *("amount", "currency", "merchant_txn_ref", "customer_ip", "merchant_id", "time_zone"),
    *("return_url.webhook_url", "return_url.success_url", "return_url.decline_url", "billing_address"),
    *(f"billing_address.{name}" for name in ("country", "email", "phone_number", "address1", "city", "state")),
    *("billing_address.postal_code", "payment_method.stored_payment_method_id"),
)
WRONG: tuple[tuple[str, Any], ...] = (
    *(("amount", value) for value in ("0", "-1", "1e3", "12345678901", "1.2345", "a", " 1")),
    *(("currency", value) for value in ("jpy", "JPYX", "J1Y")),
    *(("merchant_txn_ref", "r" * 46), ("customer_ip", "localhost"), ("time_zone", "a b")),
    ("return_url", {"webhook_url": "ftp://a", "success_url": "http://a", "decline_url": "http://a"}),
    ("return_url", {"webhook_url": "http://a", "success_url": "http://a/\r\nx: y", "decline_url": "http://a"}),
    ("return_url", {"webhook_url": f"http://a/{'x' * 255}", "success_url": "http://a", "decline_url": "http://a"}),
    ("payment_method", {"stored_payment_method_id": "not-a-uuid"}),
    ("payment_method", {"stored_payment_method_id": "11111111-2222-4333-8444-555555555555"}),
)


@pytest.fixture
def nothing_moves(shared_merchant: Merchant) -> Any:
    before = shared_merchant.ledger()
    yield
    assert shared_merchant.ledger() == before


@pytest.mark.parametrize("path", MANDATORY)
@pytest.mark.usefixtures("nothing_moves")
def test_a_missing_field(shared_merchant: Merchant, path: str) -> None:
    answer = shared_merchant.post("payment", without(shared_merchant.order(), path))
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert path.split(".")[0] in answer.json()["gateway_response"]["message"]


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.usefixtures("nothing_moves")
def test_a_field_of_the_wrong_form(shared_merchant: Merchant, name: str, value: Any) -> None:
    answer = shared_merchant.post("payment", {**shared_merchant.order(), name: value})
    assert (answer.status_code, answer.json()["status_code"]) == (406, 406)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"number": "4929000000006"}, 406),
        ({"number": "4" * 17}, 406),
        ({"cvc": "1"}, 406),
        ({"expiry_month": "13"}, 406),
        ({"expiry_year": "2034"}, 406),
        ({"name": ""}, 400),
        ({"cvc": None}, 400),
    ],
)
@pytest.mark.usefixtures("nothing_moves")
def test_a_wrong_card(shared_merchant: Merchant, change: dict[str, Any], status: int) -> None:
    order = shared_merchant.order(card={**CARD, **change}, payment_method={"store_payment_method": True})
    answer = shared_merchant.post("payment", order)
    assert answer.status_code == status
    assert str(change.get("number", "-")) not in answer.text


@pytest.mark.usefixtures("nothing_moves")
def test_a_card_and_a_token_together(shared_merchant: Merchant) -> None:
    assert shared_merchant.pay(card=CARD).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Basic wrong"},
        {"x-api-key": ""},
        {"x-api-key": "wrong"},
    ],
)
@pytest.mark.usefixtures("nothing_moves")
def test_both_headers_must_be_right(shared_merchant: Merchant, headers: dict[str, str]) -> None:
    given = {**shared_merchant.headers, **headers}
    answer = shared_merchant.client.post(f"{S2S}/payment", json=shared_merchant.order(), headers=given)
    assert answer.status_code == 401
    last = shared_merchant.lines("/requests")[-1]
    assert (last["authenticated"], last["status"], last["moved"]) == (False, 401, False)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"{}", 406),
        ("application/x-www-form-urlencoded", b"amount=1000", 406),
        ("application/json; charset=utf-8", b"{", 400),
        ("application/json", b"", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b"[" * 60_000, 400),
        ("application/json", b'{"amount": ' + b"9" * 5_000 + b"}", 400),
        ("application/json", b'{"amount": NaN}', 400),
        ("application/json", b'{"merchant_txn_ref": "\\ud800"}', 400),
        ("application/json", b'{"return_url": 7, "billing_address": []}', 400),
        ("application/json", b" " * 70_000, 400),
    ],
)
@pytest.mark.usefixtures("nothing_moves")
def test_a_body_that_is_none(shared_merchant: Merchant, content_type: str, body: bytes, status: int) -> None:
    headers = {**shared_merchant.headers, "content-type": content_type}
    for path in ("payment", "capture", "subscription/payment", "hpp/generate/link"):
        answer = shared_merchant.client.post(f"{S2S}/{path}", content=body, headers=headers)
        assert answer.status_code == status, path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{S2S}/payment"),
        ("POST", f"{S2S}/nothing"),
        # The doubled prefix of the seed's curl line.
        ("POST", "/payment-options/api/v1/api/v1/server-to-server-interface/payment"),
        ("POST", f"{S2S}/payment/"),
        ("GET", f"{S2S}/transaction/status/11111111-2222-4333-8444-555555555555"),
        ("GET", f"{S2S}/transaction/status/%00"),
        ("GET", f"{S2S}/subscription/11111111-2222-4333-8444-555555555555"),
        ("POST", f"{S2S}/subscription/x/cancel"),
    ],
)
@pytest.mark.usefixtures("nothing_moves")
def test_what_is_not_there(shared_merchant: Merchant, method: str, path: str) -> None:
    body = json.dumps(shared_merchant.order()).encode()
    answer = shared_merchant.client.request(method, path, content=body, headers=shared_merchant.headers)
    assert answer.status_code == 404


@pytest.mark.usefixtures("nothing_moves")
def test_another_merchant(shared_merchant: Merchant) -> None:
    assert shared_merchant.pay(merchant_id="JP00000001").status_code == 412


@pytest.mark.usefixtures("nothing_moves")
def test_a_refund_of_nothing(shared_merchant: Merchant) -> None:
    unknown = "11111111-2222-4333-8444-555555555555"
    for path in ("refund", "capture"):
        assert shared_merchant.about(unknown, path, "1").status_code == 404
        assert shared_merchant.about(unknown, path).status_code == 400
    assert shared_merchant.about(unknown, "void").status_code == 404
    assert shared_merchant.about("x", "void").status_code == 406
