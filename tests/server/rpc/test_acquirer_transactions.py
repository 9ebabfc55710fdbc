"""Transactions at the acquirer: states in any order, payments they belong to, and the status that settles them."""

from typing import Any

import pytest
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.acquiring import Merchant, booking_of, open_merchant, said, state_of
from tests.server.rpc.paying import open_shop
from tests.server.rpc.running import RunningCore, refused, request_id

PAYMENTS_API = "https://api.example.com"


@pytest.fixture
def merchant(core: RunningCore) -> Merchant:
    """One whose account says where a transaction's status can be asked for."""
    return open_merchant(core, payments_base_url=PAYMENTS_API)


def contested(merchant: Merchant) -> str:
    """The id of a transaction that the acquirer has told of in two ways under one notification id."""
    first = said(paymentStatus="Declined")
    merchant.send(first)
    merchant.send({**first, "paymentStatus": "Success"})
    return str(first["transactionID"])


def answer_of(transaction_id: str, **fields: Any) -> dict[str, Any]:
    told = said(transactionID=transaction_id, notificationID=None, paymentType=None, **fields)
    assert "notificationID" not in told
    return told


def test_what_is_older_or_open_takes_nothing_back(core: RunningCore, merchant: Merchant) -> None:
    transaction_id = merchant.tell(paymentStatus="Success", transactionDateTime="2026-03-12T10:02:00Z")
    for state, minute in (("Pending", 1), ("Pending", 3), ("Declined", 1)):
        merchant.tell(
            transactionID=transaction_id, paymentStatus=state, transactionDateTime=f"2026-03-12T10:0{minute}:00Z"
        )
    found = merchant.get(transaction_id)
    assert (state_of(found), booking_of(found), found.contested) == ("SUCCESS", "PAID", False)
    assert merchant.effects(transaction_id) == ["APPLIED", "STALE", "STALE", "STALE"]
    assert [kept.state for kept in merchant.kept()] == [2, 2, 2, 1]


def test_a_pending_one_becomes_paid(core: RunningCore, merchant: Merchant) -> None:
    cursor = core.admin.head()
    transaction_id = merchant.tell(paymentStatus="Pending", transactionDateTime=None)
    assert (state_of(merchant.get(transaction_id)), booking_of(merchant.get(transaction_id))) == (
        "PENDING",
        "UNSPECIFIED",
    )
    merchant.tell(transactionID=transaction_id)
    events = core.admin.events_after(cursor, resource=merchant.name_of(transaction_id))
    told = [(each.details["state_before"], each.details["state"], each.details["booking"]) for each in events]
    assert told == [("", "PENDING", "NONE"), ("PENDING", "SUCCESS", "PAID")]
    assert events[-1].acquirer_transaction == merchant.get(transaction_id)
    assert events[-1].notification == merchant.kept()[0].name


@pytest.mark.parametrize(
    ("kind", "booking"), [("RFND", "OTHER"), ("CAPT", "OTHER"), ("ANNUL", "OTHER"), ("AUTH", "AUTHORIZED")]
)
def test_a_success_of_something_else_is_no_payment(merchant: Merchant, kind: str, booking: str) -> None:
    found = merchant.get(merchant.tell(paymentType=kind))
    assert (state_of(found), booking_of(found), found.type_text) == ("SUCCESS", booking, kind)


def test_a_payment_of_ours_is_found_by_its_reference_and_by_the_merchants_own_id(core: RunningCore) -> None:
    shop = open_shop(core)
    merchant = open_merchant(core, gateway=shop.gateway)
    payment = shop.pay()
    reference = shop.get(payment).operations[0].reference
    for given in (reference, payment.merchant_payment_id):
        found = merchant.get(merchant.tell(merchant={"transactionId": given}))
        assert (found.payment, found.merchant_reference) == (payment.name, given)
    stranger = open_merchant(core)
    assert stranger.get(stranger.tell(merchant={"transactionId": reference})).payment == ""
    asked = pb.ListAcquirerTransactionsRequest(payment=payment.name)
    assert len(core.admin.acquirer_transactions.ListAcquirerTransactions(asked).acquirer_transactions) == 2


def test_without_an_address_to_ask_nothing_is_asked(core: RunningCore) -> None:
    merchant = open_merchant(core)
    transaction_id = merchant.tell(paymentStatus="Pending")
    assert merchant.get(transaction_id).query_pending is False
    with refused("FAILED_PRECONDITION", "STATUS_QUERY_NOT_POSSIBLE") as told:
        merchant.refresh(transaction_id)
    assert told.metadata == {"account": merchant.account}


def test_the_status_settles_what_is_contested(core: RunningCore, merchant: Merchant) -> None:
    transaction_id = contested(merchant)
    assert merchant.get(transaction_id).query_pending
    task = merchant.claim(transaction_id)
    assert task is not None
    assert (task.acquirer_query.transaction_id, task.account) == (transaction_id, merchant.account)
    assert task.acquirer_query.endpoint.base_url == PAYMENTS_API
    merchant.answer(task, answer_of(transaction_id))
    found = merchant.get(transaction_id)
    assert (state_of(found), booking_of(found)) == ("SUCCESS", "PAID")
    assert (found.contested, found.confirmed, found.query_pending) == (False, True, False)
    assert found.last_query.http_status == 200
    assert merchant.effects(transaction_id) == ["APPLIED", "CONTESTED", "APPLIED"]
    assert '"paymentStatus":"Success"' in merchant.reports(transaction_id)[-1].redacted_body
    merchant.answer(task, answer_of(transaction_id))
    assert merchant.get(transaction_id) == found


