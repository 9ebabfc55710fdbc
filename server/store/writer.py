"""The one writer: gathers the units of work that are waiting and commits them as one transaction."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

import structlog
from opentelemetry.trace import Tracer
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from server.domain.events import Event
from server.domain.refusals import DeadlinePassed, Refusal, ShuttingDown, StoreUnavailable
from server.ports import ContentRefused, Transaction
from server.store import commits
from server.store.commits import NOTHING_FAILED, Transactions, concerned
from server.store.engine import DatabaseFile
from server.store.faults import Fault, classify, describe
from server.store.marking import Marking, NotMarked
from server.store.transaction import SqlTransaction

R = TypeVar("R")

QUEUE_LIMIT = 1024
GROUP_LIMIT = 256
TRIES = 3
RESULT_TIMEOUT_S = 60.0

log = structlog.get_logger("store")
Committed = Callable[[Sequence[Event]], None]


class CommitUnknown(Exception):
    """COMMIT was sent and its outcome is not known."""


class Unit:
    """A piece of work on its way through the writer."""

    __slots__ = ("correlation_ids", "deadline", "future", "key", "queued", "run", "span")

    def __init__(
        self,
        key: str,
        run: Callable[[Transaction], Any],
        deadline: float | None,
        correlation_ids: Sequence[str] = (),
    ) -> None:
        self.key = key
        self.run = run
        self.deadline = deadline
        self.future: Future[Any] = Future()
        # For whoever looks for what became of a call: whom it concerns, its span, and since when it waits.
        self.correlation_ids = correlation_ids or commits.caller()
        self.span = commits.traced()
        self.queued = time.monotonic()


class Writer:
    """Owns the writing connection and its thread. `committed` sees every commit's events after it is durable."""

    def __init__(
        self, engine: Engine, file: DatabaseFile | None, committed: Committed, tracer: Tracer | None = None
    ) -> None:
        self._engine = engine
        self._file = file
        self._committed = committed
        self.marking = Marking()
        self._queue: queue.Queue[Unit | None] = queue.Queue(QUEUE_LIMIT)
        self._closing = False
        self._connection: Connection | None = None
        self._transactions = Transactions(tracer)
        self._at_work: Unit | None = None
        commits.watch_queue(self._queue.qsize, self._oldest)
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def write(
        self, key: str, run: Callable[[Transaction], R], deadline: float | None, correlation_ids: Sequence[str] = ()
    ) -> R:
        if self._closing:
            raise ShuttingDown
        unit = Unit(key, run, deadline, correlation_ids)
        try:
            self._queue.put_nowait(unit)
        except queue.Full:
            raise StoreUnavailable("the writer's queue is full") from None
        try:
            result: R = unit.future.result(RESULT_TIMEOUT_S)
        except FutureTimeout:
            if unit.future.done():
                raise
            raise StoreUnavailable("the writer did not answer in time; the outcome is not known") from None
        return result

    def close(self) -> None:
        """Finishes what is waiting and ends the thread."""
        self._closing = True
        self._queue.put(None)
        self._thread.join(RESULT_TIMEOUT_S)
        self._drop_connection()

    def _oldest(self) -> float:
        """How long the oldest unit that is not done has waited, in seconds."""
        try:
            oldest = self._at_work or self._queue.queue[0]
        except IndexError:
            oldest = None
        return time.monotonic() - oldest.queued if oldest else 0.0

    def _work(self) -> None:
        last = False
        while not last:
            first = self._queue.get()
            if first is None:
                break
            self._at_work = first
            units, last = self._gather(first)
            try:
                self._commit_group(units)
            except BaseException as error:
                # Whatever it is: without this thread nothing would ever be written, and everybody would wait in vain.
                self._drop_connection()
                self._fail(units, StoreUnavailable(f"a fault of the writer: {type(error).__name__}"))
                log.error("writer_fault", error=type(error).__name__, **concerned(units))
            self._at_work = None
        self._refuse_late_ones()

    def _refuse_late_ones(self) -> None:
        """Units that came in beside the end."""
        while True:
            try:
                unit = self._queue.get_nowait()
            except queue.Empty:
                return
            if unit is not None:
                unit.future.set_exception(ShuttingDown())

    def _gather(self, first: Unit) -> tuple[list[Unit], bool]:
        units = [first]
        while len(units) < GROUP_LIMIT:
            try:
                unit = self._queue.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                return units, True
            units.append(unit)
        return units, False

    def _commit_group(self, units: list[Unit]) -> None:
        now = time.monotonic()
        begun = []
        for unit in units:
            if unit.deadline is not None and now > unit.deadline:
                unit.future.set_exception(DeadlinePassed())
            else:
                begun.append(unit)
        begun.sort(key=lambda unit: unit.key)
        if len(begun) > 1 and self._try_together(begun):
            return
        for unit in begun:
            self._run_alone(unit)

    def _try_together(self, units: list[Unit]) -> bool:
        """Commits the units as one transaction; False when each must be run alone, nothing having been stored."""
        try:
            outcomes, events = self._transact(units)
        except CommitUnknown as error:
            self._fail(units, StoreUnavailable(str(error)))
            return True
        except Exception as error:
            if classify(error) is Fault.UNAVAILABLE:
                self._fail(units, self._unavailable(error, units))
                return True
            return False
        self._finish(units, outcomes, events)
        return True

    def _run_alone(self, unit: Unit) -> None:
        for left in reversed(range(TRIES)):
            try:
                outcomes, events = self._transact([unit])
            except CommitUnknown as error:
                self._fail([unit], StoreUnavailable(str(error)))
                return
            except Exception as error:
                match classify(error):
                    case Fault.UNAVAILABLE:
                        self._fail([unit], self._unavailable(error, [unit]))
                    case Fault.PASSING if left:
                        continue
                    case Fault.PASSING if not isinstance(error, IntegrityError):
                        # Others were in the way each time: no fault of the content, so it must not be put aside.
                        self._fail([unit], StoreUnavailable(describe(error)))
                    case Fault.PASSING | Fault.CONTENT:
                        self._fail([unit], ContentRefused(describe(error)))
                    case Fault.OURS:
                        self._fail([unit], error)
                return
            self._finish([unit], outcomes, events)
            return

    def _transact(self, units: list[Unit]) -> tuple[list[Any], Sequence[Event]]:
        """Runs the units in one transaction, commits it and tells of it. Raises what the database raises."""
        began = time.monotonic()
        fault = NOTHING_FAILED
        try:
            return self._transaction(units)
        except CommitUnknown:
            fault = "commit_unknown"
            raise
        except Exception as error:
            fault = classify(error).name.lower()
            raise
        finally:
            self._transactions.ended(units, began, fault)

    def _transaction(self, units: list[Unit]) -> tuple[list[Any], Sequence[Event]]:
        """Runs the units in one transaction and commits it. Raises what the database raises, with nothing stored."""
        for _ in range(TRIES):
            try:
                return self._transact_once(units)
            except NotMarked:
                self.marking.pause(self._connected())
        raise StoreUnavailable("caches could not be told of a change")

    def _transact_once(self, units: list[Unit]) -> tuple[list[Any], Sequence[Event]]:
        connection = self._connected()
        try:
            connection.begin()
            transaction = SqlTransaction(connection)
            outcomes = [self._run(unit, transaction) for unit in units]
            marked = self.marking.mark(transaction)
            if transaction.appended:
                self.number(transaction)
            self.marking.check(marked, transaction)
        except BaseException:
            self._roll_back(connection)
            raise
        if transaction.changes == 0 and not transaction.appended:
            self._roll_back(connection)
            return outcomes, ()
        try:
            if self._file:
                self._file.check()
            connection.commit()
        except Exception as error:
            self._drop_connection()
            log.error("commit_unknown", error=describe(error), **concerned(units))
            raise CommitUnknown(f"the outcome of a commit is not known: {describe(error)}") from error
        try:
            self.marking.release(marked, connection)
        except Exception as error:
            # It is stored, but some core may still show what was before: nobody must be told that it is done.
            self._drop_connection()
            log.error("commit_untold", error=describe(error), **concerned(units))
            raise CommitUnknown(f"caches could not be told of a commit: {describe(error)}") from error
        return outcomes, transaction.appended

    def number(self, transaction: SqlTransaction) -> None:
        """Numbers the events, last of all. A seam: the order's own test replaces it with a wrong one."""
        transaction.number_events()

    def _run(self, unit: Unit, transaction: SqlTransaction) -> Any:
        """A unit's result, or its refusal, which must come before its first write."""
        changes, events = transaction.changes, len(transaction.appended)
        try:
            return unit.run(transaction)
        except Refusal as refusal:
            if transaction.changes != changes or len(transaction.appended) != events:
                raise RuntimeError(f"refused after its first write: {type(refusal).__name__}") from refusal
            return refusal

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.rollback()
        except Exception as error:
            log.warning("rollback_failed", error=describe(error))
            self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except Exception as error:
                log.warning("close_failed", error=describe(error))

    def _unavailable(self, error: Exception, units: Sequence[Unit]) -> StoreUnavailable:
        self._drop_connection()
        log.error("store_unavailable", error=describe(error), **concerned(units))
        return StoreUnavailable(describe(error))

    def _finish(self, units: Sequence[Unit], outcomes: Sequence[Any], events: Sequence[Event]) -> None:
        if events:
            self._committed(events)
        for unit, outcome in zip(units, outcomes, strict=True):
            if isinstance(outcome, Refusal):
                unit.future.set_exception(outcome)
            else:
                unit.future.set_result(outcome)

    @staticmethod
    def _fail(units: Sequence[Unit], error: Exception) -> None:
        for unit in units:
            if not unit.future.done():
                unit.future.set_exception(error)
