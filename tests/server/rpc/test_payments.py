"""PaymentsService and TasksService together: money moves at most once, and nothing in doubt is called failed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mintmark.v1 import accounts_pb2, tokens_pb2
from mintmark.v1 import payments_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp

from server.keys import keyring
from tests.postgres import Postgres
from tests.server.rpc.paying import (
    NOT_SENT,
    QUERY,
    SECRETS,
    SUBMIT,
    UNKNOWN,
    Shop,
    account,
    address,
    answer,
    approved,
    currency,
    declined,
    details,
    doubt,
    duration,
    open_shop,
    redirect,
    state,
    transaction_id,
)
from tests.server.rpc.running import RunningCore, code_of, refused, request_id, running_core
from tests.waiting import eventually


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def moving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCore]:
    """A core on each database, whose clock the tests move."""
    settings: dict[str, Any] = {}
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        template = request.getfixturevalue("postgres_template")
        postgres.execute(f"CREATE DATABASE payments_tests TEMPLATE {template}")
        keys = tmp_path_factory.mktemp("keys") / "keyring.json"
        keyring.create(keys)
        settings = {"database_url": postgres.url("payments_tests"), "keyring_file": keys}
    with running_core(clock=True, **settings) as running:
        yield running


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


def test_only_one_attempt_is_granted_and_only_its_owner_may_hear_of_it_again(shop: Shop) -> None:
    """A grant is given once; who asks again with the same id within the time gets the same one."""
    payment = shop.create()
    (task,) = shop.claim(SUBMIT, of=payment)
    own = request_id()
    grant = shop.begin(task, own)
    again = shop.begin(task, own)
    assert (again.attempt, again.submission) == (grant.attempt, grant.submission)
    assert again.send_by.ToMicroseconds() <= grant.send_by.ToMicroseconds()
    with refused("ABORTED", "ATTEMPT_REFUSED"):
        shop.begin(task)
    assert shop.get(payment).operations[0].attempt_count == 1


def test_a_grant_is_not_repeated_past_its_time(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.create()
    (task,) = shop.claim(SUBMIT, of=payment)
    own = request_id()
    shop.begin(task, own)
    shop.advance(16)
    with refused("ABORTED", "ATTEMPT_REFUSED") as told:
        shop.begin(task, own)
    assert told.metadata["why"] in ("send_by", "state")


def test_racers_for_one_grant_get_one(shop: Shop) -> None:
    payment = shop.create()
    (task,) = shop.claim(SUBMIT, of=payment)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: code_of(lambda: shop.begin(task)), range(8)))
    assert sorted(codes) == ["ABORTED"] * 7 + ["OK"]


def test_a_lease_that_ended_grants_nothing(moving: RunningCore) -> None:
    """Claiming is not sending: a worker that slept through its lease may not begin, the next one may."""
    shop = open_shop(moving)
    payment = shop.create()
    (old,) = shop.claim(SUBMIT, of=payment)
    assert shop.claim(SUBMIT, of=payment) == []
    shop.advance(61)
    (new,) = shop.claim(SUBMIT, of=payment)
    assert new.fence == old.fence + 1
    with refused("ABORTED", "ATTEMPT_REFUSED") as told:
        shop.begin(old)
    assert told.metadata == {"why": "lease"}
    shop.begin(new)


def test_a_lease_that_is_renewed_goes_on(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.create()
    (task,) = shop.claim(SUBMIT, of=payment)
    shop.advance(40)
    lease = tp.TaskLease(task=task.name, fence=task.fence)
    stale = tp.TaskLease(task=task.name, fence=task.fence - 1)
    renew = moving.dispatcher.tasks.RenewTasks
    assert renew(tp.RenewTasksRequest(leases=[stale])).renewed == []
    assert renew(tp.RenewTasksRequest(leases=[lease])).renewed == [task.name]
    shop.advance(40)
    assert shop.claim(SUBMIT, of=payment) == []
    shop.begin(task)


def test_a_worker_whose_lease_ended_while_it_held_a_grant_leaves_doubt_until_its_answer_comes(
    moving: RunningCore,
) -> None:
    """What was granted and never reported is in doubt, is not sent again, and its late answer settles it."""
    shop = open_shop(moving)
    payment = shop.create()
    grant = shop.granted(payment)
    shop.advance(61)
    eventually(lambda: shop.state(payment) == "IN_DOUBT", what="doubt")
    assert doubt(shop.get(payment)) == "SENDER_SILENT"
    assert shop.claim(of=payment) == []
    assert shop.record(grant.attempt, approved(grant)) == "SUCCEEDED"
    assert shop.state(payment) == "CAPTURED"


def test_doubt_does_not_age(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment, _ = shop.in_doubt()
    shop.advance(40 * 24 * 3600)
    late = shop.create(send_within=duration(1))
    shop.advance(2)
    eventually(lambda: shop.state(late) == "EXPIRED", what="the steward to have been there")
    assert shop.state(payment) == "IN_DOUBT"
    assert shop.claim(of=payment) == []


def test_what_was_not_sent_is_sent_in_a_new_attempt(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.create()
    first = shop.granted(payment)
    assert shop.record(first.attempt, outcome=NOT_SENT, trouble="connect_timeout") == "PENDING"
    shop.advance(5)
    second = shop.granted(payment)
    assert second.attempt != first.attempt
    assert second.submission.reference == first.submission.reference
    assert shop.record(second.attempt, approved(second)) == "SUCCEEDED"
    assert shop.get(payment).operations[0].attempt_count == 2


def test_a_word_that_nothing_was_sent_does_not_count_once_it_was_said_that_it_was(shop: Shop) -> None:
    """Only a silent sender's proof leads to another attempt."""
    payment, grant = shop.in_doubt()
    assert shop.record(grant.attempt, outcome=NOT_SENT, trouble="x") == "IN_DOUBT"
    assert shop.claim(SUBMIT, of=payment) == []


