"""TasksService: claiming is not sending, a grant is given once, and what is learned late still counts."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from mintmark.v1 import accounts_pb2
from mintmark.v1 import payments_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp

from server.rpc.calls import RESERVED_LIMIT, UNARY_LIMIT, WAITING_LIMIT
from tests.server.rpc.paying import (
    NOT_SENT,
    QUERY,
    SUBMIT,
    UNKNOWN,
    Shop,
    account,
    answer,
    approved,
    currency,
    declined,
    doubt,
    duration,
    open_shop,
    transaction_id,
)
from tests.server.rpc.running import RunningCore, code_of, refused, request_id, running_core
from tests.waiting import eventually


@pytest.fixture
def shop(moving: RunningCore) -> Shop:
    return open_shop(moving)


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


def test_a_ceiling_that_was_lowered_stops_what_waits(moving: RunningCore) -> None:
    shop = open_shop(moving, currencies=[currency("JPY", "", 1000, 0)])
    payment = shop.create(900)
    (task,) = shop.claim(SUBMIT, of=payment)
    lower = account(shop.account.partition("/")[2], shop.gateway, currencies=[currency("JPY", "", 800, 0)])
    moving.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[lower]))
    with refused("ABORTED", "ATTEMPT_REFUSED") as told:
        shop.begin(task)
    assert told.metadata == {"why": "ceiling"}


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


def test_what_is_learned_is_never_shed() -> None:
    """Granting attempts and recording outcomes have places of their own, and wait for one instead of being refused."""
    with running_core() as core, ExitStack() as full:
        shop = open_shop(core)
        payment = shop.create()
        (task,) = shop.claim(SUBMIT, of=payment)
        calls = core.core.internal_calls
        for call_class, places in (("unary", UNARY_LIMIT), ("waiting", WAITING_LIMIT)):
            for _ in range(places):
                full.enter_context(calls.room(call_class))
        with refused("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS"):
            shop.claim()
        grant = shop.begin(task)
        with ThreadPoolExecutor(1) as pool:
            with ExitStack() as reserved:
                for _ in range(RESERVED_LIMIT):
                    reserved.enter_context(calls.room("reserved"))
                recording = pool.submit(shop.record, grant.attempt, approved(grant))
            assert recording.result() == "SUCCEEDED"


@pytest.mark.parametrize(
    "name", ["payments/none/operations/1/attempts/1", "x", "payments/x", "{p}/operations/9/attempts/1"]
)
@pytest.mark.parametrize("digits", ["", "0", "x", "-1", "٣"])
def test_what_is_told_of_nothing_is_not_found(shop: Shop, name: str, digits: str) -> None:
    payment, _ = shop.in_doubt()
    known = f"{payment.name}/operations/1/attempts/{digits}"
    for told in (name.replace("{p}", payment.name), known):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            shop.record(told, outcome=UNKNOWN, trouble="reset")
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.record_status(tp.Task(name=f"tasks/{name}"), tp.PartnerAnswer(http_status=200))


def test_an_answer_comes_with_answered_and_only_with_it(shop: Shop) -> None:
    payment = shop.create()
    grant = shop.granted(payment)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.record(grant.attempt)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.record(grant.attempt, approved(grant), UNKNOWN)
    assert shop.state(payment) == "PROCESSING"
