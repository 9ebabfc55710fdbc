"""Payment subscriptions end to end: a real core, dispatcher and gateway, and the twin, which charges by itself."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import money_pb2
from mintmark.v1 import payment_subscriptions_pb2 as pb
from mintmark.v1 import payments_pb2 as pp

from tests.adapters.outbound.running import PayingHouse, paying_house
from tests.flows.test_payment_webhooks import Flow, gateway_of
from tests.server.rpc.paying import details, operation_state
from tests.server.rpc.running import request_id
from tests.stack import free_ports
from tests.waiting import eventually

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """At the partner's own speed, so that cycles come when they are asked for; webhooks come at once all the same."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    folder = tmp_path_factory.mktemp("subscriptions")
    with paying_house(folder, speed=1, public_url=url) as house, gateway_of(house, url) as log:
        house.dispatcher.start()
        yield Flow(house, url, log)


@pytest.fixture
def house(flow: Flow) -> Iterator[PayingHouse]:
    yield flow.house
    flow.house.twin.control("DELETE", "/webhooks/rules")
    flow.house.twin.control("DELETE", "/faults")


def plan(**fields: Any) -> pb.PaymentPlan:
    given = {
        "name": "Tea",
        "description": "A tin a month",
        "cycle_unit": pb.PAYMENT_CYCLE_UNIT_MONTHLY,
        "cycle_interval": 1,
        "max_cycle_count": 3,
        **fields,
    }
    return pb.PaymentPlan(**given)


def ordered(house: PayingHouse, amount: int, **fields: Any) -> pb.CreatePaymentSubscriptionRequest:
    given = {
        "request_id": request_id(),
        "token": house.shop.token,
        "merchant_subscription_id": f"contract-{next(_NUMBERS)}",
        "amount": money_pb2.Money(minor_amount=amount, currency_code="JPY"),
        "plan": plan(),
        "details": details(),
        **fields,
    }
    return pb.CreatePaymentSubscriptionRequest(**given)


def created(house: PayingHouse, amount: int, **fields: Any) -> pb.PaymentSubscription:
    stub = house.shop.client.payment_subscriptions
    return stub.CreatePaymentSubscription(ordered(house, amount, **fields)).payment_subscription


def get(house: PayingHouse, subscription: pb.PaymentSubscription) -> pb.PaymentSubscription:
    request = pb.GetPaymentSubscriptionRequest(name=subscription.name)
    return house.shop.client.payment_subscriptions.GetPaymentSubscription(request).payment_subscription


def state(house: PayingHouse, subscription: pb.PaymentSubscription) -> str:
    found = get(house, subscription).state
    return pb.PaymentSubscriptionState.Name(found).removeprefix("PAYMENT_SUBSCRIPTION_STATE_")


def becomes(house: PayingHouse, subscription: pb.PaymentSubscription, wanted: str) -> None:
    eventually(lambda: state(house, subscription) == wanted, 40, f"{subscription.name} becoming {wanted}")


def payment(house: PayingHouse, subscription: pb.PaymentSubscription) -> pp.Payment:
    return house.shop.get(pp.Payment(name=subscription.payment))


def operations(house: PayingHouse, subscription: pb.PaymentSubscription) -> list[tuple[str, str, int]]:
    """Kind, state and confirmed amount of each."""
    return [
        (
            pp.PaymentOperationKind.Name(each.kind).removeprefix("PAYMENT_OPERATION_KIND_"),
            operation_state(each.state),
            each.confirmed_amount.minor_amount,
        )
        for each in payment(house, subscription).operations
    ]


def charges(house: PayingHouse, subscription: pb.PaymentSubscription) -> list[Any]:
    """What the twin's ledger has of it."""
    reference = payment(house, subscription).operations[0].reference
    return [line for line in house.twin.ledger() if line["reference"] == reference and line["moved"]]


def at_the_twin(house: PayingHouse, subscription: pb.PaymentSubscription) -> str:
    return get(house, subscription).partner_subscription_id


def cycle(house: PayingHouse, subscription: pb.PaymentSubscription) -> None:
    house.twin.control("POST", f"/subscriptions/{at_the_twin(house, subscription)}/charge")


def refresh(house: PayingHouse, subscription: pb.PaymentSubscription) -> None:
    request = pb.RefreshPaymentSubscriptionRequest(request_id=request_id(), name=subscription.name)
    house.shop.client.payment_subscriptions.RefreshPaymentSubscription(request)


def test_created_charged_and_charged_again(house: PayingHouse) -> None:
    made = created(house, 910_001)
    becomes(house, made, "ACTIVE")
    assert operations(house, made) == [("SUBSCRIPTION", "SUCCEEDED", 910_001)]
    cycle(house, made)
    wanted = [("SUBSCRIPTION", "SUCCEEDED", 910_001), ("CYCLE", "SUCCEEDED", 910_001)]
    eventually(lambda: operations(house, made) == wanted, 40, "the second cycle, by its webhook")
    found = payment(house, made)
    assert not found.duplicate_charge
    assert found.captured_amount.minor_amount == 1_820_002
    assert {each.partner_transaction_id for each in found.operations} == {
        line["transactionId"] for line in charges(house, made)
    }
    # One cycle can be paid back by itself.
    house.shop.refund(found, 1, operation=found.operations[1].name)
    eventually(lambda: operations(house, made)[-1] == ("REFUND", "SUCCEEDED", 1), 40, "the refund of a cycle")
    assert get(house, made).completed_cycle_count >= 1


