"""Reads of transactions at the acquirer and of notifications that no key opens, outside of the writer."""

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Select, Table, func, select

from server.domain.acquirer_transactions import AcquirerTransaction, Report
from server.domain.queries import AcquirerTransactionQuery, Page, UnreadableNotificationQuery
from server.domain.unreadable_notifications import UnreadableNotification
from server.store import acquirer_tables, rows, webhook_tables
from server.store.reach import within
from server.store.rows import Shape

if TYPE_CHECKING:
    from server.store.reader import SqlView

T = TypeVar("T")

transactions = acquirer_tables.acquirer_transactions
reports = acquirer_tables.acquirer_reports
unreadable = acquirer_tables.unreadable_notifications
configs = webhook_tables.webhook_configs
keys = webhook_tables.webhook_keys


class SqlAcquirerView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, view: "SqlView") -> None:
        self._connection = view.connection

    def _many(self, table: Table, shape: Shape[T], statement: Select[Any]) -> list[T]:
        with self._connection(f"list {table.name}") as connection:
            return [shape.read(row) for row in connection.execute(statement).mappings()]

    def _counts(self, statement: Select[Any]) -> dict[str, int]:
        with self._connection("count of the acquirer") as connection:
            return {row["account"]: row["count"] for row in connection.execute(statement).mappings()}

    def transaction(self, name: str) -> AcquirerTransaction | None:
        statement = select(transactions).where(transactions.c.name == name)
        found = self._many(transactions, rows.ACQUIRER_TRANSACTION, statement)
        return found[0] if found else None

    def transactions(self, query: AcquirerTransactionQuery, page: Page) -> list[AcquirerTransaction]:
        return self._many(transactions, rows.ACQUIRER_TRANSACTION, transaction_page(query, page))

    def reports(self, acquirer_transaction: str, page: Page) -> list[Report]:
        return self._many(reports, rows.ACQUIRER_REPORT, report_page(acquirer_transaction, page))

    def unreadable_notifications(self, query: UnreadableNotificationQuery, page: Page) -> list[UnreadableNotification]:
        return self._many(unreadable, rows.UNREADABLE, unreadable_page(query, page))

    def configs_to_try(self) -> list[str]:
        with self._connection("list configs to try") as connection:
            return sorted(row.webhook_config for row in connection.execute(configs_to_try()))

    def contested_counts(self) -> dict[str, int]:
        return self._counts(contested_counts())

    def unreadable_counts(self) -> dict[str, int]:
        return self._counts(unreadable_counts())


def transaction_page(query: AcquirerTransactionQuery, page: Page) -> Select[Any]:
    wanted = {
        "account": query.account,
        "merchant_gateway_id": query.merchant_gateway_id,
        "merchant_id": query.merchant_id,
        "transaction_id": query.transaction_id,
        "merchant_reference": query.merchant_reference,
        "payment": query.payment,
    }
    conditions = [within(transactions, query.reach), transactions.c.name > page.after]
    conditions += [transactions.c[column] == value for column, value in wanted.items() if value]
    if query.states:
        conditions.append(transactions.c.state.in_(sorted(state.value for state in query.states)))
    if query.contested:
        conditions.append(transactions.c.contested)
    return select(transactions).where(*conditions).order_by(transactions.c.name).limit(page.limit)


def report_page(acquirer_transaction: str, page: Page) -> Select[Any]:
    of = reports.c.acquirer_transaction == acquirer_transaction
    return select(reports).where(of, reports.c.name > page.after).order_by(reports.c.name).limit(page.limit)


def unreadable_page(query: UnreadableNotificationQuery, page: Page) -> Select[Any]:
    """The newest first."""
    where = [within(unreadable, query.reach)]
    if query.webhook_config:
        where.append(unreadable.c.webhook_config == query.webhook_config)
    if page.after:
        where.append(unreadable.c.unreadable_id < page.after.rpartition("/")[2])
    return select(unreadable).where(*where).order_by(unreadable.c.unreadable_id.desc()).limit(page.limit)


def configs_to_try() -> Select[Any]:
    """Configs that have got a key since one of their notifications was last tried."""
    return (
        select(unreadable.c.webhook_config)
        .join(keys, keys.c.webhook_config == unreadable.c.webhook_config)
        .where(keys.c.number > unreadable.c.tried_key)
        .distinct()
    )


def contested_counts() -> Select[Any]:
    """How many transactions are contested, by account."""
    count = func.count().label("count")
    return select(transactions.c.account, count).where(transactions.c.contested).group_by(transactions.c.account)


def unreadable_counts() -> Select[Any]:
    """How many unreadable notifications are kept, by account."""
    joined = unreadable.join(configs, configs.c.name == unreadable.c.webhook_config)
    count = func.count().label("count")
    return select(configs.c.account, count).select_from(joined).group_by(configs.c.account)
