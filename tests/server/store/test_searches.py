"""Notifications are found by everything that an operator may know of them, and by an index where there is one."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from server.domain import names
from server.domain.callers import ANY, Reach
from server.domain.notification_filters import NotificationFilter, of_text, to_text
from server.domain.notifications import (
    Notification,
    NotificationFlag,
    NotificationKind,
    NotificationState,
    Partner,
    QuarantineReason,
)
from server.domain.queries import NotificationQuery, Page
from server.store import schema, searches
from server.store.engine import parse_url, reader_engine
from server.store.store import SqlStore
from tests.server.store import samples

EVERYTHING = Reach(frozenset({ANY}))
START = samples.TIME
SECOND = 1_000_000
TOKEN = names.token(samples.GATEWAY, samples.MERCHANT, "t-1")


def stored_at(micros: int, **fields: Any) -> Notification:
    return replace(samples.notification(f"{micros:014x}aa"), receive_time=micros, **fields)


KEPT = [
    stored_at(START, resource=TOKEN, state=NotificationState.APPLIED, quarantine_reason=None, flags=()),
    stored_at(START + SECOND, resource=f"{TOKEN}/bindings/d-1", state=NotificationState.STALE, quarantine_reason=None),
    stored_at(START + 2 * SECOND, resource="", quarantine_reason=QuarantineReason.IDENTIFIER_UNUSABLE),
    stored_at(START + 3 * SECOND, resource=f"{TOKEN}x", sender="clients/d1", kind=NotificationKind.D1_TOKEN_UPDATE),
]
FOUND: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3]),
    ({"partners": frozenset({Partner.D1})}, [3]),
    ({"partners": frozenset({Partner.TSH})}, [0, 1, 2]),
    ({"partners": frozenset(Partner), "kinds": frozenset({NotificationKind.D1_TOKEN_UPDATE})}, [3]),
    ({"partners": frozenset({Partner.TSH}), "kinds": frozenset({NotificationKind.D1_TOKEN_UPDATE})}, []),
    ({"sender": "clients/d1"}, [3]),
    ({"sender": "clients/d"}, []),
    ({"start_time": START + SECOND}, [1, 2, 3]),
    ({"end_time": START + SECOND}, [0]),
    ({"start_time": START + 1, "end_time": START + 3 * SECOND}, [1, 2]),
    ({"start_time": START + SECOND, "end_time": START}, []),
    ({"quarantine_reasons": frozenset({QuarantineReason.IDENTIFIER_UNUSABLE})}, [2]),
    ({"quarantine_reasons": frozenset(QuarantineReason)}, [2, 3]),
    ({"resource": TOKEN}, [0, 1]),
    ({"resource": f"{TOKEN}/bindings/d-1"}, [1]),
    ({"resource": names.merchant(samples.GATEWAY, samples.MERCHANT)}, [0, 1, 3]),
    ({"resource": names.merchant_gateway(samples.GATEWAY)}, [0, 1, 3]),
    ({"resource": "merchantGateways/MGW%"}, []),
    ({"resource": f"{TOKEN}/bindings"}, [1]),
    ({"resource": TOKEN, "token_id": "other"}, []),
    ({"merchant_id": samples.MERCHANT, "token_id": "t-1"}, [0, 1, 2, 3]),
    ({"merchant_id": "other", "token_id": "t-1"}, []),
    ({"flags": frozenset({NotificationFlag.NUL})}, [1, 2, 3]),
    ({"flags": frozenset({NotificationFlag.FIELD_ODD, NotificationFlag.DUPLICATE_KEY})}, [1, 2, 3]),
    ({"flags": frozenset({NotificationFlag.DUPLICATE_KEY})}, []),
    ({"states": frozenset({NotificationState.STALE, NotificationState.QUARANTINED})}, [1, 2, 3]),
    ({"states": frozenset(NotificationState), "token_id": "t-1", "device_id": "d-1"}, [0, 1, 2, 3]),
]


@pytest.mark.parametrize(("wanted", "places"), FOUND)
def test_notifications_are_found(store: SqlStore, wanted: dict[str, Any], places: list[int]) -> None:
    store.write("k", lambda t: t.keep_notifications(KEPT))
    chosen = NotificationFilter(**wanted)
    newest = NotificationQuery(EVERYTHING, chosen)
    oldest = replace(newest, oldest_first=True)
    expected = [KEPT[place] for place in places]
    assert store.view.notifications(newest, Page()) == expected[::-1]
    assert store.view.notifications(oldest, Page()) == expected
    assert store.view.count_notifications(newest, 100) == len(expected)
    assert store.view.count_notifications(newest, 1) == min(1, len(expected))
    if expected:
        assert store.view.notifications(oldest, Page(expected[0].name)) == expected[1:]
        assert store.view.notifications(newest, Page(expected[-1].name)) == expected[:-1][::-1]
    assert of_text(to_text(chosen)) == chosen


def test_a_clock_that_was_set_back_hides_nothing(store: SqlStore) -> None:
    ahead = replace(samples.notification(f"{START + 3600 * SECOND:014x}aa"), receive_time=START)
    store.write("k", lambda t: t.keep_notifications([ahead]))
    query = NotificationQuery(EVERYTHING, NotificationFilter(start_time=START, end_time=START + 1))
    assert store.view.notifications(query, Page()) == [ahead]


INDEXED: list[tuple[dict[str, Any], str]] = [
    ({"token_id": "t"}, "notifications_by_token_id (token_id=?"),
    ({"device_id": "d"}, "notifications_by_device_id (device_id=?"),
    ({"merchant_id": "m"}, "notifications_by_merchant_id (merchant_id=?"),
    ({"correlation_id": "c"}, "notifications_by_correlation_id (correlation_id=?"),
    ({"resource": TOKEN}, "notifications_by_token_id (token_id=?"),
    ({"merchant_id": "m", "token_id": "t"}, "notifications_by_token_id (token_id=?"),
    (
        {"token_id": "t", "states": frozenset({NotificationState.QUARANTINED})},
        "notifications_by_token_id (token_id=?",
    ),
    ({"states": frozenset({NotificationState.QUARANTINED})}, "notifications_by_state (state=?"),
    (
        {"states": frozenset({NotificationState.QUARANTINED}), "start_time": START},
        "notifications_by_state (state=? AND name>?",
    ),
    ({"flags": frozenset({NotificationFlag.NUL})}, "notifications_with_flags"),
    ({"start_time": START, "end_time": START + 1}, "(name>? AND name<?)"),
]


def plan_of(database: str, statement: Any) -> list[str]:
    """How SQLite would go about it. PostgreSQL chooses by how much there is."""
    compiled = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    engine = reader_engine(parse_url(database))
    try:
        with engine.connect() as connection:
            return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]
    finally:
        engine.dispose()


@pytest.mark.parametrize(("wanted", "index"), INDEXED)
def test_what_is_typed_at_night_has_an_index(sqlite_database: str, wanted: dict[str, Any], index: str) -> None:
    conditions = searches.of_notifications(NotificationQuery(EVERYTHING, NotificationFilter(**wanted)))
    table = schema.notifications
    plan = plan_of(sqlite_database, table.select().where(*conditions).order_by(table.c.name.desc()).limit(50))
    assert index in plan[0]
    # What has one correlation id is little; all else is found in its order.
    assert ("USE TEMP B-TREE FOR ORDER BY" in plan) is ("correlation_id" in wanted)


def test_a_history_is_read_from_indexes(sqlite_database: str) -> None:
    for newest_first in (False, True):
        plan = plan_of(sqlite_database, searches.snapshots(TOKEN, start=1, before=9, newest_first=newest_first))
        assert plan == ["SEARCH events USING INDEX events_by_resource (resource=? AND sequence>? AND sequence<?)"]
    for replayed_only in (False, True):
        plan = plan_of(sqlite_database, searches.apart(TOKEN, replayed_only=replayed_only))
        assert plan[0] == "SEARCH notifications USING INDEX notifications_apart (resource=?)"
