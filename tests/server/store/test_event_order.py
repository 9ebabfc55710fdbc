"""Readers never skip or reorder an event, whoever writes; a numbering that would let them is caught."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import insert, text

from server.store import schema
from server.store.rows import event_row
from server.store.store import SqlStore
from server.store.transaction import SqlTransaction
from server.store.writer import Writer
from tests.server.store.writing import appending, write
from tests.waiting import eventually

UNITS = 40
WRITERS = 3


class WrongWriter(Writer):
    """Takes numbers as they come, without holding anybody up until they are committed."""

    def number(self, transaction: SqlTransaction) -> None:
        connection, events = transaction.connection, transaction.appended
        first = connection.execute(text("SELECT nextval('wrong')")).scalar_one() * 10
        rows = [event_row(event, first + place) for place, event in enumerate(events)]
        connection.execute(insert(schema.events), rows)
        # PostgreSQL takes its time now and then.
        connection.execute(text("SELECT pg_sleep(random() * 0.005)"))


class Reader:
    """Follows the events by cursor, as everybody does who must not miss one."""

    def __init__(self, store: SqlStore) -> None:
        self._view = store.view
        self.seen: list[tuple[int, str]] = []

    def read(self) -> None:
        found = self._view.events(self.seen[-1][0] if self.seen else 0, 7)
        self.seen += [(event.sequence, event.resource) for event in found]

    def follow(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.read()


def followed(database: str, writer: type[Writer], *, processes: int = 0) -> bool:
    """Whether readers who follow several writers see all events, each once, in the order of their numbers."""
    stores = [SqlStore(database, writer) for _ in range(WRITERS)]
    readers = [Reader(stores[0]), Reader(stores[-1])]
    stop = threading.Event()
    try:
        with ThreadPoolExecutor(2 * WRITERS + len(readers)) as pool:
            following = [pool.submit(reader.follow, stop) for reader in readers]
            arguments = [sys.executable, "-m", "tests.server.store.writing", database]
            others = [subprocess.Popen([*arguments, f"process-{number}", str(UNITS)]) for number in range(processes)]
            writes = [
                pool.submit(write, store, f"{store_number}-{thread}", UNITS)
                for store_number, store in enumerate(stores)
                for thread in range(2)
            ]
            try:
                for each in writes:
                    each.result(60)
                assert [other.wait(60) for other in others] == [0] * processes
            finally:
                stop.set()
            for each in following:
                each.result(60)
        # What is committed now can be caught up with; what was skipped never will be.
        for reader in readers:
            while reader.seen[-1][0] < stores[0].view.events(0, 100_000)[-1].sequence:
                reader.read()
        everything = [(event.sequence, event.resource) for event in stores[0].view.events(0, 100_000)]
    finally:
        for store in stores:
            store.close()
    units = (2 * WRITERS + processes) * UNITS
    per_store = sum(1 + number % 3 for number in range(UNITS))
    assert len(everything) == units // UNITS * per_store
    assert len({sequence for sequence, _ in everything}) == len(everything)
    return all(reader.seen == everything for reader in readers)


def test_several_cores_on_one_postgres_are_followed_without_a_gap(postgres_database: str) -> None:
    assert followed(postgres_database, Writer, processes=2)


def test_several_stores_on_one_sqlite_file_are_followed_without_a_gap(sqlite_database: str) -> None:
    assert followed(sqlite_database, Writer)


def test_a_wrong_numbering_is_caught(postgres_database: str) -> None:
    store = SqlStore(postgres_database)
    with store._readers.begin() as connection:
        connection.execute(text("CREATE SEQUENCE wrong"))
    store.close()
    assert not followed(postgres_database, WrongWriter)


def test_sequences_have_no_gaps_where_nothing_was_removed(postgres_database: str) -> None:
    store = SqlStore(postgres_database)
    try:
        write(store, "only", UNITS)
        found = store.view.events(0, 100_000)
        assert [event.sequence for event in found] == list(range(1, len(found) + 1))
    finally:
        store.close()


class HeldWriter(Writer):
    """The writer, held up between numbering and COMMIT while `hold` is set."""

    hold = threading.Event()
    numbered = threading.Event()
    go = threading.Event()

    def number(self, transaction: SqlTransaction) -> None:
        super().number(transaction)
        if self.hold.is_set():
            self.numbered.set()
            assert self.go.wait(30)


def test_who_has_numbers_holds_up_whoever_wants_later_ones(postgres_database: str) -> None:
    first, second = SqlStore(postgres_database, HeldWriter), SqlStore(postgres_database)
    reader = Reader(second)
    HeldWriter.hold.set()
    try:
        with ThreadPoolExecutor(2) as pool:
            held = pool.submit(first.write, "k", appending("first", 1))
            assert HeldWriter.numbered.wait(30)
            later = pool.submit(second.write, "k", appending("second", 1))
            waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

            def waiting() -> bool:
                with second._readers.connect() as connection:
                    return bool(connection.execute(waits).scalar_one())

            eventually(waiting, 10, "the second writer's wait")
            reader.read()
            assert (reader.seen, later.done()) == ([], False)
            HeldWriter.go.set()
            held.result(30)
            later.result(30)
        reader.read()
        assert reader.seen == [(1, "first/0"), (2, "second/0")]
    finally:
        HeldWriter.go.set()
        first.close()
        second.close()
