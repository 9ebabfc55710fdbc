"""What the partner is asked and told of subscriptions, and what it says that cannot be: nothing is moved by that."""

from typing import Any

import pytest
from mintmark.v1 import payment_subscriptions_pb2 as pb
from mintmark.v1 import payments_pb2 as pp
from mintmark.v1 import tasks_pb2 as tp

from tests.server.rpc.exporting import export_lines, findings, reconcile, row, unknown
from tests.server.rpc.paying import QUERY, SUBMIT, UNKNOWN, answer, approved, currency, open_shop
from tests.server.rpc.running import RunningCore, refused, request_id
from tests.server.rpc.subscribed import ATTEND, Subscribed, listed, plan, word
from tests.server.rpc.test_payment_webhooks import deliver, token_of
from tests.waiting import eventually

Active = tuple[pb.PaymentSubscription, tp.BeginAttemptResponse, str]


@pytest.fixture
def shop(moving: RunningCore) -> Subscribed:
    return Subscribed(open_shop(moving))


def payment_of(subscription: pb.PaymentSubscription) -> pp.Payment:
    return pp.Payment(name=subscription.payment)


def refresh(shop: Subscribed, of: pb.PaymentSubscription) -> None:
    shop.stub.RefreshPaymentSubscription(pb.RefreshPaymentSubscriptionRequest(request_id=request_id(), name=of.name))


def resume(shop: Subscribed, of: pb.PaymentSubscription) -> pb.PaymentSubscription:
    request = pb.ResumePaymentSubscriptionRequest(request_id=request_id(), name=of.name)
    wished: pb.PaymentSubscription = shop.stub.ResumePaymentSubscription(request).payment_subscription
    return wished


def call(task: tp.Task) -> str:
    return tp.SubscriptionCallKind.Name(task.subscription_call.kind).removeprefix("SUBSCRIPTION_CALL_KIND_")


def first_charge(shop: Subscribed, of: pb.PaymentSubscription) -> str:
    return shop.payment(of).operations[0].partner_transaction_id


def summaries(shop: Subscribed, of: pb.PaymentSubscription) -> list[str]:
    return [line.summary for line in shop.shop.evidence(payment_of(of))]


def paused(shop: Subscribed) -> Active:
    made, grant, own_id = shop.active()
    refresh(shop, made)
    assert shop.tell(shop.attend(made), shop.said(grant, own_id, status="PAUSED")) == "PAUSED"
    return made, grant, own_id


# Changes.


