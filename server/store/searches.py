"""What notifications and histories are searched by. Some conditions are said twice: a partial index is used only where
the query repeats its words."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, literal, literal_column, or_, select

from server.domain import names
from server.domain.notification_filters import NotificationFilter
from server.domain.notifications import LONGEST_SEARCHABLE, NotificationFlag, NotificationState
from server.domain.queries import IssuerOperationQuery, NotificationQuery, ReplayQuery
from server.store import schema
from server.store.reach import within_issuers

# A clock that was set back leaves names ahead of the time of receipt, by no more than this.
SET_BACK = 24 * 3600 * 1_000_000

# The ids of which there are many, each in few notifications.
NARROW = frozenset({"token_id", "device_id", "correlation_id", "card_id"})

notifications = schema.notifications.c
Condition = ColumnElement[bool]


def among(column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    wanted = sorted(str(value) for value in values)
    return column.in_(wanted) if wanted else false()


def of_notifications(query: NotificationQuery) -> list[Condition]:
    """The conditions of a search, the caller's reach left out."""
    chosen = query.filter
    ids = _ids(chosen)
    conditions = [*_by_ids(ids), *_by_time(chosen)]
    hints: list[str] = []
    if chosen.states:
        conditions.append(among(notifications.state, chosen.states))
        hints += [] if NotificationState.APPLIED in chosen.states else ["state <> 'APPLIED'"]
    kinds = chosen.wanted_kinds
    if kinds is not None:
        conditions.append(among(notifications.kind, kinds))
    if chosen.quarantine_reasons:
        conditions.append(among(notifications.quarantine_reason, chosen.quarantine_reasons))
        hints.append("state <> 'APPLIED'")
    if chosen.flags:
        conditions.append(or_(*(_with_flag(flag) for flag in sorted(chosen.flags))))
        hints.append("flags <> '[]'")
    if chosen.sender:
        conditions.append(notifications.sender == chosen.sender)
    if chosen.resource:
        conditions.append(_below(chosen.resource))
    # Without figures SQLite takes any index that fits: those of an id leave fewest.
    return conditions if NARROW & ids.keys() else [*conditions, *map(literal_column, hints)]


def _ids(chosen: NotificationFilter) -> dict[str, str]:
    """The ids that are asked for, by column; those that a resource's name is made of among them: the name itself has no
    index."""
    wanted = {
        "merchant_gateway_id": chosen.merchant_gateway_id,
        "merchant_id": chosen.merchant_id,
        "token_id": chosen.token_id,
        "device_id": chosen.device_id,
        "correlation_id": chosen.correlation_id,
        "issuer_id": chosen.issuer_id,
        "card_id": chosen.card_id,
    }
    of_name = {column: value[:LONGEST_SEARCHABLE] for column, value in names.ids_of(chosen.resource).items()}
    return of_name | {column: value for column, value in wanted.items() if value}


def _by_ids(ids: dict[str, str]) -> list[Condition]:
    conditions = [
        # An expression, so that a merchant's index is not taken where an id leaves fewer.
        (
            notifications.merchant_id.concat("")
            if column == "merchant_id" and NARROW & ids.keys()
            else notifications[column]
        )
        == value
        for column, value in ids.items()
    ]
    # What partial indexes are made of.
    return conditions + [literal_column(f"{column} <> ''") for column in ("device_id", "card_id") if column in ids]


def _below(resource: str) -> ColumnElement[bool]:
    return or_(
        notifications.resource == resource,
        func.substr(notifications.resource, 1, len(resource) + 1) == f"{resource}/",
    )


def _by_time(chosen: NotificationFilter) -> list[Condition]:
    """Names begin with a microsecond that is the time of receipt or, where that was taken, a later one."""
    conditions: list[Condition] = []
    if chosen.start_time is not None:
        conditions += [
            notifications.receive_time >= chosen.start_time,
            notifications.name >= names.notifications_from(chosen.start_time),
        ]
    if chosen.end_time is not None:
        conditions += [
            notifications.receive_time < chosen.end_time,
            notifications.name < names.notifications_from(chosen.end_time + SET_BACK),
        ]
    return conditions


def _with_flag(flag: NotificationFlag) -> ColumnElement[bool]:
    # Flags are kept as JSON: `["NUL","FIELD_ODD"]`.
    return notifications.flags.contains(f'"{flag}"', autoescape=True)


def of_issuer_operations(query: IssuerOperationQuery) -> list[Condition]:
    """The conditions of a list, the caller's reach among them."""
    table = schema.issuer_operations
    conditions = [within_issuers(table, query.reach)]
    for column in ("issuer_id", "card_id", "digital_card_id", "operation_id"):
        if value := getattr(query, column):
            conditions.append(table.c[column] == value)
    if query.kinds:
        conditions.append(among(table.c.kind, query.kinds))
    if query.states:
        conditions.append(among(table.c.state, query.states))
    return conditions


def snapshots(resource: str, *, start: int = 0, before: int | None = None, newest_first: bool = False) -> Select[Any]:
    """The events that hold the resource as it was, with a sequence from `start` and below `before`."""
    events = schema.events.c
    conditions = [events.resource == resource, literal_column("snapshot <> ''"), events.sequence >= start]
    if before is not None:
        conditions.append(events.sequence < before)
    order = events.sequence.desc() if newest_first else events.sequence
    return select(schema.events).where(*conditions).order_by(order)


def apart(resource: str, *, replayed_only: bool) -> Select[Any]:
    """The notifications of a resource whose place no event of it tells."""
    table = schema.notifications
    conditions = [table.c.resource == resource, literal_column(schema.APART)]
    if replayed_only:
        conditions.append(table.c.replay_time.is_not(None))
    return select(table).where(*conditions).order_by(table.c.name)


def first_events(wanted: Iterable[str]) -> Select[Any]:
    """The first event that each of the notifications caused."""
    events = schema.events.c
    return (
        select(events.notification, func.min(events.sequence).label("sequence"))
        .where(events.notification.in_(sorted(wanted)))
        .group_by(events.notification)
    )


def counted(conditions: list[Condition], most: int) -> Select[Any]:
    """How many notifications there are, `most` at most."""
    found = select(literal(1)).select_from(schema.notifications).where(and_(*conditions)).limit(most).subquery()
    return select(func.count()).select_from(found)


def replays(query: ReplayQuery, after: str) -> Select[Any]:
    table = schema.replays
    conditions: list[Condition] = [table.c.client == query.client] if query.client else []
    if after:
        conditions.append(table.c.name < after)
    return select(table).where(*conditions).order_by(table.c.name.desc())
