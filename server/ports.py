"""What the services need from the rooms around them. Ports are named by role, implementations by substance."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from server.domain.accounts import Account
from server.domain.api_keys import ApiKey
from server.domain.bindings import Binding
from server.domain.clients import Client
from server.domain.events import Event
from server.domain.merchants import Merchant
from server.domain.notifications import Notification
from server.domain.payment_evidence import Attempt, Evidence
from server.domain.payment_operations import Operation
from server.domain.payments import Payment
from server.domain.principals import RevokedAccessToken
from server.domain.queries import BindingQuery, MerchantQuery, NotificationQuery, Page, PaymentQuery, TokenQuery
from server.domain.tasks import Task, TaskKind
from server.domain.tokens import Token

T = TypeVar("T")
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


class Shelf(Protocol[T]):
    """The rows of one resource type within a transaction."""

    def get(self, name: str) -> T | None:
        """The resource, locked until the transaction ends."""

    def get_many(self, names: Sequence[str]) -> dict[str, T]:
        """Those of the resources that exist, by name, locked in the order of their names."""

    def all(self) -> list[T]:
        """Every one, in the order of the names; for small sets."""

    def insert(self, items: Sequence[T]) -> None:
        """Adds new ones. One that another transaction has added meanwhile makes the unit run again."""

    def update(self, items: Sequence[T]) -> None:
        """Saves changed ones."""

    def delete(self, names: Sequence[str]) -> None:
        """Removes them."""


class Ledger(Protocol):
    """Payments, what is known of them, and tasks, within a transaction. Locked in this order: the payment, its
    operations, the
    account, tasks."""

    @property
    def payments(self) -> Shelf[Payment]: ...
    @property
    def operations(self) -> Shelf[Operation]: ...
    @property
    def attempts(self) -> Shelf[Attempt]: ...
    @property
    def tasks(self) -> Shelf[Task]: ...

    def now(self) -> int:
        """The database's clock in microseconds."""

    def operations_of(self, payment: str) -> list[Operation]:
        """In the order in which they were asked for. Whoever changes them holds the payment's lock."""

    def operation_of_transaction(self, account: str, partner_transaction_id: str) -> Operation | None:
        """The operation that a partner's transaction id is bound to."""

    def payment_with_key(self, key: str) -> str | None:
        """The name of the payment that has a merchant's own id."""

    def payment_account(self, merchant_gateway_id: str) -> Account | None:
        """The account that pays for a merchant gateway, locked."""

    def charged_since(self, account: str, currency_code: str, since: int) -> int:
        """The minor amounts of payments asked for since then, of which it is not proven that nothing was moved."""

    def accounts_in_use(self) -> set[str]:
        """The accounts with unresolved operations."""

    def attempt_of_request(self, client: str, request_id: str) -> Attempt | None:
        """The attempt that a request was granted."""

    def is_known(self, payment: str, digest: bytes) -> bool:
        """Whether this piece of evidence is there."""

    def add_evidence(self, lines: Sequence[Evidence]) -> None:
        """Adds new lines."""

    def tasks_of(self, payment: str) -> list[Task]:
        """The tasks for a payment."""

    def claimable(self, kinds: Collection[TaskKind], full: Collection[str], now: int, limit: int) -> list[Task]:
        """Due tasks that nobody has leased, the longest due first, locked; those that another core is claiming are
        left out.
        Nothing is submitted for accounts that are held or `full`."""

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


class Transaction(Protocol):
    """One transaction of the writer. Refuse before the first write: there are no savepoints."""

    @property
    def tokens(self) -> Shelf[Token]: ...
    @property
    def bindings(self) -> Shelf[Binding]: ...
    @property
    def merchants(self) -> Shelf[Merchant]: ...
    @property
    def clients(self) -> Shelf[Client]: ...
    @property
    def api_keys(self) -> Shelf[ApiKey]: ...
    @property
    def accounts(self) -> Shelf[Account]: ...
    @property
    def ledger(self) -> Ledger: ...

    def identities(self, digests: Sequence[bytes]) -> dict[bytes, Identity]:
        """Those that are known."""

    def know(self, new: Sequence[Identity], renewed: Sequence[Identity]) -> None:
        """Remembers identities: new ones, and known ones that now belong to a later notification."""

    def keep_notifications(self, notifications: Sequence[Notification]) -> None:
        """Stores new notifications."""

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

    def append(self, event: Event) -> None:
        """Appends an event; it gets its number when everything else of the transaction is written."""