def test_a_change_whose_answer_is_lost_is_told_again_only_after_a_look(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    shop.cancel(made)
    assert call(shop.attend(made)) == "CANCEL"
    # Whoever had it said nothing, and its lease ended.
    looked = shop.attend(made, later=61)
    assert call(looked) == "DETAILS"
    assert shop.tell(looked, shop.said(grant, own_id)) == "ACTIVE"
    again = shop.attend(made)
    assert call(again) == "CANCEL"
    assert shop.tell(again, shop.said(grant, own_id, status="CANCELLED", next_payment_cycle="")) == "CANCELLED"


def test_going_on_is_told_on_a_fresh_word_and_once(shop: Subscribed) -> None:
    made, grant, own_id = paused(shop)
    shop.shop.advance(120)
    assert resume(shop, made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_RESUME
    looked = shop.attend(made)
    assert call(looked) == "DETAILS"
    shop.tell(looked, shop.said(grant, own_id, status="PAUSED"))
    assert call(shop.attend(made)) == "RESUME"
    # Nobody heard of it: not again before a look.
    assert call(shop.attend(made, later=61)) == "DETAILS"


def test_what_is_cancelled_meanwhile_does_not_go_on(shop: Subscribed) -> None:
    made, grant, own_id = paused(shop)
    shop.shop.advance(120)
    resume(shop, made)
    assert shop.tell(shop.attend(made), shop.said(grant, own_id, status="CANCELLED")) == "CANCELLED"
    seen = shop.get(made)
    assert seen.wish == pb.PAYMENT_SUBSCRIPTION_WISH_UNSPECIFIED
    assert seen.refusal_text
    assert call(shop.attend(made, later=11)) == "DETAILS"


def test_a_held_account_starts_no_charging_and_can_end_it(shop: Subscribed) -> None:
    made, grant, own_id = paused(shop)
    ended, _, _ = shop.active()
    hold = pp.HoldPaymentsRequest(request_id=request_id(), account=shop.shop.account, reason="incident")
    shop.shop.core.admin.payments.HoldPayments(hold)
    resume(shop, made)
    for later in (0, 61, 601):
        task = shop.attend(made, later)
        assert call(task) == "DETAILS"
        shop.tell(task, shop.said(grant, own_id, status="PAUSED"))
        # Not at once again.
        assert shop.shop.claim(ATTEND, of=payment_of(made)) == []
    shop.cancel(ended)
    assert call(shop.attend(ended)) == "CANCEL"
    release = pp.ReleasePaymentsRequest(request_id=request_id(), account=shop.shop.account, reason="over")
    shop.shop.core.admin.payments.ReleasePayments(release)
    task = shop.attend(made, later=601)
    assert call(task) == "DETAILS"
    shop.tell(task, shop.said(grant, own_id, status="PAUSED"))
    assert call(shop.attend(made)) == "RESUME"


def test_a_refusal_is_shown_with_how_it_stands(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    shop.cancel(made)
    shop.tell(shop.attend(made), http_status=412, success="false", message="Not now")
    assert shop.get(made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_CANCEL
    assert shop.tell(shop.attend(made, later=61), shop.said(grant, own_id)) == "ACTIVE"
    seen = shop.get(made)
    assert (seen.wish, seen.refusal_text) == (pb.PAYMENT_SUBSCRIPTION_WISH_UNSPECIFIED, "HTTP 412: Not now")


def test_what_is_on_its_way_is_cancelled_once_it_is_there(shop: Subscribed) -> None:
    made = shop.create()
    grant, own_id = shop.granted(made), request_id()
    assert shop.cancel(made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_CANCEL
    told = approved(grant)
    told.subscriptions.append(shop.said(grant, own_id))
    shop.shop.record(grant.attempt, told)
    task = shop.attend(made)
    assert (call(task), task.subscription_call.partner_subscription_id) == ("CANCEL", own_id)


def test_only_who_holds_the_lease_says_how_it_stands(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    refresh(shop, made)
    old = shop.attend(made)
    new = shop.attend(made, later=61)
    second = request_id()
    told = shop.said(grant, own_id, status="PAUSED", transactions=[listed(second, 2)])
    assert shop.tell(old, told) == "ACTIVE"
    # But of what it says of charges the partner is asked.
    assert [each.query.partner_transaction_id for each in shop.shop.claim(QUERY, of=payment_of(made))] == [second]
    assert shop.tell(new, shop.said(grant, own_id, status="PAUSED")) == "PAUSED"


def test_what_is_final_stays_final(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    refresh(shop, made)
    assert shop.tell(shop.attend(made), shop.said(grant, own_id, status="CANCELLED")) == "CANCELLED"
    assert shop.tell(shop.attend(made, later=11), shop.said(grant, own_id)) == "CANCELLED"
    assert shop.shop.kinds(payment_of(made)).count("PAYMENT_EVIDENCE_DISAGREES") == 1


# What cannot be.


def test_a_list_that_is_too_long_proves_nothing_and_says_so(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    assert shop.tell(shop.attend(made, later=11), readable=False, cut_off=True) == "IN_DOUBT"
    assert any("longer than what is read" in each for each in summaries(shop, made))
    assert not any("not in the partner's list" in each for each in summaries(shop, made))
    assert call(shop.attend(made, later=61)) == "LIST"


def test_a_subscription_that_is_bound_already_is_not_bound_again(shop: Subscribed) -> None:
    _, _, own_id = shop.active()
    made = shop.create()
    grant = shop.granted(made)
    shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    assert shop.tell(shop.attend(made, later=11), shop.said(grant, own_id)) == "IN_DOUBT"
    assert shop.get(made).partner_subscription_id == ""
    assert "PAYMENT_EVIDENCE_DISAGREES" in shop.shop.kinds(payment_of(made))


@pytest.mark.parametrize(
    "wrong", [{"partner_subscription_id": "another"}, {"amount": "2000"}, {"plan_description": "A tin [of_others]"}]
)
def test_details_of_another_subscription_are_not_taken(shop: Subscribed, wrong: dict[str, str]) -> None:
    made, grant, own_id = shop.active()
    refresh(shop, made)
    told = shop.said(grant, own_id, **{"status": "CANCELLED", "transactions": [listed(request_id(), 2)], **wrong})
    assert shop.tell(shop.attend(made), told) == "ACTIVE"
    assert shop.shop.claim(QUERY, of=payment_of(made)) == []
    assert "PAYMENT_EVIDENCE_DISAGREES" in shop.shop.kinds(payment_of(made))


@pytest.mark.parametrize(
    "wrong", [{"amount": "999"}, {"currency": "EUR"}, {"partner_merchant_id": "JP1"}, {"reference": "others"}]
)
def test_a_cycle_whose_status_says_something_else_is_no_charge(shop: Subscribed, wrong: dict[str, str]) -> None:
    made, grant, own_id = shop.active()
    second = request_id()
    refresh(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(second, 2)]))
    shop.confirm(made, grant, second, **wrong)
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    assert shop.shop.kinds(payment_of(made)).count("PAYMENT_EVIDENCE_DISAGREES") == 1


def test_a_cycle_that_should_have_cost_less_counts_and_is_told(shop: Subscribed) -> None:
    made = shop.create(plan=plan(discount_percentage=10, discount_cycle_count=2))
    grant, own_id = shop.granted(made), request_id()
    told = approved(grant, amount="900")
    told.subscriptions.append(shop.said(grant, own_id))
    assert shop.shop.record(grant.attempt, told) == "SUCCEEDED"
    second, third = request_id(), request_id()
    refresh(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(third, 3), listed(second, 2)]))
    found = {each.query.partner_transaction_id: each for each in shop.shop.claim(QUERY, of=payment_of(made))}
    for named in (third, second):
        said = answer(grant, http_status=200, partner_transaction_id=named, amount="1000")
        assert shop.shop.record_status(found[named], said) == "SUCCEEDED"
    assert shop.operations(made)[1:] == [("CYCLE", "SUCCEEDED", 1000)] * 2
    # The second had a discount.
    assert shop.shop.kinds(payment_of(made)).count("PAYMENT_EVIDENCE_DISAGREES") == 1
    assert shop.payment(made).captured_amount.minor_amount == 2900


def test_a_transaction_of_another_payment_is_no_cycle(shop: Subscribed) -> None:
    paid = shop.shop.pay()
    made, grant, own_id = shop.active()
    theirs = paid.operations[0].partner_transaction_id
    refresh(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(theirs, 2)]))
    shop.confirm(made, grant, theirs)
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    assert "PAYMENT_EVIDENCE_DISAGREES" in shop.shop.kinds(payment_of(made))


# Late and contrary.


def test_what_counted_as_one_too_many_is_a_cycle_once_it_is_listed(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    late, first = request_id(), first_charge(shop, made)
    deliver(shop.shop.core, token_of(grant), approved(grant, http_status=0, partner_transaction_id=late))
    shop.confirm(made, grant, late)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(first, 1)]))
    shop.shop.advance(61)
    shop.confirm(made, grant, late)
    assert shop.payment(made).duplicate_charge
    refresh(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(first, 1), listed(late, 2)]))
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000), ("CYCLE", "SUCCEEDED", 1000)]
    assert not shop.payment(made).duplicate_charge