def test_an_earlier_attempts_no_does_not_settle_a_later_one(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.create()
    first = shop.granted(payment)
    shop.record(first.attempt, outcome=NOT_SENT, trouble="connect_timeout")
    shop.advance(5)
    second = shop.granted(payment)
    assert shop.record(first.attempt, declined(first)) == "IN_DOUBT"
    assert shop.record(second.attempt, approved(second)) == "SUCCEEDED"


def test_a_late_answer_and_its_repeat(shop: Shop) -> None:
    payment, grant = shop.in_doubt()
    said = approved(grant)
    assert shop.record(grant.attempt, said) == "SUCCEEDED"
    lines = len(shop.evidence(payment))
    assert shop.record(grant.attempt, said) == "SUCCEEDED"
    assert len(shop.evidence(payment)) == lines


def test_what_is_unsent_can_be_taken_back_and_what_may_have_been_sent_cannot(shop: Shop) -> None:
    payment = shop.create()
    assert state(shop.cancel(payment)) == "CANCELLED"
    assert state(shop.cancel(payment)) == "CANCELLED"
    assert shop.claim(SUBMIT, of=payment) == []
    sent = shop.create()
    shop.granted(sent)
    with refused("FAILED_PRECONDITION", "ALREADY_SENT"):
        shop.cancel(sent)


def test_a_cancelled_payment_grants_nothing(shop: Shop) -> None:
    payment = shop.create()
    (task,) = shop.claim(SUBMIT, of=payment)
    shop.cancel(payment)
    with refused("ABORTED", "ATTEMPT_REFUSED"):
        shop.begin(task)


def test_what_is_not_sent_in_time_expires(moving: RunningCore) -> None:
    """Past its time an unsent operation is not granted any more, and is definitely unsent."""
    shop = open_shop(moving)
    payment = shop.create(send_within=duration(30))
    (task,) = shop.claim(SUBMIT, of=payment)
    shop.advance(31)
    with refused("ABORTED", "ATTEMPT_REFUSED") as told:
        shop.begin(task)
    assert told.metadata["why"] in ("expired", "lease")
    eventually(lambda: shop.state(payment) == "EXPIRED", what="the steward")
    assert shop.claim(SUBMIT, of=payment) == []


def test_held_accounts_send_nothing_and_ask_on(moving: RunningCore) -> None:
    shop = open_shop(moving)
    doubtful, grant = shop.in_doubt()
    shop.record(grant.attempt, answer(grant, response_code="676"))
    waiting = shop.create()
    (task,) = shop.claim(SUBMIT, of=waiting)
    hold = pb.HoldPaymentsRequest(request_id=request_id(), account=shop.account, reason="an incident")
    assert moving.admin.payments.HoldPayments(hold).held_count == 1
    with refused("ABORTED", "ATTEMPT_REFUSED") as told:
        shop.begin(task)
    assert told.metadata == {"why": "held"}
    late = shop.create()
    shop.advance(61)
    assert shop.claim(SUBMIT, of=late) == []
    assert len(shop.claim(QUERY, of=doubtful)) == 1
    free = pb.ReleasePaymentsRequest(request_id=request_id(), account=shop.account, reason="over")
    assert moving.admin.payments.ReleasePayments(free).released_count == 1
    assert len(shop.claim(SUBMIT, of=late)) == 1


def test_holding_needs_an_operator(shop: Shop) -> None:
    hold = pb.HoldPaymentsRequest(request_id=request_id(), reason="x")
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        shop.client.payments.HoldPayments(hold)


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


def test_a_pending_answer_is_asked_for_until_it_is_settled(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.create()
    grant = shop.granted(payment)
    pending = answer(grant, response_code="578", success="false")
    assert shop.record(grant.attempt, pending) == "PROCESSING"
    assert shop.claim(QUERY, of=payment) == []
    for seconds in (10, 60, 600, 3600, 3600):
        shop.advance(seconds + 1)
        (task,) = shop.claim(QUERY, of=payment)
        assert task.query.partner_transaction_id == pending.partner_transaction_id
        assert shop.record_status(task, tp.PartnerAnswer(http_status=404, readable=False)) == "PROCESSING"
        assert shop.claim(QUERY, of=payment) == []
    shop.advance(3601)
    (task,) = shop.claim(QUERY, of=payment)
    paid = answer(grant, http_status=200, partner_transaction_id=pending.partner_transaction_id)
    assert shop.record_status(task, paid) == "SUCCEEDED"
    shop.advance(4000)
    assert shop.claim(QUERY, of=payment) == []


WRONG: dict[str, dict[str, Any]] = {
    "transaction": {"partner_transaction_id": "another"},
    "mid": {"partner_merchant_id": "JP00000999"},
    "reference": {"reference": "another"},
    "nothing to know us by": {"partner_merchant_id": "", "reference": ""},
    "type": {"transaction_type": "REFUND"},
    "amount": {"amount": "999"},
    "currency": {"currency": "EUR"},
    "live": {"is_live": "true"},
    "method": {"stored_payment_method_id": "another"},
    "not found": {"http_status": 404},
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("verdict", ["approved", "declined"])
def test_a_status_answer_counts_only_where_it_is_surely_about_ours(
    moving: RunningCore, wrong: str, verdict: str
) -> None:
    shop = open_shop(moving)
    payment, grant = shop.in_doubt()
    named = transaction_id()
    shop.resolve(payment, named)
    (task,) = shop.claim(QUERY, of=payment)
    said = {"http_status": 200, "partner_transaction_id": named, **WRONG[wrong]}
    make = approved if verdict == "approved" else declined
    assert shop.record_status(task, make(grant, **said)) == "IN_DOUBT"
    assert shop.evidence(payment)[-1].summary.startswith("settles nothing")


def test_a_transaction_proves_one_operation(moving: RunningCore) -> None:
    """The partner's id of one payment is no proof for another."""
    shop = open_shop(moving)
    paid = shop.pay()
    named = paid.operations[0].partner_transaction_id
    payment, grant = shop.in_doubt()
    assert shop.record(grant.attempt, approved(grant, partner_transaction_id=named)) == "IN_DOUBT"
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.resolve(payment, named)


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


def test_a_merchants_own_id_is_used_once_while_it_may_have_been_charged(shop: Shop) -> None:
    for settle in ("decline", "cancel"):
        payment = shop.create()
        own = payment.merchant_payment_id
        with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED") as told:
            shop.create(merchant_payment_id=own)
        assert told.metadata == {"payment": payment.name}
        if settle == "cancel":
            shop.cancel(payment)
        else:
            grant = shop.granted(payment)
            with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED"):
                shop.create(merchant_payment_id=own)
            shop.record(grant.attempt, declined(grant))
        again = shop.create(merchant_payment_id=own)
        assert again.name != payment.name
        assert again.operations[0].reference != payment.operations[0].reference
    doubtful, _ = shop.in_doubt()
    with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED"):
        shop.create(merchant_payment_id=doubtful.merchant_payment_id)


def test_amounts_are_sent_in_the_units_that_the_account_says_and_never_guessed(shop: Shop) -> None:
    for code, text in (("EUR", "12.50"), ("USD", "1250"), ("JPY", "1250")):
        payment = shop.create(1250, code)
        grant = shop.granted(payment)
        assert grant.submission.amount_text == text
        assert shop.record(grant.attempt, approved(grant)) == "SUCCEEDED"
        assert shop.get(payment).captured_amount.minor_amount == 1250
    with refused("FAILED_PRECONDITION", "AMOUNT_UNSENDABLE"):
        shop.create(1250, "GBP")
    with refused("FAILED_PRECONDITION", "AMOUNT_UNSENDABLE"):
        shop.create(99_999_999_999, "JPY")
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.create(0, "JPY")


def test_ceilings_hold_with_everything_that_may_have_been_charged(moving: RunningCore) -> None:
    shop = open_shop(moving, live=True, currencies=[currency("JPY", "", 500, 1000)])
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(501)
    assert told.metadata == {"ceiling": "payment", "limit": "500", "currency_code": "JPY"}
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(10, "CLP")
    assert told.metadata["ceiling"] == "missing"
    doubtful = shop.create(500)
    shop.record(shop.granted(doubtful).attempt, outcome=UNKNOWN, trouble="reset")
    second = shop.create(500)
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(1)
    assert told.metadata["ceiling"] == "day"
    shop.cancel(second)
    shop.create(500)


def test_a_ceiling_that_was_lowered_stops_what_waits(moving: RunningCore) -> None:
    shop = open_shop(moving, currencies=[currency("JPY", "", 1000, 0)])
    payment = shop.create(900)
    (task,) = shop.claim(SUBMIT, of=payment)
    lower = account(shop.account.partition("/")[2], shop.gateway, currencies=[currency("JPY", "", 800, 0)])
    moving.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[lower]))
    with refused("ABORTED", "ATTEMPT_REFUSED") as told:
        shop.begin(task)
    assert told.metadata == {"why": "ceiling"}


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/checkoutx",
        "https://shop.example.com.evil.example/checkout",
        "http://shop.example.com/checkout",
        "https://shop.example.com:444/checkout",
        "https://user@shop.example.com/checkout",
        "https://shop.example.com/checkout/../steal",
        "https://shop.example.com/checkout/%2e%2e/steal",
        "https://evil.example/?https://shop.example.com/checkout",
    ],
)
def test_return_urls_stay_within_what_the_account_allows(shop: Shop, url: str) -> None:
    with refused("INVALID_ARGUMENT", "RETURN_URL_NOT_ALLOWED") as told:
        shop.create(details=details(decline_url=url))
    assert told.metadata == {"field": "details.decline_url"}


