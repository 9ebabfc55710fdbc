"""Engines for SQLite and PostgreSQL, set up so that a commit is on disk when it returns."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

STATEMENT_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 3
# How long a peer may be silent in the middle of its work.
LOST_PEER_MS = 10_000
READERS = 40
# Connections of one core for reads; PostgreSQL allows 100 in all as it comes, and several cores share it.
POSTGRESQL_READERS = 20

# The database's clock in microseconds, as SQL.
CLOCKS = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
}


class DatabaseUnfit(Exception):
    """The database would lose acknowledged data, or its schema is not ours. The text says what to do."""


class DatabaseFile:
    """A SQLite file, known by its inode: one that was deleted or replaced takes commits that nobody will ever read."""

    def __init__(self, path: Path) -> None:
        """Raises DatabaseUnfit where there is no such file."""
        self.path = path
        try:
            self._inode = path.stat().st_ino
        except OSError as error:
            raise DatabaseUnfit(f"{path}: {error.strerror}; `mintmark migrate` makes a new database") from None

    def check(self) -> None:
        """Raises OSError where the path leads to another file than at the start, or to none."""
        if self.path.stat().st_ino != self._inode:
            raise OSError("the database file was replaced")


def parse_url(database_url: str) -> URL:
    """The database's URL with our driver. Raises ValueError for anything but SQLite files and PostgreSQL."""
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise ValueError(str(error)) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ValueError("a SQLite database must be a file")
        return url.set(drivername="sqlite+pysqlite")
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise ValueError("must begin with sqlite:/// or postgresql://")


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL."""
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def database_file(url: URL) -> DatabaseFile | None:
    """The file of a SQLite database; None for PostgreSQL. Raises DatabaseUnfit where it is not there."""
    path = sqlite_path(url)
    return DatabaseFile(path) if path else None


def writer_engine(url: URL, file: DatabaseFile | None = None) -> Engine:
    """One connection, for the writer. Engines that share a `file` stand and fall together."""
    file = file or database_file(url)
    return _sqlite(file, begin="BEGIN IMMEDIATE", size=1) if file else _postgresql(url, size=1)


def reader_engine(url: URL, file: DatabaseFile | None = None) -> Engine:
    """Connections for reads, a thread one at a time."""
    file = file or database_file(url)
    return _sqlite(file, begin="BEGIN", size=READERS) if file else _postgresql(url, size=POSTGRESQL_READERS)


def _sqlite(database: DatabaseFile, *, begin: str, size: int) -> Engine:
    # `mode=rw`: where the file is gone, nobody must make a new and empty one.
    file = f"file:{quote(str(database.path))}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(file, uri=True, check_same_thread=False, timeout=STATEMENT_TIMEOUT_MS / 1000)

    engine = create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=STATEMENT_TIMEOUT_MS / 1000,
        # An error text that holds a statement's parameters would carry them into a log.
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not begin or commit by itself: with its defaults a released savepoint commits.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        database.check()
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: URL, *, size: int) -> Engine:
    return create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            # A statement's own limit is the server's; these are for a server that is not heard of any more.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": LOST_PEER_MS,
            # And these for a core that is not: what it has locked (the head of the events!) would stop all others.
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC "
            f"-c idle_in_transaction_session_timeout={LOST_PEER_MS} -c tcp_keepalives_idle=5 "
            f"-c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout={LOST_PEER_MS}",
        },
        isolation_level="READ COMMITTED",
        pool_size=size,
        max_overflow=0,
        pool_timeout=STATEMENT_TIMEOUT_MS / 1000,
        # An error text that holds a statement's parameters would carry them into a log.
        hide_parameters=True,
        pool_pre_ping=True,
    )


def check_durable(engine: Engine) -> None:
    """Raises DatabaseUnfit where PostgreSQL would acknowledge a commit that a crash can undo."""
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as connection:
        for setting in ("fsync", "synchronous_commit"):
            value = connection.execute(text(f"SHOW {setting}")).scalar_one()
            if value == "off":
                raise DatabaseUnfit(f"PostgreSQL runs with {setting} off and would lose acknowledged data; set it on")


def schema_revision(engine: Engine) -> str:
    """The migration that the database is at; empty for an empty database."""
    try:
        with engine.connect() as connection:
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() or "")
    except SQLAlchemyError as error:
        if "alembic_version" in str(error):
            return ""
        raise
