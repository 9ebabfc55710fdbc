"""A shop whose customers subscribe, at a partner that answers by script."""

import itertools
from dataclasses import dataclass
from typing import Any

from mintmark.v1 import money_pb2
from mintmark.v1 import payment_subscriptions_pb2 as pb
from mintmark.v1 import payments_pb2 as pp
from mintmark.v1 import tasks_pb2 as tp

from tests.server.rpc.paying import ANSWERED, QUERY, SUBMIT, Shop, answer, approved, details, operation_state
from tests.server.rpc.running import request_id

ATTEND = tp.TASK_KIND_ATTEND_SUBSCRIPTION
_NUMBERS = itertools.count(1)


def word(subscription: pb.PaymentSubscription) -> str:
    return pb.PaymentSubscriptionState.Name(subscription.state).removeprefix("PAYMENT_SUBSCRIPTION_STATE_")


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


def listed(partner_transaction_id: str, cycle: int = 0) -> tp.PartnerTransaction:
    return tp.PartnerTransaction(partner_transaction_id=partner_transaction_id, cycle=str(cycle or ""))


@dataclass
class Subscribed:
    """Subscriptions of one shop."""

    shop: Shop

    def request(self, amount: int = 1000, **fields: Any) -> pb.CreatePaymentSubscriptionRequest:
        given = {
            "request_id": request_id(),
            "token": self.shop.token,
            "merchant_subscription_id": f"contract-{next(_NUMBERS)}",
            "amount": money_pb2.Money(minor_amount=amount, currency_code="JPY"),
            "plan": plan(),
            "details": details(),
            **fields,
        }
        return pb.CreatePaymentSubscriptionRequest(**given)

    @property
    def stub(self) -> Any:
        return self.shop.client.payment_subscriptions

    def create(self, amount: int = 1000, **fields: Any) -> pb.PaymentSubscription:
        made: pb.PaymentSubscription = self.stub.CreatePaymentSubscription(
            self.request(amount, **fields)
        ).payment_subscription
        return made

    def get(self, of: pb.PaymentSubscription) -> pb.PaymentSubscription:
        request = pb.GetPaymentSubscriptionRequest(name=of.name)
        found: pb.PaymentSubscription = self.stub.GetPaymentSubscription(request).payment_subscription
        return found

    def cancel(self, of: pb.PaymentSubscription) -> pb.PaymentSubscription:
        request = pb.CancelPaymentSubscriptionRequest(request_id=request_id(), name=of.name)
        done: pb.PaymentSubscription = self.stub.CancelPaymentSubscription(request).payment_subscription
        return done

    def payment(self, of: pb.PaymentSubscription) -> pp.Payment:
        return self.shop.get(pp.Payment(name=of.payment))

    def operations(self, of: pb.PaymentSubscription) -> list[tuple[str, str, int]]:
        """Kind, state and confirmed amount of each."""
        kinds = pp.PaymentOperationKind
        return [
            (
                kinds.Name(each.kind).removeprefix("PAYMENT_OPERATION_KIND_"),
                operation_state(each.state),
                each.confirmed_amount.minor_amount,
            )
            for each in self.payment(of).operations
        ]

    def granted(self, of: pb.PaymentSubscription) -> tp.BeginAttemptResponse:
        (task,) = self.shop.claim(SUBMIT, of=pp.Payment(name=of.payment))
        return self.shop.begin(task)

    def said(self, grant: tp.BeginAttemptResponse, own_id: str, **fields: Any) -> tp.PartnerSubscription:
        """What the partner says of the subscription that was asked for."""
        sent = grant.submission.plan
        given: dict[str, Any] = {
            "partner_subscription_id": own_id,
            "status": "ACTIVE",
            "max_cycle_count": str(sent.max_cycle_count),
            "completed_cycle_count": "1",
            "next_payment_cycle": "2",
            "plan_name": sent.name,
            "plan_description": sent.description,
            "cycle_type": "MONTHLY",
            "cycle_interval": "1",
            "amount": "1000",
            "currency": "JPY",
            **fields,
        }
        return tp.PartnerSubscription(**given)

    def active(self, **fields: Any) -> tuple[pb.PaymentSubscription, tp.BeginAttemptResponse, str]:
        """A subscription that the partner has made and charged, its grant, and the partner's id of it."""
        made = self.create(**fields)
        grant, own_id = self.granted(made), request_id()
        told = approved(grant)
        told.subscriptions.append(self.said(grant, own_id))
        assert self.shop.record(grant.attempt, told) == "SUCCEEDED"
        return self.get(made), grant, own_id

    def attend(self, of: pb.PaymentSubscription, later: int = 0) -> tp.Task:
        """The call that the partner is due, after so many seconds."""
        if later:
            self.shop.advance(later)
        (task,) = self.shop.claim(ATTEND, of=pp.Payment(name=of.payment))
        return task

    def tell(self, task: tp.Task, *said: tp.PartnerSubscription, **fields: Any) -> str:
        """The subscription's state after the partner answered its call like this."""
        given = {"http_status": 200, "readable": True, "body": repr(said).encode(), "success": "true", **fields}
        told = tp.PartnerAnswer(subscriptions=said, listed_count=len(said), **given)
        request = tp.RecordSubscriptionRequest(
            task=task.name, fence=task.fence, kind=task.subscription_call.kind, outcome=ANSWERED, answer=told
        )
        found = self.shop.core.dispatcher.tasks.RecordSubscription(request).state
        return pb.PaymentSubscriptionState.Name(found).removeprefix("PAYMENT_SUBSCRIPTION_STATE_")

    def confirm(
        self, of: pb.PaymentSubscription, grant: tp.BeginAttemptResponse, transaction_id: str, **fields: Any
    ) -> str:
        """The operation's state after the partner's status of this transaction, which has to be asked for."""
        found = self.shop.claim(QUERY, of=pp.Payment(name=of.payment))
        (task,) = [each for each in found if each.query.partner_transaction_id == transaction_id]
        given = {"http_status": 200, "partner_transaction_id": transaction_id, **fields}
        return self.shop.record_status(task, answer(grant, **given))
