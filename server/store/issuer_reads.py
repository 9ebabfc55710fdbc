"""Reads of what D1 tells card issuers, outside of the writer."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import ColumnElement, Select, Table, select

from server.domain.digital_cards import DigitalCard
from server.domain.issuer_operations import IssuerOperation
from server.domain.queries import DigitalCardQuery, IssuerOperationQuery, Page
from server.store import digital_card_tables, rows, schema
from server.store.reach import within_issuers
from server.store.rows import Shape
from server.store.searches import among

if TYPE_CHECKING:
    from server.store.reader import SqlView

T = TypeVar("T")

operations = schema.issuer_operations
cards = digital_card_tables.digital_cards


class SqlIssuerView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, view: "SqlView") -> None:
        self._connection = view.connection

    def operation(self, name: str) -> IssuerOperation | None:
        return self._one(operations, rows.ISSUER_OPERATION, name)

    def operations(self, query: IssuerOperationQuery, page: Page) -> list[IssuerOperation]:
        conditions = [within_issuers(operations, query.reach)]
        for column in ("issuer_id", "card_id", "digital_card_id", "operation_id"):
            if value := getattr(query, column):
                conditions.append(operations.c[column] == value)
        if query.kinds:
            conditions.append(among(operations.c.kind, query.kinds))
        if query.states:
            conditions.append(among(operations.c.state, query.states))
        return self._page(operations, rows.ISSUER_OPERATION, page, conditions)

    def digital_card(self, name: str) -> DigitalCard | None:
        return self._one(cards, rows.DIGITAL_CARD, name)

    def digital_cards(self, query: DigitalCardQuery, page: Page) -> list[DigitalCard]:
        conditions = [within_issuers(cards, query.reach)]
        for column in ("issuer_id", "card_id"):
            if value := getattr(query, column):
                conditions.append(cards.c[column] == value)
        if query.states:
            conditions.append(among(cards.c.state, query.states))
        return self._page(cards, rows.DIGITAL_CARD, page, conditions)

    def _one(self, table: Table, shape: Shape[T], name: str) -> T | None:
        with self._connection(f"get {table.name}") as connection:
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
        return None if row is None else shape.read(row)

    def _page(self, table: Table, shape: Shape[T], page: Page, conditions: Iterable[ColumnElement[bool]]) -> list[T]:
        statement: Select[tuple[object, ...]] = (
            select(table).where(table.c.name > page.after, *conditions).order_by(table.c.name).limit(page.limit)
        )
        with self._connection(f"list {table.name}") as connection:
            return [shape.read(row) for row in connection.execute(statement).mappings()]
