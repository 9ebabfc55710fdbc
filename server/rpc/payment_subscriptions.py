"""PaymentSubscriptionsService."""

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message
from mintmark.v1 import payment_subscriptions_pb2 as pb

from server.domain import card_numbers
from server.domain.payment_answers import OperationKind
from server.domain.payment_subscriptions import CycleUnit, PaymentSubscription, Plan, SubscriptionState
from server.domain.queries import PaymentSubscriptionQuery
from server.domain.refusals import FieldInvalid
from server.ports import Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.payments import check_details, money, money_of
from server.rpc.words import timestamp
from server.services import payment_subscriptions
from server.services.payment_house import PaymentHouse
from server.services.payment_subscriptions import SubscriptionOrder
from server.services.payments import Order

R = TypeVar("R", bound=Message)


def plan_to_proto(plan: Plan) -> pb.PaymentPlan:
    return pb.PaymentPlan(
        name=plan.name,
        description=plan.description,
        cycle_unit=pb.PaymentCycleUnit.Value(f"PAYMENT_CYCLE_UNIT_{plan.cycle_unit}"),
        cycle_interval=plan.cycle_interval,
        max_cycle_count=plan.max_cycle_count,
        trial_days=plan.trial_days,
        discount_percentage=plan.discount_percentage,
        discount_cycle_count=plan.discount_cycle_count,
    )


def plan_of(given: pb.PaymentPlan) -> Plan:
    """Raises FieldInvalid."""
    for field in ("name", "description"):
        if card_numbers.holds_one(getattr(given, field)):
            raise FieldInvalid(f"plan.{field}", "must not contain a card number", "string.card_number")
    return Plan(
        name=given.name,
        description=given.description.strip(),
        cycle_unit=CycleUnit(pb.PaymentCycleUnit.Name(given.cycle_unit).removeprefix("PAYMENT_CYCLE_UNIT_")),
        cycle_interval=given.cycle_interval,
        max_cycle_count=given.max_cycle_count,
        trial_days=given.trial_days,
        discount_percentage=given.discount_percentage,
        discount_cycle_count=given.discount_cycle_count,
    )


def to_proto(subscription: PaymentSubscription) -> pb.PaymentSubscription:
    wish = subscription.wish or "UNSPECIFIED"
    return pb.PaymentSubscription(
        name=subscription.name,
        merchant_subscription_id=subscription.merchant_subscription_id,
        payment=subscription.payment,
        token=subscription.token,
        account=subscription.account,
        merchant_gateway_id=subscription.merchant_gateway_id,
        merchant_id=subscription.merchant_id,
        amount=money(subscription.minor_amount, subscription.currency_code),
        plan=plan_to_proto(subscription.plan),
        state=pb.PaymentSubscriptionState.Value(f"PAYMENT_SUBSCRIPTION_STATE_{subscription.state}"),
        state_text=subscription.state_text,
        partner_subscription_id=subscription.partner_subscription_id or "",
        completed_cycle_count=subscription.completed_cycle_count,
        last_payment_status_text=subscription.last_payment_status_text,
        next_payment_time=timestamp(subscription.next_payment_time),
        overdue=subscription.overdue,
        wish=pb.PaymentSubscriptionWish.Value(f"PAYMENT_SUBSCRIPTION_WISH_{wish}"),
        refusal_text=subscription.refusal_text,
        look_time=timestamp(subscription.look_time),
        create_time=timestamp(subscription.create_time),
        update_time=timestamp(subscription.update_time),
        etag=str(subscription.revision),
    )


