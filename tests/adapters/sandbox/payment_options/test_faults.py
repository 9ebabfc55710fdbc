"""Each fault as an httpx client sees it, and as the ledger tells it."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sandbox.payment_options.faults import KINDS, NEED_ANSWER
from tests.adapters.sandbox.payment_options.merchant import S2S, Merchant, merchant_of
from tests.plain import PLAIN
from tests.stack import free_ports
from tests.waiting import eventually

CANARY = "4012888888881881"
Seen = Callable[[httpx.Response], bool]


def block(name: str, field: str) -> Callable[[httpx.Response], Any]:
    return lambda answer: answer.json()[name][field]


# How a whole answer differs from the right one.
SEEN: dict[str, Seen] = {
    "hang": lambda answer: answer.json()["success"] is True,
    "status": lambda answer: answer.status_code == 500 and answer.json() == {"message": "Internal Server Error"},
    "drip-headers": lambda answer: answer.json()["success"] is True,
    "drip-body": lambda answer: answer.json()["success"] is True,
    "cut-json": lambda answer: answer.status_code == 201 and not is_json(answer),
    "html": lambda answer: answer.status_code == 201 and answer.text.startswith("<!doctype html>"),
    "empty": lambda answer: answer.status_code == 201 and answer.content == b"",
    "redirect": lambda answer: (
        answer.status_code == 307 and answer.headers["location"].startswith("http://127.0.0.1:9")
    ),
    "huge": lambda answer: len(answer.content) > 1024 * 1024 and answer.json()["success"] is True,
    "wrong-amount": lambda answer: block("payment_details", "amount")(answer) == 1001,
    "wrong-currency": lambda answer: block("payment_details", "currency")(answer) == "EUR",
    "wrong-reference": lambda answer: block("merchant_details", "merchant_txn_ref")(answer) == "somebody-elses",
    "wrong-mid": lambda answer: block("merchant_details", "mid")(answer) == "JP99999999",
    "wrong-type": lambda answer: bool(answer.json()["transaction_type"] == "REFUND"),
    "wrong-id": lambda answer: answer.status_code == 201,
    "wrong-live": lambda answer: answer.json()["is_live"] is True,
    "wrong-method": lambda answer: answer.status_code == 201,
    "card-number": lambda answer: answer.text.count(CANARY) > 9 and answer.headers["x-card"] == CANARY,
    "redirect-url": lambda answer: answer.json()["success"] is True and "redirect_url" in answer.json(),
    "unknown-code": lambda answer: block("payment_details", "response_code")(answer) == 31_337,
    "missing-blocks": lambda answer: bool(answer.json() == {"success": True}),
    "duplicate-keys": lambda answer: answer.text.count('"success"') == 2 and answer.text.count("response_code") == 2,
    "invalid-utf8": lambda answer: b"\xff" in answer.content,
}
CUT_OFF = {"reset": httpx.ReadError, "close": httpx.RemoteProtocolError, "truncated": httpx.RemoteProtocolError}


def is_json(answer: httpx.Response) -> bool:
    try:
        json.loads(answer.content)
    except ValueError:
        return False
    return True


def by_reference(merchant: Merchant, reference: str) -> list[Any]:
    return [line for line in merchant.ledger() if line["reference"] == reference]


def test_each_fault_is_described() -> None:
    assert set(SEEN) | set(CUT_OFF) == set(KINDS)


@pytest.mark.parametrize("fault", sorted(SEEN))
def test_a_fault_that_changes_the_answer_of_a_charge(shared_merchant: Merchant, fault: str) -> None:
    reference = f"charged-{fault}"
    shared_merchant.fault(fault, reference=reference, seconds=0.0001)
    answer = shared_merchant.pay("1000", reference)
    assert SEEN[fault](answer)
    (line,) = by_reference(shared_merchant, reference)
    assert (line["moved"], line["answer"]) == (True, KINDS[fault][1])
    assert line["fault"].startswith(f"{fault}#")
    if fault == "wrong-id":
        assert answer.json()["transaction_details"]["id"] != line["transactionId"]
    if fault == "wrong-method":
        details = answer.json()["transaction_details"]
        assert details["stored_payment_method_id"] != line["storedPaymentMethodId"]
    if fault == "card-number":
        details = answer.json()["transaction_details"]
        assert (details["id"], details["merchant_txn_ref"]) == (line["transactionId"], reference)
    received = next(each for each in shared_merchant.lines("/requests") if each["reference"] == reference)
    assert (received["fault"], received["transactionId"]) == (line["fault"], line["transactionId"])
    # Used up.
    assert shared_merchant.paid("1000", reference)


@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("fault", sorted(CUT_OFF))
def test_a_fault_that_cuts_the_answer_off(shared_merchant: Merchant, fault: str, charged: bool) -> None:
    reference = f"{fault}-{charged}"
    shared_merchant.fault(fault, reference=reference, charged=charged)
    with pytest.raises(CUT_OFF[fault]) as raised:
        shared_merchant.pay("1000", reference)
    if fault == "reset":
        assert "reset" in str(raised.value).lower()
    lines = by_reference(shared_merchant, reference)
    assert [(line["moved"], line["answer"]) for line in lines] == ([(True, KINDS[fault][1])] if charged else [])
    received = next(each for each in shared_merchant.lines("/requests") if each["reference"] == reference)
    assert (received["moved"], received["answer"]) == (charged, KINDS[fault][1])
    assert (received["status"] == 0) is (fault != "truncated")


@pytest.mark.parametrize("fault", sorted(set(SEEN) - NEED_ANSWER))
def test_a_fault_without_a_charge(shared_merchant: Merchant, fault: str) -> None:
    reference = f"uncharged-{fault}"
    shared_merchant.fault(fault, reference=reference, charged=False, seconds=0.0001)
    try:
        answer = shared_merchant.pay("1000", reference)
    except httpx.RemoteProtocolError:
        assert fault == "hang"
    else:
        assert answer.status_code == (307 if fault == "redirect" else 500)
    assert by_reference(shared_merchant, reference) == []


@pytest.mark.parametrize("fault", sorted(NEED_ANSWER))
def test_an_answer_that_is_changed_needs_a_charge(shared_merchant: Merchant, fault: str) -> None:
    order = {"fault": fault, "charged": False}
    answer = shared_merchant.client.post("/payment-options/control/faults", json=order)
    assert answer.status_code == 400
    assert fault in answer.json()["error"]


@pytest.mark.parametrize("charged", [True, False])
def test_a_call_hangs_until_it_is_released_and_the_money_has_moved_before(merchant: Merchant, charged: bool) -> None:
    merchant.fault("hang", charged=charged)
    ended: list[object] = []

    def pay() -> None:
        try:
            ended.append(merchant.pay("1000", "hangs").status_code)
        except httpx.RemoteProtocolError:
            ended.append("closed")

    thread = threading.Thread(target=pay)
    thread.start()
    eventually(lambda: any(received["decided"] for received in merchant.lines("/requests")))
    assert [line["moved"] for line in merchant.ledger()] == ([True] if charged else [])
    assert ended == []
    merchant.control("POST", "/faults/release")
    thread.join()
    assert ended == [201 if charged else "closed"]


def test_a_hanging_call_whose_caller_goes_away_is_over(merchant: Merchant) -> None:
    merchant.fault("hang")
    with pytest.raises(httpx.ReadTimeout):
        merchant.client.post(f"{S2S}/payment", json=merchant.order(), headers=merchant.headers, timeout=0.5)
    assert [line["answer"] for line in merchant.ledger()] == ["ambiguous"]
    assert merchant.paid()


def test_which_call_meets_which_fault(merchant: Merchant) -> None:
    script = {
        "seed": 7,
        "faults": [
            {"fault": "status", "status": 502, "endpoint": "refund", "times": 0},
            {"fault": "status", "status": 503, "nth": 2},
            {"fault": "status", "status": 504, "amount": "77.50"},
            {"fault": "html", "endpoint": "status", "times": 2},
        ],
    }
    assert merchant.control("PUT", "/faults", script)["seed"] == 7
    first = merchant.paid("5")["transaction_details"]["id"]
    assert merchant.pay("77.5").status_code == 503
    assert [merchant.pay("77.5").status_code for _ in range(2)] == [504, 201]
    assert [merchant.about(first, "refund", "1").status_code for _ in range(3)] == [502, 502, 502]
    assert [is_json(merchant.get(f"transaction/status/{first}")) for _ in range(3)] == [False, False, True]
    counts = [(each["id"], each["struck"]) for each in merchant.control("GET", "/faults")["faults"]]
    assert counts == [(1, 3), (2, 1), (3, 1), (4, 2)]
    assert merchant.control("DELETE", "/faults")["faults"] == []
    assert merchant.about(first, "refund", "1").status_code == 201


def test_a_script_replays_by_its_seed_in_any_order(merchant: Merchant) -> None:
    def struck(seed: int, references: list[str]) -> set[str]:
        fault = {"fault": "status", "times": 0, "probability": 0.5}
        merchant.control("PUT", "/faults", {"seed": seed, "faults": [fault]})
        return {reference for reference in references if merchant.pay("1", reference).status_code == 500}

    references = [f"r{number}" for number in range(40)]
    first = struck(7, references)
    assert 5 < len(first) < 35
    assert struck(7, references[::-1]) == first
    assert struck(8, references) != first
    assert {line["reference"] for line in merchant.ledger() if line["fault"]} >= first


@pytest.mark.parametrize(
    "order",
    [
        {"fault": "nothing"},
        {"fault": "reset", "endpoint": "nothing"},
        {"fault": "reset", "probability": 2},
        {"fault": "reset", "nth": -1},
        {"fault": "redirect", "status": 200},
        {"fault": "redirect", "location": "http://a\r\nx: y"},
        {"fault": "card-number", "number": "x"},
        {"fault": "reset", "unknown": 1},
    ],
)
def test_a_wrong_script_is_refused_and_changes_nothing(shared_merchant: Merchant, order: dict[str, Any]) -> None:
    before = shared_merchant.control("GET", "/faults")
    for method, body in (("POST", order), ("PUT", {"faults": [{"fault": "reset"}, order]})):
        answer = shared_merchant.client.request(method, "/payment-options/control/faults", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert shared_merchant.control("GET", "/faults") == before


def test_canaries_are_not_shown(merchant: Merchant) -> None:
    merchant.fault("card-number", number="4000001234567899")
    assert "4000001234567899" not in json.dumps(merchant.control("GET", "/faults"))


def test_its_own_listener_can_refuse_connections(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with merchant_of(tmp_path, sandbox_payment_options_address=f"127.0.0.1:{port}") as merchant:
        url = f"http://127.0.0.1:{port}{S2S}/payment"

        def pay() -> int:
            return httpx.post(
                url, json=merchant.order(), headers=merchant.headers, timeout=10, verify=PLAIN
            ).status_code

        assert pay() == 201
        assert merchant.control("PUT", "/listener", {"open": False})["open"] is False
        with pytest.raises(httpx.ConnectError):
            pay()
        assert merchant.paid()
        assert merchant.control("PUT", "/listener", {"open": True})["open"] is True
        assert pay() == 201
        assert httpx.get(f"http://127.0.0.1:{port}/payment-options/control/state", verify=PLAIN).status_code == 404
        assert len(merchant.ledger()) == 3


def test_without_a_listener_of_its_own_it_says_so(shared_merchant: Merchant) -> None:
    answer = shared_merchant.client.put("/payment-options/control/listener", json={"open": False})
    assert answer.status_code == 409
    assert "MINTMARK_SANDBOX_PAYMENT_OPTIONS_ADDRESS" in answer.json()["error"]