def test_a_token_pays_only_where_it_belongs_and_is_usable(moving: RunningCore, shop: Shop) -> None:
    other = open_shop(moving)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.create(token=other.token)
    payment = other.create()
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.get(payment)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.cancel(payment)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.evidence(payment)
    shop.client.tokens.DisableToken(
        tokens_pb2.DisableTokenRequest(request_id=request_id(), name=shop.token, reason="lost")
    )
    with refused("FAILED_PRECONDITION", "TOKEN_UNUSABLE"):
        shop.create()


def test_card_numbers_are_refused_from_services_and_cut_from_partners(shop: Shop) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.create(details=details(billing_address=address(address1="4000000000001091")))
    payment = shop.create()
    grant = shop.granted(payment)
    shop.record(grant.attempt, approved(grant, body=b'{"card": "4000000000001091"}', masked_number="4000000000001091"))
    told = shop.get(payment)
    assert told.card.masked_number == "400000******1091"
    assert "4000000000001091" not in str(shop.evidence(payment))
    assert shop.evidence(payment)[-1].redacted_body == '{"card": "400000******1091"}'


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


def test_a_claim_waits_for_something_to_do(shop: Shop) -> None:
    shop.claim()
    with ThreadPoolExecutor(1) as pool:
        request = tp.ClaimTasksRequest(max_tasks=64, wait=duration(5))
        waiting = pool.submit(shop.core.dispatcher.tasks.ClaimTasks, request)
        payment = shop.create()
        assert [task.operation for task in waiting.result().tasks] == [payment.operations[0].name]


