"""Transactions at the acquirer, and notifications that no key opens, within a transaction of the writer."""

from collections.abc import Sequence
from typing import Protocol

from server.domain.acquirer_transactions import AcquirerTransaction, Report
from server.domain.queries import AcquirerTransactionQuery, Page, UnreadableNotificationQuery
from server.domain.unreadable_notifications import UnreadableNotification, UnreadableTally
from server.ports.shelf import Shelf


class Acquirer(Protocol):
    """Locked in this order: the config (of what no key opens), the transaction, its task."""

    @property
    def transactions(self) -> Shelf[AcquirerTransaction]: ...
    @property
    def unreadable(self) -> Shelf[UnreadableNotification]: ...
    @property
    def tallies(self) -> Shelf[UnreadableTally]: ...

    def has_effect(self, acquirer_transaction: str, effect_digest: bytes) -> bool:
        """Whether a report that said the same has had its effect."""

    def is_known(self, acquirer_transaction: str, digest: bytes) -> bool:
        """Whether this status answer came before."""

    def add_reports(self, reports: Sequence[Report]) -> None:
        """Adds new ones. Whoever does holds the transaction's lock."""

    def payment_with_reference(self, merchant_gateway_id: str, reference: str) -> str:
        """The gateway's one payment that has this reference at its partner, or as the merchant's own id; empty where
        none or several have."""

    def unreadable_sizes(self, webhook_config: str) -> list[tuple[str, int]]:
        """The names and sizes of those of a config, the oldest first. Whoever changes them holds the config's lock."""

    def unreadable_with_digest(self, digest: bytes) -> UnreadableNotification | None:
        """The one that came before as the same message."""

    def unreadable_of(self, webhook_config: str, after: str, limit: int) -> list[UnreadableNotification]:
        """Those of a config with a later id, the oldest first."""


class AcquirerView(Protocol):
    """Reads outside of the writer, each call a consistent one of its own."""

    def transaction(self, name: str) -> AcquirerTransaction | None: ...
    def transactions(self, query: AcquirerTransactionQuery, page: Page) -> list[AcquirerTransaction]:
        """In the order of their names."""

    def reports(self, acquirer_transaction: str, page: Page) -> list[Report]:
        """The oldest first."""

    def unreadable_notifications(self, query: UnreadableNotificationQuery, page: Page) -> list[UnreadableNotification]:
        """The newest first; `page.after` names the last one of the page before."""

    def configs_to_try(self) -> list[str]:
        """Configs that have got a key since one of their unreadable notifications was last tried."""

    def contested_counts(self) -> dict[str, int]:
        """How many transactions are contested, by account."""

    def unreadable_counts(self) -> dict[str, int]:
        """How many unreadable notifications are kept, by account."""
