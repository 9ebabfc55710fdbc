"""Reads outside of the writer."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, false, select, text, true

from server.domain.accounts import Account
from server.domain.api_keys import ApiKey
from server.domain.bindings import Binding
from server.domain.callers import ANY, Reach
from server.domain.clients import Client
from server.domain.events import Event
from server.domain.merchants import Merchant
from server.domain.notifications import Notification
from server.domain.payment_evidence import Evidence
from server.domain.payment_operations import Operation
from server.domain.payments import Payment
from server.domain.principals import RevokedAccessToken
from server.domain.queries import BindingQuery, MerchantQuery, NotificationQuery, Page, PaymentQuery, TokenQuery
from server.domain.refusals import StoreUnavailable
from server.domain.tasks import TaskKind
from server.domain.tokens import Token
from server.store import payment_reads, rows, schema
from server.store.engine import CLOCKS
from server.store.faults import Fault, classify, describe
from server.store.rows import Shape, read_event

T = TypeVar("T")


def within(table: Table, reach: Reach) -> ColumnElement[bool]:
    """The rows that somebody with this reach may see. Those of no gateway are for whom nothing limits."""
    if reach.everything:
        return true()
    merchants = table.c.merchant_id.in_(sorted(reach.merchant_ids)) if reach.merchant_ids else true()
    if ANY in reach.merchant_gateway_ids:
        return and_(table.c.merchant_gateway_id != "", merchants)
    if not reach.merchant_gateway_ids:
        return false()
    return and_(table.c.merchant_gateway_id.in_(sorted(reach.merchant_gateway_ids)), merchants)


def equal(table: Table, wanted: Mapping[str, str]) -> list[ColumnElement[bool]]:
    return [table.c[column] == value for column, value in wanted.items() if value]


class SqlView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except Exception as error:
            if classify(error) in (Fault.UNAVAILABLE, Fault.PASSING):
                raise StoreUnavailable(describe(error)) from error
            raise

    def _one(self, table: Table, shape: Shape[T], name: str) -> T | None:
        with self._connection() as connection:
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
        return None if row is None else shape.read(row)

    def _many(self, statement: Select[Any], read: Callable[[Mapping[Any, Any]], T]) -> list[T]:
        with self._connection() as connection:
            return [read(row) for row in connection.execute(statement).mappings()]

    def _page(self, table: Table, shape: Shape[T], page: Page, *conditions: ColumnElement[bool]) -> list[T]:
        statement = select(table).where(table.c.name > page.after, *conditions).order_by(table.c.name)
        return self._many(statement.limit(page.limit), shape.read)

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
        conditions += equal(table, {"merchant_gateway_id": query.merchant_gateway_id, "merchant_id": query.merchant_id})
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
        conditions += equal(
            table,
            {
                "merchant_gateway_id": query.merchant_gateway_id,
                "merchant_id": query.merchant_id,
                "token_id": query.token_id,
                "device_id": query.device_id,
            },
        )
        if query.states:
            conditions.append(table.c.state.in_(sorted(state.value for state in query.states)))
        return self._page(table, rows.BINDING, page, *conditions)

    def merchants(self, query: MerchantQuery, page: Page) -> list[Merchant]:
        table = schema.merchants
        conditions = [within(table, query.reach), *equal(table, {"merchant_gateway_id": query.merchant_gateway_id})]
        return self._page(table, rows.MERCHANT, page, *conditions)

    def notifications(self, query: NotificationQuery, page: Page) -> list[Notification]:
        table = schema.notifications
        conditions = [within(table, query.reach)]
        conditions += equal(
            table,
            {
                "merchant_gateway_id": query.merchant_gateway_id,
                "merchant_id": query.merchant_id,
                "token_id": query.token_id,
                "device_id": query.device_id,
                "correlation_id": query.correlation_id,
            },
        )
        if query.states:
            conditions.append(table.c.state.in_(sorted(state.value for state in query.states)))
        if query.kinds:
            conditions.append(table.c.kind.in_(sorted(kind.value for kind in query.kinds)))
        if page.after:
            conditions.append(table.c.name < page.after)
        statement = select(table).where(*conditions).order_by(table.c.name.desc()).limit(page.limit)
        return self._many(statement, rows.NOTIFICATION.read)

    def clients(self, page: Page) -> list[Client]:
        return self._page(schema.clients, rows.CLIENT, page)

    def api_keys(self, page: Page) -> list[ApiKey]:
        return self._page(schema.api_keys, rows.API_KEY, page)

    def accounts(self, page: Page) -> list[Account]:
        return self._page(schema.accounts, rows.ACCOUNT, page)

    def payment(self, name: str) -> Payment | None:
        return self._one(schema.payments, rows.PAYMENT, name)

    def payments(self, query: PaymentQuery, page: Page) -> list[Payment]:
        statement = payment_reads.payment_page(query, page, within(schema.payments, query.reach))
        return self._many(statement, rows.PAYMENT.read)

    def payment_whole(self, name: str) -> tuple[Payment, list[Operation]] | None:
        with self._connection() as connection:
            row = connection.execute(select(schema.payments).where(schema.payments.c.name == name)).mappings().first()
            if row is None:
                return None
            found = connection.execute(payment_reads.operations_of(name)).mappings()
            return rows.PAYMENT.read(row), [rows.OPERATION.read(each) for each in found]

    def payment_evidence(self, payment: str, page: Page) -> list[Evidence]:
        return self._many(payment_reads.evidence_page(payment, page), rows.EVIDENCE.read)

    def has_due_task(self, kinds: Collection[TaskKind], now: int) -> bool:
        return bool(self._many(payment_reads.due_task(kinds, now), dict))

    def has_operation_to_attend(self, now: int) -> bool:
        return bool(self._many(payment_reads.operation_to_attend(now), dict))

    def doubts(self) -> dict[str, int]:
        return {row["account"]: row["count"] for row in self._many(payment_reads.doubts(), dict)}

    def revoked_access_tokens(self, now: int) -> list[RevokedAccessToken]:
        table = schema.revoked_access_tokens
        return self._many(select(table).where(table.c.expire_time > now), rows.REVOKED.read)

    def events(self, after: int, limit: int) -> list[Event]:
        table = schema.events
        statement = select(table).where(table.c.sequence > after).order_by(table.c.sequence).limit(limit)
        return self._many(statement, read_event)

    def event_sequence(self, notification: str) -> int:
        table = schema.events
        with self._connection() as connection:
            found = connection.execute(select(table.c.sequence).where(table.c.notification == notification)).first()
        return int(found.sequence) if found else 0

    def head(self) -> tuple[str, int, int]:
        """The generation, the newest removed sequence and the head."""
        with self._connection() as connection:
            row = connection.execute(select(schema.store_head)).one()
        return row.generation, row.removed_sequence, row.sequence

    def bounds(self) -> tuple[int, int]:
        _, removed, sequence = self.head()
        return removed, sequence

    def database_time(self) -> int:
        with self._connection() as connection:
            return int(connection.execute(text(f"SELECT {CLOCKS[self._engine.dialect.name]}")).scalar_one())