class View(Protocol):
    """Reads outside of the writer, each call a consistent one of its own."""

    def token(self, name: str) -> Token | None: ...
    def binding(self, name: str) -> Binding | None: ...
    def merchant(self, name: str) -> Merchant | None: ...
    def notification(self, name: str) -> Notification | None: ...
    def client(self, name: str) -> Client | None: ...
    def api_key(self, name: str) -> ApiKey | None: ...
    def account(self, name: str) -> Account | None: ...

    def tokens(self, query: TokenQuery, page: Page) -> list[Token]: ...
    def bindings(self, query: BindingQuery, page: Page) -> list[Binding]: ...
    def merchants(self, query: MerchantQuery, page: Page) -> list[Merchant]: ...
    def notifications(self, query: NotificationQuery, page: Page) -> list[Notification]:
        """The newest first; `page.after` names the last one of the page before."""

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

    def has_due_task(self, kinds: Collection[TaskKind], now: int) -> bool:
        """Whether there may be a task to claim."""

    def has_operation_to_attend(self, now: int) -> bool:
        """Whether the steward has to look at an operation."""

    def doubts(self) -> dict[str, int]:
        """How many operations are in doubt, by account."""

    def revoked_access_tokens(self, now: int) -> list[RevokedAccessToken]:
        """Those that have not expired at `now`."""

    def events(self, after: int, limit: int) -> list[Event]:
        """Events with a greater sequence, in order. No event with a smaller one can appear later."""

    def event_sequence(self, notification: str) -> int:
        """The sequence of the event that a notification caused; 0 where it caused none."""

    def bounds(self) -> tuple[int, int]:
        """The sequence before the oldest kept event, and that of the newest (the head)."""

    def database_time(self) -> int:
        """The database's clock in microseconds."""


class Store(Protocol):
    """Where everything is kept. Raises StoreUnavailable when it cannot be reached, read or written."""

    @property
    def view(self) -> View: ...

    @property
    def generation(self) -> str:
        """Names this history of events; cursors carry it."""

    def write(self, key: str, run: Callable[[Transaction], R], *, deadline: float | None = None) -> R:
        """Runs a unit of work in the writer's next transaction and returns its result once that is durable.

        `key` is the name of the resource concerned: units go in the order of their keys. `deadline` is on the
        monotonic clock: a unit not begun by then is refused with DeadlinePassed. `run` may be called more than once,
        each time on a fresh transaction. Raises what `run` refuses with, StoreUnavailable, or ContentRefused.
        """


class Chore(Protocol):
    """Something that a core does by itself from time to time, in steps that may be repeated."""

    @property
    def name(self) -> str: ...

    @property
    def interval(self) -> float:
        """Seconds between two looks whether there is something to do."""

    def wanted(self) -> bool:
        """Whether there is something to do now; a cheap look that every core takes."""

    def step(self) -> bool:
        """Does a small piece of it, in well under a lease's time; whether there may be more to do at once."""


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since the epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    def offset(self) -> int:
        """Microseconds that are added to every clock, in development only."""


class HighWater(Protocol):
    """How far this history of events is known to have come, kept outside of the database."""

    def reach(self) -> None:
        """Keeps where the history is now, durably, before anybody outside hears of it. Raises StoreUnavailable."""


class Ids(Protocol):
    def payment_id(self, now: int) -> str:
        """A new id of letters and digits; later ones sort after earlier ones."""

    def roll(self) -> float:
        """Any number from 0 to 1."""

    def notification_id(self, now: int) -> str:
        """A new id; later ones sort after earlier ones."""

    def jwt_id(self) -> str:
        """A new id for an access token."""

    def secret_id(self) -> str:
        """A new id for a client's secret."""

    def core_id(self) -> str:
        """A new id for a running core."""


class Sealer(Protocol):
    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypts under the newest key; opens only with the same context."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypts. Raises where it was damaged or belongs to another context."""


class Hasher(Protocol):
    """Keyed hashes. Secrets are never kept in any other form."""

    def identity_hash(self, *parts: bytes) -> bytes: ...
    def made_secret(self) -> str: ...
    def hash_client_secret(self, secret: str, *, taken_over: bool) -> str: ...
    def verify_client_secret(self, secret: str, secret_hash: str, *, taken_over: bool) -> bool: ...
    def hash_api_key(self, key: str, *, taken_over: bool) -> bytes: ...


class Signer(Protocol):
    def sign(self, claims: Mapping[str, str | int]) -> str:
        """A compact JWT, ES256, type at+jwt."""

    def verify(self, token: str) -> dict[str, object] | None:
        """The claims of a token that we signed, whatever its times say; None for anything else."""


class Feed(Protocol):
    """The newest events, for those who follow them."""

    @property
    def head(self) -> int:
        """The sequence of the newest event that was read."""

    def wait(self, after: int, timeout: float, stopped: Callable[[], bool]) -> bool:
        """Waits until there is an event after `after` or the time is up or `stopped`; whether there is one."""

    def events(self, after: int, limit: int) -> list[Event]:
        """Events after `after` in order: from memory where possible, else from the store."""

    def wake(self) -> None:
        """Makes everybody who waits look again."""
