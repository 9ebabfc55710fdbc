"""Units of work go in groups, and one that goes wrong does not touch the others."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from server.domain.refusals import DeadlinePassed, ResourceExists, ShuttingDown, StoreUnavailable
from server.ports import ContentRefused, Transaction
from server.store.store import SqlStore
from tests.server.store import samples
from tests.server.store.writers import WatchedWriter, writing

# No column for a time holds more than 63 bits and a sign.
TOO_LARGE = 2**63


@pytest.fixture
def store(database: str) -> Iterator[SqlStore]:
    opened = SqlStore(database, WatchedWriter)
    yield opened
    opened.close()


def insert(transaction: Transaction, token_id: str) -> str:
    transaction.tokens.insert([samples.token(token_id)])
    transaction.append(samples.token_event(samples.token(token_id)))
    return token_id


def inserting(token_id: str) -> Callable[[Transaction], str]:
    return lambda transaction: insert(transaction, token_id)


def kept(store: SqlStore) -> list[str]:
    """The ids of the tokens, which must be those of the events."""
    events = store.view.events(0, 1000)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    names = [event.resource for event in events]
    tokens = [store.view.token(name) for name in names]
    return sorted(token.token_id for token in tokens if token)


def test_units_that_wait_are_committed_together(store: SqlStore) -> None:
    transactions: list[Transaction] = []

    def unit(number: int, transaction: Transaction) -> str:
        transactions.append(transaction)
        return insert(transaction, f"t-{number:02}")

    with writing(store) as threads:
        with threads.held(10):
            futures = [threads.start(f"k-{n}", partial(unit, n)) for n in range(10)]
        assert [future.result(10) for future in futures] == [f"t-{number:02}" for number in range(10)]
    assert len(transactions) == 10
    assert all(each is transactions[0] for each in transactions)
    assert kept(store) == [f"t-{number:02}" for number in range(10)]


def test_units_go_in_the_order_of_their_keys(store: SqlStore) -> None:
    with writing(store) as threads:
        with threads.held(5):
            futures = [threads.start(key, inserting(key)) for key in ("d", "b", "e", "a", "c")]
        for future in futures:
            future.result(10)
    assert [event.resource[-1] for event in store.view.events(0, 10)] == ["a", "b", "c", "d", "e"]


def test_a_unit_sees_what_those_before_it_wrote(store: SqlStore) -> None:
    with writing(store) as threads:
        with threads.held(2):
            first = threads.start("a", inserting("t"))
            second = threads.start("b", lambda t: t.tokens.get(samples.token("t").name))
        first.result(10)
        assert second.result(10) == samples.token("t")


def test_a_refusing_unit_does_not_disturb_its_neighbours(store: SqlStore) -> None:
    def refuse(_transaction: Transaction) -> None:
        raise ResourceExists("tokens/x")

    with writing(store) as threads:
        with threads.held(3):
            before = threads.start("a", inserting("before"))
            refused = threads.start("b", refuse)
            after = threads.start("c", inserting("after"))
        with pytest.raises(ResourceExists):
            refused.result(10)
        assert (before.result(10), after.result(10)) == ("before", "after")
    assert kept(store) == ["after", "before"]


def test_a_unit_that_the_database_refuses_for_its_content_fails_alone(store: SqlStore) -> None:
    def poison(transaction: Transaction) -> None:
        transaction.append(samples.event("poison"))
        transaction.tokens.insert([replace(samples.token("poison"), create_time=TOO_LARGE)])

    with writing(store) as threads:
        with threads.held(3):
            before = threads.start("a", inserting("before"))
            refused = threads.start("b", poison)
            after = threads.start("c", inserting("after"))
        with pytest.raises(ContentRefused):
            refused.result(10)
        assert (before.result(10), after.result(10)) == ("before", "after")
    assert kept(store) == ["after", "before"]


def test_a_row_that_exists_already_is_refused_alone(store: SqlStore) -> None:
    store.write("k", inserting("there"))
    with writing(store) as threads:
        with threads.held(2):
            again = threads.start("a", inserting("there"))
            other = threads.start("b", inserting("other"))
        with pytest.raises(ContentRefused):
            again.result(10)
        assert other.result(10) == "other"
    assert kept(store) == ["other", "there"]


def test_a_refusal_after_the_first_write_is_a_fault_and_leaves_nothing(store: SqlStore) -> None:
    def write_then_refuse(transaction: Transaction) -> None:
        insert(transaction, "half")
        raise ResourceExists("tokens/x")

    def append_then_refuse(transaction: Transaction) -> None:
        transaction.append(samples.event("half"))
        raise ResourceExists("tokens/x")

    with writing(store) as threads:
        with threads.held(3):
            faulty = [threads.start(key, run) for key, run in (("a", write_then_refuse), ("c", append_then_refuse))]
            neighbour = threads.start("b", inserting("neighbour"))
        for future in faulty:
            with pytest.raises(RuntimeError):
                future.result(10)
        assert neighbour.result(10) == "neighbour"
    assert kept(store) == ["neighbour"]


def test_a_fault_of_ours_fails_alone(store: SqlStore) -> None:
    def fault(transaction: Transaction) -> None:
        insert(transaction, "half")
        raise KeyError("a fault")

    with writing(store) as threads:
        with threads.held(2):
            faulty = threads.start("a", fault)
            neighbour = threads.start("b", inserting("neighbour"))
        with pytest.raises(KeyError):
            faulty.result(10)
        assert neighbour.result(10) == "neighbour"
    assert kept(store) == ["neighbour"]


def test_a_unit_whose_deadline_passed_is_not_begun(store: SqlStore) -> None:
    ran: list[str] = []
    with writing(store) as threads:
        with threads.held(2):
            late = threads.start("a", lambda _: ran.append("late"), deadline=time.monotonic() - 0.001)
            in_time = threads.start("b", lambda _: ran.append("in time"), deadline=time.monotonic() + 30)
        with pytest.raises(DeadlinePassed):
            late.result(10)
        in_time.result(10)
    assert ran == ["in time"]


def test_many_threads_lose_nothing(store: SqlStore) -> None:
    with writing(store, 8) as threads:
        futures = [threads.start(f"k-{n % 7}", inserting(f"t-{n:03}")) for n in range(200)]
        done = [future.result(30) for future in futures]
    assert kept(store) == sorted(done)


def test_a_closed_store_finishes_what_waits_and_takes_nothing_new(database: str) -> None:
    store = SqlStore(database, WatchedWriter)
    with writing(store) as threads:
        with threads.held(1):
            waiting = threads.start("a", inserting("waiting"))
        store.close()
        assert waiting.result(10) == "waiting"
    with pytest.raises(ShuttingDown):
        store.write("k", inserting("new"))
    again = SqlStore(database)
    try:
        assert kept(again) == ["waiting"]
    finally:
        again.close()


def test_listeners_hear_of_a_commit_before_its_caller_does(store: SqlStore) -> None:
    heard: list[str] = []
    store.listen(lambda events: heard.extend(event.resource for event in events))
    store.write("k", inserting("t"))
    assert heard == [samples.token("t").name]
    store.write("k", lambda t: t.tokens.get("nothing"))
    assert len(heard) == 1


def test_a_fault_beside_the_work_does_not_stop_the_writer(store: SqlStore) -> None:
    faults = [RuntimeError("a listener's own fault")]

    def listener(_events: object) -> None:
        if faults:
            raise faults.pop()

    store.listen(listener)
    with pytest.raises(StoreUnavailable):
        store.write("k", lambda t: insert(t, "first"))
    assert store.write("k", lambda t: insert(t, "second")) == "second"
