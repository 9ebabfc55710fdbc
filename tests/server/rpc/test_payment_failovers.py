"""A restore or a failover under cores that run: money stands still without a restart, once, whoever sees it first."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import psycopg
import pytest
from mintmark.v1 import accounts_pb2
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import payments_pb2 as pb

from server.keys import keyring
from tests.server.rpc.paying import SUBMIT, Shop, approved, doubt, open_shop
from tests.server.rpc.running import RunningCore, Session, refused, request_id, running_core
from tests.server.rpc.test_payment_cores import Second
from tests.waiting import eventually

ANOTHER = "UPDATE store_head SET database_identity = 'another:00000001:1:1'"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    made = tmp_path / "keyring.json"
    keyring.create(made)
    return made


@pytest.fixture
def core(postgres_database: str, keys: Path) -> Iterator[RunningCore]:
    with running_core(database_url=postgres_database, keyring_file=keys) as made:
        yield made


def held(caller: Session) -> list[str]:
    listed = caller.accounts.ListAccounts(accounts_pb2.ListAccountsRequest()).accounts
    return [account.hold_reason for account in listed if account.held]


def times_held(caller: Session) -> int:
    return len(caller.events_after("", kinds=[ev.EVENT_KIND_PAYMENTS_HELD]))


def stands_still(shop: Shop, unsent: pb.Payment, sending: pb.Payment) -> None:
    assert held(shop.core.admin) == ["STORE_RESTORED"]
    assert [doubt(shop.get(each)) for each in (unsent, sending)] == ["STORE_RESTORED", "STORE_RESTORED"]


def test_another_database_is_noticed_by_a_core_that_runs(core: RunningCore, postgres_database: str) -> None:
    shop = open_shop(core)
    done, sending = shop.pay(), shop.create()
    grant = shop.granted(sending)
    unsent = shop.create()
    cursor = core.admin.head()
    stream = core.admin.events.StreamEvents(ev.StreamEventsRequest(cursor=cursor))
    assert next(stream).caught_up
    with psycopg.connect(postgres_database) as connection:
        connection.execute(ANOTHER)
    eventually(lambda: held(core.admin), what="the hold")
    stands_still(shop, unsent, sending)
    assert shop.state(done) == "CAPTURED"
    # Who follows events is told, and so is who comes with a cursor from before.
    with pytest.raises(grpc.RpcError) as ended:
        for _ in stream:
            pass
    assert ended.value.code() is grpc.StatusCode.OUT_OF_RANGE
    with refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE"):
        core.admin.events.ListEvents(ev.ListEventsRequest(cursor=cursor))
    after = core.admin.head()
    assert shop.record(grant.attempt, approved(grant)) == "SUCCEEDED"
    assert [each.resource for each in core.admin.events_after(after)] == [sending.name]
    fresh = shop.create()
    assert shop.claim(SUBMIT) == []
    core.admin.payments.ReleasePayments(pb.ReleasePaymentsRequest(request_id=request_id(), reason="looked"))
    (task,) = shop.claim(SUBMIT)
    assert task.operation == fresh.operations[0].name
    shop.begin(task)
    assert times_held(core.admin) == 1
    # A restart finds nothing more.
    core.stop()
    core.start()
    assert (held(core.admin), times_held(core.admin)) == ([], 1)


def test_one_of_two_cores_notices_and_the_other_follows(
    core: RunningCore, postgres_database: str, tmp_path: Path, keys: Path
) -> None:
    second = Second(core, tmp_path, postgres_database, keys)
    try:
        shop = open_shop(core)
        unsent, sending = shop.create(), shop.create()
        shop.granted(sending)
        generations = {core.core.store.generation, second.core.store.generation}
        with psycopg.connect(postgres_database) as connection:
            connection.execute(ANOTHER)
        stores = (core.core.store, second.core.store)
        eventually(lambda: not generations & {each.generation for each in stores}, what="both cores")
        stands_still(shop, unsent, sending)
        assert len({each.generation for each in stores}) == 1
        assert times_held(core.admin) == 1
        # What the other one remembers is of the new history as well.
        head = core.core.store.view.bounds()[1]
        eventually(lambda: second.core.feed.head == head, what="its feed")
        release = pb.ReleasePaymentsRequest(request_id=request_id(), reason="looked")
        core.admin.payments.ReleasePayments(release)
        eventually(lambda: second.core.feed.head == head + 1, what="its feed to go on")
    finally:
        second.close()


def put_back(core: RunningCore, events: int) -> None:
    """The database forgets its newest events, as one that was restored has them not."""
    file = core.folder / "data" / "mintmark.sqlite"
    with closing(sqlite3.connect(file, timeout=10)) as connection, connection:
        connection.execute("UPDATE store_head SET sequence = sequence - ?", (events,))
        connection.execute("DELETE FROM events WHERE sequence > (SELECT sequence FROM store_head)")


def test_an_earlier_file_is_noticed_by_a_core_that_runs() -> None:
    with running_core() as core:
        shop = open_shop(core)
        unsent, sending = shop.create(), shop.create()
        shop.granted(sending)
        put_back(core, 2)
        eventually(lambda: held(core.admin), what="the hold")
        stands_still(shop, unsent, sending)
        assert times_held(core.admin) == 1
        core.admin.payments.ReleasePayments(pb.ReleasePaymentsRequest(request_id=request_id(), reason="looked"))
        shop.pay()
        assert held(core.admin) == []


def test_an_earlier_file_gets_no_grant_before_anybody_has_looked() -> None:
    with running_core() as core:
        shop = open_shop(core)
        (task,) = shop.claim(SUBMIT, of=shop.create())
        shop.granted(shop.create())
        core.core.steward.close()
        put_back(core, 5)
        with refused("UNAVAILABLE", "STORE_UNAVAILABLE"):
            shop.begin(task)
