"""The servers that the tests stand on."""

import psycopg
import redis

from tests.postgres import Postgres
from tests.valkey import Valkey


def test_postgres_is_durable_and_each_test_gets_an_empty_database(empty_postgres_database: str) -> None:
    with psycopg.connect(empty_postgres_database) as connection:
        shown = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in ("fsync", "synchronous_commit")]
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert shown == [("on",), ("on",)]
    assert tables == (0,)


def test_a_database_from_the_template_has_the_schema(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'tokens'").fetchone()
    assert tables == (1,)


def test_postgres_keeps_its_data_over_a_crash(postgres: Postgres, empty_postgres_database: str) -> None:
    with psycopg.connect(empty_postgres_database) as connection:
        connection.execute("CREATE TABLE kept (number int)")
    postgres.kill()
    postgres.start()
    with psycopg.connect(empty_postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_valkey_is_empty_for_each_test(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        assert client.dbsize() == 0
        client.set("key", "value")
        assert client.get("key") == b"value"
