"""Where everything is kept: transactions of the one writer, and reads beside it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from server.domain.accounts import Account
from server.domain.api_keys import ApiKey
from server.domain.bindings import Binding
from server.domain.callers import Reach
from server.domain.clients import Client
from server.domain.consumers import Consumer, ConsumerState
from server.domain.digital_cards import DigitalCard
from server.domain.events import Event
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import Notification
from server.domain.payment_evidence import Evidence
from server.domain.payment_exports import UnknownCharge
from server.domain.payment_operations import Operation
from server.domain.payments import Payment
from server.domain.principals import RevokedAccessToken
from server.domain.queries import (
    BindingQuery,
    MerchantQuery,
    NotificationQuery,
    Page,
    PaymentQuery,
    ReplayQuery,
    TokenQuery,
    UnknownChargeQuery,
)
from server.domain.replays import Replay, ReplayResult
from server.domain.subscriptions import Delivery, Floor, Queue, Standing, Subscription
from server.domain.tasks import TaskKind
from server.domain.tokens import Token
from server.ports.acquirer import Acquirer, AcquirerView
from server.ports.cache import CachePause
from server.ports.cards import Cards, CardView
from server.ports.consumers import ConsumerView
from server.ports.issuers import IssuerView
from server.ports.ledger import Ledger
from server.ports.payment_subscriptions import PaymentSubscriptionView
from server.ports.removal import Removal, Retained
from server.ports.shelf import Shelf
from server.ports.token_refreshes import TokenRefreshes, TokenRefreshView
from server.ports.webhooks import Webhooks, WebhookView

R = TypeVar("R")


class ContentRefused(Exception):
    """The database refuses a unit of work for its content, alone and after retries. Nothing of it was stored."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A notification's identity as it is known: which notification has it, since when (microseconds), and whether
    that one was applied or only kept."""

    digest: bytes
    notification: str
    known_since: int
    applied: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A finished request that may be repeated: what was asked, as a keyed digest, and what was answered."""

    client: str
    method: str
    request_id: str
    fingerprint: bytes
    response: bytes
    time: int


@dataclass(frozen=True, slots=True)
class PullState:
    """A subscription before a pull. `floor`: everything up to it is done with; `removed`: retention has taken
    everything up to it. `free` are the first outstanding events that nobody has; `lease_end` is when the next lease
    ends."""

    subscription: Subscription
    floor: int
    outstanding_count: int
    head: int
    removed: int
    free: tuple[Delivery, ...]
    lease_end: int | None


class Deliveries(Protocol):
    """What subscriptions have outstanding. Get the subscription first: its row is the lock of what it has."""

    def named(self, subscription: str, sequences: Collection[int]) -> list[Delivery]:
        """Those that are outstanding."""

    def front(self, subscription: str, resources: Collection[str], last: int, now: int) -> list[Delivery]:
        """Of these resources everything outstanding up to `last`, and what is leased, in order."""

    def queues(self, subscription: str, resources: Collection[str]) -> dict[str, Queue]:
        """Those of the resources that have anything outstanding."""

    def count(self, subscription: str) -> int:
        """How many are outstanding."""

    def insert(self, deliveries: Sequence[Delivery]) -> None:
        """Adds new ones."""

    def update(self, deliveries: Sequence[Delivery]) -> None:
        """Saves their leases and counts."""

    def remove(self, subscription: str, sequences: Collection[int]) -> None:
        """They are outstanding no more."""

    def clear(self, subscription: str) -> None:
        """Nothing is."""


