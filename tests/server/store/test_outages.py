"""A database that is gone is told as such, and used again when it is back."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from server.domain.refusals import StoreUnavailable
from server.ports import Transaction
from server.store.engine import DatabaseUnfit
from server.store.migrate import upgrade
from server.store.store import SqlStore
from tests.postgres import Postgres
from tests.server.store import samples
from tests.server.store.writers import writing
from tests.waiting import eventually


def insert(transaction: Transaction, token_id: str) -> str:
    transaction.tokens.insert([samples.token(token_id)])
    return token_id


def file_of(database: str) -> Path:
    return Path(database.removeprefix("sqlite:///"))


def test_postgres_stopped_and_started_again(postgres: Postgres, postgres_database: str) -> None:
    store = SqlStore(postgres_database)
    try:
        store.write("k", lambda t: insert(t, "before"))
        postgres.stop()
        try:
            with pytest.raises(StoreUnavailable):
                store.write("k", lambda t: insert(t, "meanwhile"))
            with pytest.raises(StoreUnavailable):
                store.view.bounds()
        finally:
            postgres.start()
        assert store.write("k", lambda t: insert(t, "after")) == "after"
        assert store.view.token(samples.token("before").name)
        assert store.view.token(samples.token("meanwhile").name) is None
    finally:
        store.close()


def test_postgres_gone_in_the_middle_of_a_unit(postgres: Postgres, postgres_database: str) -> None:
    store = SqlStore(postgres_database)

    def interrupted(transaction: Transaction) -> None:
        insert(transaction, "first")
        postgres.kill()
        insert(transaction, "second")

    try:
        with pytest.raises(StoreUnavailable):
            store.write("k", interrupted)
        postgres.start()
        assert store.view.token(samples.token("first").name) is None
        assert store.write("k", lambda t: insert(t, "after")) == "after"
    finally:
        store.close()


def test_a_commit_without_an_answer_is_unavailable_and_never_refused(
    postgres: Postgres, postgres_database: str
) -> None:
    store = SqlStore(postgres_database)

    def last_words(transaction: Transaction) -> None:
        insert(transaction, "first")
        postgres.kill()

    try:
        with pytest.raises(StoreUnavailable):
            store.write("k", last_words)
        postgres.start()
        assert store.write("k", lambda t: insert(t, "after")) == "after"
    finally:
        store.close()


def test_a_sqlite_file_that_was_moved_away_and_back(sqlite_database: str) -> None:
    store, file = SqlStore(sqlite_database), file_of(sqlite_database)
    away = file.with_name("away")
    try:
        store.write("k", lambda t: insert(t, "before"))
        file.rename(away)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.write("k", lambda t: insert(t, "meanwhile"))
        assert not file.exists()
        away.rename(file)
        assert eventually(lambda: store.write("k", lambda t: insert(t, "after")), 5) == "after"
        assert store.view.token(samples.token("before").name)
    finally:
        store.close()


def test_a_sqlite_file_that_was_replaced(sqlite_database: str) -> None:
    """No commit goes into a file that nobody will ever read, and nobody reads the old one: a restart is needed."""
    store, file = SqlStore(sqlite_database), file_of(sqlite_database)
    try:
        store.write("k", lambda t: insert(t, "before"))
        copy = file.with_name("copy")
        with sqlite3.connect(file) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        target.close()
        for beside in file.parent.glob("mintmark.sqlite-*"):
            beside.unlink()
        shutil.move(copy, file)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.write("k", lambda t: insert(t, "lost"))
            with pytest.raises(StoreUnavailable):
                store.view.bounds()
    finally:
        store.close()
    again = SqlStore(sqlite_database)
    try:
        assert again.write("k", lambda t: insert(t, "after")) == "after"
        kept = [again.view.token(samples.token(each).name) is not None for each in ("before", "lost", "after")]
        assert kept == [True, False, True]
    finally:
        again.close()


def test_a_sqlite_file_that_somebody_else_has_locked_is_waited_for(sqlite_database: str) -> None:
    store = SqlStore(sqlite_database)
    other = sqlite3.connect(file_of(sqlite_database), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with writing(store) as threads:
            waiting = threads.start("k", lambda t: insert(t, "waiting"))
            assert store.view.bounds() == (0, 0)
            other.execute("ROLLBACK")
            assert waiting.result(10) == "waiting"
    finally:
        other.close()
        store.close()


def test_a_sqlite_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "mintmark.sqlite"
    file.write_bytes(b"this is no database at all" * 100)
    with pytest.raises((SQLAlchemyError, DatabaseUnfit)):
        SqlStore(f"sqlite:///{file}")


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises((SQLAlchemyError, DatabaseUnfit)):
        SqlStore(f"sqlite:///{tmp_path / 'absent.sqlite'}")
    assert not (tmp_path / "absent.sqlite").exists()


def test_a_database_without_our_schema_is_refused(tmp_path: Path, empty_postgres_database: str) -> None:
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    for database in (empty_postgres_database, f"sqlite:///{empty}"):
        with pytest.raises(DatabaseUnfit, match="migrate"):
            SqlStore(database)


@pytest.mark.parametrize("database", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x"])
def test_a_database_that_we_do_not_know_is_refused(database: str) -> None:
    with pytest.raises(ValueError, match=r"SQLite|must begin"):
        SqlStore(database)


def test_postgres_with_synchronous_commit_off_is_refused(postgres: Postgres, postgres_database: str) -> None:
    name = postgres_database.partition("@/")[2].partition("?")[0]
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    for start in (SqlStore, upgrade):
        with pytest.raises(DatabaseUnfit, match="synchronous_commit"):
            start(postgres_database)


def test_postgres_with_fsync_off_is_refused(postgres: Postgres, postgres_database: str) -> None:
    def fsync(value: str) -> None:
        postgres.execute(f"ALTER SYSTEM SET fsync = {value}")
        postgres.execute("SELECT pg_reload_conf()")

    def refused() -> bool:
        try:
            SqlStore(postgres_database).close()
        except DatabaseUnfit as unfit:
            return "fsync" in str(unfit)
        return False

    fsync("off")
    try:
        eventually(refused, 10, "PostgreSQL's new setting")
    finally:
        fsync("on")
    eventually(lambda: not refused(), 10, "PostgreSQL's old setting")