def test_a_refresh_asks_at_once_and_is_safe_to_repeat(core: RunningCore, merchant: Merchant) -> None:
    transaction_id = merchant.tell()
    request = pb.RefreshAcquirerTransactionRequest(request_id=request_id(), name=merchant.name_of(transaction_id))
    first = core.admin.acquirer_transactions.RefreshAcquirerTransaction(request)
    assert core.admin.acquirer_transactions.RefreshAcquirerTransaction(request) == first
    assert first.acquirer_transaction.query_pending
    task = merchant.claim(transaction_id)
    assert task is not None
    cursor = core.admin.head()
    merchant.answer(task, answer_of(transaction_id, paymentStatus="Declined", transactionDateTime=None))
    found = merchant.get(transaction_id)
    assert (state_of(found), booking_of(found), found.confirmed) == ("DECLINED", "UNSPECIFIED", True)
    (event,) = core.admin.events_after(cursor, resource=found.name)
    assert (event.details["state_before"], event.details["state"]) == ("SUCCESS", "DECLINED")
    assert event.actor == "clients/role.dispatcher"


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"no json",
        b"[]",
        {"transactionID": "another", "paymentStatus": "Success"},
        {"paymentStatus": "Success"},
        {"paymentStatus": "Reversed", "transactionID": "same"},
        {"transactionID": "same", "paymentStatus": "Success", "amount": {"value": "x", "currency": "PLN"}},
    ],
)
def test_an_answer_that_proves_nothing_is_asked_for_again(
    merchant: Merchant, body: bytes | dict[str, Any] | None
) -> None:
    transaction_id = contested(merchant)
    task = merchant.claim(transaction_id)
    assert task is not None
    if isinstance(body, dict) and body.get("transactionID") == "same":
        body = {**body, "transactionID": transaction_id}
    merchant.answer(task, body)
    found = merchant.get(transaction_id)
    assert (found.contested, found.query_pending, found.confirmed) == (True, True, False)
    assert merchant.effects(transaction_id) == ["APPLIED", "CONTESTED"]
    assert found.last_query.outcome in (wp.ACQUIRER_CALL_OUTCOME_UNKNOWN, wp.ACQUIRER_CALL_OUTCOME_ACCEPTED)
    assert bool(found.last_query.trouble) is (body is not None)


def test_an_answer_under_an_older_lease_changes_nothing(core: RunningCore, merchant: Merchant) -> None:
    transaction_id = contested(merchant)
    task = merchant.claim(transaction_id)
    assert task is not None
    late = tp.Task()
    late.CopyFrom(task)
    late.fence -= 1
    before = merchant.get(transaction_id)
    merchant.answer(late, answer_of(transaction_id))
    assert merchant.get(transaction_id) == before


def test_an_answer_about_nothing_we_know_is_refused(core: RunningCore, merchant: Merchant) -> None:
    task = tp.Task(name="tasks/x", fence=1)
    task.acquirer_query.acquirer_transaction = merchant.name_of("nothing")
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        merchant.answer(task, answer_of("nothing"))


def test_what_stays_pending_is_asked_for_on_the_schedule_until_it_is_settled(moving: RunningCore) -> None:
    merchant = open_merchant(moving, payments_base_url=PAYMENTS_API)
    transaction_id = merchant.tell(paymentStatus="Pending")
    assert merchant.claim(transaction_id) is None
    for seconds in (11, 61, 601, 3601):
        moving.advance(seconds)
        task = merchant.claim(transaction_id)
        assert task is not None, seconds
        merchant.answer(task, answer_of(transaction_id, paymentStatus="Pending"))
        assert merchant.claim(transaction_id) is None
    # The same answer is one report.
    assert merchant.effects(transaction_id) == ["APPLIED", "APPLIED"]
    assert merchant.get(transaction_id).confirmed
    merchant.tell(transactionID=transaction_id)
    moving.advance(7200)
    assert merchant.claim(transaction_id) is None
    assert merchant.get(transaction_id).query_pending is False


def test_nothing_is_asked_for_for_ever(moving: RunningCore) -> None:
    merchant = open_merchant(moving, payments_base_url=PAYMENTS_API)
    transaction_id = merchant.tell(paymentStatus="Pending")
    moving.advance(15 * 24 * 3600)
    task = merchant.claim(transaction_id)
    assert task is not None
    merchant.answer(task, answer_of(transaction_id, paymentStatus="Pending"))
    moving.advance(24 * 3600)
    assert merchant.claim(transaction_id) is None
    assert merchant.get(transaction_id).query_pending is False


def test_the_list_goes_on_from_page_to_page(core: RunningCore, merchant: Merchant) -> None:
    wanted = {merchant.name_of(merchant.tell()) for _ in range(5)}
    names: list[str] = []
    token = ""
    while True:
        request = pb.ListAcquirerTransactionsRequest(account=merchant.account, page_size=2, page_token=token)
        page = core.admin.acquirer_transactions.ListAcquirerTransactions(request)
        names += [each.name for each in page.acquirer_transactions]
        token = page.next_page_token
        if not token:
            break
    assert names == sorted(wanted)


def test_an_id_of_any_form_is_percent_encoded(merchant: Merchant) -> None:
    transaction_id = merchant.tell(transactionID="a/b ~ż?")
    (found,) = merchant.core.admin.acquirer_transactions.ListAcquirerTransactions(
        pb.ListAcquirerTransactionsRequest(transaction_id=transaction_id)
    ).acquirer_transactions
    assert found.name.endswith("~a%2Fb%20~%C5%BC%3F")
    assert found.transaction_id == transaction_id