class Transaction(Protocol):
    """One transaction of the writer. Refuse before the first write: there are no savepoints."""

    @property
    def tokens(self) -> Shelf[Token]: ...
    @property
    def bindings(self) -> Shelf[Binding]: ...
    @property
    def merchants(self) -> Shelf[Merchant]: ...
    @property
    def issuer_operations(self) -> Shelf[IssuerOperation]: ...
    @property
    def digital_cards(self) -> Shelf[DigitalCard]: ...
    @property
    def consumers(self) -> Shelf[Consumer]: ...
    @property
    def clients(self) -> Shelf[Client]: ...
    @property
    def api_keys(self) -> Shelf[ApiKey]: ...
    @property
    def accounts(self) -> Shelf[Account]: ...
    @property
    def subscriptions(self) -> Shelf[Subscription]: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def acquirer(self) -> Acquirer: ...
    @property
    def token_refreshes(self) -> TokenRefreshes: ...
    @property
    def cards(self) -> Cards: ...
    @property
    def notifications(self) -> Shelf[Notification]: ...
    @property
    def replays(self) -> Shelf[Replay]: ...

    def consumer_state(self, name: str) -> ConsumerState | None:
        """Whether a consumer is in use, unlocked; None where there is none."""

    def identities(self, digests: Sequence[bytes]) -> dict[bytes, Identity]:
        """Those that are known."""

    def know(self, new: Sequence[Identity], renewed: Sequence[Identity]) -> None:
        """Remembers identities: new ones, and known ones that now belong to a later notification."""

    def keep_notifications(self, notifications: Sequence[Notification]) -> None:
        """Stores new notifications."""

    def keep_replay_results(self, results: Sequence[ReplayResult]) -> None:
        """Stores results of a replay."""

    def count_deliveries(self, deliveries: Mapping[str, int], time: int) -> None:
        """Adds to the delivery counts of stored notifications, by name."""

    def keyring_mark(self) -> bytes | None:
        """What the keyring of the first start has left; None before that."""

    def leave_keyring_mark(self, mark: bytes) -> None:
        """Leaves it."""

    def revoke_access_token(self, token: RevokedAccessToken) -> bool:
        """Remembers a revoked access token; whether that is news."""

    def request(self, client: str, method: str, request_id: str) -> Request | None:
        """A finished request."""

    def keep_request(self, request: Request) -> None:
        """Remembers a finished request."""

    def take_lease(self, name: str, holder: str, seconds: float) -> bool:
        """Takes or renews a lease on the database's clock; False where another holder's has not ended."""

    def count_subscriptions(self, client: str) -> int:
        """How many a client has."""

    def standing(self, name: str) -> Standing | None:
        """A subscription with how far it is, before this transaction's own events have numbers."""

    def append(self, event: Event) -> None:
        """Appends an event; it gets its number when everything else of the transaction is written."""

    @property
    def removal(self) -> Removal: ...


# Units go in the order of their keys, and none has a later one than this.
LAST_KEY = "~"


