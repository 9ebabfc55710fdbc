"""Each outcome of the table is what an answer, the status and the ledger say."""

from decimal import Decimal

import pytest

from adapters.sandbox.payment_options import outcomes
from adapters.sandbox.payment_options.charges import PENDING
from adapters.sandbox.payment_options.outcomes import TABLE, Outcome
from tests.adapters.sandbox.payment_options.merchant import Merchant
from tests.waiting import eventually

# Those whose answer is about a transaction.
TOLD = [outcome for outcome in TABLE if not outcome.http_status and not outcome.three_ds]
STATUSES = [outcome for outcome in TABLE if outcome.http_status]


def named(outcome: Outcome) -> str:
    return outcome.name


def test_names_and_numbers_are_unique() -> None:
    assert len({outcome.name for outcome in TABLE}) == len({outcome.number for outcome in TABLE}) == len(TABLE)


@pytest.mark.parametrize("outcome", TOLD, ids=named)
def test_an_outcome_by_its_amount(shared_merchant: Merchant, outcome: Outcome) -> None:
    amount = str(outcome.number or 1234)
    answer = shared_merchant.pay(amount)
    document = answer.json()
    details = document["payment_details"]
    identifier = document["transaction_details"]["id"]
    # What is pending gets a second line soon.
    line = next(line for line in shared_merchant.ledger() if line["transactionId"] == identifier)
    assert answer.status_code == 201
    assert document["success"] is (outcome.moved and outcome.answer == "clean")
    assert details["response_code"] == outcome.response_code
    assert document["gateway_response"]["type"] == ("INFO" if document["success"] else "ERR")
    assert (line["moved"], line["answer"]) == (outcome.moved, outcome.answer)
    if outcome.name == "partial-approval":
        assert (details["amount"], line["requestedAmount"]) == (35005, "70010")
        assert Decimal(line["amount"]) == 35005
    if outcome.gateway_code:
        assert document["gateway_response"]["code"] == outcome.gateway_code
    if outcome.outcome != PENDING:
        assert shared_merchant.status(identifier)["success"] is outcome.moved


@pytest.mark.parametrize("outcome", STATUSES, ids=named)
def test_a_status_by_its_stored_payment_method(shared_merchant: Merchant, outcome: Outcome) -> None:
    method_id = f"{outcomes.METHOD_PREFIX}{outcome.number:012d}"
    answer = shared_merchant.pay("1000", outcome.name, payment_method={"stored_payment_method_id": method_id})
    assert answer.status_code == outcome.http_status
    new = [line for line in shared_merchant.ledger() if line["reference"] == outcome.name]
    assert [(line["moved"], line["answer"]) for line in new] == ([(True, "ambiguous")] if outcome.moved else [])
    assert shared_merchant.lines("/requests")[-1]["answer"] == outcome.answer


@pytest.mark.parametrize(("number", "moved"), [(70578, False), (72578, True)])
def test_what_is_pending_is_settled(merchant: Merchant, number: int, moved: bool) -> None:
    pending = merchant.pay(str(number)).json()
    assert (pending["success"], pending["payment_details"]["response_code"]) == (False, 578)
    identifier = pending["transaction_details"]["id"]
    eventually(lambda: len(merchant.ledger()) == 2)
    lines = merchant.ledger()
    assert [(line["transactionId"], line["moved"]) for line in lines] == [(identifier, False), (identifier, moved)]
    assert merchant.status(identifier)["success"] is moved


def test_other_codes_and_other_operations_have_outcomes_too(merchant: Merchant) -> None:
    assert merchant.pay("71044").json()["payment_details"]["response_code"] == 1044
    assert outcomes.of("72001", "") is outcomes.of("99999999", "") is outcomes.APPROVAL
    held = merchant.paid("80000", path="authorization")["transaction_details"]["id"]
    assert merchant.about(held, "capture", "70051").json()["success"] is False
    assert merchant.about(held, "capture", "75500").status_code == 500
    assert merchant.about(held, "capture", "76500").status_code == 500
    assert merchant.about(held, "capture", "1").status_code == 412
    assert [line["moved"] for line in merchant.ledger() if line["kind"] == "CAPTURE"] == [False, True]


def test_v1_asks_for_3ds_by_a_decline(merchant: Merchant) -> None:
    answer = merchant.pay(str(outcomes.THREE_DS_NUMBER)).json()
    assert (answer["success"], answer["payment_details"]["response_code"]) == (False, 65)


def test_the_table_is_shown(merchant: Merchant) -> None:
    shown = merchant.control("GET", "/outcomes")
    assert [row["name"] for row in shown["outcomes"]] == [outcome.name for outcome in TABLE]
    assert shown["outcomes"][1]["amount"] == "70010"
