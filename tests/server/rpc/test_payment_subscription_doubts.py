"""Subscriptions of which too little is known: nothing is charged after a cancel, no charge is absorbed, and a no to one
charge is no no to another."""

from typing import Any

import pytest
from mintmark.v1 import payment_subscriptions_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp

from tests.server.rpc.exporting import NO as NO_ROW
from tests.server.rpc.exporting import findings, reconcile, row
from tests.server.rpc.paying import NOT_SENT, QUERY, SUBMIT, UNKNOWN, approved, declined, open_shop
from tests.server.rpc.running import RunningCore, request_id
from tests.server.rpc.subscribed import ATTEND, Subscribed, listed, plan, word
from tests.server.rpc.test_payment_subscription_calls import call, first_charge, paused, payment_of, refresh, resume
from tests.server.rpc.test_payment_webhooks import deliver, token_of
from tests.waiting import eventually

DAY = 86_400
NO = ("success", "gateway_code", "gateway_type", "response_code", "body")


@pytest.fixture
def shop(moving: RunningCore) -> Subscribed:
    return Subscribed(open_shop(moving))


def lost(shop: Subscribed, **fields: Any) -> tuple[pb.PaymentSubscription, tp.BeginAttemptResponse]:
    """A subscription the answer to whose creation is lost."""
    made = shop.create(**fields)
    grant = shop.granted(made)
    assert shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset") == "IN_DOUBT"
    return made, grant


def no(grant: tp.BeginAttemptResponse) -> dict[str, Any]:
    said = declined(grant)
    return {name: getattr(said, name) for name in NO}


def hear(shop: Subscribed, grant: tp.BeginAttemptResponse, **fields: Any) -> str:
    """The transaction that a webhook has just told of."""
    named = request_id()
    deliver(shop.shop.core, token_of(grant), approved(grant, http_status=0, partner_transaction_id=named, **fields))
    return named


# Cancelled before it was sent.


