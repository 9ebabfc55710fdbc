"""Databases of an earlier version: brought up to date however long it takes, and then served."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mintmark.v1 import clients_pb2, tokens_pb2
from sqlalchemy import Engine, MetaData, create_engine, inspect

from server.domain.scopes import INTERNAL
from server.keys import keyring
from server.store import engine as engines
from server.store.engine import parse_url
from server.store.migrate import upgrade
from server.store.schema import REVISION
from tests.server.rpc.notices import record, told, tsh
from tests.server.rpc.readings import notification
from tests.server.rpc.replaying import Place, update
from tests.server.rpc.running import RunningCore, Session, refused, request_id
from tests.server.rpc.subscribing import acknowledge, pulled, subscribe
from tests.waiting import eventually

FIRST = "0001"
# What the first version had; it knew no subscriptions, replays, retention or payments.
LATER = ("notifications.replay", "subscriptions.", "retention.", "payments.")
FIRST_SCOPES = sorted(scope for scope in INTERNAL if not scope.startswith(LATER))


def test_several_at_once_may_take_longer_than_a_statement_of_a_core(
    empty_postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody keeps a table locked: an index of millions of rows takes as long."""
    url = empty_postgres_database
    upgrade(url, FIRST)
    monkeypatch.setattr(engines, "STATEMENT_TIMEOUT_MS", 100)
    with psycopg.connect(url, autocommit=True) as watching, ThreadPoolExecutor(2) as pool:

        def long_waits() -> int:
            row = watching.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '0.3 s'"
            ).fetchone()
            return row[0] if row else 0

        with psycopg.connect(url) as holding:
            holding.execute("LOCK TABLE notifications IN SHARE MODE")
            done = [pool.submit(upgrade, url) for _ in range(2)]
            eventually(lambda: long_waits() == 2 or any(each.done() for each in done), 20, "both waits")
        for each in done:
            each.result(20)
        row = watching.execute("SELECT version_num FROM alembic_version").fetchone()
        assert row == (REVISION,)


@pytest.fixture(params=["sqlite", "postgresql"])
def core(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningCore]:
    settings: dict[str, Any] = {}
    if request.param == "postgresql":
        keyring.create(tmp_path / "keyring.json")
        url = request.getfixturevalue("postgres_database")
        settings = {"database_url": url, "keyring_file": tmp_path / "keyring.json"}
    running = RunningCore(**settings)
    yield running
    running.remove()


def taken_back(core: RunningCore, empty: str) -> None:
    """Puts what the first version would have kept of it in the place of the core's database."""
    kept: dict[str, list[dict[str, Any]]] = {}
    engine = create_engine(parse_url(core.settings.database))
    upgrade(empty, FIRST)
    old = create_engine(parse_url(empty))
    try:
        for table in inspect(old).get_table_names():
            columns = {column["name"] for column in inspect(old).get_columns(table)}
            kept[table] = [{name: row[name] for name in columns} for row in _all(engine, table)]
        _put(old, kept)
    finally:
        engine.dispose()
        old.dispose()


def _all(engine: Engine, table: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table}").mappings())  # noqa: S608  our own names


def _put(engine: Engine, kept: dict[str, list[dict[str, Any]]]) -> None:
    found = MetaData()
    found.reflect(engine)
    with engine.begin() as connection:
        for table in found.sorted_tables:
            if table.name == "alembic_version":
                continue
            connection.execute(table.delete())
            if kept[table.name]:
                connection.execute(table.insert(), kept[table.name])
        scopes = str(FIRST_SCOPES).replace("'", '"')
        clients = found.tables["clients"]
        connection.execute(clients.update().where(clients.c.client_id == "admin").values(scopes=scopes))


def everything(session: Session, gateway: str) -> list[str]:
    tokens = tokens_pb2.ListTokensRequest(parent=f"merchantGateways/{gateway}/merchants/-")
    found = [*session.tokens.ListTokens(tokens).tokens, *session.events_after("0", merchant_gateway_id=gateway)]
    return [str(each) for each in found]


def test_a_database_of_the_first_version_is_served(core: RunningCore, request: pytest.FixtureRequest) -> None:
    at = Place(core, "MGW_000001")
    first = tsh(at.key, "token_update", {"token_state": "ACTIVE"})
    (sent, unbound) = (each.notification for each in record(core, first, update(at.unbound, "ACTIVE")))
    before = everything(core.admin, at.gateway)
    file = core.folder / "old.sqlite"
    on_sqlite = core.settings.database.startswith("sqlite")
    old = f"sqlite:///{file}" if on_sqlite else request.getfixturevalue("empty_postgres_database")
    taken_back(core, old)
    core.stop()
    if on_sqlite:
        held = Path(str(parse_url(core.settings.database).database))
        for beside in held.parent.glob(f"{held.name}*"):
            beside.unlink()
        file.replace(held)
    else:
        upgrade(old)
        core.settings = core.settings.model_copy(update={"database_url": old})
    core.start()

    assert everything(core.admin, at.gateway) == before
    scopes = core.admin.clients.GetClient(clients_pb2.GetClientRequest(name="clients/admin")).client.scopes
    assert set(scopes) == INTERNAL
    assert told(record(core, first))[0][0] == "REPEATED"
    assert notification(core, sent).delivery_count == 2
    for name in (sent, unbound):
        with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
            at.plan(name)
        assert said.metadata["cause"] == "NO_RECORD"
    name = subscribe(core.admin, merchant_gateway_id=at.gateway)
    sequences = pulled(core.admin, name)
    assert len(sequences) == len(core.admin.events_after("0", merchant_gateway_id=at.gateway)) > 1
    assert acknowledge(core.admin, name, *sequences) == len(sequences)
    later = record(core, update(at.key, "DELETED"))[0].notification
    assert not at.plan(later).differs
    core.admin.tokens.DisableToken(
        tokens_pb2.DisableTokenRequest(request_id=request_id(), name=at.token_name, reason="lost")
    )