class View(WebhookView, Protocol):
    """Reads outside of the writer, each call a consistent one of its own."""

    def token(self, name: str) -> Token | None: ...
    def binding(self, name: str) -> Binding | None: ...
    def merchant(self, name: str) -> Merchant | None: ...
    def notification(self, name: str) -> Notification | None: ...
    def client(self, name: str) -> Client | None: ...
    def api_key(self, name: str) -> ApiKey | None: ...
    def account(self, name: str) -> Account | None: ...
    def subscription(self, name: str) -> Subscription | None: ...

    def tokens(self, query: TokenQuery, page: Page) -> list[Token]: ...
    def bindings(self, query: BindingQuery, page: Page) -> list[Binding]: ...
    def merchants(self, query: MerchantQuery, page: Page) -> list[Merchant]: ...
    def notifications(self, query: NotificationQuery, page: Page) -> list[Notification]:
        """In the order of the query; `page.after` names the last one of the page before."""

    def count_notifications(self, query: NotificationQuery, most: int) -> int:
        """How many match, `most` at most."""

    def notifications_named(self, names: Sequence[str]) -> dict[str, Notification]:
        """Those that exist, by name."""

    def notifications_apart(self, resource: str, *, replayed_only: bool = False, limit: int) -> list[Notification]:
        """Those of a resource that are stale or were changed by a replay, or only the latter."""

    def snapshots(
        self, resource: str, *, start: int = 0, before: int | None = None, newest_first: bool = False, limit: int
    ) -> list[Event]:
        """The events that hold the resource as it was right after them, with a sequence from `start` and below
        `before`."""

    def replay(self, name: str) -> Replay | None: ...
    def replays(self, query: ReplayQuery, page: Page) -> list[Replay]: ...

    def running_replays(self) -> list[Replay]:
        """Those that have not ended."""

    def replay_results(self, replay: str, reach: Reach, page: Page) -> list[ReplayResult]:
        """In the order of the notifications' names."""

    def clients(self, page: Page) -> list[Client]: ...
    def api_keys(self, page: Page) -> list[ApiKey]: ...
    def accounts(self, page: Page) -> list[Account]: ...

    def payment(self, name: str) -> Payment | None: ...
    def payments(self, query: PaymentQuery, page: Page) -> list[Payment]:
        """The newest first; `page.after` names the last one of the page before."""

    def payment_whole(self, name: str) -> tuple[Payment, list[Operation]] | None:
        """A payment with its operations."""

    def payment_evidence(self, payment: str, page: Page) -> list[Evidence]:
        """The oldest first."""

    def unknown_charges(self, query: UnknownChargeQuery, page: Page) -> list[UnknownCharge]:
        """In the order of their names."""

    def has_due_task(self, kinds: Collection[TaskKind], now: int, paused: Collection[str] = ()) -> bool:
        """Whether there may be a task to claim."""

    def has_operation_to_attend(self, now: int) -> bool:
        """Whether the steward has to look at an operation."""

    def database_identities(self) -> tuple[str, str]:
        """As the ledger has them: the one that is kept, and the present one."""

    def doubts(self) -> dict[str, int]:
        """How many operations are in doubt, by account."""

    def revoked_access_tokens(self, now: int) -> list[RevokedAccessToken]:
        """Those that have not expired at `now`."""

    def events(self, after: int, limit: int) -> list[Event]:
        """Events with a greater sequence, in order. No event with a smaller one can appear later.

        Raises CursorOutOfRange where one of them has been removed, so that nobody skips it without noticing.
        """

    def events_at(self, sequences: Sequence[int]) -> list[Event]:
        """The events with these sequences that are kept, in order."""

    def event_sequence(self, notification: str) -> int:
        """The sequence of the event that a notification caused; 0 where it caused none or that was removed."""

    def event_sequences(self, notifications: Sequence[str]) -> dict[str, int]:
        """The same for several, by name; those that caused none are left out."""

    def head(self) -> tuple[str, int, int]:
        """The name of this history of events, the newest removed sequence and the head."""

    def bounds(self) -> tuple[int, int]:
        """The sequence before the oldest kept event, and that of the newest (the head)."""

    def standing(self, name: str) -> Standing | None:
        """A subscription with how far it is."""

    def standings(self, client: str, page: Page) -> list[Standing]:
        """Those of a client, or all, in the order of their names."""

    def subscription_floors(self) -> list[Floor]:
        """What retention must not pass, for each subscription."""

    def pull_state(self, name: str, limit: int, now: int) -> PullState | None:
        """What a pull of `limit` events begins with."""

    def database_time(self) -> int:
        """The database's clock in microseconds."""

    def cache_pause(self) -> "CachePause":
        """Whether caches may be used."""

    @property
    def retained(self) -> Retained: ...
    @property
    def acquirer(self) -> AcquirerView: ...
    @property
    def cards(self) -> CardView: ...
    @property
    def payment_subscriptions(self) -> PaymentSubscriptionView: ...
    @property
    def issuers(self) -> IssuerView: ...
    @property
    def token_refreshes(self) -> TokenRefreshView: ...
    @property
    def consumers(self) -> ConsumerView: ...


class Store(Protocol):
    """Where everything is kept. Raises StoreUnavailable when it cannot be reached, read or written."""

    @property
    def view(self) -> View: ...

    @property
    def generation(self) -> str:
        """Names this history of events; cursors carry it."""

    def write(
        self,
        key: str,
        run: Callable[[Transaction], R],
        *,
        deadline: float | None = None,
        correlation_ids: Sequence[str] = (),
    ) -> R:
        """Runs a unit of work in the writer's next transaction and returns its result once that is durable.

        `key` is the name of the resource concerned: units go in the order of their keys. `deadline` is on the
        monotonic clock: a unit not begun by then is refused with DeadlinePassed. `correlation_ids` are for the log
        when something is wrong; without them it is the one of the call that this thread works on. `run` may be called
        more than once, each time on a fresh transaction. Raises what `run` refuses with, StoreUnavailable, or
        ContentRefused.
        """