def test_a_cycle_whose_webhook_is_lost_is_found_by_looking(house: PayingHouse, flow: Flow) -> None:
    made = created(house, 910_002)
    becomes(house, made, "ACTIVE")
    flow.rule("lost", reference=payment(house, made).operations[0].reference)
    cycle(house, made)
    cycle(house, made)
    refresh(house, made)
    eventually(lambda: len(operations(house, made)) == 3, 40, "both cycles, by looking")
    eventually(lambda: {each[1] for each in operations(house, made)} == {"SUCCEEDED"}, 40, "their status")
    refresh(house, made)
    eventually(lambda: state(house, made) == "EXPIRED", 40, "the end of the last cycle")
    assert len(operations(house, made)) == 3 == len(charges(house, made))
    assert not payment(house, made).duplicate_charge


def test_a_creation_whose_answer_is_lost_is_found_in_the_list_and_charged_once(house: PayingHouse, flow: Flow) -> None:
    flow.rule("lost")
    house.twin.fault("reset", amount="910003")
    made = created(house, 910_003)
    becomes(house, made, "ACTIVE")
    eventually(lambda: operations(house, made) == [("SUBSCRIPTION", "SUCCEEDED", 910_003)], 60, "its status")
    assert len(charges(house, made)) == 1
    assert house.sent(payment(house, made)) == 1


def test_a_creation_that_never_reached_the_partner_stays_in_doubt(house: PayingHouse) -> None:
    """Not to be found in a list proves nothing."""
    house.twin.fault("reset", charged=False, amount="910004")
    made = created(house, 910_004)
    becomes(house, made, "IN_DOUBT")
    refresh(house, made)
    eventually(lambda: get(house, made).HasField("look_time") or looked(house, made), 40, "a look at the list")
    assert state(house, made) == "IN_DOUBT"
    assert charges(house, made) == []


def looked(house: PayingHouse, subscription: pb.PaymentSubscription) -> bool:
    return any("list" in line.summary for line in house.shop.evidence(payment(house, subscription)))


def test_a_trial_charges_nothing_and_a_discount_less(house: PayingHouse) -> None:
    trial = created(house, 910_005, plan=plan(trial_days=7))
    becomes(house, trial, "ACTIVE")
    assert operations(house, trial) == [("SUBSCRIPTION", "SUCCEEDED", 0)]
    assert charges(house, trial) == []
    cheaper = created(house, 910_100, plan=plan(discount_percentage=10, discount_cycle_count=1))
    becomes(house, cheaper, "ACTIVE")
    cycle(house, cheaper)
    wanted = [("SUBSCRIPTION", "SUCCEEDED", 819_090), ("CYCLE", "SUCCEEDED", 910_100)]
    eventually(lambda: operations(house, cheaper) == wanted, 40, "a cycle without discount")


def test_a_decline_makes_none(house: PayingHouse) -> None:
    made = created(house, 70_051)
    becomes(house, made, "DECLINED")
    assert charges(house, made) == []
    assert operations(house, made) == [("SUBSCRIPTION", "DECLINED", 0)]


def test_cancelling_ends_it_even_where_the_answer_is_lost(house: PayingHouse) -> None:
    made = created(house, 910_006)
    becomes(house, made, "ACTIVE")
    request = pb.CancelPaymentSubscriptionRequest(request_id=request_id(), name=made.name)
    house.shop.client.payment_subscriptions.CancelPaymentSubscription(request)
    becomes(house, made, "CANCELLED")
    again = house.shop.client.payment_subscriptions.CancelPaymentSubscription(request).payment_subscription
    assert again.name == made.name
    assert len(charges(house, made)) == 1


def test_what_is_paused_at_the_partner_is_seen_and_can_go_on(house: PayingHouse) -> None:
    made = created(house, 910_007)
    becomes(house, made, "ACTIVE")
    answer = house.twin.post(f"subscription/{at_the_twin(house, made)}/pause", {})
    assert answer.is_success, answer.text
    refresh(house, made)
    becomes(house, made, "PAUSED")
    request = pb.ResumePaymentSubscriptionRequest(request_id=request_id(), name=made.name)
    house.shop.client.payment_subscriptions.ResumePaymentSubscription(request)
    becomes(house, made, "ACTIVE")


def test_events_tell_of_it(house: PayingHouse) -> None:
    made = created(house, 910_008)
    becomes(house, made, "ACTIVE")
    asked = ev.ListEventsRequest(filter=ev.EventFilter(resource=made.name), page_size=1000)
    told = house.shop.client.events.ListEvents(asked).events
    assert told[0].kind == ev.EVENT_KIND_PAYMENT_SUBSCRIPTION_CREATED
    assert told[-1].payment_subscription.state == pb.PAYMENT_SUBSCRIPTION_STATE_ACTIVE
