"""The acquirer's transactions: made on command, changed over time, and told to those who have asked for it."""

import asyncio
import secrets
import string
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.notifications import timestamp
from adapters.sandbox.payment_options.journal import Journal
from adapters.sandbox.sibs.calendar import Calendar
from adapters.sandbox.sibs.config import Config
from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.notification import Notification
from adapters.sandbox.sibs.notifications import Notifications
from adapters.sandbox.sibs.orders import Order
from adapters.sandbox.sibs.transaction import FINAL, KINDS, STATUSES, SUCCESS, Planned, Step, Transaction, reached

ID_LETTERS = string.ascii_letters + string.digits
ID_LENGTH = 20
CURRENCY, AMOUNT = "EUR", "10.00"


class Transactions:
    """A change and the notifications of it are one line of the ledger: both are there after a kill, or neither."""

    def __init__(
        self,
        notifications: Notifications,
        ledger: Journal,
        calendar: Calendar,
        now: Callable[[], datetime],
        habits: Callable[[], Habits],
    ) -> None:
        self._notifications = notifications
        self._ledger = ledger
        self._calendar = calendar
        self._now = now
        self._habits = habits
        self._all: dict[str, Transaction] = {}
        self._turn = asyncio.Lock()

    def restore(self, document: dict[str, Any]) -> None:
        """What an earlier run had."""
        transaction = msgspec.convert(document, Transaction)
        self._all[transaction.transaction_id] = transaction

    def all(self) -> list[Transaction]:
        """Every one, oldest first."""
        return list(self._all.values())

    def get(self, transaction_id: str) -> Transaction | None:
        """One of them."""
        return self._all.get(transaction_id)

    def by_reference(self, merchant_transaction_id: str) -> Transaction | None:
        """The newest with that merchant reference."""
        found = [each for each in self._all.values() if each.merchant_transaction_id == merchant_transaction_id]
        return found[-1] if merchant_transaction_id and found else None

    def next_due(self) -> float | None:
        """When the next change is to be."""
        return min((each.planned[0].at for each in self._all.values() if each.planned), default=None)

    async def create(self, order: Order) -> list[Transaction]:
        """Makes what is ordered; its first state is reached at once. Raises ControlInvalid, JournalBroken."""
        order.check()
        async with self._turn:
            made = [self._made(order) for _ in range(order.count)]
            changes = [self._change(transaction) for transaction in made]
            await self._write(changes)
        return made

    async def settle(self, transaction: Transaction, step: Step) -> Transaction:
        """Gives it another state now; what was planned is off. Raises ControlInvalid, JournalBroken."""
        if step.status not in STATUSES:
            raise ControlInvalid(f"status: {step.status!r} is none of {', '.join(STATUSES)}")
        async with self._turn:
            planned = [Planned(self._calendar.now, step)]
            latest = self._all[transaction.transaction_id]
            changed = msgspec.structs.replace(latest, states=list(latest.states), planned=planned)
            await self._write([self._change(changed)])
        return changed

    async def move_on(self) -> None:
        """Every change that is due. Raises JournalBroken."""
        async with self._turn:
            now = self._calendar.now
            due = [each for each in self._all.values() if each.planned and each.planned[0].at <= now]
            copies = [
                msgspec.structs.replace(each, states=list(each.states), planned=list(each.planned)) for each in due
            ]
            await self._write([self._change(each) for each in copies])

    async def test(self, config: Config) -> Notification:
        """What the Backoffice's test button sends to a config: a purchase that never was. Raises JournalBroken."""
        habits = self._habits()
        step = reached(Step(SUCCESS), timestamp(self._now()))
        method = next((method for method in config.methods if method == "CARD"), config.methods[0])
        bought = Transaction(
            habits.test_transaction_id, "test", "PURS", method, "1.00", CURRENCY, config.scope, states=[step]
        )
        async with self._turn:
            made = self._notifications.make_test(config, bought, habits)
            await self._write([(None, made)])
        return made[0]

    def _made(self, order: Order) -> Transaction:
        kind = KINDS[order.kind]
        original = self._original(order)
        if original is None:
            scope, reference = order.scope(), order.merchant_transaction_id
            currency, amount = order.currency or CURRENCY, order.amount or AMOUNT
        else:
            scope, currency = original.scope, original.currency
            reference = order.merchant_transaction_id or original.merchant_transaction_id
            amount = order.amount or original.amount
            self._check_follows(order, original, amount)
        now = self._calendar.now
        planned: list[Planned] = []
        for step in order.planned():
            now += step.seconds
            planned.append(Planned(now, step))
        method = order.payment_method or (original.payment_method if original else kind.payment_method)
        return Transaction(
            transaction_id="".join(secrets.choice(ID_LETTERS) for _ in range(ID_LENGTH)),
            kind=order.kind,
            payment_type=order.payment_type or kind.payment_type,
            payment_method=method,
            amount=amount,
            currency=currency,
            scope=scope,
            merchant_transaction_id=reference,
            original_transaction_id=original.transaction_id if original else "",
            planned=planned,
        )

    def _original(self, order: Order) -> Transaction | None:
        if not order.original_transaction_id:
            return None
        found = self._all.get(order.original_transaction_id)
        if found is None:
            raise ControlInvalid("originalTransactionId: there is no such transaction")
        if found.payment_type not in KINDS[order.kind].follows:
            raise ControlInvalid(f"a {order.kind} cannot follow a transaction of type {found.payment_type}")
        if found.status != SUCCESS:
            raise ControlInvalid(f"a {order.kind} cannot follow a transaction that is {found.status}")
        return found

    def _check_follows(self, order: Order, original: Transaction, amount: str) -> None:
        """Together they take no more than there is: captures and cancellations of an authorization, refunds and
        cancellations of what was paid."""
        if order.currency not in ("", original.currency):
            raise ControlInvalid("currency: must be that of the transaction that it follows")
        taken = sum(
            (
                Decimal(each.amount)
                for each in self._all.values()
                if each.original_transaction_id == original.transaction_id and each.status not in FINAL - {SUCCESS}
            ),
            Decimal(0),
        )
        if taken + Decimal(amount) * order.count > Decimal(original.amount):
            raise ControlInvalid(f"amount: {Decimal(original.amount) - taken} of {original.amount} is left")

    def _change(self, transaction: Transaction) -> tuple[Transaction | None, list[Notification]]:
        """Reaches the next state; what was not planned is not reached."""
        planned = transaction.planned[0]
        state = reached(planned.step, timestamp(self._now()))
        transaction.states = [*transaction.states, state]
        transaction.planned = transaction.planned[1:]
        return transaction, self._notifications.make(transaction, state, self._habits())

    async def _write(self, changes: list[tuple[Transaction | None, list[Notification]]]) -> None:
        if not changes:
            return
        at = self._calendar.now
        lines = [
            {"change": {"at": at, "transaction": transaction, "notifications": notifications}}
            for transaction, notifications in changes
        ]
        await self._ledger.append(*lines)
        for transaction, notifications in changes:
            if transaction is not None:
                self._all[transaction.transaction_id] = transaction
            self._notifications.put(notifications)
