"""Payment subscriptions: created at most once, found in the partner's list, each cycle a charge that was confirmed."""

from typing import Any

import pytest
from mintmark.v1 import payment_subscriptions_pb2 as pb
from mintmark.v1 import payments_pb2 as pp

from tests.server.rpc.paying import MERCHANT, SUBMIT, UNKNOWN, approved, declined, open_shop
from tests.server.rpc.running import RunningCore, refused, request_id
from tests.server.rpc.subscribed import ATTEND, Subscribed, listed, plan, word
from tests.server.rpc.test_payment_webhooks import deliver, token_of
from tests.waiting import eventually

DAY = 86_400


@pytest.fixture
def shop(moving: RunningCore) -> Subscribed:
    return Subscribed(open_shop(moving))


def test_it_is_created_once_and_its_first_cycle_is_the_payments_first_charge(shop: Subscribed) -> None:
    made = shop.create()
    assert word(made) == "PENDING"
    grant = shop.granted(made)
    said = grant.submission
    assert said.kind == pp.PAYMENT_OPERATION_KIND_SUBSCRIPTION
    assert said.path == "/server-to-server-interface/subscription/payment"
    assert said.plan.description.startswith("A tin a month [")
    assert word(shop.get(made)) == "CREATING"
    told, own_id = approved(grant), request_id()
    told.subscriptions.append(shop.said(grant, own_id))
    assert shop.shop.record(grant.attempt, told) == "SUCCEEDED"
    found = shop.get(made)
    assert (word(found), found.partner_subscription_id) == ("ACTIVE", own_id)
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    assert shop.shop.claim(SUBMIT, of=pp.Payment(name=made.payment)) == []


def test_the_same_request_makes_one_and_other_content_is_refused(shop: Subscribed) -> None:
    request = shop.request()
    first = shop.stub.CreatePaymentSubscription(request).payment_subscription
    assert shop.stub.CreatePaymentSubscription(request).payment_subscription == first
    other = pb.CreatePaymentSubscriptionRequest()
    other.CopyFrom(request)
    other.plan.name = "Coffee"
    with refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED"):
        shop.stub.CreatePaymentSubscription(other)
    other.request_id = request_id()
    # Payments and subscriptions of a merchant share their ids.
    with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED"):
        shop.stub.CreatePaymentSubscription(other)
    listed_now = shop.stub.ListPaymentSubscriptions(pb.ListPaymentSubscriptionsRequest(merchant_id=MERCHANT))
    assert [each.name for each in listed_now.payment_subscriptions if each.token == shop.shop.token] == [first.name]


IMPOSSIBLE: list[dict[str, Any]] = [
    {"plan": plan(discount_percentage=10)},
    {"amount": 1001, "plan": plan(discount_percentage=33, discount_cycle_count=1)},
    {"amount": 0},
    {"plan": plan(name="a [mark]")},
]


@pytest.mark.parametrize("fields", IMPOSSIBLE, ids=str)
def test_plans_that_cannot_be(shop: Subscribed, fields: dict[str, Any]) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.create(**fields)


def test_a_discount_that_leaves_whole_units_is_taken_off_the_first_charge(shop: Subscribed) -> None:
    made = shop.create(plan=plan(discount_percentage=33, discount_cycle_count=1))
    assert shop.granted(made).submission.amount_text == "1000"
    assert shop.payment(made).amount.minor_amount == 670


def test_what_others_may_not_see_is_not_there(shop: Subscribed) -> None:
    made = shop.create()
    other = Subscribed(open_shop(shop.shop.core))
    for call in (other.get, other.cancel):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            call(made)
    page = other.stub.ListPaymentSubscriptions(pb.ListPaymentSubscriptionsRequest())
    assert not page.payment_subscriptions


