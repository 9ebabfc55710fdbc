"""Subscriptions: each cycle is a charge of its own, on the twin's clock."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, structs

from adapters.sandbox.clock import TwinClock
from adapters.sandbox.notifications import timestamp
from adapters.sandbox.payment_options import answers, fields, outcomes
from adapters.sandbox.payment_options.background import Background
from adapters.sandbox.payment_options.calls import Call, Reply
from adapters.sandbox.payment_options.charges import DECLINED, SUBSCRIPTION_CHARGE, Card, Charge, Order
from adapters.sandbox.payment_options.fields import CallRefused
from adapters.sandbox.payment_options.journal import Journal
from adapters.sandbox.payment_options.payments import Payments, reply
from adapters.sandbox.payment_options.webhooks import Webhooks

DAYS = {"DAYS": 1, "WEEKLY": 7, "MONTHLY": 30}
DAY = 86_400.0
ACTIVE, PAUSED, CANCELLED, EXPIRED = "ACTIVE", "PAUSED", "CANCELLED", "EXPIRED"
INFO3000 = {"version": "1", "type": "INFO", "message": "Subscription Updated.", "code": "INFO3000"}


class Plan(Struct):
    """What the merchant asks for, in the partner's own words."""

    plan_name: str
    plan_desc: str = ""
    cycle_type: str = "MONTHLY"
    subscription_end_type: str = "CYCLE"
    cycle_interval: int = 1
    max_cycle_count: int = 1
    has_trial_period: bool = False
    trial_period_duration_type: str = "DAYS"
    trial_period_duration: int = 0
    has_discount: bool = False
    discount_percentage: int = 0
    discount_duration: int = 0


class Subscription(Struct, rename="camel"):
    """One subscription. How many cycles are done is in the ledger."""

    subscription_id: str
    plan: Plan
    order: Order
    card: Card
    method_id: str
    begin_time: str
    status: str = ACTIVE

    @property
    def interval(self) -> float:
        """The partner's seconds from one cycle to the next."""
        return DAYS[self.plan.cycle_type] * self.plan.cycle_interval * DAY

    def amount(self, cycle: int) -> str:
        """What a cycle costs: the first ones may have a discount."""
        if not self.plan.has_discount or cycle > self.plan.discount_duration:
            return self.order.amount
        places = Decimal(self.order.amount).as_tuple().exponent
        exact = Decimal(self.order.amount) * (100 - self.plan.discount_percentage) / 100
        return format(exact.quantize(Decimal(1).scaleb(int(places))), "f")


