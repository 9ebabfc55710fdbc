"""The steward's chore for payment subscriptions: which cycles were due, and nobody knows of a charge."""

from dataclasses import replace

from prometheus_client import Gauge

from server.ports import Transaction
from server.services.payment_book import open_book
from server.services.payment_house import PaymentHouse
from server.services.payment_subscription_book import hurry

LIMIT = 100
OVERDUE = Gauge(
    "mintmark_payment_subscriptions_overdue", "Payment subscriptions with a due cycle without evidence.", ("account",)
)


class PaymentCycles:
    """Marks subscriptions of which a cycle is overdue, once, and counts them."""

    name = "payment_cycles"

    def __init__(self, house: PaymentHouse, interval: float = 5.0) -> None:
        self.interval = interval
        self._house = house
        self._counted: set[str] = set()

    def wanted(self) -> bool:
        self._count()
        return self._house.store.view.payment_subscriptions.any_to_attend(self._house.now_outside())

    def step(self) -> bool:
        house = self._house
        due = house.store.write(
            "payments", lambda transaction: transaction.ledger.subscriptions_to_attend(house.now(transaction), LIMIT)
        )
        for payment in due:
            self._attend(payment)
        return len(due) == LIMIT

    def _attend(self, payment: str) -> None:
        house = self._house
        house.store.write(payment, lambda transaction: attend(house, transaction, payment))

    def _count(self) -> None:
        counts = self._house.store.view.payment_subscriptions.overdue_counts()
        for account in self._counted - counts.keys():
            OVERDUE.labels(account).set(0)
        for account, count in counts.items():
            OVERDUE.labels(account).set(count)
        self._counted |= counts.keys()


def attend(house: PaymentHouse, transaction: Transaction, payment: str) -> None:
    """Marks the subscription as overdue where it still is."""
    book = open_book(house, transaction, payment)
    subscription = book.subscription if book is not None else None
    if book is None or subscription is None or subscription.attend_time is None:
        return
    if book.now >= subscription.attend_time:
        book.subscription = replace(subscription, overdue=True)
        hurry(book)
    book.save()