def test_a_lost_creation_is_found_by_its_mark_and_its_charge_is_asked_for(shop: Subscribed) -> None:
    made = shop.create()
    grant, own_id, charge = shop.granted(made), request_id(), request_id()
    assert shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset") == "IN_DOUBT"
    task = shop.attend(made, later=11)
    assert task.subscription_call.mark in grant.submission.plan.description
    # Not there: which proves nothing.
    assert shop.tell(task) == "IN_DOUBT"
    task = shop.attend(made, later=70)
    shop.tell(task, shop.said(grant, own_id, transactions=[listed(charge, 1)]))
    assert shop.get(made).partner_subscription_id == own_id
    assert word(shop.get(made)) == "IN_DOUBT"
    assert shop.confirm(made, grant, charge) == "SUCCEEDED"
    assert word(shop.get(made)) == "ACTIVE"
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    assert shop.shop.claim(SUBMIT, of=pp.Payment(name=made.payment)) == []


@pytest.mark.parametrize(
    "wrong",
    [{"amount": "1001"}, {"currency": "EUR"}, {"plan_name": "Coffee"}, {"max_cycle_count": "4"}, {"amount": ""}],
)
def test_one_with_our_mark_that_is_another_is_not_bound(shop: Subscribed, wrong: dict[str, str]) -> None:
    made = shop.create()
    grant = shop.granted(made)
    shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    task = shop.attend(made, later=11)
    assert shop.tell(task, shop.said(grant, request_id(), **wrong)) == "IN_DOUBT"
    assert shop.get(made).partner_subscription_id == ""
    assert "PAYMENT_EVIDENCE_DISAGREES" in shop.shop.kinds(pp.Payment(name=made.payment))


def test_two_with_our_mark_bind_nothing(shop: Subscribed) -> None:
    made = shop.create()
    grant = shop.granted(made)
    shop.shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    task = shop.attend(made, later=11)
    both = [shop.said(grant, request_id()) for _ in range(2)]
    assert shop.tell(task, *both) == "IN_DOUBT"
    assert shop.get(made).partner_subscription_id == ""
    assert "PAYMENT_EVIDENCE_DISAGREES" in shop.shop.kinds(pp.Payment(name=made.payment))


