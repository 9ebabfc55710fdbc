"""The rows of one resource type within a transaction."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, text, update

from server.store.rows import Shape

if TYPE_CHECKING:
    from server.store.transaction import SqlTransaction

T = TypeVar("T")


def among(connection: Connection, column: str) -> str:
    """A condition on a list of any length in one parameter, so that one statement serves them all."""
    if connection.dialect.name == "postgresql":
        return f"{column} = ANY(:wanted)"
    return f"{column} IN (SELECT value FROM json_each(:wanted))"  # noqa: S608  our own names


def wanted(connection: Connection, values: Sequence[Any]) -> Any:
    return list(values) if connection.dialect.name == "postgresql" else json.dumps(list(values))


class TableShelf(Generic[T]):
    """The rows of one resource type."""

    def __init__(self, transaction: "SqlTransaction", table: Table, shape: Shape[T]) -> None:
        self._transaction = transaction
        self._table = table
        self._shape = shape

    def get(self, name: str) -> T | None:
        return self.get_many((name,)).get(name)

    def get_many(self, names: Sequence[str]) -> dict[str, T]:
        if not names:
            return {}
        connection = self._transaction.connection
        # Locked in the order of the names, so that two cores wait for each other instead of locking each other out.
        lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
        condition = among(connection, "name")
        statement = text(f"SELECT * FROM {self._table.name} WHERE {condition} ORDER BY name{lock}")  # noqa: S608  our own names
        found = connection.execute(statement, {"wanted": wanted(connection, sorted(set(names)))})
        return {row["name"]: self._shape.read(row) for row in found.mappings()}

    def all(self) -> list[T]:
        found = self._transaction.connection.execute(select(self._table).order_by(self._table.c.name))
        return [self._shape.read(row) for row in found.mappings()]

    def insert(self, items: Sequence[T]) -> None:
        if items:
            added = [self._shape.row(item) for item in items]
            self._transaction.touch(self._table, [row["name"] for row in added])
            self._transaction.change(insert(self._table), added)

    def update(self, items: Sequence[T]) -> None:
        if not items:
            return
        columns: dict[str, Any] = {name: bindparam(name) for name in self._shape.columns if name != "name"}
        statement = update(self._table).where(self._table.c.name == bindparam("of_name")).values(columns)
        changed = []
        for item in items:
            row = self._shape.row(item)
            row["of_name"] = row.pop("name")
            changed.append(row)
        self._transaction.touch(self._table, [row["of_name"] for row in changed])
        self._transaction.change(statement, changed)

    def delete(self, names: Sequence[str]) -> None:
        if names:
            statement = delete(self._table).where(self._table.c.name == bindparam("of_name"))
            self._transaction.touch(self._table, names)
            self._transaction.change(statement, [{"of_name": name} for name in names])