def test_one_that_was_given_up_is_found_after_all(shop: Subscribed) -> None:
    made = shop.create()
    grant, own_id, charge = shop.granted(made), request_id(), request_id()
    shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    shop.shop.advance(1000)
    shop.shop.resolve(shop.payment(made))
    assert word(shop.get(made)) == "NOT_CREATED"
    task = shop.attend(made)
    assert call(task) == "LIST"
    # The partner may be charging it.
    assert shop.tell(task, shop.said(grant, own_id, transactions=[listed(charge, 1)])) == "ACTIVE"
    assert shop.confirm(made, grant, charge) == "SUCCEEDED"
    assert "PAYMENT_CHARGED_AFTER_ALL" in shop.shop.kinds(payment_of(made))


def test_a_sender_that_died_and_its_answer_from_disk_make_one_charge(shop: Subscribed) -> None:
    made = shop.create()
    grant, own_id, charge = shop.granted(made), request_id(), request_id()
    shop.shop.advance(120)
    eventually(lambda: word(shop.get(made)) == "IN_DOUBT", 20, "the end of waiting for the sender")
    told = shop.said(grant, own_id, transactions=[listed(charge, 1)])
    shop.tell(shop.attend(made, later=11), told)
    assert shop.confirm(made, grant, charge) == "SUCCEEDED"
    # Its next process finds the answer in its spool.
    late = approved(grant, partner_transaction_id=charge)
    late.subscriptions.append(told)
    assert shop.shop.record(grant.attempt, late) == "SUCCEEDED"
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    assert shop.shop.claim(SUBMIT, of=payment_of(made)) == []


