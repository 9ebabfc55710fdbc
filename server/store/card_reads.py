"""Reads of issuers' cards, their keys and accesses, outside of the writer."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Select, Table, func, select

from server.domain.card_accesses import CardAccess
from server.domain.card_keys import CardHashKey, CardKey
from server.domain.cards import Card, CurrentKeys
from server.domain.queries import CardAccessQuery, CardQuery, Page
from server.domain.tasks import OF_GATEWAYS
from server.store import card_tables, payment_tables, rows
from server.store import cards as statements
from server.store.reach import within_issuers
from server.store.rows import Shape

if TYPE_CHECKING:
    from server.store.reader import SqlView

T = TypeVar("T")

cards = card_tables.cards
accesses = card_tables.card_accesses
tasks = payment_tables.tasks


class SqlCardView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, view: "SqlView") -> None:
        self._connection = view.connection

    def _many(self, table: Table, shape: Shape[T], statement: Select[Any]) -> list[T]:
        with self._connection(f"list {table.name}") as connection:
            return [shape.read(row) for row in connection.execute(statement).mappings()]

    def card(self, name: str) -> Card | None:
        found = self._many(cards, rows.CARD, select(cards).where(cards.c.name == name))
        return found[0] if found else None

    def cards(self, query: CardQuery, page: Page) -> list[Card]:
        return self._many(cards, rows.CARD, card_page(query, page))

    def keys(self) -> list[CardKey]:
        return self._many(card_tables.card_keys, rows.CARD_KEY, select(card_tables.card_keys))

    def hash_keys(self) -> list[CardHashKey]:
        return self._many(card_tables.card_hash_keys, rows.CARD_HASH_KEY, select(card_tables.card_hash_keys))

    def accesses(self, query: CardAccessQuery, page: Page) -> list[CardAccess]:
        return self._many(accesses, rows.CARD_ACCESS, access_page(query, page))

    def has_due(self, kids: Collection[str], now: int, *, with_rotations: bool) -> bool:
        with self._connection("get due card tasks") as connection:
            due = statements.due(kids, now, with_rotations=with_rotations)
            return connection.execute(due.limit(1)).first() is not None

    def waiting(self) -> tuple[int, int | None]:
        of_gateways = tasks.c.kind.in_(sorted(kind.value for kind in OF_GATEWAYS))
        statement = select(func.count(), func.min(tasks.c.create_time)).where(of_gateways)
        with self._connection("count card tasks") as connection:
            count, oldest = connection.execute(statement).one()
        return int(count), oldest

    def has_to_rotate(self, current: CurrentKeys, kids: Collection[str]) -> bool:
        with self._connection("get cards to rotate") as connection:
            return any(
                connection.execute(statement).first() is not None
                for statement in statements.to_rotate(current, kids, 1)
            )

    def under_former_keys(self, current: CurrentKeys) -> tuple[int, int]:
        with self._connection("count cards under former keys") as connection:
            of_cards, of_hashes = (
                sum(int(connection.execute(statement).scalar_one()) for statement in pair)
                for pair in statements.under_former_keys(current)
            )
        return of_cards, of_hashes


def card_page(query: CardQuery, page: Page) -> Select[Any]:
    wanted = {"issuer_id": query.issuer_id, "consumer_id": query.consumer_id, "last_digits": query.last_digits}
    conditions = [within_issuers(cards, query.reach), cards.c.name > page.after]
    conditions += [cards.c[column] == value for column, value in wanted.items() if value]
    if query.states:
        conditions.append(cards.c.state.in_(sorted(state.value for state in query.states)))
    return select(cards).where(*conditions).order_by(cards.c.name).limit(page.limit)


def access_page(query: CardAccessQuery, page: Page) -> Select[Any]:
    """The newest first: names begin with the time."""
    conditions = [within_issuers(accesses, query.reach)]
    conditions += [accesses.c.issuer_id == query.issuer_id] if query.issuer_id else []
    conditions += [accesses.c.card == query.card] if query.card else []
    if query.purposes:
        conditions.append(accesses.c.purpose.in_(sorted(purpose.value for purpose in query.purposes)))
    if query.results:
        conditions.append(accesses.c.result.in_(sorted(result.value for result in query.results)))
    if page.after:
        conditions.append(accesses.c.name < page.after)
    return select(accesses).where(*conditions).order_by(accesses.c.name.desc()).limit(page.limit)
