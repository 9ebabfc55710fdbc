"""Reads of payment subscriptions, outside of the writer."""

from typing import Protocol

from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.queries import Page, PaymentSubscriptionQuery


class PaymentSubscriptionView(Protocol):
    """Each call a consistent read of its own."""

    def get(self, name: str) -> PaymentSubscription | None: ...
    def page(self, query: PaymentSubscriptionQuery, page: Page) -> list[PaymentSubscription]:
        """The newest first."""

    def any_to_attend(self, now: int) -> bool:
        """Whether the steward has to look at one."""

    def overdue_counts(self) -> dict[str, int]:
        """How many have an overdue cycle, by account."""