class Subscriptions:
    """All subscriptions."""

    def __init__(
        self,
        payments: Payments,
        journal: Journal,
        webhooks: Webhooks,
        clock: TwinClock,
        background: Background,
        now: Callable[[], datetime],
    ) -> None:
        self._payments = payments
        self._journal = journal
        self._webhooks = webhooks
        self._clock = clock
        self._background = background
        self._now = now
        self._subscriptions: dict[str, Subscription] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def restore(self, document: dict[str, Any]) -> None:
        """A subscription from an earlier run."""
        subscription = msgspec.convert(document, Subscription)
        self._subscriptions[subscription.subscription_id] = subscription

    def start(self) -> None:
        """Goes on with those of an earlier run; a whole interval passes before the next cycle."""
        for subscription in self._subscriptions.values():
            if subscription.status == ACTIVE:
                self._go_on(subscription, subscription.interval)

    async def create(self, call: Call) -> Reply:
        """Makes a subscription and charges its first cycle, unless there is a trial. Raises CallRefused."""
        order = fields.payment(call.document)
        plan = _plan(call.document)
        card, method_id, _ = self._payments.card(order)
        outcome = outcomes.of(order.amount, order.method_id)
        if outcome.http_status and not outcome.moved:
            return Reply(outcome.http_status, answers.refused(outcome.http_status), call.answer(outcome.answer))
        if order.card is not None:
            method_id = await self._payments.store(order.card)
        order = structs.replace(order, card=None)
        subscription = Subscription(str(uuid.uuid4()), plan, order, card, method_id, timestamp(self._now()))
        self._subscriptions[subscription.subscription_id] = subscription
        await self._keep(subscription)
        if plan.has_trial_period:
            self._go_on(subscription, plan.trial_period_duration * DAY)
            document = _updated(201, self.document(subscription))
            return Reply(201, document, call.answer("clean"))
        charge = await self._charge(subscription, call)
        if charge.outcome == DECLINED:
            subscription.status = CANCELLED
            await self._keep(subscription)
        else:
            self._go_on(subscription, subscription.interval)
        said = reply(call, charge, outcome)
        if not outcome.http_status:
            said.document["subscription_details"] = self.document(subscription)
        return said

    async def all(self, call: Call) -> Reply:
        """All of them: an array."""
        found = [{"subscription_details": self.document(each)} for each in self._subscriptions.values()]
        return Reply(200, found, call.answer("clean"))

    async def details(self, call: Call) -> Reply:
        """One of them: an object. Raises CallRefused."""
        return Reply(200, _updated(200, self.document(self._get(call.identifier))), call.answer("clean"))

    async def change(self, call: Call, verb: str) -> Reply:
        """`cancel` is final, `resume` only after `pause`. Raises CallRefused."""
        subscription = self._get(call.identifier)
        allowed, status = {
            "cancel": ((ACTIVE, PAUSED), CANCELLED),
            "pause": ((ACTIVE,), PAUSED),
            "resume": ((PAUSED,), ACTIVE),
        }[verb]
        if subscription.status not in allowed:
            raise CallRefused(412, f"The subscription is {subscription.status}")
        subscription.status = status
        await self._keep(subscription)
        if status == ACTIVE:
            self._go_on(subscription, subscription.interval)
        else:
            self._stop(subscription)
        return Reply(201, _updated(201, self.document(subscription)), call.answer("clean"))

    async def charge_now(self, subscription_id: str) -> Charge:
        """The next cycle at once, as if its time had come. Raises CallRefused."""
        subscription = self._get(subscription_id)
        if subscription.status != ACTIVE:
            raise CallRefused(412, f"The subscription is {subscription.status}")
        return await self._cycle(subscription)

    def documents(self) -> list[dict[str, Any]]:
        """All of them, as the partner shows them."""
        return [self.document(each) for each in self._subscriptions.values()]

    def document(self, subscription: Subscription) -> dict[str, Any]:
        """`subscription_details`."""
        plan = subscription.plan
        charges = self._charges(subscription)
        last = charges[-1] if charges else None
        begun = datetime.fromisoformat(last.time if last else subscription.begin_time)
        days = subscription.interval / DAY if last else plan.trial_period_duration
        running = subscription.status in {ACTIVE, PAUSED} and len(charges) < plan.max_cycle_count
        return {
            "id": subscription.subscription_id,
            "type": plan.subscription_end_type,
            "max_cycle_count": plan.max_cycle_count,
            "status": subscription.status,
            "completed_payment_cycle": len(charges),
            "last_payment_status": None if last is None else "SUCCESSFUL" if last.moved else "FAILED",
            "next_payment_date": timestamp(begun + timedelta(days=days)) if running else None,
            "next_payment_cycle": len(charges) + 1 if running else None,
            "subscription_plan_details": {
                "name": plan.plan_name,
                "desc": plan.plan_desc,
                "billing_cycle_type": plan.cycle_type,
                "billing_cycle_interval": plan.cycle_interval,
                "amount": answers.number(subscription.order.amount),
                "ccy": subscription.order.currency,
                "trial_period_duration": plan.trial_period_duration,
                "trial_period_duration_type": plan.trial_period_duration_type if plan.has_trial_period else "NONE",
                "plan_discount_percentage": plan.discount_percentage,
                "plan_discount_duration": plan.discount_duration,
            },
            "subscription_transaction_details": [
                {
                    "id": charge.transaction_id,
                    "ref": charge.ref,
                    "cycle": charge.cycle,
                    "status": "SUCCESSFUL" if charge.moved else "FAILED",
                    "transaction_date": charge.time,
                    "amount": answers.number(charge.amount),
                    "ccy": charge.currency,
                    "event": "CAPTURED" if charge.moved else "DECLINED",
                }
                for charge in charges
            ],
        }

    def _get(self, subscription_id: str) -> Subscription:
        found = self._subscriptions.get(subscription_id.lower())
        if found is None:
            raise CallRefused(404, "Subscription not found")
        return found

    def _charges(self, subscription: Subscription) -> list[Charge]:
        bank = self._payments.bank
        return bank.of_subscription(subscription.subscription_id)

    async def _keep(self, subscription: Subscription) -> None:
        await self._journal.append({"subscription": msgspec.to_builtins(subscription)})

    async def _charge(self, subscription: Subscription, call: Call) -> Charge:
        cycle = len(self._charges(subscription)) + 1
        outcome = outcomes.of(subscription.order.amount, subscription.method_id)
        order = structs.replace(subscription.order, amount=subscription.amount(cycle))
        return await self._payments.charge(
            SUBSCRIPTION_CHARGE,
            order,
            subscription.card,
            outcome,
            call=call,
            method_id=subscription.method_id,
            subscription_id=subscription.subscription_id,
            cycle=cycle,
        )

    async def _cycle(self, subscription: Subscription) -> Charge:
        async with self._turns[subscription.subscription_id]:
            if len(self._charges(subscription)) >= subscription.plan.max_cycle_count:
                raise CallRefused(412, "All cycles are done")
            charge = await self._charge(subscription, Call("subscription-cycle"))
            if len(self._charges(subscription)) >= subscription.plan.max_cycle_count:
                subscription.status = EXPIRED
                await self._keep(subscription)
        await self._webhooks.announce_alone(charge)
        return charge

    def _go_on(self, subscription: Subscription, first: float) -> None:
        self._stop(subscription)
        self._tasks[subscription.subscription_id] = self._background.start(self._run(subscription, first))

    def _stop(self, subscription: Subscription) -> None:
        task = self._tasks.pop(subscription.subscription_id, None)
        if task is not None:
            task.cancel()

    async def _run(self, subscription: Subscription, wait: float) -> None:
        if len(self._charges(subscription)) >= subscription.plan.max_cycle_count:
            subscription.status = EXPIRED
            await self._keep(subscription)
        while subscription.status == ACTIVE:
            await self._clock.sleep(wait)
            wait = subscription.interval
            # Somebody may have asked for the last cycle meanwhile.
            if subscription.status == ACTIVE:
                await self._cycle(subscription)


def _updated(status: int, details: dict[str, Any]) -> dict[str, Any]:
    return {"success": True, "status_code": status, "gateway_response": INFO3000, "subscription_details": details}


def _plan(document: dict[str, Any]) -> Plan:
    if not isinstance(document.get("subscription"), dict):
        raise CallRefused(400, "Missing: subscription")
    try:
        plan = msgspec.convert(document["subscription"], Plan)
    except msgspec.ValidationError as error:
        raise CallRefused(406, f"Invalid format: subscription: {error}") from None
    right = (
        plan.cycle_type in DAYS
        and plan.subscription_end_type == "CYCLE"
        and 1 <= plan.cycle_interval <= 366
        and 1 <= plan.max_cycle_count <= 1200
        and 0 <= plan.trial_period_duration <= 366
        and 0 <= plan.discount_percentage < 100
        and 0 <= plan.discount_duration <= 1200
    )
    if not right:
        raise CallRefused(406, "Invalid format: subscription")
    return plan
