"""The store as the services see it."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from opentelemetry.trace import Tracer
from sqlalchemy import inspect, select

from server.domain.events import Event
from server.ports import CacheMarks, Transaction
from server.store.engine import (
    DatabaseUnfit,
    check_durable,
    database_file,
    parse_url,
    reader_engine,
    schema_revision,
    sqlite_path,
    writer_engine,
)
from server.store.reader import SqlView
from server.store.schema import REVISION, clients
from server.store.writer import Writer

R = TypeVar("R")


def is_in_use(database_url: str) -> bool:
    """Whether a SQLite file is there and holds what only its own keyring fits."""
    url = parse_url(database_url)
    file = sqlite_path(url)
    if file is None or not file.exists():
        return False
    engine = reader_engine(url)
    try:
        if not inspect(engine).has_table(clients.name):
            return False
        with engine.connect() as connection:
            return connection.execute(select(clients.c.name).limit(1)).first() is not None
    finally:
        engine.dispose()


class SqlStore:
    """SQLite or PostgreSQL behind one writer and many readers. Open it when the schema is up to date."""

    def __init__(self, database_url: str, writer: type[Writer] = Writer, tracer: Tracer | None = None) -> None:
        """Raises DatabaseUnfit where the schema is not ours or durability is off, SQLAlchemyError where it is gone."""
        url = parse_url(database_url)
        file = database_file(url)
        self._readers = reader_engine(url, file)
        self._writers = writer_engine(url, file)
        self._listeners: list[Callable[[Sequence[Event]], None]] = []
        self._lock = threading.Lock()
        try:
            self._check()
        except BaseException:
            self._dispose()
            raise
        self.view = SqlView(self._readers, tracer)
        self.generation = self.view.head()[0]
        self._writer = writer(self._writers, file, self._committed, tracer)

    def _check(self) -> None:
        check_durable(self._readers)
        revision = schema_revision(self._readers)
        if revision != REVISION:
            raise DatabaseUnfit(
                f"the database's schema is at {revision or 'nothing'}, this version needs {REVISION}; "
                "run `mintmark migrate`"
            )

    def write(
        self,
        key: str,
        run: Callable[[Transaction], R],
        *,
        deadline: float | None = None,
        correlation_ids: Sequence[str] = (),
    ) -> R:
        return self._writer.write(key, run, deadline, correlation_ids)

    def mark_with(self, marks: CacheMarks) -> None:
        """From now on each commit tells a cache what it changes. Before the first token or binding is written."""
        self._writer.marking.marks = marks

    def listen(self, committed: Callable[[Sequence[Event]], None]) -> None:
        """Calls back, on the writer's thread and before the callers hear of it, with the events of each commit."""
        with self._lock:
            self._listeners.append(committed)

    def _committed(self, events: Sequence[Event]) -> None:
        for listener in self._listeners:
            listener(events)

    def close(self) -> None:
        """Commits what is waiting and lets go of the database."""
        self._writer.close()
        self._dispose()

    def _dispose(self) -> None:
        self._readers.dispose()
        self._writers.dispose()
