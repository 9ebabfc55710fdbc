"""What the partner does with money: purchase, authorization, capture, void, refund. Nothing is ever de-duplicated."""

from decimal import Decimal

import msgspec

from adapters.sandbox.clock import TwinClock
from adapters.sandbox.payment_options import answers, fields, outcomes
from adapters.sandbox.payment_options.background import Background
from adapters.sandbox.payment_options.bank import Bank
from adapters.sandbox.payment_options.calls import Call, Reply
from adapters.sandbox.payment_options.charges import (
    APPROVED,
    CAPTURE,
    DECLINED,
    PENDING,
    REFUND,
    VOID,
    Card,
    Charge,
    Order,
)
from adapters.sandbox.payment_options.journal import Journal
from adapters.sandbox.payment_options.methods import Methods, needs_three_ds
from adapters.sandbox.payment_options.outcomes import Outcome
from adapters.sandbox.payment_options.pages import OPEN, PAID, TRYING, Page, Pages
from adapters.sandbox.payment_options.webhooks import Webhooks

# In the partner's seconds.
PENDING_SECONDS = 60.0
ABOVE_PREAUTHORIZED = 836
AUTHENTICATION_REQUESTED = 65


class Payments:
    """The operations, on the books."""

    def __init__(
        self,
        bank: Bank,
        methods: Methods,
        journal: Journal,
        pages: Pages,
        webhooks: Webhooks,
        clock: TwinClock,
        background: Background,
    ) -> None:
        self.bank = bank
        self.methods = methods
        self.pages = pages
        self._journal = journal
        self._webhooks = webhooks
        self._clock = clock
        self._background = background

    def start(self) -> None:
        """Goes on with what an earlier run left pending."""
        for charge in self.bank.pending():
            self._background.start(self._settle(charge))

    async def pay(self, call: Call, kind: str, *, three_ds: bool) -> Reply:
        """A purchase or an authorization; `three_ds` for the calls that know it. Raises CallRefused."""
        order = fields.payment(call.document)
        card, method_id, asks = self.card(order)
        outcome = outcomes.of(order.amount, order.method_id)
        if asks or outcome.three_ds:
            if three_ds:
                page = await self.pages.open("three-ds", kind, order, call.fault_name)
                return Reply(200, answers.redirect(page_url(call.url, page, card)), call.answer("clean"))
            outcome = outcomes.of_number(outcomes.CODE_BASE + AUTHENTICATION_REQUESTED) or outcome
        if outcome.http_status and not outcome.moved:
            return Reply(outcome.http_status, answers.refused(outcome.http_status), call.answer(outcome.answer))
        if order.card and order.store:
            method_id = await self.store(order.card)
        charge = await self.charge(kind, order, card, outcome, method_id=method_id, call=call)
        return reply(call, charge, outcome)

    async def capture(self, call: Call) -> Reply:
        """Captures an authorization once; a partial capture releases the rest. Raises CallRefused."""
        fields.check(call.document, (*fields.TRANSACTION, *fields.MONEY))
        authorization = self._named(call)
        self.bank.check_open(authorization)
        order = self._about(call, authorization)
        outcome = outcomes.of(order.amount, "")
        if Decimal(order.amount) > Decimal(authorization.amount):
            outcome = outcomes.of_number(outcomes.CODE_BASE + ABOVE_PREAUTHORIZED) or outcome
        return await self._follow_up(call, CAPTURE, order, authorization, outcome)

    async def void(self, call: Call) -> Reply:
        """Gives an authorization up. Raises CallRefused."""
        fields.check(call.document, fields.TRANSACTION)
        authorization = self._named(call)
        self.bank.check_open(authorization)
        order = self._about(call, authorization)
        return await self._follow_up(call, VOID, order, authorization, outcomes.APPROVAL)

    async def refund(self, call: Call) -> Reply:
        """Gives back a part or all of what was captured; asked twice it gives back twice. Raises CallRefused."""
        fields.check(call.document, (*fields.TRANSACTION, *fields.MONEY))
        charge = self._named(call)
        order = self._about(call, charge)
        outcome = outcomes.of(order.amount, "")
        self.bank.check_refundable(charge, order.amount)
        return await self._follow_up(call, REFUND, order, charge, outcome)

    async def status(self, call: Call) -> Reply:
        """What is true of a transaction. Raises CallRefused."""
        charge = self.bank.get(call.identifier)
        return Reply(200, answers.status(charge), call.answer("clean" if charge.outcome != PENDING else "ambiguous"))

    async def pay_on_page(self, page: Page, order: Order, card: Card, outcome: Outcome) -> Charge:
        """The payer has decided. Declined, the link may be used again; a webhook tells the merchant.

        The caller has seen that the page is open; from here on nobody else can use it.
        """
        page.state = TRYING
        try:
            decided = outcomes.APPROVAL if outcome.http_status or outcome.three_ds else outcome
            method_id = order.method_id
            if order.store and decided.moved and not method_id:
                method_id = await self.store(card)
            charge = await self.bank.charge(
                page.kind,
                order,
                card,
                decided,
                method_id=method_id,
                fault=page.fault,
                answer="none",
                page_id=page.page_id,
            )
            page.transaction_ids.append(charge.transaction_id)
            page.state = OPEN if charge.outcome == DECLINED else PAID
        finally:
            if page.state == TRYING:
                page.state = OPEN
        await self.pages.keep(page)
        self._watch(charge)
        await self._webhooks.announce_alone(charge)
        return charge

    def card(self, order: Order) -> tuple[Card, str, bool]:
        """The card of an order, its stored payment method, and whether the issuer asks for 3DS. Raises CallRefused."""
        if order.card is not None:
            return order.card, "", needs_three_ds(order.card)
        method = self.methods.get(order.method_id)
        if method is None:
            raise fields.CallRefused(406, "Unknown stored payment method")
        return method.card, method.method_id, method.three_ds

    async def store(self, card: Card) -> str:
        """A new stored payment method; durable on return."""
        method = self.methods.make(card)
        await self._journal.append({"method": msgspec.to_builtins(method)})
        self.methods.add(method)
        return method.method_id

    async def charge(
        self,
        kind: str,
        order: Order,
        card: Card,
        outcome: Outcome,
        *,
        call: Call,
        method_id: str = "",
        original: Charge | None = None,
        subscription_id: str = "",
        cycle: int = 0,
    ) -> Charge:
        """A transaction that a call brought about; durable on return."""
        charge = await self.bank.charge(
            kind,
            order,
            card,
            outcome,
            method_id=method_id,
            fault=call.fault_name,
            answer=call.answer(outcome.answer),
            original=original,
            subscription_id=subscription_id,
            cycle=cycle,
        )
        self._watch(charge)
        return charge

    async def _follow_up(self, call: Call, kind: str, order: Order, original: Charge, outcome: Outcome) -> Reply:
        if outcome.http_status and not outcome.moved:
            return Reply(outcome.http_status, answers.refused(outcome.http_status), call.answer(outcome.answer))
        if outcome.three_ds or outcome.outcome not in {APPROVED, DECLINED, PENDING}:
            # A partial approval and 3DS are for payers.
            outcome = outcomes.APPROVAL
        charge = await self.charge(
            kind,
            order,
            original.card,
            outcome,
            call=call,
            method_id=original.stored_payment_method_id,
            original=original,
        )
        return reply(call, charge, outcome)

    def _named(self, call: Call) -> Charge:
        return self.bank.get(str(fields.text_at(call.document, "transactionId")))

    def _about(self, call: Call, original: Charge) -> Order:
        return Order(
            amount=fields.text_at(call.document, "amount") or original.amount,
            currency=original.currency,
            reference=original.reference,
            merchant_id=str(fields.text_at(call.document, "merchant_id")),
            customer_ip=original.customer_ip,
            billing_address=original.billing_address,
            return_url=original.return_url,
        )

    def _watch(self, charge: Charge) -> None:
        if charge.outcome == PENDING:
            self._background.start(self._settle(charge))

    async def _settle(self, pending: Charge) -> None:
        await self._clock.sleep(PENDING_SECONDS)
        told = outcomes.of(pending.requested_amount, pending.stored_payment_method_id)
        charge = await self.bank.settle(pending, outcomes.settled(told))
        await self._webhooks.announce_alone(charge)


def reply(call: Call, charge: Charge, outcome: Outcome) -> Reply:
    """What the caller is told of a charge."""
    if outcome.http_status:
        return Reply(outcome.http_status, answers.refused(outcome.http_status), charge.answer, charge)
    return Reply(201, answers.created(charge, outcome), charge.answer, charge)


def page_url(url: str, page: Page, card: Card | None = None) -> str:
    """Where the payer goes."""
    if page.page == "hosted" or card is None:
        return f"{url}/HostedPaymentPage/{page.page_id}"
    return f"{url}/integration/3ds?_token={page.page_id}&_c={card.number[:6]}&_a=c2FuZGJveA=="
