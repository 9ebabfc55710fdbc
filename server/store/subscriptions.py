"""Reads of subscriptions: how far each is, and what can be handed out."""

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, exists, func, or_, select

from server.domain.queries import Page
from server.domain.subscriptions import Floor, Standing
from server.ports import PullState
from server.store import rows, schema

subscriptions = schema.subscriptions
deliveries = schema.deliveries
head = schema.store_head


def _far(name: str = "") -> Select[Any]:
    """Every subscription, or one, with its outstanding events counted, its floor, and the head."""
    counted = select(
        deliveries.c.subscription,
        func.count().label("outstanding_count"),
        func.min(deliveries.c.sequence).label("first"),
    ).group_by(deliveries.c.subscription)
    if name:
        # Said twice: SQLite would count everybody's.
        counted = counted.where(deliveries.c.subscription == name)
    out = counted.subquery()
    far = select(
        subscriptions,
        func.coalesce(out.c.outstanding_count, 0).label("outstanding_count"),
        func.coalesce(out.c.first - 1, subscriptions.c.scanned_sequence).label("floor"),
        head.c.sequence.label("head"),
        head.c.removed_sequence.label("removed"),
    ).select_from(subscriptions.outerjoin(out, out.c.subscription == subscriptions.c.name).join(head, head.c.id == 1))
    return far.where(subscriptions.c.name == name) if name else far


def _standing(connection: Connection, row: Row[Any]) -> Standing:
    events = schema.events
    oldest = connection.execute(
        select(events.c.time).where(events.c.sequence > row.floor).order_by(events.c.sequence).limit(1)
    ).scalar_one_or_none()
    # The head may have moved between the two statements.
    subscription = rows.SUBSCRIPTION.read(row._mapping)
    return Standing(subscription, row.floor, row.outstanding_count, max(row.head, row.floor), oldest)


def standing(connection: Connection, name: str) -> Standing | None:
    row = connection.execute(_far(name)).first()
    return None if row is None else _standing(connection, row)


def standings(connection: Connection, client: str, page: Page) -> list[Standing]:
    statement = _far().where(subscriptions.c.name > page.after).order_by(subscriptions.c.name).limit(page.limit)
    if client:
        statement = statement.where(subscriptions.c.client == client)
    return [_standing(connection, row) for row in connection.execute(statement).all()]


def floors(connection: Connection) -> list[Floor]:
    return [
        Floor(row.name, row.floor, row.update_time, row.last_acknowledge_time)
        for row in connection.execute(_far().order_by(subscriptions.c.name))
    ]


def pull_state(connection: Connection, name: str, limit: int, now: int) -> PullState | None:
    row = connection.execute(_far(name)).first()
    if row is None:
        return None
    other = deliveries.alias()
    leased = exists().where(
        other.c.subscription == name,
        other.c.resource == deliveries.c.resource,
        other.c.lease_expire_time > now,
    )
    free = (
        select(deliveries)
        .where(
            deliveries.c.subscription == name,
            or_(deliveries.c.lease_expire_time.is_(None), deliveries.c.lease_expire_time <= now),
            ~leased,
        )
        .order_by(deliveries.c.sequence)
        .limit(limit)
    )
    lease_end = select(func.min(deliveries.c.lease_expire_time)).where(
        and_(deliveries.c.subscription == name, deliveries.c.lease_expire_time > now)
    )
    outstanding = row.outstanding_count > 0
    return PullState(
        subscription=rows.SUBSCRIPTION.read(row._mapping),
        floor=row.floor,
        outstanding_count=row.outstanding_count,
        head=row.head,
        removed=row.removed,
        free=tuple(rows.DELIVERY.read(each) for each in connection.execute(free).mappings()) if outstanding else (),
        lease_end=connection.execute(lease_end).scalar_one() if outstanding else None,
    )
