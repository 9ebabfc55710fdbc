"""Transactions and their states over time, and the status inquiry."""

from datetime import datetime
from typing import Any

import pytest

from tests.adapters.sandbox.sibs.caller import Caller
from tests.adapters.sandbox.sibs.receiver import Receiver


def told(receiver: Receiver, *names: str) -> list[tuple[Any, ...]]:
    """These fields of what came, in the order of making."""
    return [tuple(message.json()[name] for name in names) for message in receiver.messages]


@pytest.mark.parametrize(
    ("kind", "payment_type", "method", "statuses"),
    [
        ("purchase", "PURS", "CARD", ["Success"]),
        ("authorization", "AUTH", "CARD", ["Success"]),
        ("blik", "PURS", "BLIK", ["Pending", "Success"]),
        ("pay-by-link", "PURS", "PAY_BY_LINK", ["Pending", "Success"]),
        ("mbway", "PURS", "MBWAY", ["Pending", "Success"]),
        ("reference", "PREF", "REFERENCE", ["Pending", "Success"]),
    ],
)
def test_kinds(
    caller: Caller, receiver: Receiver, kind: str, payment_type: str, method: str, statuses: list[str]
) -> None:
    caller.create(value=receiver.url, methods=["CARD", "BLIK", "PYBL", "MBWY", "REFERENCE"])
    made = caller.transact(kind)["transactionId"]
    assert caller.status(made).json()["paymentStatus"] == statuses[0]
    caller.advance(0)
    caller.advance(300)
    assert told(receiver, "paymentType", "paymentMethod", "paymentStatus") == [
        (payment_type, method, status) for status in statuses
    ]
    assert caller.status(made).json()["paymentStatus"] == statuses[-1]


@pytest.mark.parametrize("outcome", ["Declined", "Expired", "Timeout", "Error"])
def test_blik_can_end_otherwise(caller: Caller, receiver: Receiver, outcome: str) -> None:
    caller.create(value=receiver.url)
    made = caller.transact("blik", outcome=outcome, pendingSeconds=45)["transactionId"]
    caller.advance(44)
    assert caller.status(made).json()["paymentStatus"] == "Pending"
    caller.advance(2)
    status = caller.status(made).json()
    assert status["paymentStatus"] == outcome
    assert status["returnStatus"]["statusCode"] != "000"
    assert told(receiver, "paymentStatus") == [("Pending",), (outcome,)]
    assert receiver.messages[0].json()["returnStatus"]["statusCode"] == "000"


