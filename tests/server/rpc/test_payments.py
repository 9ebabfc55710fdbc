"""Payments from their creation to their end: paid at most once, and nothing in doubt is called failed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mintmark.v1 import payments_pb2 as pb

from tests.server.rpc.paying import (
    QUERY,
    SECRETS,
    SUBMIT,
    UNKNOWN,
    Shop,
    approved,
    declined,
    details,
    doubt,
    duration,
    open_shop,
    redirect,
    state,
    transaction_id,
)
from tests.server.rpc.running import RunningCore, code_of, refused
from tests.waiting import eventually


@pytest.fixture
def shop(moving: RunningCore) -> Shop:
    return open_shop(moving)


def test_a_payment_is_sent_once_and_ends_as_captured(shop: Shop) -> None:
    payment = shop.create()
    assert state(payment) == "PENDING"
    grant = shop.granted(payment)
    said = grant.submission
    assert (said.path, said.amount_text, said.currency_code) == ("/server-to-server-interface/payment", "1000", "JPY")
    assert (said.endpoint.authorization, said.endpoint.api_key) == SECRETS
    assert (said.endpoint.base_url, said.endpoint.path_prefix) == ("https://api-dev.paymentoptions.com", "/api/v1")
    assert said.details == details()
    assert "/payment-options/webhooks/" in said.webhook_url
    assert shop.state(payment) == "PROCESSING"
    assert shop.record(grant.attempt, approved(grant)) == "SUCCEEDED"
    paid = shop.get(payment)
    assert state(paid) == "CAPTURED"
    assert (paid.captured_amount.minor_amount, paid.unresolved_amount.minor_amount) == (1000, 0)
    (operation,) = paid.operations
    assert (operation.auth_code, operation.partner_reference) == ("268004", "74811")
    assert (paid.card.masked_number, paid.card.scheme_text, paid.card.expiry) == (
        "400000******1091",
        "MASTERCARD",
        "1224",
    )
    assert shop.kinds(payment) == ["PAYMENT_CREATED", "PAYMENT_UPDATED", "PAYMENT_UPDATED"]
    assert shop.claim(of=payment) == []


def test_the_same_request_gets_the_same_answer_and_makes_one_payment(shop: Shop) -> None:
    request = shop.request()
    first = shop.client.payments.CreatePayment(request)
    assert shop.client.payments.CreatePayment(request) == first
    request.amount.minor_amount += 1
    with refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED"):
        shop.client.payments.CreatePayment(request)
    assert len(shop.claim(SUBMIT)) == 1


def test_racers_with_the_same_request_make_one_payment(shop: Shop) -> None:
    request = shop.request()

    def race(_: int) -> str:
        try:
            return shop.client.payments.CreatePayment(request).payment.name
        except Exception as error:
            told: Any = error
            return str(told.code().name)

    with ThreadPoolExecutor(8) as pool:
        outcomes = set(pool.map(race, range(16))) - {"ABORTED"}
    assert outcomes == {shop.client.payments.CreatePayment(request).payment.name}
    assert len(shop.client.payments.ListPayments(pb.ListPaymentsRequest()).payments) == 1


def test_what_is_unsent_can_be_taken_back_and_what_may_have_been_sent_cannot(shop: Shop) -> None:
    payment = shop.create()
    assert state(shop.cancel(payment)) == "CANCELLED"
    assert state(shop.cancel(payment)) == "CANCELLED"
    assert shop.claim(SUBMIT, of=payment) == []
    sent = shop.create()
    shop.granted(sent)
    with refused("FAILED_PRECONDITION", "ALREADY_SENT"):
        shop.cancel(sent)


def test_a_decline_is_an_answer_with_three_layers(shop: Shop) -> None:
    payment = shop.create()
    grant = shop.granted(payment)
    said = declined(grant, gateway_code="ERR3004", response_code="-8003", message="PAN 4000000000001091 is listed")
    assert shop.record(grant.attempt, said) == "DECLINED"
    told = shop.get(payment)
    assert state(told) == "DECLINED"
    assert pb.DeclineClass.Name(told.decline.decline_class) == "DECLINE_CLASS_RISK"
    assert (told.decline.partner_code, told.decline.response_code) == ("ERR3004", "-8003")
    assert told.decline.message == "PAN 400000******1091 is listed"


def test_an_amount_that_is_not_ours_leaves_doubt(shop: Shop) -> None:
    payment = shop.create()
    grant = shop.granted(payment)
    assert shop.record(grant.attempt, approved(grant, amount="1001")) == "IN_DOUBT"
    assert doubt(shop.get(payment)) == "ANSWER_UNREADABLE"


def test_a_partial_approval_says_how_much(shop: Shop) -> None:
    payment = shop.create()
    grant = shop.granted(payment)
    assert shop.record(grant.attempt, approved(grant, response_code="10", amount="600")) == "PARTIALLY_APPROVED"
    told = shop.get(payment)
    assert (state(told), told.captured_amount.minor_amount) == ("PARTIALLY_APPROVED", 600)
    with refused("FAILED_PRECONDITION", "AMOUNT_EXCEEDED") as why:
        shop.refund(told, 601)
    assert why.metadata == {"left": "600"}


def test_a_redirect_is_no_success(moving: RunningCore) -> None:
    """The payer acts; one declined try does not close it; past its window it is in doubt, listed apart."""
    shop = open_shop(moving)
    payment = shop.create()
    grant = shop.granted(payment)
    assert shop.record(grant.attempt, redirect()) == "REQUIRES_ACTION"
    told = shop.get(payment)
    assert (state(told), told.redirect_url) == ("REQUIRES_ACTION", redirect().redirect_url)
    assert not any("canary-redirect" in str(event) for event in moving.admin.events_after("0", resource=payment.name))
    shop.advance(1801)
    eventually(lambda: shop.state(payment) == "IN_DOUBT", what="the end of the window")
    assert doubt(shop.get(payment)) == "ACTION_WINDOW_PASSED"
    assert shop.get(payment).redirect_url == ""


def test_one_declined_try_does_not_close_what_the_payer_may_try_again(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.create()
    grant = shop.granted(payment)
    shop.record(grant.attempt, redirect())
    first = transaction_id()
    shop.resolve(payment, first)
    (task,) = shop.claim(QUERY, of=payment)
    no = declined(grant, http_status=200, partner_transaction_id=first)
    assert shop.record_status(task, no) == "REQUIRES_ACTION"
    shop.advance(1801)
    eventually(lambda: shop.state(payment) == "IN_DOUBT", what="the end of the window")
    (task,) = shop.claim(QUERY, of=payment)
    assert shop.record_status(task, no) == "IN_DOUBT"
    second = transaction_id()
    shop.resolve(payment, second)
    (task,) = [each for each in shop.claim(QUERY, of=payment) if each.query.partner_transaction_id == second]
    yes = approved(grant, http_status=200, partner_transaction_id=second)
    assert shop.record_status(task, yes) == "SUCCEEDED"


def test_an_operators_word_that_it_was_charged_is_asked_for_and_not_believed(shop: Shop) -> None:
    payment, grant = shop.in_doubt()
    named = transaction_id()
    assert state(shop.resolve(payment, named)) == "IN_DOUBT"
    (task,) = shop.claim(QUERY, of=payment)
    assert (task.query.partner_transaction_id, task.query.endpoint.api_key) == (named, SECRETS[1])
    assert shop.record_status(task, approved(grant, http_status=200, partner_transaction_id=named)) == "SUCCEEDED"


def test_an_operators_word_that_nothing_happened_has_to_wait(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment, _ = shop.in_doubt()
    with refused("FAILED_PRECONDITION", "TOO_EARLY") as told:
        shop.resolve(payment)
    assert 900 <= int(told.metadata["seconds"]) <= 961
    shop.advance(961)
    assert state(shop.resolve(payment)) == "NOT_CHARGED"
    with refused("FAILED_PRECONDITION", "PAYMENT_STATE_UNFIT"):
        shop.resolve(payment)


def test_a_late_yes_takes_back_an_operators_no(moving: RunningCore) -> None:
    """No state absorbs evidence of a charge."""
    shop = open_shop(moving)
    payment, grant = shop.in_doubt()
    shop.advance(961)
    shop.resolve(payment)
    assert shop.record(grant.attempt, approved(grant)) == "SUCCEEDED"
    assert shop.state(payment) == "CAPTURED"
    assert "PAYMENT_CHARGED_AFTER_ALL" in shop.kinds(payment)


def test_a_sender_that_is_heard_of_after_an_operators_no_leaves_doubt(moving: RunningCore) -> None:
    """It slept, and sent when the operator had looked already: nobody knows what came of it."""
    shop = open_shop(moving)
    payment = shop.create()
    grant = shop.granted(payment)
    shop.advance(100)
    eventually(lambda: shop.state(payment) == "IN_DOUBT", what="the doubt about a silent sender")
    shop.advance(961)
    assert state(shop.resolve(payment)) == "NOT_CHARGED"
    assert shop.record(grant.attempt, outcome=UNKNOWN, trouble="read_timeout") == "IN_DOUBT"
    assert doubt(shop.get(payment)) == "EVIDENCE_DISAGREES"
    assert "PAYMENT_EVIDENCE_DISAGREES" in shop.kinds(payment)


def test_an_operator_who_races_a_late_answer(moving: RunningCore) -> None:
    shop = open_shop(moving)
    raced = [shop.in_doubt() for _ in range(6)]
    shop.advance(961)
    with ThreadPoolExecutor(12) as pool:
        words = [pool.submit(code_of, lambda each=payment: shop.resolve(each)) for payment, _ in raced]  # type: ignore[misc]
        late = [pool.submit(shop.record, grant.attempt, approved(grant)) for _, grant in raced]
        assert {each.result() for each in late} == {"SUCCEEDED"}
        assert {each.result() for each in words} <= {"OK", "FAILED_PRECONDITION"}
    assert {shop.state(payment) for payment, _ in raced} == {"CAPTURED"}


def test_a_charge_after_a_decline_is_told_and_counts(shop: Shop) -> None:
    payment = shop.create()
    grant = shop.granted(payment)
    shop.record(grant.attempt, declined(grant, partner_transaction_id=""))
    named = transaction_id()
    shop.resolve(payment, named)
    (task,) = shop.claim(QUERY, of=payment)
    assert shop.record_status(task, approved(grant, http_status=200, partner_transaction_id=named)) == "SUCCEEDED"
    assert shop.state(payment) == "CAPTURED"
    assert "PAYMENT_CHARGED_AFTER_ALL" in shop.kinds(payment)


def test_two_confirmed_charges_are_told_and_one_can_be_paid_back(shop: Shop) -> None:
    """The second becomes an operation of its own, in the worklist, and counts in every sum."""
    payment = shop.create()
    grant = shop.granted(payment)
    shop.record(grant.attempt, approved(grant))
    second = transaction_id()
    shop.resolve(payment, second)
    (task,) = shop.claim(QUERY, of=payment)
    assert shop.record_status(task, approved(grant, http_status=200, partner_transaction_id=second)) == "SUCCEEDED"
    told = shop.get(payment)
    assert (told.duplicate_charge, told.captured_amount.minor_amount, len(told.operations)) == (True, 2000, 2)
    assert "PAYMENT_DUPLICATE_CHARGE" in shop.kinds(payment)
    listed = shop.client.payments.ListPayments(pb.ListPaymentsRequest(duplicate_charge=True)).payments
    assert [each.name for each in listed] == [payment.name]
    shop.refund(told, operation=told.operations[1].name)
    refund = shop.granted(payment)
    assert refund.submission.parent_transaction_id == second
    shop.record(refund.attempt, approved(refund))
    assert shop.get(payment).refunded_amount.minor_amount == 1000


def test_a_no_after_a_yes_is_told_and_changes_nothing(shop: Shop) -> None:
    payment = shop.create()
    grant = shop.granted(payment)
    said = approved(grant)
    shop.record(grant.attempt, said)
    assert (
        shop.record(grant.attempt, declined(grant, partner_transaction_id=said.partner_transaction_id)) == "SUCCEEDED"
    )
    assert shop.state(payment) == "CAPTURED"
    assert shop.kinds(payment)[-1] == "PAYMENT_EVIDENCE_DISAGREES"


def test_one_operation_at_a_time(shop: Shop) -> None:
    """While one is unresolved nothing else is asked for, and what is in doubt counts as used."""
    payment = shop.pay()
    shop.refund(payment, 400)
    with refused("FAILED_PRECONDITION", "OPERATION_IN_DOUBT"):
        shop.refund(payment, 100)
    grant = shop.granted(payment)
    assert grant.submission.path == "/server-to-server-interface/refund"
    assert grant.submission.parent_transaction_id == payment.operations[0].partner_transaction_id
    shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    with refused("FAILED_PRECONDITION", "OPERATION_IN_DOUBT") as told:
        shop.refund(payment, 100)
    assert told.metadata["state"] == "IN_DOUBT"
    held = shop.get(payment)
    assert (state(held), held.unresolved_amount.minor_amount) == ("CAPTURED", 400)
    shop.record(grant.attempt, approved(grant))
    assert shop.state(payment) == "PARTIALLY_REFUNDED"
    with refused("FAILED_PRECONDITION", "AMOUNT_EXCEEDED") as told:
        shop.refund(payment, 601)
    assert told.metadata == {"left": "600"}
    shop.refund(payment)
    grant = shop.granted(payment)
    assert grant.submission.amount_text == "600"
    shop.record(grant.attempt, approved(grant))
    assert shop.state(payment) == "REFUNDED"


def test_an_authorization_is_captured_once(shop: Shop) -> None:
    payment = shop.authorize()
    grant = shop.granted(payment)
    assert grant.submission.path == "/server-to-server-interface/authorization"
    shop.record(grant.attempt, approved(grant))
    assert shop.state(payment) == "AUTHORIZED"
    with refused("FAILED_PRECONDITION", "AMOUNT_EXCEEDED"):
        shop.capture(payment, 1001)
    shop.capture(payment, 300)
    grant = shop.granted(payment)
    shop.record(grant.attempt, approved(grant))
    told = shop.get(payment)
    assert (state(told), told.authorized_amount.minor_amount, told.captured_amount.minor_amount) == (
        "CAPTURED",
        1000,
        300,
    )
    with refused("FAILED_PRECONDITION", "PAYMENT_STATE_UNFIT"):
        shop.capture(payment, 300)
    with refused("FAILED_PRECONDITION", "PAYMENT_STATE_UNFIT"):
        shop.void(payment)


def test_an_authorization_is_released(shop: Shop) -> None:
    payment = shop.authorize()
    grant = shop.granted(payment)
    shop.record(grant.attempt, approved(grant))
    shop.void(payment)
    grant = shop.granted(payment)
    shop.record(grant.attempt, approved(grant, amount=""))
    assert shop.state(payment) == "VOIDED"


def test_a_wait_ends_when_the_payment_has_settled(shop: Shop) -> None:
    payment = shop.create()
    with ThreadPoolExecutor(1) as pool:
        request = pb.WaitPaymentRequest(name=payment.name, timeout=duration(15))
        waiting = pool.submit(shop.client.payments.WaitPayment, request)
        grant = shop.granted(payment)
        shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
        answered = waiting.result()
    assert (answered.settled, state(answered.payment)) == (True, "IN_DOUBT")


def test_a_wait_ends_at_its_deadline_too(shop: Shop) -> None:
    payment = shop.create()
    answered = shop.client.payments.WaitPayment(pb.WaitPaymentRequest(name=payment.name, timeout=duration(0)))
    assert (answered.settled, state(answered.payment)) == (False, "PENDING")


def test_the_story_has_every_step_with_its_states(shop: Shop) -> None:
    payment, grant = shop.in_doubt()
    shop.record(grant.attempt, approved(grant))
    steps = [
        (
            pb.EvidenceKind.Name(line.kind).removeprefix("EVIDENCE_KIND_"),
            pb.PaymentOperationState.Name(line.state_before).removeprefix("PAYMENT_OPERATION_STATE_"),
            pb.PaymentOperationState.Name(line.state_after).removeprefix("PAYMENT_OPERATION_STATE_"),
        )
        for line in shop.evidence(payment)
    ]
    assert steps == [
        ("OURS", "PENDING", "PENDING"),
        ("ATTEMPT", "PENDING", "SENDING"),
        ("ANSWER", "SENDING", "IN_DOUBT"),
        ("ANSWER", "IN_DOUBT", "SUCCEEDED"),
    ]


def test_payments_in_doubt_are_a_list(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    shop.pay()
    listed = shop.client.payments.ListPayments(pb.ListPaymentsRequest(in_doubt=True)).payments
    assert [each.name for each in listed] == [payment.name]
