"""Pulls that something happens to between their look and their taking: nothing is skipped, and what is lost is told."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from server.clock import SystemClock
from server.domain import subscriptions
from server.domain.callers import ANY, Caller, Reach
from server.domain.events import EventFilter
from server.domain.refusals import CursorOutOfRange
from server.domain.subscriptions import Delivery, Subscription
from server.ports import Transaction
from server.services.subscription_pulls import Ask, Pulled, Pulls
from server.store.store import SqlStore
from tests.server.store.test_passed_cursors import OvertakenStore, remove
from tests.server.store.writing import appending

CALLER = Caller("clients/a", frozenset(), Reach(frozenset({ANY})))
NOTHING = EventFilter(resource="merchantGateways/nobody")


class BehindFeed:
    """A feed that has not seen anything yet, so that pulls read the store."""

    head = -1

    def wake(self) -> None:
        """Nobody waits."""


@pytest.fixture
def overtaken(store: SqlStore) -> Any:
    store.write("events", appending("r", 3))
    return OvertakenStore(store)


def subscription(wanted: EventFilter, create_time: int = 1) -> Subscription:
    return subscriptions.new("clients/a", "orders", wanted, 30_000_000, 0, create_time)


def insert(store: SqlStore, held: Subscription, *deliveries: Delivery) -> None:
    def run(transaction: Transaction) -> None:
        transaction.subscriptions.insert([held])
        transaction.deliveries.insert(deliveries)

    store.write(held.name, run)


def pull(overtaken: Any, before: Callable[[], object]) -> Pulled:
    overtaken.view.before = [before]
    pulls = Pulls(overtaken, BehindFeed(), SystemClock())  # type: ignore[arg-type]
    now = time.monotonic()
    ask = Ask(
        name="clients/a/subscriptions/orders",
        limit=10,
        until=now,
        deadline=now + 20,
        room=1_000_000,
        size=lambda _event: 1,
        over=lambda: False,
        check=lambda: CALLER,
    )
    return pulls.pull(CALLER, ask)


def test_one_that_is_made_anew_meanwhile_skips_nothing(store: SqlStore, overtaken: Any) -> None:
    """The one before had seen that nothing was for it; the new one has the same name and revision."""
    held = subscription(NOTHING)
    insert(store, held)

    def made_anew() -> None:
        store.write(held.name, lambda transaction: transaction.subscriptions.delete([held.name]))
        insert(store, subscription(EventFilter(), create_time=2))

    assert [each.sequence for each in pull(overtaken, made_anew).deliveries] == [1, 2, 3]


def test_one_whose_outstanding_events_retention_removes_meanwhile_is_told(store: SqlStore, overtaken: Any) -> None:
    held = replace(subscription(EventFilter()), scanned_sequence=3)
    insert(store, held, *(Delivery(held.name, sequence, "r", 1, 1) for sequence in (1, 2, 3)))
    with pytest.raises(CursorOutOfRange) as told:
        pull(overtaken, lambda: remove(store, 2))
    assert told.value.metadata["oldest_cursor"].endswith(".2")
