"""What subscriptions have outstanding, within a transaction."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.sql import Executable

from server.domain.subscriptions import Delivery, Queue
from server.store import rows, schema

Change = Callable[[Executable, list[dict[str, Any]]], None]
table = schema.deliveries


class SqlDeliveries:
    """Whoever changes what a subscription has outstanding holds the subscription's own row: get it first."""

    def __init__(self, connection: Connection, change: Change) -> None:
        self._connection = connection
        self._change = change

    def named(self, subscription: str, sequences: Collection[int]) -> list[Delivery]:
        if not sequences:
            return []
        found = self._connection.execute(
            select(table).where(table.c.subscription == subscription, table.c.sequence.in_(sorted(sequences)))
        )
        return [rows.DELIVERY.read(row) for row in found.mappings()]

    def front(self, subscription: str, resources: Collection[str], last: int, now: int) -> list[Delivery]:
        if not resources:
            return []
        found = self._connection.execute(
            select(table)
            .where(
                table.c.subscription == subscription,
                table.c.resource.in_(sorted(resources)),
                or_(table.c.sequence <= last, table.c.lease_expire_time > now),
            )
            .order_by(table.c.sequence)
        )
        return [rows.DELIVERY.read(row) for row in found.mappings()]

    def queues(self, subscription: str, resources: Collection[str]) -> dict[str, Queue]:
        if not resources:
            return {}
        found = self._connection.execute(
            select(table.c.resource, func.count().label("size"), func.max(table.c.lease_expire_time).label("leased"))
            .where(table.c.subscription == subscription, table.c.resource.in_(sorted(resources)))
            .group_by(table.c.resource)
        )
        return {row.resource: Queue(row.size, row.leased) for row in found}

    def count(self, subscription: str) -> int:
        counted = select(func.count()).select_from(table).where(table.c.subscription == subscription)
        return int(self._connection.execute(counted).scalar_one())

    def insert(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            self._change(insert(table), [rows.DELIVERY.row(each) for each in deliveries])

    def update(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            statement = (
                update(table)
                .where(table.c.subscription == bindparam("of"), table.c.sequence == bindparam("at"))
                .values(lease_expire_time=bindparam("leased"), delivery_count=bindparam("times"))
            )
            changed = [
                {
                    "of": each.subscription,
                    "at": each.sequence,
                    "leased": each.lease_expire_time,
                    "times": each.delivery_count,
                }
                for each in deliveries
            ]
            self._change(statement, changed)

    def remove(self, subscription: str, sequences: Collection[int]) -> None:
        if sequences:
            statement = delete(table).where(
                table.c.subscription == bindparam("of"), table.c.sequence == bindparam("at")
            )
            self._change(statement, [{"of": subscription, "at": sequence} for sequence in sorted(sequences)])

    def clear(self, subscription: str) -> None:
        self._change(delete(table).where(table.c.subscription == bindparam("of")), [{"of": subscription}])
