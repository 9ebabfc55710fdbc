"""Accounts from before hosted pages can be read after the migration."""

import json
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from server.domain.payment_options import HostedPagePath
from server.store import migrate
from server.store.engine import parse_url, reader_engine
from server.store.rows import ACCOUNT
from tests.server.store import samples


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.sqlite'}"
    url: str = request.getfixturevalue("empty_postgres_database")
    return url


def test_an_account_from_before_states_no_address_and_the_documented_path(empty_database: str) -> None:
    migrate.upgrade(empty_database, "0008")
    row = ACCOUNT.row(samples.account())
    # What later migrations add.
    del row["sibs"], row["sibs_secrets"]
    stated = json.loads(row["payment_options"])
    del stated["merchant_email"], stated["hosted_page_path"]
    row["payment_options"] = json.dumps(stated)
    engine = reader_engine(parse_url(empty_database))
    try:
        with engine.begin() as connection:
            # Those that the table has at that revision.
            there = {column["name"] for column in inspect(connection).get_columns("accounts")}
            row = {name: value for name, value in row.items() if name in there}
            columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO accounts ({columns}) VALUES ({places})"), row)  # noqa: S608
        migrate.upgrade(empty_database)
        with engine.connect() as connection:
            (kept,) = connection.execute(text("SELECT * FROM accounts")).mappings().all()
    finally:
        engine.dispose()
    options = ACCOUNT.read(kept).payment_options
    assert options is not None
    assert (options.merchant_email, options.hosted_page_path) == ("", HostedPagePath.SERVER_TO_SERVER)
    assert options.return_url_prefixes == ("https://shop.example/ü",)
