"""Writers that tests can look into and hold up, and threads that write."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from server.ports import Transaction
from server.store.store import SqlStore
from server.store.writer import Writer
from tests.waiting import eventually

R = TypeVar("R")


class WatchedWriter(Writer):
    """The writer, telling how many units wait for it."""

    def waiting(self) -> int:
        return self._queue.qsize()


class Writing:
    """Several threads that write to one store, and the means to let their units wait for each other."""

    def __init__(self, store: SqlStore, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool

    def start(self, key: str, run: Callable[[Transaction], R], *, deadline: float | None = None) -> Future[R]:
        return self._pool.submit(self._store.write, key, run, deadline=deadline)

    @contextmanager
    def held(self, units: int) -> Iterator[None]:
        """What is started inside waits behind a unit at work until `units` of it wait; then all go together."""
        begun, go = threading.Event(), threading.Event()

        def hold(_transaction: Transaction) -> None:
            begun.set()
            assert go.wait(30)

        holding = self.start("", hold)
        assert begun.wait(30)
        try:
            yield
            writer = self._store._writer
            assert isinstance(writer, WatchedWriter)
            eventually(lambda: writer.waiting() == units, 10, "the units' arrival")
        finally:
            go.set()
            holding.result(30)


@contextmanager
def writing(store: SqlStore, threads: int = 16) -> Iterator[Writing]:
    with ThreadPoolExecutor(threads) as pool:
        yield Writing(store, pool)
