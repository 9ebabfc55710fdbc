"""The two databases that every store test runs against, for real."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from server.store.schema import metadata
from server.store.store import SqlStore
from tests.databases import place
from tests.postgres import Postgres


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """The URL of a fresh SQLite database at the newest schema."""
    return place(tmp_path / "mintmark.sqlite")


@pytest.fixture(scope="session")
def shared_postgres_database(postgres: Postgres, postgres_template: str) -> str:
    postgres.execute(f"CREATE DATABASE store_tests TEMPLATE {postgres_template}")
    return postgres.url("store_tests")


@pytest.fixture
def emptied_postgres_database(shared_postgres_database: str) -> str:
    """The URL of a PostgreSQL database at the newest schema with nothing in it. A copy for each test takes longer."""
    with psycopg.connect(shared_postgres_database) as connection:
        for table in metadata.sorted_tables:
            if table.name != "store_head":
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        connection.execute("UPDATE store_head SET sequence = 0, removed_sequence = 0, database_identity = ''")
    return shared_postgres_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a database at the newest schema with nothing in it."""
    name = "sqlite_database" if request.param == "sqlite" else "emptied_postgres_database"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def store(database: str) -> Iterator[SqlStore]:
    opened = SqlStore(database)
    yield opened
    opened.close()