def test_a_cycle_counts_once_however_it_is_heard_of(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    payment, second = shop.payment(made), request_id()
    hint = approved(grant, http_status=0, partner_transaction_id=second)
    for _ in range(2):
        deliver(shop.shop.core, token_of(grant), hint)
    # A webhook moves nothing by itself.
    assert shop.operations(made) == [("SUBSCRIPTION", "SUCCEEDED", 1000)]
    first = payment.operations[0].partner_transaction_id
    details = shop.said(grant, own_id, completed_cycle_count="2", transactions=[listed(first, 1), listed(second, 2)])
    shop.tell(shop.attend(made), details)
    shop.confirm(made, grant, second)
    wanted = [("SUBSCRIPTION", "SUCCEEDED", 1000), ("CYCLE", "SUCCEEDED", 1000)]
    assert shop.operations(made) == wanted
    shop.stub.RefreshPaymentSubscription(pb.RefreshPaymentSubscriptionRequest(request_id=request_id(), name=made.name))
    shop.tell(shop.attend(made), details)
    assert shop.operations(made) == wanted
    assert not shop.payment(made).duplicate_charge


def test_a_charge_that_the_subscription_does_not_list_is_one_too_many(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    stranger = request_id()
    deliver(shop.shop.core, token_of(grant), approved(grant, http_status=0, partner_transaction_id=stranger))
    first = shop.payment(made).operations[0].partner_transaction_id
    shop.confirm(made, grant, stranger)
    # Whether it is a cycle is asked first.
    assert len(shop.operations(made)) == 1
    shop.tell(shop.attend(made), shop.said(grant, own_id, transactions=[listed(first, 1)]))
    shop.shop.advance(61)
    shop.confirm(made, grant, stranger)
    assert shop.payment(made).duplicate_charge
    assert "PAYMENT_DUPLICATE_CHARGE" in shop.shop.kinds(pp.Payment(name=made.payment))
    assert shop.operations(made)[-1][0] == "EXTERNAL"


def test_a_declined_cycle_is_a_cycle_and_no_charge(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    first, second = shop.payment(made).operations[0].partner_transaction_id, request_id()
    shop.stub.RefreshPaymentSubscription(pb.RefreshPaymentSubscriptionRequest(request_id=request_id(), name=made.name))
    told = shop.said(grant, own_id, transactions=[listed(first, 1), listed(second, 2)])
    shop.tell(shop.attend(made), told)
    no = declined(grant)
    shop.confirm(
        made,
        grant,
        second,
        **{name: getattr(no, name) for name in ("success", "gateway_code", "gateway_type", "response_code", "body")},
    )
    assert shop.operations(made)[-1][:2] == ("CYCLE", "DECLINED")
    assert shop.payment(made).captured_amount.minor_amount == 1000
    assert word(shop.get(made)) == "ACTIVE"


def test_a_due_cycle_that_nobody_knows_of_is_overdue_until_it_is_known(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    overdue = pb.ListPaymentSubscriptionsRequest(overdue=True, token=shop.shop.token)
    assert not shop.stub.ListPaymentSubscriptions(overdue).payment_subscriptions
    shop.shop.advance(34 * DAY)

    def found() -> list[str]:
        return [each.name for each in shop.stub.ListPaymentSubscriptions(overdue).payment_subscriptions]

    eventually(lambda: found() == [made.name], 20, "the overdue cycle")
    assert shop.shop.kinds(pp.Payment(name=made.name)).count("PAYMENT_SUBSCRIPTION_OVERDUE") == 1
    first, second = shop.payment(made).operations[0].partner_transaction_id, request_id()
    told = shop.said(grant, own_id, completed_cycle_count="2", transactions=[listed(first, 1), listed(second, 2)])
    shop.tell(shop.attend(made), told)
    shop.confirm(made, grant, second)
    assert not shop.stub.ListPaymentSubscriptions(overdue).payment_subscriptions


def test_what_is_unsent_is_taken_back_and_what_is_sent_is_told_until_it_is_so(shop: Subscribed) -> None:
    unsent = shop.create()
    assert word(shop.cancel(unsent)) == "NOT_CREATED"
    assert shop.shop.claim(SUBMIT, ATTEND, of=pp.Payment(name=unsent.payment)) == []
    made, grant, own_id = shop.active()
    wished = shop.cancel(made)
    assert (word(wished), wished.wish) == ("ACTIVE", pb.PAYMENT_SUBSCRIPTION_WISH_CANCEL)
    task = shop.attend(made)
    assert task.subscription_call.partner_subscription_id == own_id
    # Its answer is lost: it is looked before it is told again.
    task = shop.attend(made, later=61)
    assert shop.tell(task, shop.said(grant, own_id, status="CANCELLED", next_payment_cycle="")) == "CANCELLED"
    assert shop.get(made).wish == pb.PAYMENT_SUBSCRIPTION_WISH_UNSPECIFIED
    assert word(shop.cancel(made)) == "CANCELLED"


def test_only_what_the_partner_has_paused_goes_on(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    resume = pb.ResumePaymentSubscriptionRequest(request_id=request_id(), name=made.name)
    with refused("FAILED_PRECONDITION", "PAYMENT_STATE_UNFIT"):
        shop.stub.ResumePaymentSubscription(resume)
    shop.stub.RefreshPaymentSubscription(pb.RefreshPaymentSubscriptionRequest(request_id=request_id(), name=made.name))
    assert shop.tell(shop.attend(made), shop.said(grant, own_id, status="PAUSED")) == "PAUSED"
    resume.request_id = request_id()
    wished = shop.stub.ResumePaymentSubscription(resume).payment_subscription
    assert wished.wish == pb.PAYMENT_SUBSCRIPTION_WISH_RESUME
    assert shop.tell(shop.attend(made), shop.said(grant, own_id)) == "ACTIVE"


def test_words_that_nobody_knows_are_kept(shop: Subscribed) -> None:
    made, grant, own_id = shop.active()
    shop.stub.RefreshPaymentSubscription(pb.RefreshPaymentSubscriptionRequest(request_id=request_id(), name=made.name))
    assert shop.tell(shop.attend(made), shop.said(grant, own_id, status="SLEEPING")) == "UNRECOGNIZED"
    assert shop.get(made).state_text == "SLEEPING"


@pytest.mark.parametrize("name", ["paymentSubscriptions/0", "payments/1", "x"])
def test_names_that_are_none(shop: Subscribed, name: str) -> None:
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.stub.GetPaymentSubscription(pb.GetPaymentSubscriptionRequest(name=name))