def test_what_follows_takes_over_and_takes_no_more_than_there_is(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    held = caller.transact("authorization", amount="100.00", currency="PLN", terminalId="5", merchantTransactionId="o")
    about = {"originalTransactionId": held["transactionId"]}
    captured = caller.transact("capture", amount="60.00", **about)
    assert (captured["currency"], captured["terminalId"], captured["merchantTransactionId"]) == ("PLN", "5", "o")
    assert (
        "40.00 of 100.00 is left"
        in caller.refused("POST", "/transactions", {"kind": "capture", "amount": "40.01", **about})[1]
    )
    caller.transact("cancellation", amount="40.00", **about)
    for wrong in (
        {"kind": "capture", "amount": "0.01", **about},
        {"kind": "refund", "amount": "0.01", **about},
        {"kind": "capture", "amount": "1", "originalTransactionId": "unknown"},
        {"kind": "capture", "amount": "1"},
        {"kind": "refund", "currency": "EUR", "originalTransactionId": captured["transactionId"]},
    ):
        assert caller.refused("POST", "/transactions", wrong)[0] == 400, wrong
    caller.transact("refund", originalTransactionId=captured["transactionId"])
    caller.advance(0)
    found = [each["paymentType"] for each in caller.lines("/transactions")]
    assert found == ["AUTH", "CAPT", "CANC", "RFND"]
    # An annulment is a success, under an id of its own.
    assert {each[0] for each in told(receiver, "paymentStatus")} == {"Success"}
    assert len({each[0] for each in told(receiver, "transactionID")}) == 4


def test_what_failed_takes_nothing(caller: Caller) -> None:
    paid = caller.transact(amount="10.00")["transactionId"]
    caller.transact("refund", originalTransactionId=paid, outcome="Declined")
    caller.transact("refund", originalTransactionId=paid)
    declined = caller.transact(outcome="Declined")["transactionId"]
    answer = caller.refused("POST", "/transactions", {"kind": "refund", "originalTransactionId": declined})
    assert "Declined" in answer[1]


def test_steps_by_hand(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    steps = [
        {"status": "Pending"},
        {"status": "InProcessing", "seconds": 5},
        {"status": "Declined", "seconds": 5, "statusCode": "000", "statusMessage": "Success"},
    ]
    made = caller.transact(steps=steps, paymentType="PURS", paymentMethod="XPAY")["transactionId"]
    caller.advance(20)
    assert [state["status"] for state in caller.control("GET", f"/transactions/{made}")["states"]] == [
        "Pending",
        "InProcessing",
        "Declined",
    ]
    # XPAY is not among the config's methods.
    assert receiver.messages == []
    assert caller.status(made).json()["returnStatus"] == {"statusMsg": "Success", "statusCode": "000"}


def test_settled_by_hand(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    made = caller.transact("blik")["transactionId"]
    settled = caller.control("POST", f"/transactions/{made}/settle", {"status": "Declined"})
    assert (settled["paymentStatus"], settled["planned"]) == ("Declined", [])
    caller.advance(3600)
    assert {each[0] for each in told(receiver, "paymentStatus")} == {"Pending", "Declined"}
    assert caller.refused("POST", f"/transactions/{made}/settle", {"status": "Paid"})[0] == 400
    assert caller.refused("POST", "/transactions/unknown/settle", {"status": "Declined"})[0] == 404


def test_the_status_inquiry(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    first = caller.transact(amount="16.20", terminalId="5", merchantTransactionId="order-1")["transactionId"]
    second = caller.transact(amount="7", merchantTransactionId="order-1")["transactionId"]
    caller.advance(0)
    status = caller.status(first).json()
    assert status["merchant"] == {"terminalId": 5, "merchantTransactionId": "order-1"}
    assert datetime.fromisoformat(status["transactionDateTime"])
    # Otherwise it says what the notification said.
    notification = next(m.json() for m in receiver.messages if m.json()["transactionID"] == first)
    assert {**status, "merchant": 0} == {
        name: 0 if name == "merchant" else value for name, value in notification.items() if name != "notificationID"
    }
    for prefix in ("/sibs", "/sibs/api/v1", "/sibs/api/v2", "/sibs/sibs/spg/v2"):
        assert caller.status(first, prefix).status_code == 200
    headers = {"authorization": f"Bearer {caller.access_token}", "x-ibm-client-id": caller.client_id}

    def search(reference: str) -> Any:
        path = f"/sibs/api/v1/payments/status?merchantTransactionId={reference}"
        return caller.client.get(path, headers=headers)

    assert search("order-1").json()["transactionID"] == second
    assert [search(reference).status_code for reference in ("order-2", "")] == [404, 404]
    assert caller.status("unknown").json()["returnStatus"]["statusMsg"] == "Transaction not found"
    path = f"/sibs/api/v1/payments/{first}/status"
    assert caller.client.get(path).status_code == 401
    assert caller.client.get(path, headers={**headers, "x-ibm-client-id": "another"}).status_code == 403


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "gift"},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "1e3"},
        {"amount": "1.2345"},
        {"currency": "pln"},
        {"merchantId": "m"},
        {"terminalId": "1" * 11},
        {"outcome": "Paid"},
        {"steps": [{"status": "Paid"}]},
        {"steps": [{"status": "Success", "seconds": -1}]},
        {"count": 0},
        {"unknown": 1},
    ],
)
def test_a_wrong_order_makes_nothing(shared_caller: Caller, order: dict[str, Any]) -> None:
    assert shared_caller.refused("POST", "/transactions", order)[0] == 400
    assert shared_caller.lines("/transactions") == []
