"""What cannot be decided again, and what is once the database takes it."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from mintmark.v1 import tokens_pb2

from server.keys import keyring
from server.services import replay_plans
from server.store import schema
from tests.server.rpc.notices import d1, record, tsh
from tests.server.rpc.readings import binding, notification, token
from tests.server.rpc.replaying import Place, differing, heal, send, update
from tests.server.rpc.running import RunningCore, refused, running_core

EARLY, LATE = "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"


@pytest.fixture
def at(core: RunningCore, place: str) -> Place:
    return Place(core, place)


def sql(core: RunningCore, statement: Any) -> None:
    core.core.store.write("test", lambda transaction: transaction.change(statement, [{}]))  # type: ignore[attr-defined]


def test_what_a_version_before_stored_is_refused(at: Place) -> None:
    name = send(at.core, update(at.key, "ACTIVE"))
    table = schema.notifications
    sql(at.core, table.update().where(table.c.name == name).values(sealed_record=None))
    with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
        at.plan(name)
    assert said.metadata == {"notification": name, "cause": "NO_RECORD"}


def test_one_whose_past_retention_has_removed_is_refused(at: Place) -> None:
    first = send(at.core, update(at.key, "ACTIVE", LATE))
    stale = send(at.core, update(at.key, "ACTIVE", EARLY))
    second = send(at.core, update(at.key, "DELETED", LATE))
    kept = send(at.core, update(at.key, "ACTIVE", LATE))
    quarantined = send(at.core, update(at.unbound, "ACTIVE", LATE))
    removed = [notification(at.core, each).event_sequence for each in (first, second)]
    events = schema.events
    sql(at.core, events.delete().where(events.c.sequence.in_(removed[:1])))
    for name in (first, stale, second):
        with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
            at.plan(name)
        assert said.metadata == {"notification": name, "cause": "HISTORY_REMOVED"}
    assert not at.plan(kept).differs
    sql(at.core, events.delete().where(events.c.resource == f"{at.token_name}/bindings/d-1"))
    heal(at)
    with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
        at.replay(quarantined)
    assert said.metadata["cause"] == "HISTORY_REMOVED"


def test_a_later_notification_that_is_gone_counts_as_it_did(at: Place) -> None:
    name = send(at.core, update(at.unbound, "ACTIVE", EARLY))
    later = send(at.core, update(at.key, "DELETED"))
    table = schema.notifications
    sql(at.core, table.delete().where(table.c.name == later))
    heal(at)
    assert differing(at.replay(name)) == {
        "partner_update_time_text": ("", EARLY),
        "partner_order_time": ("", EARLY),
    }
    assert binding(at.core, at.gateway).state_text == "DELETED"


def test_a_history_without_end_is_refused(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    name = send(at.core, update(at.unbound, "ACTIVE", EARLY))
    record(at.core, *(update(at.key, "ACTIVE", LATE, correlation_id=f"c-{number}") for number in range(6)))
    heal(at)
    monkeypatch.setattr(replay_plans, "LONGEST_HISTORY", 5)
    with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
        at.replay(name)
    assert said.metadata["cause"] == "HISTORY_TOO_LONG"


def test_what_the_database_refused_is_applied_once_it_takes_it(
    postgres_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys: Path = tmp_path_factory.mktemp("keys") / "keyring.json"
    keyring.create(keys)
    refusing = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.state_text = 'POISON' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON bindings FOR EACH ROW EXECUTE FUNCTION refuse();
    """
    with psycopg.connect(postgres_database) as connection:
        connection.execute(refusing)
    with running_core(database_url=postgres_database, keyring_file=keys) as core:
        at = Place(core, "MGW_PG")
        name = send(core, update(at.key, "POISON"))
        assert notification(core, name).quarantine_reason == 3
        with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
            at.replay(name)
        assert said.metadata["cause"] == "STORE_REFUSED"
        with psycopg.connect(postgres_database) as connection:
            connection.execute("DROP TRIGGER refuse ON bindings")
        assert at.replay(name).differs
        assert binding(core, at.gateway).state_text == "POISON"
        record(core, tsh(at.key, "token_update", {"token_state": "MELTED"}), d1(at.partner, at.gateway))
        at.send(("merchant_update", {"scheme": "VISA", "error_code": "E"}, True, False))
        at.act("disable")
        assert not any(plan.differs for plan in at.plans())
        heal(at)
        replays = at.replay_all()
        assert [replay.differs for replay in replays] == [False, False, False, True]
        assert differing(replays[-1])['scheme_registrations["VISA"].error_code'] == ("", "E")
        assert [each.differs for each in at.replay_all()] == [False] * 4
        assert token(core, at.gateway).state == tokens_pb2.TokenState.TOKEN_STATE_UNRECOGNIZED