def order_of(request: pb.CreatePaymentSubscriptionRequest) -> SubscriptionOrder:
    """Raises FieldInvalid."""
    check_details(request.details)
    amount, plan = money_of(request.amount, "amount"), plan_of(request.plan)
    urls = ("success_url", "decline_url")
    first = Order(
        kind=OperationKind.SUBSCRIPTION,
        merchant_payment_id=request.merchant_subscription_id,
        amount=payment_subscriptions.first_charge(amount, plan),
        details=request.details.SerializeToString(deterministic=True),
        return_urls=[(f"details.{field}", getattr(request.details, field)) for field in urls],
        send_within=request.send_within.ToMicroseconds() if request.HasField("send_within") else None,
        token=request.token,
        has_browser_info=request.details.HasField("browser_info"),
    )
    return SubscriptionOrder(amount, plan, first)


class PaymentSubscriptions:
    """The methods of PaymentSubscriptionsService, behind the wrapper of every call."""

    def __init__(self, house: PaymentHouse, calls: Calls, pages: PageTokens) -> None:
        self._house = house
        self._calls = calls
        self._pages = pages

    def _write(
        self, call: Call, request: Any, answer: type[R], key: str, run: Callable[[Transaction], PaymentSubscription]
    ) -> R:
        def unit(transaction: Transaction) -> R:
            return answer(payment_subscription=to_proto(run(transaction)))

        return self._calls.write(call, request, key, unit)

    def CreatePaymentSubscription(
        self, request: pb.CreatePaymentSubscriptionRequest, call: Call
    ) -> pb.CreatePaymentSubscriptionResponse:
        order = order_of(request)
        return self._write(
            call,
            request,
            pb.CreatePaymentSubscriptionResponse,
            request.token,
            lambda transaction: payment_subscriptions.create(self._house, transaction, call.caller, order),
        )

    def GetPaymentSubscription(
        self, request: pb.GetPaymentSubscriptionRequest, call: Call
    ) -> pb.GetPaymentSubscriptionResponse:
        found = payment_subscriptions.get(self._house, call.caller, request.name)
        return pb.GetPaymentSubscriptionResponse(payment_subscription=to_proto(found))

    def ListPaymentSubscriptions(
        self, request: pb.ListPaymentSubscriptionsRequest, call: Call
    ) -> pb.ListPaymentSubscriptionsResponse:
        query = PaymentSubscriptionQuery(
            call.caller.reach,
            frozenset(
                SubscriptionState(pb.PaymentSubscriptionState.Name(each).removeprefix("PAYMENT_SUBSCRIPTION_STATE_"))
                for each in request.states
                if each
            ),
            request.merchant_gateway_id,
            request.merchant_id,
            request.token,
            request.merchant_subscription_id,
            request.overdue,
        )
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: payment_subscriptions.list_page(self._house.store, query, page),
            to_proto,
        )
        return pb.ListPaymentSubscriptionsResponse(payment_subscriptions=found, next_page_token=next_page)

    def CancelPaymentSubscription(
        self, request: pb.CancelPaymentSubscriptionRequest, call: Call
    ) -> pb.CancelPaymentSubscriptionResponse:
        return self._write(
            call,
            request,
            pb.CancelPaymentSubscriptionResponse,
            request.name,
            lambda transaction: payment_subscriptions.cancel(
                self._house, transaction, call.caller, request.name, request.etag
            ),
        )

    def ResumePaymentSubscription(
        self, request: pb.ResumePaymentSubscriptionRequest, call: Call
    ) -> pb.ResumePaymentSubscriptionResponse:
        return self._write(
            call,
            request,
            pb.ResumePaymentSubscriptionResponse,
            request.name,
            lambda transaction: payment_subscriptions.resume(
                self._house, transaction, call.caller, request.name, request.etag
            ),
        )

    def RefreshPaymentSubscription(
        self, request: pb.RefreshPaymentSubscriptionRequest, call: Call
    ) -> pb.RefreshPaymentSubscriptionResponse:
        return self._write(
            call,
            request,
            pb.RefreshPaymentSubscriptionResponse,
            request.name,
            lambda transaction: payment_subscriptions.refresh(self._house, transaction, call.caller, request.name),
        )
