"""Brings a database's schema up to date. Imports Alembic, so it is imported only when there is something to do."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from server.store.engine import check_durable, parse_url, reader_engine, sqlite_path


def upgrade(database_url: str) -> None:
    """Applies the migrations that are missing. Safe to repeat. A new SQLite file is readable by its owner only."""
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
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    finally:
        engine.dispose()
