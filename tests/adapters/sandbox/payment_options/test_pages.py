"""The 3DS page and the hosted page, driven as a browser does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.adapters.sandbox.payment_options.merchant import THREE_DS_METHOD, Merchant, merchant_of, without
from tests.adapters.sandbox.payment_options.receiver import Receiver
from tests.waiting import eventually

THREE_DS = {"type": "scheme", "stored_payment_method_id": THREE_DS_METHOD}


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    """Whose links live as long as the partner's."""
    with merchant_of(tmp_path, speed=1) as made:
        yield made


def redirect(merchant: Merchant, reference: str = "", amount: str = "1000", path: str = "paymentv2") -> str:
    answer = merchant.pay(amount, reference, path, payment_method=THREE_DS)
    assert (answer.status_code, merchant.ledger()) == (200, [])
    url: str = answer.json()["redirect_url"]
    return url


def press(merchant: Merchant, url: str, decision: str, **fields: str) -> httpx.Response:
    """Opens the page and posts its form where it says."""
    page = merchant.client.get(url)
    assert page.status_code == 200
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', page.text)
    assert f'value="{decision}"' in page.text
    origin = f"http://{merchant.client.base_url.netloc.decode()}"
    action = action.replace("&amp;", "&")
    return merchant.client.post(action, data={"decision": decision, **fields}, headers={"origin": origin})


def hosted(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    order = without(merchant.order(**changes), "payment_method", "customer_ip", "time_zone")
    if "payment_method" in changes:
        order["payment_method"] = changes["payment_method"]
    order["return_url"]["cancel_url"] = "http://127.0.0.1:9/cancel"
    answer = merchant.post("hpp/generate/link", {**order, "merchant_email": "shop@testemail.com"})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_approved_the_payer_comes_back_and_the_webhook_tells(merchant: Merchant, receiver: Receiver) -> None:
    url = redirect(merchant, "order-7")
    assert "_c=400000" in url
    assert merchant.lines("/pages")[0]["state"] == "OPEN"
    back = press(merchant, url, "approve")
    assert (back.status_code, back.headers["location"]) == (303, "http://127.0.0.1:9/success?order=1")
    (line,) = merchant.ledger()
    assert (line["kind"], line["moved"], line["reference"], line["answer"]) == ("PURCHASE", True, "order-7", "none")
    (body,) = eventually(lambda: receiver.bodies)
    assert body["transaction_details"]["id"] == line["transactionId"]
    assert merchant.status(line["transactionId"])["success"] is True
    # The link pays once.
    assert merchant.client.post(url, data={"decision": "approve"}).status_code == 409
    assert len(merchant.ledger()) == 1


def test_declined_the_payer_may_try_again(merchant: Merchant) -> None:
    url = redirect(merchant, path="authorizationv2")
    back = press(merchant, url, "decline")
    assert (back.status_code, back.headers["location"]) == (303, "http://127.0.0.1:9/decline")
    assert press(merchant, url, "approve").status_code == 303
    assert [(line["kind"], line["moved"]) for line in merchant.ledger()] == [
        ("AUTHORIZATION", False),
        ("AUTHORIZATION", True),
    ]


def test_abandoned_nothing_happens(merchant: Merchant, receiver: Receiver) -> None:
    url = redirect(merchant)
    assert press(merchant, url, "abandon").status_code == 200
    assert merchant.client.post(url, data={"decision": "other"}).status_code == 400
    assert (merchant.ledger(), receiver.bodies, merchant.lines("/webhooks")) == ([], [], [])


def test_the_amount_decides_what_an_approval_is_worth(merchant: Merchant) -> None:
    url = redirect(merchant, amount="70051")
    assert press(merchant, url, "approve").headers["location"].endswith("/decline")
    assert merchant.ledger()[0]["responseCode"] == 51


def test_decided_by_the_control_api(merchant: Merchant) -> None:
    redirect(merchant, "by-control")
    url = merchant.pay("1000", "other", "paymentv2", payment_method=THREE_DS).json()["redirect_url"]
    assert merchant.control("POST", "/three-ds/by-control/decline")["outcome"] == "DECLINED"
    assert merchant.control("POST", "/three-ds/by-control/approve")["outcome"] == "APPROVED"
    page_id = httpx.URL(url).params["_token"]
    assert merchant.control("POST", f"/three-ds/{page_id}/approve")["reference"] == "other"
    control = "/payment-options/control/three-ds"
    assert merchant.client.post(f"{control}/by-control/approve").status_code == 409
    assert merchant.client.post(f"{control}/{page_id}/perhaps").status_code == 400
    assert merchant.client.post(f"{control}/nobody/approve").status_code == 404


def test_the_hosted_page_is_decided_by_the_control_api(merchant: Merchant) -> None:
    hosted(merchant, merchant_txn_ref="by-control", payment_method={"type": "scheme", "store_payment_method": True})
    hosted(merchant, merchant_txn_ref="open-amount", amount=None)
    assert merchant.control("POST", "/hosted/by-control/decline")["outcome"] == "DECLINED"
    known = len(merchant.lines("/methods"))
    paid = merchant.control("POST", "/hosted/by-control/pay")
    assert (paid["outcome"], merchant.ledger()[-1]["moved"]) == ("APPROVED", True)
    assert len(merchant.lines("/methods")) == known + 1
    control = "/payment-options/control/hosted"
    assert merchant.client.post(f"{control}/by-control/pay").status_code == 409
    assert merchant.client.post(f"{control}/open-amount/pay").status_code == 409
    assert merchant.client.post(f"{control}/open-amount/perhaps").status_code == 400
    assert merchant.client.post(f"{control}/nobody/pay").status_code == 404
    merchant.pay("1000", "three-ds", "paymentv2", payment_method=THREE_DS)
    assert merchant.client.post(f"{control}/three-ds/pay").status_code == 404


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ("wrong-amount", "amount"),
        ("wrong-currency", "currency"),
        ("wrong-reference", "merchant_txn_ref"),
        ("wrong-mid", "merchant_id"),
    ],
)
def test_a_link_may_say_something_else_than_was_asked_for(merchant: Merchant, fault: str, field: str) -> None:
    right = hosted(merchant, merchant_txn_ref="r")
    merchant.fault(fault, endpoint="hosted-link")
    wrong = hosted(merchant, merchant_txn_ref="r")
    assert {name for name in right if right[name] != wrong[name]} == {field, "id", "url"}


