"""The books: every transaction, what of an authorization was captured, and what of that was refunded."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from adapters.sandbox.notifications import timestamp
from adapters.sandbox.payment_options import answers
from adapters.sandbox.payment_options.charges import (
    APPROVED,
    AUTHORIZATION,
    CAPTURE,
    DECLINED,
    PARTIALLY_APPROVED,
    PENDING,
    PURCHASE,
    REFUND,
    SUBSCRIPTION_CHARGE,
    VOID,
    Card,
    Charge,
    Order,
    read,
)
from adapters.sandbox.payment_options.fields import CallRefused
from adapters.sandbox.payment_options.journal import Journal
from adapters.sandbox.payment_options.outcomes import ISSUER_DECLINE, Outcome

REFUNDABLE = frozenset({PURCHASE, CAPTURE, SUBSCRIPTION_CHARGE})
FIRST_REF = 74_811
CENT = Decimal("0.01")


class Bank:
    """Rebuilt from the ledger. A transaction is in the books from the moment its line is on its way."""

    def __init__(self, ledger: Journal, now: Callable[[], datetime]) -> None:
        self.ledger = ledger
        self.transactions: dict[str, Charge] = {}
        # The ids of captures, voids and refunds by the transaction that they belong to.
        self._follow_ups: defaultdict[str, list[str]] = defaultdict(list)
        self._now = now
        self._random = Random()
        self._ref = FIRST_REF
        self._cycles: defaultdict[str, list[str]] = defaultdict(list)
        for document in ledger.documents():
            self._book(read(document))

    async def charge(
        self,
        kind: str,
        order: Order,
        card: Card,
        outcome: Outcome,
        *,
        method_id: str = "",
        fault: str = "",
        answer: str = "",
        original: Charge | None = None,
        subscription_id: str = "",
        cycle: int = 0,
        page_id: str = "",
    ) -> Charge:
        """A new transaction; returns when its line is durable. Raises JournalBroken."""
        amount = Decimal(order.amount)
        if outcome.outcome == PARTIALLY_APPROVED:
            half = amount / 2
            amount = half.quantize(CENT) if "." in order.amount else half.to_integral_value()
        success = outcome.moved
        # An outcome that is told as open is true as approved or declined.
        code = outcome.response_code
        if outcome.answer != "clean" and outcome.outcome != PENDING:
            code = 0 if success else ISSUER_DECLINE
        self._ref += 1
        charge = Charge(
            time=timestamp(self._now()),
            kind=kind,
            transaction_id=str(uuid.uuid4()),
            reference=order.reference,
            merchant_id=order.merchant_id,
            amount=format(amount, "f"),
            requested_amount=order.amount,
            currency=order.currency,
            stored_payment_method_id=method_id,
            outcome=outcome.outcome,
            moved=success,
            response_code=code,
            gateway_code=answers.gateway_code(kind, success=success, risk_code=outcome.gateway_code),
            fault=fault,
            answer=answer or outcome.answer,
            ref=self._ref,
            auth_code=f"{self._random.randrange(1_000_000):06d}",
            card=card,
            original_transaction_id=original.transaction_id if original else "",
            subscription_id=subscription_id,
            cycle=cycle,
            page_id=page_id,
            customer_ip=order.customer_ip,
            billing_address=order.billing_address,
            return_url=order.return_url,
        )
        await self._record(charge)
        return charge

    async def settle(self, pending: Charge, outcome: Outcome) -> Charge:
        """A pending transaction comes to its end, with a second line."""
        charge = msgspec.structs.replace(
            pending,
            time=timestamp(self._now()),
            outcome=outcome.outcome,
            moved=outcome.moved,
            response_code=outcome.response_code,
            gateway_code=answers.gateway_code(pending.kind, success=outcome.moved),
        )
        await self._record(charge)
        return charge

    def get(self, transaction_id: str) -> Charge:
        """The transaction as it is now. Raises CallRefused (404)."""
        found = self.transactions.get(transaction_id.lower())
        if found is None:
            raise CallRefused(404, "Transaction not found")
        return found

    def of_subscription(self, subscription_id: str) -> list[Charge]:
        """The charges of a subscription's cycles, in their order."""
        return [self.transactions[identifier] for identifier in self._cycles[subscription_id]]

    def of_pages(self) -> list[Charge]:
        """What was paid or tried on pages."""
        return [charge for charge in self.transactions.values() if charge.page_id]

    def pending(self) -> list[Charge]:
        """Transactions that have not come to their end."""
        return [charge for charge in self.transactions.values() if charge.outcome == PENDING]

    def check_open(self, authorization: Charge) -> None:
        """Whether it can be captured or voided. Raises CallRefused (412)."""
        if authorization.kind != AUTHORIZATION or authorization.outcome not in {APPROVED, PARTIALLY_APPROVED}:
            raise CallRefused(412, "Not an approved authorization")
        if any(charge.outcome != DECLINED for charge in self._related(authorization, CAPTURE, VOID)):
            raise CallRefused(412, "The authorization is captured or voided already")

    def check_refundable(self, charge: Charge, amount: str) -> None:
        """Whether so much of it is left. Raises CallRefused (412)."""
        if charge.kind not in REFUNDABLE or charge.outcome not in {APPROVED, PARTIALLY_APPROVED}:
            raise CallRefused(412, "Not a captured transaction")
        if self.refunded(charge) + Decimal(amount) > Decimal(charge.amount):
            raise CallRefused(412, "The amount is above what is left of the captured amount")

    def refunded(self, charge: Charge) -> Decimal:
        """What was given back of it."""
        return self._sum(charge, REFUND)

    def document(self, charge: Charge) -> dict[str, Any]:
        """A transaction with its sums, for people."""
        voided = any(found.moved for found in self._related(charge, VOID))
        return {
            "transactionId": charge.transaction_id,
            "kind": charge.kind,
            "outcome": charge.outcome,
            "reference": charge.reference,
            "amount": charge.amount,
            "requestedAmount": charge.requested_amount,
            "currency": charge.currency,
            "responseCode": charge.response_code,
            "storedPaymentMethodId": charge.stored_payment_method_id,
            "capturedAmount": format(self._sum(charge, CAPTURE), "f") if charge.kind == AUTHORIZATION else "",
            "refundedAmount": format(self.refunded(charge), "f") if charge.kind in REFUNDABLE else "",
            "voided": voided,
            "originalTransactionId": charge.original_transaction_id,
            "subscriptionId": charge.subscription_id,
            "cycle": charge.cycle,
            "time": charge.time,
        }

    def documents(self) -> Iterator[dict[str, Any]]:
        """All transactions, oldest first."""
        return (self.document(charge) for charge in list(self.transactions.values()))

    def _related(self, charge: Charge, *kinds: str) -> Iterator[Charge]:
        found = (self.transactions[identifier] for identifier in self._follow_ups[charge.transaction_id])
        return (each for each in found if each.kind in kinds)

    def _sum(self, charge: Charge, kind: str) -> Decimal:
        # What is pending counts: it may still be approved.
        amounts = (Decimal(each.amount) for each in self._related(charge, kind) if each.outcome != DECLINED)
        return sum(amounts, Decimal(0))

    async def _record(self, charge: Charge) -> None:
        self._book(charge)
        await self.ledger.append(charge)

    def _book(self, charge: Charge) -> None:
        if charge.original_transaction_id and charge.transaction_id not in self.transactions:
            self._follow_ups[charge.original_transaction_id].append(charge.transaction_id)
        if charge.kind == SUBSCRIPTION_CHARGE and charge.transaction_id not in self.transactions:
            self._cycles[charge.subscription_id].append(charge.transaction_id)
        self.transactions[charge.transaction_id] = charge
        self._ref = max(self._ref, charge.ref)
