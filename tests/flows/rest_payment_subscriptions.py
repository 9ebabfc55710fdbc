"""Payment subscriptions for the walk of the REST table, made by REST at an account that is held: nothing is sent."""

from collections.abc import Iterator

from google.protobuf import json_format
from google.protobuf.message import Message
from mintmark.v1 import payment_subscriptions_pb2 as pb
from mintmark.v1.money_pb2 import Money

from adapters.cli.supervisor.payments import TOKEN
from tests.flows.rest_payments import HELD_TOKEN, details, key
from tests.stack import Stack
from tests.waiting import eventually

SERVICE = "PaymentSubscriptionsService"
Case = tuple[str, Message, str]


def order(token: str = HELD_TOKEN) -> pb.CreatePaymentSubscriptionRequest:
    return pb.CreatePaymentSubscriptionRequest(
        request_id=key(),
        token=token,
        merchant_subscription_id=key(),
        amount=Money(minor_amount=1000, currency_code="JPY"),
        plan=pb.PaymentPlan(name="Tea", cycle_unit=pb.PAYMENT_CYCLE_UNIT_MONTHLY, cycle_interval=1, max_cycle_count=3),
        details=details(),
    )


def open_subscriptions(stack: Stack) -> tuple[str, str]:
    """One that is not sent, and one that the partner has paused."""
    unsent, active = (_made(stack, token) for token in (HELD_TOKEN, TOKEN))
    eventually(lambda: _state(stack, active) == "ACTIVE", 30, "a subscription at the partner")
    found = stack.http.get(f"/v1/{active}").json()["paymentSubscription"]["partnerSubscriptionId"]
    stack.command("sandbox", "payment-options", "subscriptions", "pause", found)
    stack.http.post(f"/v1/{active}:refresh", json={}, headers={"Idempotency-Key": key()})
    eventually(lambda: _state(stack, active) == "PAUSED", 30, "its pause")
    return unsent, active


def _made(stack: Stack, token: str) -> str:
    document = json_format.MessageToDict(order(token))
    own = document.pop("requestId")
    answer = stack.http.post("/v1/paymentSubscriptions", json=document, headers={"Idempotency-Key": own})
    assert answer.status_code == 201, answer.text
    name: str = answer.json()["paymentSubscription"]["name"]
    return name


def _state(stack: Stack, name: str) -> str:
    state: str = stack.http.get(f"/v1/{name}").json()["paymentSubscription"]["state"]
    return state.removeprefix("PAYMENT_SUBSCRIPTION_STATE_")


def reads(unsent: str) -> Iterator[Case]:
    yield f"{SERVICE}.GetPaymentSubscription", pb.GetPaymentSubscriptionRequest(name=unsent), ""
    nobody = pb.GetPaymentSubscriptionRequest(name="paymentSubscriptions/0")
    yield f"{SERVICE}.GetPaymentSubscription", nobody, "RESOURCE_NOT_FOUND"
    yield f"{SERVICE}.ListPaymentSubscriptions", pb.ListPaymentSubscriptionsRequest(page_size=2, token=HELD_TOKEN), ""


def writes(unsent: str, paused: str) -> Iterator[Case]:
    made = order()
    yield f"{SERVICE}.CreatePaymentSubscription", made, ""
    again = pb.CreatePaymentSubscriptionRequest()
    again.CopyFrom(made)
    again.request_id = key()
    yield f"{SERVICE}.CreatePaymentSubscription", again, "MERCHANT_PAYMENT_ID_USED"
    yield (
        f"{SERVICE}.RefreshPaymentSubscription",
        pb.RefreshPaymentSubscriptionRequest(request_id=key(), name=paused),
        "",
    )
    resume = pb.ResumePaymentSubscriptionRequest
    yield f"{SERVICE}.ResumePaymentSubscription", resume(request_id=key(), name=unsent), "PAYMENT_STATE_UNFIT"
    yield f"{SERVICE}.ResumePaymentSubscription", resume(request_id=key(), name=paused), ""
    yield f"{SERVICE}.CancelPaymentSubscription", pb.CancelPaymentSubscriptionRequest(request_id=key(), name=unsent), ""
