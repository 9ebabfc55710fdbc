"""Webhooks in each mode, to a receiver on a real socket."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.sandbox.payment_options.merchant import Merchant, merchant_of
from tests.adapters.sandbox.payment_options.receiver import Receiver
from tests.waiting import eventually


def sent(merchant: Merchant) -> list[tuple[str, str, int]]:
    return [(each["mode"], each["state"], each["attempts"]) for each in merchant.lines("/webhooks")]


def arrived(receiver: Receiver, count: int) -> bool:
    return len(receiver.bodies) == count


def rule(merchant: Merchant, mode: str, **more: Any) -> None:
    merchant.control("POST", "/webhooks/rules", {"mode": mode, **more})


def test_each_outcome_is_told(merchant: Merchant, receiver: Receiver) -> None:
    paid = merchant.paid("1000", "one")["transaction_details"]["id"]
    eventually(lambda: len(receiver.bodies) == 1)
    refund = merchant.about(paid, "refund", "400").json()["transaction_details"]["id"]
    eventually(lambda: len(receiver.bodies) == 2)
    merchant.pay("70051", "two")
    eventually(lambda: len(receiver.bodies) == 3)
    told = [(body["transaction_type"], body["success"], body["transaction_details"]["id"]) for body in receiver.bodies]
    assert told[:2] == [("CAPTURE", True, paid), ("REFUND", True, refund)]
    assert told[2][:2] == ("CAPTURE", False)
    assert {body["merchant_details"]["merchant_txn_ref"] for body in receiver.bodies} == {"one", "two"}
    assert set(receiver.paths) == {"/hooks/secret"}
    # The path is the merchant's secret.
    assert "secret" not in str(merchant.lines("/webhooks"))


def test_a_lost_answer_is_told_all_the_same(merchant: Merchant, receiver: Receiver) -> None:
    merchant.fault("status", status=500)
    assert merchant.pay("1000", "lost").status_code == 500
    (body,) = eventually(lambda: receiver.bodies)
    assert body["transaction_details"]["id"] == merchant.ledger()[0]["transactionId"]
    merchant.fault("status", status=500, charged=False)
    assert merchant.pay("1000", "never").status_code == 500
    assert merchant.paid("1000", "next")
    eventually(lambda: len(receiver.bodies) == 2)
    assert receiver.bodies[1]["merchant_details"]["merchant_txn_ref"] == "next"


def test_before_the_answer(merchant: Merchant, receiver: Receiver) -> None:
    rule(merchant, "before-answer", times=0)
    for number in range(1, 4):
        merchant.paid()
        assert len(receiver.bodies) == number


def test_duplicates_and_losses(merchant: Merchant, receiver: Receiver) -> None:
    rule(merchant, "lost", reference="lost")
    rule(merchant, "duplicate", copies=4)
    merchant.paid(reference="lost")
    merchant.paid()
    eventually(lambda: len(receiver.bodies) == 4)
    assert {body["transaction_details"]["id"] for body in receiver.bodies} == {merchant.ledger()[1]["transactionId"]}
    eventually(lambda: sent(merchant) == [("lost", "lost", 0), *[("duplicate", "acknowledged", 1)] * 4])


def test_out_of_order(merchant: Merchant, receiver: Receiver) -> None:
    rule(merchant, "out-of-order", reference="first", seconds=80_000)
    merchant.paid(reference="first")
    merchant.paid(reference="second")
    eventually(lambda: len(receiver.bodies) == 2)
    assert [body["merchant_details"]["merchant_txn_ref"] for body in receiver.bodies] == ["second", "first"]


def test_late(tmp_path: Path) -> None:
    with merchant_of(tmp_path, speed=1) as merchant:
        receiver = Receiver()
        merchant.webhook_url = receiver.url
        try:
            rule(merchant, "late", seconds=3600)
            merchant.paid()
            assert sent(merchant) == [("late", "waiting", 0)]
            assert receiver.bodies == []
            merchant.client.post("/configure", json={"speed": 10_000})
            eventually(lambda: len(receiver.bodies) == 1)
        finally:
            receiver.close()


def test_a_tampered_amount_and_a_card_number(merchant: Merchant, receiver: Receiver) -> None:
    rule(merchant, "tampered-amount")
    rule(merchant, "tampered-amount", amount="7.5")
    rule(merchant, "card-number", transactionType="CAPTURE")
    for _ in range(3):
        before = len(receiver.bodies)
        paid = merchant.paid()
        eventually(partial(arrived, receiver, before + 1))
    assert [body["payment_details"]["amount"] for body in receiver.bodies] == [1001, 7.5, 1000]
    assert receiver.bodies[2]["payment_details"]["card"]["number"] == "4012888888881881"
    assert merchant.status(paid["transaction_details"]["id"])["payment_details"]["amount"] == 1000
    assert [each["followed"] for each in merchant.control("GET", "/webhooks/rules")["rules"]] == [1, 1, 1]
    assert merchant.control("DELETE", "/webhooks/rules") == {"rules": []}


def test_a_failed_webhook_is_sent_again(merchant: Merchant, receiver: Receiver) -> None:
    receiver.statuses.extend([500, 404])
    merchant.paid()
    eventually(lambda: sent(merchant) == [("immediate", "acknowledged", 3)])
    receiver.statuses.extend([302] * 4)
    merchant.paid()
    eventually(lambda: sent(merchant)[1:] == [("immediate", "given up", 4)])
    assert len(receiver.bodies) == 7


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:9/x", True),
        ("http://localhost:9", True),
        ("http://[::1]:9", True),
        ("https://hooks.example/x", True),
        ("http://example.com", False),
        ("http://10.0.0.1", False),
        ("http://169.254.169.254/latest", False),
        ("http://localhost.example.com", False),
        ("http://user@127.0.0.1", False),
        ("http://2130706433", False),
        ("http://0x7f000001", False),
        ("http://[::ffff:10.0.0.1]", False),
    ],
)
def test_it_is_no_way_into_other_machines(tmp_path: Path, url: str, allowed: bool) -> None:
    with merchant_of(tmp_path, sandbox_webhook_hosts="hooks.example,other.example") as merchant:
        merchant.webhook_url = url
        merchant.paid()
        (webhook,) = merchant.lines("/webhooks")
        assert (webhook["state"] != "refused") is allowed
        assert allowed or webhook["attempts"] == 0


def test_wrong_rules_are_refused(shared_merchant: Merchant) -> None:
    for document in ({"mode": "never"}, {"mode": "late", "seconds": -1}, {"mode": "duplicate", "copies": 0}, {}):
        answer = shared_merchant.client.post("/payment-options/control/webhooks/rules", json=document)
        assert answer.status_code == 400
    assert shared_merchant.control("PUT", "/webhooks/rules", {"rules": []}) == {"rules": []}
