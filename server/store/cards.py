"""Issuers' cards, the keys of their data, and accesses to it, within one transaction of the writer."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy import update as updated

from server.domain.card_accesses import CardAccess, CardDataAccessResult, CardDataPurpose
from server.domain.card_keys import CardHashKey, CardKey
from server.domain.cards import GONE, Card, CurrentKeys, NumberHash
from server.domain.tasks import OF_GATEWAYS, Task
from server.store import card_tables, payment_tables, rows
from server.store.shelf import TableShelf

if TYPE_CHECKING:
    from server.store.transaction import SqlTransaction

cards = card_tables.cards
accesses = card_tables.card_accesses
tasks = payment_tables.tasks
ATTEMPTS = ("verification_attempts", "last_verification_attempt_time", "attempts_exceeded_told")


class SqlCards:
    """What a transaction can do with cards. Lock order: cards, hash keys, tasks."""

    def __init__(self, transaction: "SqlTransaction") -> None:
        self._transaction = transaction
        self.cards: TableShelf[Card] = TableShelf(transaction, cards, rows.CARD)
        self.keys: TableShelf[CardKey] = TableShelf(transaction, card_tables.card_keys, rows.CARD_KEY)
        self.hash_keys: TableShelf[CardHashKey] = TableShelf(
            transaction, card_tables.card_hash_keys, rows.CARD_HASH_KEY
        )
        self.accesses: TableShelf[CardAccess] = TableShelf(transaction, accesses, rows.CARD_ACCESS)

    def _rows(self, statement: Any) -> Sequence[RowMapping]:
        return self._transaction.connection.execute(statement).mappings().all()

    def with_number(self, issuer_id: str, hashes: Sequence[NumberHash]) -> list[Card]:
        if not hashes:
            return []
        same = [and_(cards.c.hash_key_id == each.hash_key_id, cards.c.number_hash == each.hash) for each in hashes]
        found = self._rows(select(cards).where(cards.c.issuer_id == issuer_id, or_(*same)))
        order = {each.hash_key_id: place for place, each in enumerate(hashes)}
        return sorted((rows.CARD.read(row) for row in found), key=lambda card: order[card.hash_key_id])

    def lock_with_number(self, issuer_id: str, hashes: Sequence[NumberHash]) -> Card | None:
        found = self.with_number(issuer_id, hashes)
        if not found or self._transaction.connection.dialect.name != "postgresql":
            # SQLite has one writer.
            return found[0] if found else None
        # It may have got another number while its lock was waited for.
        locked = self.cards.get(found[0].name)
        wanted = {(each.hash_key_id, each.hash) for each in hashes}
        return locked if locked and (locked.hash_key_id, locked.number_hash) in wanted else None

    def of_consumer(self, issuer_id: str, consumer_id: str) -> str:
        gone = sorted(state.value for state in GONE)
        found = self._rows(
            select(cards.c.name)
            .where(cards.c.issuer_id == issuer_id, cards.c.consumer_id == consumer_id, cards.c.state.not_in(gone))
            .order_by(cards.c.name)
            .limit(1)
        )
        return str(found[0]["name"]) if found else ""

    def save_attempts(self, card: Card) -> None:
        statement = (
            updated(cards)
            .where(cards.c.name == bindparam("of_name"))
            .values({name: bindparam(f"new_{name}") for name in ATTEMPTS})
        )
        row = {"of_name": card.name, **{f"new_{name}": getattr(card, name) for name in ATTEMPTS}}
        self._transaction.change(statement, [row])

    def due(self, kids: Collection[str], now: int, limit: int, *, with_rotations: bool) -> list[tuple[Task, Card]]:
        waiting = case((cards.c.pending_card != "", 0), else_=1)
        statement = (
            due(kids, now, with_rotations=with_rotations)
            .order_by(waiting, tasks.c.due_time, tasks.c.name)
            .limit(limit)
            .with_for_update(of=tasks, skip_locked=True)
        )
        found = [rows.TASK.read(row) for row in self._rows(statement)]
        named = self._rows(select(cards).where(cards.c.name.in_(sorted(task.resource for task in found))))
        held = {row["name"]: rows.CARD.read(row) for row in named}
        return [(task, held[task.resource]) for task in found if task.resource in held]

    def tasks_of(self, card: str) -> list[Task]:
        return [rows.TASK.read(row) for row in self._rows(select(tasks).where(tasks.c.resource == card))]

    def to_rotate(self, current: CurrentKeys, kids: Collection[str], limit: int) -> list[Card]:
        found: dict[str, Card] = {}
        for statement in to_rotate(current, kids, limit):
            for row in self._rows(statement.with_for_update(of=cards, skip_locked=True)):
                found.setdefault(row["name"], rows.CARD.read(row))
        return [found[name] for name in sorted(found)][:limit]

    def unreported(self, card: str, purposes: Collection[CardDataPurpose]) -> CardAccess | None:
        wanted = sorted(purpose.value for purpose in purposes)
        statement = (
            select(accesses)
            .where(accesses.c.card == card, accesses.c.purpose.in_(wanted))
            .order_by(accesses.c.name.desc())
            .limit(1)
        )
        found = [rows.CARD_ACCESS.read(row) for row in self._rows(statement)]
        return found[0] if found and found[0].result is CardDataAccessResult.UNSPECIFIED else None


def due(kids: Collection[str], now: int, *, with_rotations: bool) -> Select[Any]:
    """Due tasks for gateways that can open what they are about."""
    key = case((cards.c.pending_card != "", cards.c.pending_key_id), else_=cards.c.card_key_id)
    return (
        select(tasks)
        .join(cards, cards.c.name == tasks.c.resource)
        .where(
            tasks.c.due_time <= now,
            or_(tasks.c.lease_expire_time.is_(None), tasks.c.lease_expire_time <= now),
            tasks.c.kind.in_(sorted(kind.value for kind in OF_GATEWAYS)),
            key.in_(sorted(kids)),
            *(() if with_rotations else (cards.c.pending_card != "",)),
        )
    )


def to_rotate(current: CurrentKeys, kids: Collection[str], limit: int) -> list[Select[Any]]:
    """Cards under other keys than the current ones that nobody has a task for: each by its index, so that where there
    are none nothing is walked over."""
    tasked = exists().where(tasks.c.resource == cards.c.name)
    others = sorted(set(kids) - {current.card_key_id})
    # An expression, so that the index of the key that all cards are under is not taken.
    openable = cards.c.card_key_id.concat("").in_(sorted(kids))
    wanted: list[ColumnElement[bool]] = [
        cards.c.card_key_id.in_(others),
        and_(cards.c.hash_key_id < current.hash_key_id, openable),
        and_(cards.c.hash_key_id > current.hash_key_id, openable),
    ]
    live: ColumnElement[bool] = literal_column(card_tables.LIVE)
    return [select(cards).where(live, condition, ~tasked).limit(limit) for condition in wanted]


def under_former_keys(current: CurrentKeys) -> list[list[Select[Any]]]:
    """Counts of cards before and behind the current key in the index of each kind of key: where all cards are under the
    current keys nothing is walked over."""
    live: ColumnElement[bool] = literal_column(card_tables.LIVE)
    kinds = ((cards.c.card_key_id, current.card_key_id), (cards.c.hash_key_id, current.hash_key_id))
    return [
        [select(func.count()).select_from(cards).where(live, condition) for condition in (column < now, column > now)]
        for column, now in kinds
    ]
