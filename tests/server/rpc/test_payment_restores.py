"""After a restore money stands still: what could have been sent since the backup is in doubt, and nothing is sent."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from mintmark.v1 import accounts_pb2
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import payments_pb2 as pb

from server.keys import keyring
from tests.server.rpc.paying import NOT_SENT, SUBMIT, Shop, approved, doubt, open_shop
from tests.server.rpc.running import RunningCore, refused, request_id, running_core
from tests.server.rpc.subscribed import Subscribed
from tests.server.rpc.test_payment_subscription_calls import call, paused, resume


def back_up(core: RunningCore, to: Path) -> None:
    core.stop()
    shutil.copy(core.folder / "data/mintmark.sqlite", to)
    core.start()


def put_back(core: RunningCore, backup: Path) -> None:
    """The backup in place of the database, while the core is down."""
    core.stop()
    for file in (core.folder / "data").glob("mintmark.sqlite*"):
        file.unlink()
    shutil.copy(backup, core.folder / "data/mintmark.sqlite")
    core.start()


def log_in(shop: Shop) -> None:
    shop.client = shop.core.session(*shop.credentials)


def held(shop: Shop) -> list[str]:
    listed = shop.core.admin.accounts.ListAccounts(accounts_pb2.ListAccountsRequest()).accounts
    return [account.hold_reason for account in listed if account.held]


def test_what_was_sent_after_the_backup_is_not_sent_again(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with running_core() as core:
        shop = open_shop(core)
        unsent = shop.create()
        (task,) = shop.claim(SUBMIT, of=unsent)
        done = shop.pay()
        sending = shop.create()
        grant = shop.granted(sending)
        cursor = core.admin.head()
        back_up(core, backup)
        log_in(shop)
        first = shop.begin(task)
        shop.record(first.attempt, approved(first))
        put_back(core, backup)
        log_in(shop)
        assert held(shop) == ["STORE_RESTORED"]
        assert [shop.state(each) for each in (unsent, sending, done)] == ["IN_DOUBT", "IN_DOUBT", "CAPTURED"]
        assert [doubt(shop.get(each)) for each in (unsent, sending)] == ["STORE_RESTORED", "STORE_RESTORED"]
        assert shop.claim(SUBMIT) == []
        # What counts from before is evidence: a yes settles, that nothing was sent does not.
        assert shop.record(grant.attempt, outcome=NOT_SENT, trouble="connect_timeout") == "IN_DOUBT"
        assert shop.record(first.attempt, approved(first)) == "SUCCEEDED"
        with refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE"):
            core.admin.events.ListEvents(ev.ListEventsRequest(cursor=cursor))
        # What is asked for now waits until somebody has looked and lets sending go on.
        fresh = shop.create()
        assert shop.claim(SUBMIT) == []
        core.admin.payments.ReleasePayments(pb.ReleasePaymentsRequest(request_id=request_id(), reason="looked"))
        (task,) = shop.claim(SUBMIT)
        assert task.operation == fresh.operations[0].name
        shop.begin(task)


def test_a_restart_is_no_restore() -> None:
    with running_core() as core:
        shop = open_shop(core)
        payment = shop.create()
        paid = shop.pay()
        core.stop()
        core.start()
        log_in(shop)
        assert (held(shop), shop.state(payment), shop.state(paid)) == ([], "PENDING", "CAPTURED")


def lose(path: Path) -> None:
    path.unlink()


def spoil(path: Path) -> None:
    path.write_text("{")


@pytest.mark.parametrize("damage", [lose, spoil])
def test_a_mark_that_is_gone_is_taken_for_a_restore(damage: Callable[[Path], None]) -> None:
    """Where nothing says how far the history had come, it may have come further."""
    with running_core() as core:
        shop = open_shop(core)
        payment = shop.create()
        paid = shop.pay()
        core.stop()
        damage(core.settings.high_water_file)
        core.start()
        log_in(shop)
        assert held(shop) == ["STORE_RESTORED"]
        assert (shop.state(payment), shop.state(paid)) == ("IN_DOUBT", "CAPTURED")


def test_another_database_on_postgresql_sends_nothing(postgres_database: str, tmp_path: Path) -> None:
    """A cluster that was restored or took over says so; a core that runs grants nothing, even before it has looked."""
    keys = tmp_path / "keyring.json"
    keyring.create(keys)
    with running_core(database_url=postgres_database, keyring_file=keys) as core:
        shop = open_shop(core)
        payment = shop.create()
        (task,) = shop.claim(SUBMIT, of=payment)
        core.core.steward.close()
        with psycopg.connect(postgres_database) as connection:
            connection.execute("UPDATE store_head SET database_identity = 'another:00000001:1:1'")
        with refused("ABORTED", "ATTEMPT_REFUSED") as told:
            shop.begin(task)
        assert told.metadata == {"why": "store"}
        core.stop()
        core.start()
        log_in(shop)
        assert (held(shop), shop.state(payment)) == (["STORE_RESTORED"], "IN_DOUBT")


def test_another_database_starts_no_charging_of_a_subscription_again(postgres_database: str, tmp_path: Path) -> None:
    """Whether it was told to go on is not known in the other database; nothing tells it before somebody has looked."""
    keys = tmp_path / "keyring.json"
    keyring.create(keys)
    with running_core(database_url=postgres_database, keyring_file=keys) as core:
        shop = Subscribed(open_shop(core))
        made, _, _ = paused(shop)
        resume(shop, made)
        core.core.steward.close()
        with psycopg.connect(postgres_database) as connection:
            connection.execute("UPDATE store_head SET database_identity = 'another:00000001:1:1'")
        assert call(shop.attend(made)) == "DETAILS"