def test_a_link_ends(tmp_path: Path) -> None:
    with merchant_of(tmp_path, speed=10_000) as merchant:
        url = redirect(merchant, "late")
        eventually(lambda: merchant.lines("/pages")[0]["state"] == "EXPIRED")
        assert "expired" in merchant.client.get(url).text
        assert merchant.client.post(url, data={"decision": "approve"}).status_code == 410
        assert merchant.client.post("/payment-options/control/three-ds/late/approve").status_code == 409
        assert merchant.ledger() == []


def test_links_outlive_a_restart_and_pay_once_in_all(tmp_path: Path) -> None:
    with merchant_of(tmp_path, speed=1) as before:
        paid, other = httpx.URL(redirect(before)), httpx.URL(redirect(before))
        press(before, str(paid), "approve")
    state = tmp_path / "sandbox" / "payment-options" / "state.jsonl"
    # The kill came between the charge and the page's own line.
    state.write_text("".join(line for line in state.read_text().splitlines(True) if '"PAID"' not in line))
    with merchant_of(tmp_path, speed=1) as after:
        assert after.client.post(paid.raw_path.decode(), data={"decision": "approve"}).status_code == 409
        assert after.client.post(other.raw_path.decode(), data={"decision": "approve"}).status_code == 303
        assert len(after.ledger()) == 2


