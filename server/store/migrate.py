"""Brings a database's schema up to date. Imports Alembic, so it is imported only when there is something to do."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import func, select, text

from server.store.engine import check_durable, parse_url, reader_engine, sqlite_path

# Any number that nobody else locks; who comes second finds that there is nothing left to do.
ONE_AT_A_TIME = 6_077_266


def upgrade(database_url: str, revision: str = "head") -> None:
    """Applies the migrations that are missing up to a revision. Safe to repeat, also by several at once on PostgreSQL.
    A new SQLite file is readable by its owner only."""
    url = parse_url(database_url)
    file = sqlite_path(url)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    engine = reader_engine(url)
    try:
        check_durable(engine)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                # An index of millions of rows takes longer than a statement of a core ever may.
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.commit()
    finally:
        engine.dispose()
