"""Payments and tasks within a transaction."""

from collections.abc import Collection, Sequence
from typing import Protocol

from server.domain.accounts import Account
from server.domain.payment_evidence import Attempt, Evidence
from server.domain.payment_exports import UnknownCharge
from server.domain.payment_operations import Operation
from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.payments import Payment
from server.domain.tasks import Task, TaskKind
from server.domain.tokens import Token
from server.ports.shelf import Shelf


class Ledger(Protocol):
    """Payments, what is known of them, and tasks, within a transaction. Locked in this order: the payment, its
    operations, its subscription, the account, tasks."""

    @property
    def payments(self) -> Shelf[Payment]: ...
    @property
    def operations(self) -> Shelf[Operation]: ...
    @property
    def attempts(self) -> Shelf[Attempt]: ...
    @property
    def tasks(self) -> Shelf[Task]: ...
    @property
    def payment_subscriptions(self) -> Shelf[PaymentSubscription]: ...
    @property
    def unknown_charges(self) -> Shelf[UnknownCharge]: ...

    def now(self) -> int:
        """The database's clock in microseconds."""

    def operations_of(self, payment: str) -> list[Operation]:
        """In the order in which they were asked for. Whoever changes them holds the payment's lock."""

    def operation_of_transaction(self, account: str, partner_transaction_id: str) -> Operation | None:
        """The operation that a partner's transaction id is bound to."""

    def subscription_of_partner(self, account: str, partner_subscription_id: str) -> PaymentSubscription | None:
        """The subscription that a partner's id is bound to."""

    def subscriptions_seen(self, names: Sequence[str]) -> dict[str, PaymentSubscription]:
        """Those that exist, by name, unlocked."""

    def subscriptions_to_attend(self, now: int, limit: int) -> list[str]:
        """Payments with a subscription of which a cycle is overdue."""

    def operations_named(
        self, account: str, references: Sequence[str], partner_transaction_ids: Sequence[str]
    ) -> list[Operation]:
        """The account's operations that have one of these references or transaction ids, unlocked."""

    def token_seen(self, name: str) -> Token | None:
        """A token, unlocked: those who pay lock it before the payment."""

    def payment_with_key(self, key: str) -> str | None:
        """The name of the payment that has a merchant's own id."""

    def payment_account(self, merchant_gateway_id: str) -> Account | None:
        """The account that pays for a merchant gateway, locked."""

    def charged_since(self, account: str, currency_code: str, since: int) -> int:
        """The minor amounts of payments asked for since then, of which it is not proven that nothing was moved."""

    def accounts_in_use(self) -> set[str]:
        """The accounts with unresolved operations, or with subscriptions that may be charged."""

    def attempt_of_request(self, client: str, request_id: str) -> Attempt | None:
        """The attempt that a request was granted."""

    def is_known(self, payment: str, digest: bytes) -> bool:
        """Whether this piece of evidence is there."""

    def add_evidence(self, lines: Sequence[Evidence]) -> None:
        """Adds new lines."""

    def tasks_of(self, payment: str) -> list[Task]:
        """The tasks for a payment."""

    def claimable(
        self, kinds: Collection[TaskKind], full: Collection[str], paused: Collection[str], now: int, limit: int
    ) -> list[Task]:
        """Due tasks that nobody has leased, the longest due first, locked; those that another core is claiming are
        left out.
        Nothing is submitted for accounts that are held or `full`; of `paused` ones nothing is done at all."""

    def under_way(self, now: int) -> dict[str, int]:
        """How many operations are being sent or about to be, by account."""

    def to_attend(self, now: int, limit: int) -> list[str]:
        """Payments with an operation that the steward has to look at."""

    def maybe_sent(self) -> list[str]:
        """Payments with an operation that is unsent or being sent, as far as this store knows."""

    def has_attempts(self) -> bool:
        """Whether an attempt was ever granted."""

    def database_identity(self) -> str:
        """What tells this database from one that was restored from it; empty where nothing in the database does."""

    def kept_identity(self) -> str:
        """The identity of the database that payments were last sent from; empty before that."""

    def keep_identity(self, identity: str, generation: str | None = None) -> None:
        """Remembers it; with a `generation` a new history of events begins."""