def test_pages_need_nothing_and_trust_nobody(merchant: Merchant) -> None:
    url = redirect(merchant, "<script>alert(1)</script>")
    page = merchant.client.get(url)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:9;" in policy
    assert "script" not in policy
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert not re.search(r'(src|href)="', page.text)
    evil = merchant.client.post(url, data={"decision": "approve"}, headers={"origin": "http://evil.example"})
    assert evil.status_code == 403
    for path in ("integration/3ds?_token=nobody", "integration/3ds", "HostedPaymentPage/nobody"):
        assert merchant.client.get(f"/payment-options/{path}").status_code == 404
    assert merchant.client.post(url, content=b"a=" + b"b" * 9000).status_code == 413
    assert merchant.client.post(url, content=b"\xff").status_code == 400
    assert merchant.client.post(url, content=b"a=1&" * 100).status_code == 400
    assert merchant.ledger() == []


def test_a_hosted_page_takes_a_test_card(merchant: Merchant, receiver: Receiver) -> None:
    link = hosted(merchant, reference="hosted-1")
    assert set(link) == {
        *("id", "url", "amount", "currency", "merchant_txn_ref", "merchant_id", "merchant_email", "return_url"),
        *("billing_address", "shipping_address"),
    }
    assert (link["amount"], link["currency"], link["merchant_txn_ref"]) == (1000, "JPY", "hosted-1")
    refused = press(merchant, link["url"], "pay", number="4929000000006")
    assert refused.status_code == 400
    assert "4929000000006" not in refused.text
    assert press(merchant, link["url"], "cancel").headers["location"] == "http://127.0.0.1:9/cancel"
    assert press(merchant, link["url"], "decline", card="4000000000001091").headers["location"].endswith("/decline")
    back = press(merchant, link["url"], "pay", card="5200000000001005", name="Jane")
    assert (back.status_code, back.headers["location"]) == (303, "http://127.0.0.1:9/success?order=1")
    assert merchant.client.get(link["url"]).status_code == 409
    declined, paid = merchant.ledger()
    assert (declined["moved"], paid["moved"], paid["card"]["number"]) == (False, True, "520000******1005")
    assert paid["transactionId"] != link["id"]
    assert paid["storedPaymentMethodId"] == ""
    eventually(lambda: len(receiver.bodies) == 2)


def test_a_hosted_page_stores_a_payment_method(merchant: Merchant, receiver: Receiver) -> None:
    link = hosted(merchant, payment_method={"type": "scheme", "store_payment_method": True})
    assert press(merchant, link["url"], "pay", card="", number="4111111111111111").status_code == 303
    (body,) = eventually(lambda: receiver.bodies)
    method_id = body["transaction_details"]["stored_payment_method_id"]
    paid = merchant.paid(payment_method={"stored_payment_method_id": method_id})
    assert paid["payment_details"]["card"]["number"] == "411111******1111"
    assert method_id in {method["methodId"] for method in merchant.lines("/methods")}


def test_a_payer_types_the_amount_and_chooses_an_outcome(merchant: Merchant) -> None:
    link = hosted(merchant, amount=None, currency=None)
    assert link["amount"] is None
    fields = {"card": "4000000000001091", "currency": "EUR"}
    assert press(merchant, link["url"], "pay", amount="0", **fields).status_code == 400
    assert press(merchant, link["url"], "pay", amount="5", outcome="nothing", **fields).status_code == 400
    back = press(merchant, link["url"], "pay", amount="12.34", outcome="soft-decline-51", **fields)
    assert back.headers["location"].endswith("/decline")
    press(merchant, link["url"], "pay", amount="12.34", **fields)
    told = [(line["amount"], line["currency"], line["responseCode"]) for line in merchant.ledger()]
    assert told == [("12.34", "EUR", 51), ("12.34", "EUR", 0)]


@pytest.mark.parametrize("field", ["merchant_email", "merchant_txn_ref", "billing_address", "return_url"])
def test_a_link_needs_its_fields(shared_merchant: Merchant, field: str) -> None:
    order = {**shared_merchant.order(), "merchant_email": "shop@testemail.com"}
    assert shared_merchant.post("hpp/generate/link", without(order, field)).status_code == 400
    older = "/payment-options/api/v1/hpp/generate/link"
    assert shared_merchant.client.post(older, json=order, headers=shared_merchant.headers).status_code == 201
