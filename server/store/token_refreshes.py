"""Tokens that are to be read again, and the tasks that read them."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, RowMapping, Select, TextClause, delete, exists, func, select, text, update

from server.domain.tasks import Task, TaskKind
from server.domain.tokens import Token, TokenProvider
from server.store import payment_tables, rows, schema

if TYPE_CHECKING:
    from server.store.reader import SqlView
    from server.store.transaction import SqlTransaction

tasks = payment_tables.tasks
tokens = schema.tokens
_COLUMNS = tuple(column.name for column in tasks.columns)
# Another core, or the steward, may have made one meanwhile.
_WANT = text(
    f"INSERT INTO tasks ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)}) "  # noqa: S608  our own names
    "ON CONFLICT (name) DO UPDATE SET account = excluded.account, due_time = "
    "CASE WHEN excluded.due_time < tasks.due_time THEN excluded.due_time ELSE tasks.due_time END, correlation_id = "
    "CASE WHEN excluded.correlation_id = '' THEN tasks.correlation_id ELSE excluded.correlation_id END"
)


class SqlTokenRefreshes:
    """What a transaction can do with them."""

    def __init__(self, transaction: "SqlTransaction") -> None:
        self._transaction = transaction

    def _rows(self, statement: Any) -> Sequence[RowMapping]:
        return self._transaction.connection.execute(statement).mappings().all()

    def want(self, tasks: Sequence[Task]) -> None:
        if tasks:
            ordered = sorted(tasks, key=lambda task: task.name)
            self._transaction.change(_WANT, [rows.TASK.row(task) for task in ordered])

    def wake(self, account: str, now: int) -> None:
        mine = tasks.c.kind == TaskKind.REFRESH_TOKEN.value, tasks.c.account == account, tasks.c.due_time > now
        self._transaction.change(update(tasks).where(*mine).values(due_time=now, tries=0), [{}])

    def forget(self, account: str) -> None:
        mine = tasks.c.kind == TaskKind.REFRESH_TOKEN.value, tasks.c.account == account
        self._transaction.change(delete(tasks).where(*mine), [{}])

    def tokens_seen(self, names: Collection[str]) -> dict[str, Token]:
        if not names:
            return {}
        found = self._rows(select(tokens).where(tokens.c.name.in_(sorted(set(names)))))
        return {row["name"]: rows.TOKEN.read(row) for row in found}

    def unplanned(self, merchant_gateway_ids: Collection[str], limit: int) -> list[Token]:
        return [rows.TOKEN.read(row) for row in self._rows(unplanned(merchant_gateway_ids).limit(limit))]

    def under_way(self, now: int) -> dict[str, int]:
        reading = tasks.c.kind == TaskKind.REFRESH_TOKEN.value, tasks.c.lease_expire_time > now
        counted = select(tasks.c.account, func.count().label("count")).where(*reading).group_by(tasks.c.account)
        return {row["account"]: row["count"] for row in self._rows(counted)}


class SqlTokenRefreshView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, view: "SqlView") -> None:
        self._connection = view.connection

    def _many(self, statement: Select[Any]) -> list[RowMapping]:
        with self._connection("list tokens to refresh") as connection:
            return list(connection.execute(statement).mappings())

    def has_unplanned(self, merchant_gateway_ids: Collection[str]) -> bool:
        return bool(merchant_gateway_ids) and bool(self._many(unplanned(merchant_gateway_ids).limit(1)))

    def due_counts(self, merchant_gateway_ids: Collection[str]) -> dict[str, int]:
        return self._counts(merchant_gateway_ids)

    def problem_counts(self, merchant_gateway_ids: Collection[str]) -> dict[str, int]:
        return self._counts(merchant_gateway_ids, tokens.c.refresh_error != "")

    def _counts(self, merchant_gateway_ids: Collection[str], *conditions: ColumnElement[bool]) -> dict[str, int]:
        if not merchant_gateway_ids:
            return {}
        gateway = tokens.c.merchant_gateway_id
        counted = select(gateway, func.count().label("count")).where(*_due(merchant_gateway_ids), *conditions)
        return {row[gateway.name]: row["count"] for row in self._many(counted.group_by(gateway))}


def unplanned(merchant_gateway_ids: Collection[str]) -> Select[Any]:
    planned = exists().where(tasks.c.resource == tokens.c.name, tasks.c.kind == TaskKind.REFRESH_TOKEN.value)
    return select(tokens).where(*_due(merchant_gateway_ids), ~planned).order_by(tokens.c.name)


def _due(merchant_gateway_ids: Collection[str]) -> tuple[ColumnElement[bool] | TextClause, ...]:
    # In the words of the index.
    return (
        text(schema.REFRESH_DUE),
        tokens.c.provider == TokenProvider.D1_ECOM.value,
        tokens.c.merchant_gateway_id.in_(sorted(merchant_gateway_ids)),
    )