def test_no_more_is_under_way_than_the_account_says(moving: RunningCore) -> None:
    shop = open_shop(moving, send_concurrency=2)
    payments = [shop.create() for _ in range(3)]
    claimed = shop.claim(SUBMIT)
    assert len(claimed) == 2
    grant = shop.begin(claimed[0])
    assert shop.claim(SUBMIT) == []
    shop.record(grant.attempt, approved(grant))
    assert len(shop.claim(SUBMIT)) == 1
    assert len(payments) == 3


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


def test_secrets_and_details_are_kept_sealed(core: RunningCore) -> None:
    shop = open_shop(core)
    payment = shop.create(details=details(billing_address=address(address1="canary-street 5")))
    shop.record(shop.granted(payment).attempt, redirect())
    shown = str(core.admin.accounts.ListAccounts(accounts_pb2.ListAccountsRequest()))
    assert SECRETS[0] not in shown
    assert SECRETS[1] not in shown
    folder = core.folder / "data"
    kept = b"".join(file.read_bytes() for file in folder.glob("mintmark.sqlite*"))
    for canary in (SECRETS[0].encode(), SECRETS[1].encode(), b"canary-street", b"canary-redirect", b"127.0.0.1"):
        assert canary not in kept


def test_an_account_with_unresolved_payments_stays() -> None:
    with running_core() as core:
        shop = open_shop(core)
        payment, grant = shop.in_doubt()
        gone = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), delete_missing=True)
        with refused("FAILED_PRECONDITION", "ACCOUNT_IN_USE"):
            core.admin.accounts.ApplyAccounts(gone)
        shop.record(grant.attempt, approved(grant))
        assert shop.state(payment) == "CAPTURED"
        core.admin.accounts.ApplyAccounts(gone)
