"""Reads of consumers, outside of the writer."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select

from server.domain.consumers import Consumer
from server.domain.queries import ConsumerQuery, Page
from server.store import consumer_tables, rows
from server.store.reach import within_issuers

if TYPE_CHECKING:
    from server.store.reader import SqlView

consumers = consumer_tables.consumers


class SqlConsumerView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, view: "SqlView") -> None:
        self._connection = view.connection

    def _rows(self, read: str, statement: Select[Any]) -> list[Consumer]:
        with self._connection(f"{read} consumers") as connection:
            return [rows.CONSUMER.read(row) for row in connection.execute(statement).mappings()]

    def get(self, name: str) -> Consumer | None:
        found = self._rows("get", select(consumers).where(consumers.c.name == name))
        return found[0] if found else None

    def page(self, query: ConsumerQuery, page: Page) -> list[Consumer]:
        conditions = [within_issuers(consumers, query.reach), consumers.c.name > page.after]
        if query.issuer_id:
            conditions.append(consumers.c.issuer_id == query.issuer_id)
        if query.states:
            conditions.append(consumers.c.state.in_(sorted(state.value for state in query.states)))
        return self._rows("list", select(consumers).where(*conditions).order_by(consumers.c.name).limit(page.limit))
