"""Leases: one holder at a time, on the database's clock."""

from server.store.store import SqlStore
from tests.waiting import eventually

LONG = 3600.0


def take(store: SqlStore, holder: str, seconds: float = LONG, name: str = "chores/x") -> bool:
    return store.write("k", lambda transaction: transaction.take_lease(name, holder, seconds))


def test_a_lease_has_one_holder(store: SqlStore) -> None:
    assert take(store, "a")
    assert not take(store, "b")
    assert take(store, "b", name="chores/y")


def test_the_holder_renews_its_own(store: SqlStore) -> None:
    assert take(store, "a", 0.2)
    assert take(store, "a")
    assert not take(store, "b")


def test_a_lease_that_has_ended_goes_to_whoever_asks(store: SqlStore) -> None:
    assert take(store, "a", 0.05)
    eventually(lambda: take(store, "b"), 5, "the end of the lease")
    assert not take(store, "a")
