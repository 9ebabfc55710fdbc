"""Purchases, authorizations and what follows them; nothing is ever de-duplicated."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.sandbox.payment_options.merchant import CARD, SAMPLE_METHOD, Merchant, merchant_of


def id_of(document: dict[str, Any]) -> str:
    identifier: str = document["transaction_details"]["id"]
    return identifier


def moved(merchant: Merchant) -> list[tuple[str, str]]:
    return [(line["kind"], line["amount"]) for line in merchant.ledger() if line["moved"]]


def test_the_same_request_twice_charges_twice(merchant: Merchant) -> None:
    order = merchant.order("1000", "the-same")
    first, second = merchant.post("payment", order).json(), merchant.post("payment", order).json()
    assert id_of(first) != id_of(second)
    assert moved(merchant) == [("PURCHASE", "1000"), ("PURCHASE", "1000")]
    assert {line["reference"] for line in merchant.ledger()} == {"the-same"}


@pytest.mark.parametrize(("sent", "told"), [("1000", 1000), (1000, 1000), ("10.50", 10.5), (0.1, 0.1)])
def test_amounts_come_back_as_numbers(shared_merchant: Merchant, sent: object, told: object) -> None:
    amount = shared_merchant.paid(sent)["payment_details"]["amount"]
    assert (amount, type(amount)) == (told, type(told))


def test_a_token_is_made_of_a_card_whose_number_is_nowhere_afterwards(merchant: Merchant, tmp_path: Path) -> None:
    order = merchant.order(card=CARD, payment_method={"type": "scheme", "store_payment_method": True})
    made = merchant.post("payment", order).json()
    method_id = made["transaction_details"]["stored_payment_method_id"]
    assert method_id != SAMPLE_METHOD
    assert made["payment_details"]["card"] == {
        **{"name": "Jane Roe", "number": "400000******1091", "exp_month": "12", "exp_year": "34"}
    }
    used = merchant.paid(payment_method={"stored_payment_method_id": method_id})
    assert used["transaction_details"]["stored_payment_method_id"] == method_id
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or CARD["number"].encode() not in path.read_bytes(), path


def test_an_authorization_is_captured_once_and_the_rest_released(merchant: Merchant) -> None:
    held = merchant.paid("1000", "held", "authorization")
    assert held["transaction_type"] == "PRE_AUTH"
    too_much = merchant.about(id_of(held), "capture", "1001").json()
    assert (too_much["success"], too_much["payment_details"]["response_code"]) == (False, 836)
    captured = merchant.about(id_of(held), "capture", "600").json()
    assert captured["transaction_type"] == "CAPTURE"
    assert captured["gateway_response"]["code"] == "INFO0001"
    assert captured["merchant_details"]["merchant_txn_ref"] == "held"
    assert set(captured) == {
        *("success", "status_code", "is_live", "transaction_type", "gateway_response", "merchant_details"),
        *("payment_details", "transaction_details"),
    }
    assert merchant.about(id_of(held), "capture", "1").status_code == 412
    assert merchant.about(id_of(held), "void").status_code == 412
    assert moved(merchant) == [("AUTHORIZATION", "1000"), ("CAPTURE", "600")]
    shown = merchant.control("GET", f"/transactions/{id_of(held)}")
    assert (shown["capturedAmount"], shown["voided"]) == ("600", False)


def test_a_void_ends_an_authorization(merchant: Merchant) -> None:
    held = merchant.paid(path="authorizationv2")
    voided = merchant.about(id_of(held), "void").json()
    assert (voided["transaction_type"], voided["gateway_response"]["code"]) == ("VOID", "INFO0003")
    assert merchant.about(id_of(held), "capture", "1").status_code == 412
    assert merchant.about(id_of(held), "void").status_code == 412
    assert merchant.about(id_of(merchant.paid()), "void").status_code == 412
    assert merchant.control("GET", f"/transactions/{id_of(held)}")["voided"] is True


def test_a_repeated_refund_refunds_twice_up_to_what_was_captured(merchant: Merchant) -> None:
    paid = id_of(merchant.paid("1000"))
    first, second = (merchant.about(paid, "refund", "400").json() for _ in range(2))
    assert first["gateway_response"]["code"] == second["gateway_response"]["code"] == "INFO0002"
    assert id_of(first) != id_of(second)
    assert merchant.about(paid, "refund", "201").status_code == 412
    assert merchant.about(paid, "refund", "200").status_code == 201
    refunds = [Decimal(line["amount"]) for line in merchant.ledger() if line["kind"] == "REFUND"]
    assert sum(refunds) == 1000
    assert merchant.about(id_of(first), "refund", "1").status_code == 412


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with merchant_of(tmp_path) as before:
        order = before.order(card=CARD, payment_method={"store_payment_method": True})
        paid = before.post("payment", order).json()
        held = before.paid("500", path="authorization")
        before.about(id_of(paid), "refund", "700")
    ledger = tmp_path / "sandbox" / "payment-options" / "ledger.jsonl"
    with ledger.open("ab") as file:
        file.write(b'{"torn": ')
    with merchant_of(tmp_path) as after:
        assert after.credentials == before.credentials
        assert after.status(id_of(paid))["transaction_details"]["ref"] == paid["transaction_details"]["ref"]
        assert after.about(id_of(paid), "refund", "301").status_code == 412
        assert after.about(id_of(held), "capture", "500").status_code == 201
        method_id = paid["transaction_details"]["stored_payment_method_id"]
        again = after.paid(payment_method={"stored_payment_method_id": method_id})
        assert again["transaction_details"]["ref"] > paid["transaction_details"]["ref"]
        assert len(after.ledger()) == 5
        assert [line["number"] for line in after.lines("/requests")] == list(range(1, 8))


def test_racing_follow_ups_never_go_above_what_is_there(merchant: Merchant) -> None:
    paid, held = id_of(merchant.paid("1000")), id_of(merchant.paid("1000", path="authorization"))

    def follow(number: int) -> tuple[int, int]:
        capture = merchant.about(held, "capture" if number % 2 else "void", "100" if number % 2 else None)
        return merchant.about(paid, "refund", "100").status_code, capture.status_code

    with ThreadPoolExecutor(8) as pool:
        refunds, ends = zip(*pool.map(follow, range(24)), strict=True)
    assert Counter(refunds) == {201: 10, 412: 14}
    assert Counter(ends) == {201: 1, 412: 23}
    assert merchant.control("GET", f"/transactions/{paid}")["refundedAmount"] == "1000"