def test_what_is_cancelled_while_it_is_being_sent_and_was_not_sent_is_not_sent_again(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    assert shop.cancel(made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_CANCEL
    assert shop.shop.record(grant.attempt, outcome=NOT_SENT, trouble="connect") == "CANCELLED"
    shop.shop.advance(30)
    assert shop.shop.claim(SUBMIT, of=payment_of(made)) == []
    found = shop.get(made)
    assert (word(found), found.wish) == ("NOT_CREATED", pb.PAYMENT_SUBSCRIPTION_WISH_UNSPECIFIED)


def test_what_was_cancelled_and_given_up_is_not_sent_when_its_sender_tells_late(shop: Subscribed) -> None:
    made = shop.create(send_within={"seconds": 3600})
    grant = shop.granted(made)
    shop.cancel(made)
    shop.shop.advance(120)
    eventually(lambda: word(shop.get(made)) == "IN_DOUBT", 20, "the end of waiting for the sender")
    assert shop.shop.record(grant.attempt, outcome=NOT_SENT, trouble="connect") == "CANCELLED"
    shop.shop.advance(30)
    assert shop.shop.claim(SUBMIT, of=payment_of(made)) == []


def test_what_the_partner_has_heard_of_before_it_was_sent_can_be_cancelled(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    shop.shop.record(grant.attempt, outcome=NOT_SENT, trouble="connect")
    hear(shop, grant)
    assert shop.cancel(made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_CANCEL
    own_id = request_id()
    task = shop.attend(made, later=1)
    assert call(task) == "LIST"
    shop.tell(task, shop.said(grant, own_id))
    assert call(shop.attend(made)) == "CANCEL"


def test_what_was_taken_back_and_is_there_all_the_same_can_be_cancelled(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    shop.shop.record(grant.attempt, outcome=NOT_SENT, trouble="connect")
    assert word(shop.cancel(made)) == "NOT_CREATED"
    hear(shop, grant)
    assert shop.tell(shop.attend(made), shop.said(grant, request_id())) == "ACTIVE"
    assert shop.cancel(made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_CANCEL
    assert call(shop.attend(made)) == "CANCEL"


# A no, and of what.


def test_a_no_to_a_later_cycle_is_no_no_to_the_first(shop: Subscribed) -> None:
    made, grant = lost(shop)
    shop.shop.advance(31 * DAY)
    later = hear(shop, grant)
    assert shop.confirm(made, grant, later, **no(grant)) == "IN_DOUBT"
    assert word(shop.get(made)) == "IN_DOUBT"
    # Its own yes settles it.
    first = hear(shop, grant)
    assert shop.confirm(made, grant, first) == "SUCCEEDED"


def test_a_no_before_a_second_cycle_can_be_is_the_firsts(shop: Subscribed) -> None:
    made, grant = lost(shop)
    shop.shop.advance(3600)
    assert shop.confirm(made, grant, hear(shop, grant), **no(grant)) == "DECLINED"
    assert word(shop.get(made)) == "DECLINED"


def test_a_no_that_the_partner_lists_as_the_first_is_the_firsts(shop: Subscribed) -> None:
    made, grant = lost(shop)
    shop.shop.advance(31 * DAY)
    named = request_id()
    shop.tell(shop.attend(made), shop.said(grant, request_id(), transactions=[listed(named, 1)]))
    assert shop.confirm(made, grant, named, **no(grant)) == "DECLINED"


def test_a_no_to_a_later_cycle_in_an_export_is_no_no_to_the_first(shop: Subscribed) -> None:
    made, _ = lost(shop)
    shop.shop.advance(31 * DAY)
    said = row(shop.payment(made), outcome=NO_ROW)
    assert findings(reconcile(shop.shop, said)) == ["PROVES_NOTHING"]
    assert word(shop.get(made)) == "IN_DOUBT"


# A charge that is not absorbed.


def test_a_charge_after_a_trial_that_was_said_no_to_counts_without_the_list(shop: Subscribed) -> None:
    made = shop.create(plan=plan(trial_days=14))
    grant = shop.granted(made)
    assert shop.shop.record(grant.attempt, declined(grant, amount="", partner_transaction_id="")) == "DECLINED"
    shop.shop.advance(15 * DAY)
    named = hear(shop, grant, amount="1000")
    for later in (0, 61, 601, 3601, 3601):
        shop.shop.advance(later)
        shop.confirm(made, grant, named, amount="1000")
    assert shop.payment(made).captured_amount.minor_amount == 1000
    assert "PAYMENT_CHARGED_AFTER_ALL" in shop.shop.kinds(payment_of(made))


def test_a_cycle_without_discount_counts_where_the_first_is_given_up(shop: Subscribed) -> None:
    made, grant = lost(shop, plan=plan(discount_percentage=10, discount_cycle_count=1))
    shop.shop.advance(1000)
    shop.shop.resolve(shop.payment(made))
    shop.shop.advance(31 * DAY)
    named = hear(shop, grant, amount="1000")
    for later in (0, 61, 601, 3601, 3601):
        shop.shop.advance(later)
        shop.confirm(made, grant, named, amount="1000")
    assert shop.payment(made).captured_amount.minor_amount == 1000
    assert "PAYMENT_CHARGED_AFTER_ALL" in shop.shop.kinds(payment_of(made))


# One charge too many, and one that is in the wrong place.


def charges(shop: Subscribed, of: pb.PaymentSubscription, grant: tp.BeginAttemptResponse, *named: str) -> None:
    """The partner's status of each, which has to be asked for: done."""
    found = {each.query.partner_transaction_id: each for each in shop.shop.claim(QUERY, of=payment_of(of))}
    for each in named:
        assert shop.shop.record_status(found[each], approved(grant, http_status=200, partner_transaction_id=each))


def test_two_charges_of_one_cycle_are_told_and_to_be_refunded(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    first, second, again = first_charge(shop, made), request_id(), request_id()
    told = shop.said(grant, own_id, transactions=[listed(first, 1), listed(second, 2), listed(again, 2)])
    refresh(shop, made)
    shop.tell(shop.attend(made), told)
    charges(shop, made, grant, second, again)
    assert shop.payment(made).captured_amount.minor_amount == 3000
    assert shop.payment(made).duplicate_charge
    refresh(shop, made)
    shop.tell(shop.attend(made), told)
    assert shop.payment(made).duplicate_charge
    assert shop.shop.kinds(payment_of(made)).count("PAYMENT_DUPLICATE_CHARGE") == 1


def test_a_second_charge_of_the_first_cycle_is_told_wherever_it_was_heard_of(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    first, again = first_charge(shop, made), hear(shop, grant)
    shop.confirm(made, grant, again)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(first, 1)]))
    shop.shop.advance(61)
    shop.confirm(made, grant, again)
    assert shop.payment(made).duplicate_charge
    # That it is listed makes it no cycle of its own.
    refresh(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(first, 1), listed(again, 1)]))
    assert shop.payment(made).duplicate_charge


def test_a_later_cycle_that_was_taken_for_the_first_is_put_right_by_the_list(shop: Subscribed) -> None:
    made, grant = lost(shop)
    shop.shop.advance(31 * DAY)
    second, first, own_id = hear(shop, grant), request_id(), request_id()
    assert shop.confirm(made, grant, second) == "SUCCEEDED"
    told = shop.said(grant, own_id, transactions=[listed(first, 1), listed(second, 2)])
    shop.tell(shop.attend(made), told)
    charges(shop, made, grant, first)
    assert shop.payment(made).captured_amount.minor_amount == 2000
    assert not shop.payment(made).duplicate_charge


# What the partner has although it should not.


def test_a_subscription_that_is_there_after_a_no_is_told(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    assert shop.shop.record(grant.attempt, declined(grant)) == "DECLINED"
    assert shop.tell(shop.attend(made, later=11), shop.said(grant, request_id())) == "ACTIVE"
    assert "PAYMENT_EVIDENCE_DISAGREES" in shop.shop.kinds(payment_of(made))


def test_one_whose_state_the_partner_does_not_say_keeps_its_id_and_can_be_cancelled(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    assert shop.shop.record(grant.attempt, declined(grant)) == "DECLINED"
    assert shop.tell(shop.attend(made, later=11), shop.said(grant, request_id(), status="")) == "UNRECOGNIZED"
    assert shop.cancel(made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_CANCEL


def test_a_second_subscription_by_one_creation_is_told(shop: Subscribed) -> None:
    made, grant, _ = shop.active()
    again = approved(grant)
    again.subscriptions.append(shop.said(grant, request_id()))
    shop.shop.record(grant.attempt, again)
    kinds = shop.shop.kinds(payment_of(made))
    assert "PAYMENT_DUPLICATE_CHARGE" in kinds
    assert "PAYMENT_EVIDENCE_DISAGREES" in kinds


# Cycles of what is not known whole.


def overdue(shop: Subscribed) -> list[str]:
    request = pb.ListPaymentSubscriptionsRequest(overdue=True, token=shop.shop.token)
    return [each.name for each in shop.stub.ListPaymentSubscriptions(request).payment_subscriptions]


def test_a_due_cycle_is_listed_where_the_first_is_in_doubt(shop: Subscribed) -> None:
    made, grant = lost(shop)
    assert shop.tell(shop.attend(made, later=11), shop.said(grant, request_id())) == "IN_DOUBT"
    shop.shop.advance(34 * DAY)
    eventually(lambda: overdue(shop) == [made.name], 20, "the overdue cycle")


def test_a_due_cycle_is_listed_where_nobody_has_told_of_the_subscription(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    assert shop.shop.record(grant.attempt, approved(grant)) == "SUCCEEDED"
    found = shop.get(made)
    assert (word(found), found.partner_subscription_id) == ("ACTIVE", "")
    shop.shop.advance(34 * DAY)
    eventually(lambda: overdue(shop) == [made.name], 20, "the overdue cycle")


# Changes.


def test_going_on_needs_a_word_on_how_it_stands(shop: Subscribed) -> None:
    made, grant, own_id = paused(shop)
    shop.shop.advance(120)
    resume(shop, made)
    shop.tell(shop.attend(made), shop.said(grant, own_id, status=""))
    # It would be due at once.
    assert shop.shop.claim(ATTEND, of=payment_of(made)) == []


def test_a_cancel_is_told_again_where_no_look_succeeds(shop: Subscribed) -> None:
    made, _, _ = shop.active()
    shop.cancel(made)
    told = []
    for later in (0, 601, 601, 601, 601):
        task = shop.attend(made, later)
        told.append(call(task))
        shop.tell(task, http_status=500, readable=False, success="")
    assert told.count("CANCEL") >= 2
    assert "DETAILS" in told