def test_a_trial_in_doubt_is_proven_by_the_list_and_its_cycles_are_charges(shop: Subscribed) -> None:
    made = shop.create(plan=plan(trial_days=14))
    grant, own_id, charge = shop.granted(made), request_id(), request_id()
    shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    told = shop.said(grant, own_id, completed_cycle_count="0", next_payment_cycle="1")
    assert shop.tell(shop.attend(made, later=11), told) == "ACTIVE"
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 0)]
    refresh(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(charge, 1)]))
    shop.confirm(made, grant, charge, amount="1000")
    assert shop.operations(made)[1:] == [("CYCLE", "SUCCEEDED", 1000)]


@pytest.mark.parametrize(
    "wrong",
    [{"subscriptions": []}, {"gateway_code": "INFO0009"}, {"amount": "1000"}, {"response_code": "51"}],
)
def test_a_trial_that_is_not_proven_is_in_doubt(shop: Subscribed, wrong: dict[str, Any]) -> None:
    made = shop.create(plan=plan(trial_days=14))
    grant = shop.granted(made)
    given = {
        "http_status": 201,
        "readable": True,
        "success": "true",
        "gateway_code": "INFO3000",
        "subscriptions": [shop.said(grant, request_id())],
        **wrong,
    }
    assert shop.shop.record(grant.attempt, tp.PartnerAnswer(**given)) == "IN_DOUBT"
    assert shop.get(made).partner_subscription_id == ""


def test_the_same_answer_to_a_trial_twice_is_no_second_charge(shop: Subscribed) -> None:
    made = shop.create(plan=plan(trial_days=14))
    grant = shop.granted(made)
    told = tp.PartnerAnswer(http_status=201, readable=True, success="true", gateway_code="INFO3000")
    told.subscriptions.append(shop.said(grant, request_id()))
    assert shop.shop.record(grant.attempt, told) == "SUCCEEDED"
    told.message = "Updated."
    assert shop.shop.record(grant.attempt, told) == "SUCCEEDED"
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 0)]


# Refunds, ceilings, exports.


def test_each_cycle_is_paid_back_by_itself(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    second = request_id()
    refresh(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(second, 2)]))
    shop.confirm(made, grant, second)
    cycle = shop.payment(made).operations[1]
    shop.shop.refund(shop.payment(made), 400, operation=cycle.name)
    (task,) = shop.shop.claim(SUBMIT, of=payment_of(made))
    back = shop.shop.begin(task)
    assert back.submission.parent_transaction_id == second
    assert shop.shop.record(back.attempt, approved(back)) == "SUCCEEDED"
    assert shop.payment(made).refunded_amount.minor_amount == 400
    with refused("FAILED_PRECONDITION", "AMOUNT_EXCEEDED"):
        shop.shop.refund(shop.payment(made), 601, operation=cycle.name)


def test_a_cycle_may_cost_no_more_than_a_payment(moving: RunningCore) -> None:
    shop = Subscribed(open_shop(moving, live=True, currencies=[currency("JPY", payment=1000, day=1500)]))
    free = plan(trial_days=14)
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(1001, plan=free)
    assert told.metadata["ceiling"] == "payment"
    shop.create(1000)
    # Only what is charged at once counts for the day.
    shop.create(1000, plan=free)
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(1000)
    assert told.metadata["ceiling"] == "day"


def test_a_cycle_in_an_export_is_asked_for_and_is_no_second_charge(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    said = row(shop.payment(made))
    assert findings(reconcile(shop.shop, said)) == ["PROVES_NOTHING"]
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    second, first = said.partner_transaction_id, first_charge(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(first, 1), listed(second, 2)]))
    shop.confirm(made, grant, second)
    assert shop.operations(made)[1:] == [("CYCLE", "SUCCEEDED", 1000)]
    assert not shop.payment(made).duplicate_charge
    assert len(export_lines(shop.shop, payment_of(made))) == 1
    # By now it is known.
    known = row(shop.payment(made), 1, partner_transaction_id=second, reference=said.reference)
    assert findings(reconcile(shop.shop, known)) == ["CONFIRMS"]
    assert unknown(shop.shop) == []


def test_of_two_charges_in_an_export_the_second_may_be_a_cycle(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    shop.shop.advance(100)
    payment = shop.payment(made)
    assert findings(reconcile(shop.shop, row(payment), row(payment))) == ["SETTLES", "PROVES_NOTHING"]
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    assert not shop.payment(made).duplicate_charge
