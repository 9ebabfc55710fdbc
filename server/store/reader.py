"""Reads outside of the writer."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from opentelemetry.trace import Tracer
from prometheus_client import Gauge, Histogram
from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, exists, select, text, true
from sqlalchemy.pool import QueuePool

from server.domain.accounts import Account
from server.domain.api_keys import ApiKey
from server.domain.bindings import Binding
from server.domain.callers import Reach
from server.domain.clients import Client
from server.domain.events import Event, cursor
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
    UnmanagedWebhookQuery,
    WebhookConfigQuery,
)
from server.domain.refusals import CursorOutOfRange, StoreUnavailable
from server.domain.replays import Replay, ReplayResult
from server.domain.subscriptions import Floor, Standing, Subscription
from server.domain.tasks import TaskKind
from server.domain.tokens import Token
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.webhook_configs import WebhookConfig
from server.domain.webhook_keys import WebhookKey
from server.ports import CachePause, PullState
from server.store import (
    cache_pause,
    commits,
    payment_reads,
    payment_tables,
    rows,
    schema,
    searches,
    subscriptions,
    webhook_tables,
    webhooks,
)
from server.store.acquirer_reads import SqlAcquirerView
from server.store.card_reads import SqlCardView
from server.store.consumer_reads import SqlConsumerView
from server.store.engine import CLOCKS
from server.store.faults import Fault, classify, describe
from server.store.issuer_reads import SqlIssuerView
from server.store.ledger import database_identity
from server.store.payment_subscription_reads import SqlPaymentSubscriptionView
from server.store.reach import within
from server.store.retained import SqlRetained
from server.store.rows import Shape, read_event
from server.store.token_refreshes import SqlTokenRefreshView

T = TypeVar("T")

SECONDS = Histogram(
    "mintmark_store_read_seconds",
    "Time of a read, the wait for a connection included, in seconds.",
    ("read",),
    buckets=commits.SECONDS,
)
IN_USE = Gauge("mintmark_store_reader_connections_in_use", "Database connections that a read holds.")
LIMIT = Gauge("mintmark_store_reader_connections_limit", "Database connections that reads may hold at once.")


def equal(table: Table, query: object, *columns: str) -> list[ColumnElement[bool]]:
    """The rows that have what the query says in these columns; where it says nothing, any."""
    return [table.c[column] == value for column in columns if (value := getattr(query, column))]


class SqlView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, engine: Engine, tracer: Tracer | None = None) -> None:
        self._engine = engine
        self._tracer = tracer
        self.retained = SqlRetained(self)
        self.acquirer = SqlAcquirerView(self)
        self.cards = SqlCardView(self)
        self.payment_subscriptions = SqlPaymentSubscriptionView(self)
        self.issuers = SqlIssuerView(self)
        self.token_refreshes = SqlTokenRefreshView(self)
        self.consumers = SqlConsumerView(self)
        pool = engine.pool
        if isinstance(pool, QueuePool):
            IN_USE.set_function(pool.checkedout)
            LIMIT.set(pool.size())

    @contextmanager
    def connection(self, read: str) -> Iterator[Connection]:
        """A connection for one read; `read` names it for metrics and spans."""
        began = time.monotonic()
        # Who follows no call, such as the feed, is not traced: each of its polls would be a trace of its own.
        traced = self._tracer is not None and commits.traced() is not None
        span = self._tracer.start_span(f"store {read}") if self._tracer is not None and traced else None
        try:
            with self._engine.connect() as connection:
                yield connection
        except Exception as error:
            if classify(error) in (Fault.UNAVAILABLE, Fault.PASSING):
                raise StoreUnavailable(describe(error)) from error
            raise
        finally:
            SECONDS.labels(read).observe(time.monotonic() - began)
            if span is not None:
                span.end()

    def _one(self, table: Table, shape: Shape[T], name: str) -> T | None:
        with self.connection(f"get {table.name}") as connection:
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
        return None if row is None else shape.read(row)

    def _many(self, table: Table, statement: Select[Any], read: Callable[[Mapping[Any, Any]], T]) -> list[T]:
        with self.connection(f"list {table.name}") as connection:
            return [read(row) for row in connection.execute(statement).mappings()]

    def _page(self, table: Table, shape: Shape[T], page: Page, *conditions: ColumnElement[bool]) -> list[T]:
        statement = select(table).where(table.c.name > page.after, *conditions).order_by(table.c.name)
        return self._many(table, statement.limit(page.limit), shape.read)

    def token(self, name: str) -> Token | None:
        return self._one(schema.tokens, rows.TOKEN, name)

    def binding(self, name: str) -> Binding | None:
        return self._one(schema.bindings, rows.BINDING, name)

    def merchant(self, name: str) -> Merchant | None:
        return self._one(schema.merchants, rows.MERCHANT, name)

    def notification(self, name: str) -> Notification | None:
        return self._one(schema.notifications, rows.NOTIFICATION, name)

    def client(self, name: str) -> Client | None:
        return self._one(schema.clients, rows.CLIENT, name)

    def api_key(self, name: str) -> ApiKey | None:
        return self._one(schema.api_keys, rows.API_KEY, name)

    def account(self, name: str) -> Account | None:
        return self._one(schema.accounts, rows.ACCOUNT, name)

    def tokens(self, query: TokenQuery, page: Page) -> list[Token]:
        table = schema.tokens
        conditions = [within(table, query.reach)]
        conditions += equal(table, query, "merchant_gateway_id", "merchant_id")
        if query.provider:
            conditions.append(table.c.provider == query.provider.value)
        if query.states:
            conditions.append(table.c.state.in_(sorted(state.value for state in query.states)))
        if query.refresh_due:
            conditions.append(table.c.refreshed_generation < table.c.refresh_generation)
        if query.disabled:
            conditions.append(table.c.disable_time.is_not(None))
        return self._page(table, rows.TOKEN, page, *conditions)

    def bindings(self, query: BindingQuery, page: Page) -> list[Binding]:
        table = schema.bindings
        conditions = [within(table, query.reach)]
        conditions += equal(table, query, "merchant_gateway_id", "merchant_id", "token_id", "device_id")
        if query.states:
            conditions.append(table.c.state.in_(sorted(state.value for state in query.states)))
        return self._page(table, rows.BINDING, page, *conditions)

    def merchants(self, query: MerchantQuery, page: Page) -> list[Merchant]:
        table = schema.merchants
        conditions = [within(table, query.reach), *equal(table, query, "merchant_gateway_id")]
        return self._page(table, rows.MERCHANT, page, *conditions)

    def notifications(self, query: NotificationQuery, page: Page) -> list[Notification]:
        table = schema.notifications
        conditions = [within(table, query.reach), *searches.of_notifications(query)]
        if page.after:
            after = table.c.name > page.after if query.oldest_first else table.c.name < page.after
            conditions.append(after)
        order = table.c.name if query.oldest_first else table.c.name.desc()
        statement = select(table).where(*conditions).order_by(order).limit(page.limit)
        return self._many(table, statement, rows.NOTIFICATION.read)

    def count_notifications(self, query: NotificationQuery, most: int) -> int:
        conditions = [within(schema.notifications, query.reach), *searches.of_notifications(query)]
        with self.connection("count notifications") as connection:
            return int(connection.execute(searches.counted(conditions, most)).scalar_one())

    def notifications_named(self, names: Sequence[str]) -> dict[str, Notification]:
        table = schema.notifications
        found = self._many(table, select(table).where(table.c.name.in_(sorted(names))), rows.NOTIFICATION.read)
        return {each.name: each for each in found}

    def notifications_apart(self, resource: str, *, replayed_only: bool = False, limit: int) -> list[Notification]:
        statement = searches.apart(resource, replayed_only=replayed_only)
        return self._many(schema.notifications, statement.limit(limit), rows.NOTIFICATION.read)

    def snapshots(
        self, resource: str, *, start: int = 0, before: int | None = None, newest_first: bool = False, limit: int
    ) -> list[Event]:
        statement = searches.snapshots(resource, start=start, before=before, newest_first=newest_first)
        return self._many(schema.events, statement.limit(limit), read_event)

    def replay(self, name: str) -> Replay | None:
        return self._one(schema.replays, rows.REPLAY, name)

    def replays(self, query: ReplayQuery, page: Page) -> list[Replay]:
        return self._many(schema.replays, searches.replays(query, page.after).limit(page.limit), rows.REPLAY.read)

    def running_replays(self) -> list[Replay]:
        table = schema.replays
        return self._many(table, select(table).where(text("state = 'RUNNING'")), rows.REPLAY.read)

    def replay_results(self, replay: str, reach: Reach, page: Page) -> list[ReplayResult]:
        table, kept = schema.replay_results, schema.notifications
        conditions = [table.c.replay == replay, table.c.name > page.after]
        if not reach.everything:
            conditions.append(exists().where(kept.c.name == table.c.name, within(kept, reach)))
        statement = select(table).where(*conditions).order_by(table.c.name)
        return self._many(table, statement.limit(page.limit), rows.REPLAY_RESULT.read)

    def clients(self, page: Page) -> list[Client]:
        return self._page(schema.clients, rows.CLIENT, page)

    def api_keys(self, page: Page) -> list[ApiKey]:
        return self._page(schema.api_keys, rows.API_KEY, page)

    def accounts(self, page: Page) -> list[Account]:
        return self._page(schema.accounts, rows.ACCOUNT, page)

    def payment(self, name: str) -> Payment | None:
        return self._one(payment_tables.payments, rows.PAYMENT, name)

    def payments(self, query: PaymentQuery, page: Page) -> list[Payment]:
        statement = payment_reads.payment_page(query, page, within(payment_tables.payments, query.reach))
        return self._many(payment_tables.payments, statement, rows.PAYMENT.read)

    def payment_whole(self, name: str) -> tuple[Payment, list[Operation]] | None:
        table = payment_tables.payments
        with self.connection("get payments") as connection:
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
            if row is None:
                return None
            found = connection.execute(payment_reads.operations_of(name)).mappings()
            return rows.PAYMENT.read(row), [rows.OPERATION.read(each) for each in found]

    def payment_evidence(self, payment: str, page: Page) -> list[Evidence]:
        return self._many(
            payment_tables.payment_evidence, payment_reads.evidence_page(payment, page), rows.EVIDENCE.read
        )

    def unknown_charges(self, query: UnknownChargeQuery, page: Page) -> list[UnknownCharge]:
        table = payment_tables.unknown_charges
        conditions = [within(table, query.reach), *equal(table, query, "account")]
        return self._page(table, rows.UNKNOWN_CHARGE, page, *conditions)

    def webhook_config(self, name: str) -> WebhookConfig | None:
        return self._one(webhook_tables.webhook_configs, rows.WEBHOOK_CONFIG, name)

    def webhook_configs(self, query: WebhookConfigQuery, page: Page) -> list[WebhookConfig]:
        table = webhook_tables.webhook_configs
        conditions = [within(table, query.reach), webhooks.in_states(query.states)]
        conditions += equal(table, query, "account", "merchant_gateway_id", "merchant_id")
        return self._page(table, rows.WEBHOOK_CONFIG, page, *conditions)

    def webhook_keys(self, configs: Sequence[str]) -> dict[str, list[WebhookKey]]:
        found = self._many(webhook_tables.webhook_keys, webhooks.keys_of(configs), rows.WEBHOOK_KEY.read)
        return {name: [key for key in found if key.webhook_config == name] for name in configs}

    def unmanaged_webhooks(self, query: UnmanagedWebhookQuery, page: Page) -> list[UnmanagedWebhook]:
        table = webhook_tables.unmanaged_webhooks
        conditions = [within(table, query.reach), *equal(table, query, "account")]
        return self._page(table, rows.UNMANAGED_WEBHOOK, page, *conditions)

    def webhook_config_counts(self) -> dict[tuple[str, str], int]:
        found = self._many(webhook_tables.webhook_configs, webhooks.counts(), dict)
        return {(row["account"], row["state"]): row["count"] for row in found}

    def has_webhook_chore(self, expired_before: int, refresh_before: int | None) -> bool:
        table = webhook_tables.webhook_configs
        if self._many(table, webhooks.expired(expired_before).limit(1), dict):
            return True
        return refresh_before is not None and bool(
            self._many(table, webhooks.unrefreshed(refresh_before).limit(1), dict)
        )

    def has_due_task(self, kinds: Collection[TaskKind], now: int, paused: Collection[str] = ()) -> bool:
        return bool(self._many(payment_tables.tasks, payment_reads.due_task(kinds, now, paused), dict))

    def has_operation_to_attend(self, now: int) -> bool:
        return bool(self._many(payment_tables.payment_operations, payment_reads.operation_to_attend(now), dict))

    def database_identities(self) -> tuple[str, str]:
        with self.connection("get the database's identity") as connection:
            kept = connection.execute(select(schema.store_head.c.database_identity)).scalar_one()
            return str(kept), database_identity(connection)

    def doubts(self) -> dict[str, int]:
        found = self._many(payment_tables.payment_operations, payment_reads.doubts(), dict)
        return {row["account"]: row["count"] for row in found}

    def revoked_access_tokens(self, now: int) -> list[RevokedAccessToken]:
        table = schema.revoked_access_tokens
        return self._many(table, select(table).where(table.c.expire_time > now), rows.REVOKED.read)

    def events(self, after: int, limit: int) -> list[Event]:
        head, table = schema.store_head, schema.events
        following = select(table).where(table.c.sequence > after).order_by(table.c.sequence).limit(limit).subquery()
        # One statement sees one moment: what was removed before it is told by the head, what comes after is not seen.
        statement = (
            select(head.c.generation, head.c.removed_sequence, head.c.sequence.label("head"), *following.c)
            .select_from(head.outerjoin(following, true()))
            .order_by(following.c.sequence)
        )
        with self.connection("list events") as connection:
            found = connection.execute(statement).mappings().all()
        first = found[0]
        if after < first["removed_sequence"]:
            ends = cursor(first["generation"], first["removed_sequence"]), cursor(first["generation"], first["head"])
            raise CursorOutOfRange("retention has passed it", *ends)
        return [read_event(row) for row in found] if first["sequence"] is not None else []

    def events_at(self, sequences: Sequence[int]) -> list[Event]:
        table = schema.events
        statement = select(table).where(table.c.sequence.in_(sorted(sequences))).order_by(table.c.sequence)
        return self._many(table, statement, read_event)

    def event_sequence(self, notification: str) -> int:
        return self.event_sequences([notification]).get(notification, 0)

    def event_sequences(self, notifications: Sequence[str]) -> dict[str, int]:
        with self.connection("get events") as connection:
            found = connection.execute(searches.first_events(notifications)).all()
        return {row.notification: int(row.sequence) for row in found}

    def head(self) -> tuple[str, int, int]:
        """The generation, the newest removed sequence and the head."""
        with self.connection("get head") as connection:
            row = connection.execute(select(schema.store_head)).one()
        return row.generation, row.removed_sequence, row.sequence

    def bounds(self) -> tuple[int, int]:
        _, removed, sequence = self.head()
        return removed, sequence

    def subscription(self, name: str) -> Subscription | None:
        return self._one(schema.subscriptions, rows.SUBSCRIPTION, name)

    def standing(self, name: str) -> Standing | None:
        with self.connection("get subscription") as connection:
            return subscriptions.standing(connection, name)

    def standings(self, client: str, page: Page) -> list[Standing]:
        with self.connection("list subscriptions") as connection:
            return subscriptions.standings(connection, client, page)

    def subscription_floors(self) -> list[Floor]:
        with self.connection("list subscription floors") as connection:
            return subscriptions.floors(connection)

    def pull_state(self, name: str, limit: int, now: int) -> PullState | None:
        with self.connection("get pull state") as connection:
            return subscriptions.pull_state(connection, name, limit, now)

    def database_time(self) -> int:
        with self.connection("get time") as connection:
            return int(connection.execute(text(f"SELECT {CLOCKS[self._engine.dialect.name]}")).scalar_one())

    def cache_pause(self) -> CachePause:
        with self.connection("get cache pause") as connection:
            return cache_pause.read(connection)
