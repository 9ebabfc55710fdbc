"""Following a subscription: nothing is missed, whatever dies, and what is not dealt with goes back."""

import json
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from mintmark.v1 import events_pb2

from mintmark_client import Client, CursorOutOfRange, EventFollower, NotFound, PreconditionFailed, Unavailable
from tests.house.tree import ROOT
from tests.mintmark_client.conftest import Connect
from tests.mintmark_client.fake_network import FakeNetwork
from tests.mintmark_client.test_services import imports
from tests.mintmark_client.test_subscriber import BATCH, EVENTS, has_grown, write
from tests.server.rpc.running import RunningCore
from tests.server.rpc.subscribing import SCOPES as READING
from tests.server.rpc.subscribing import happen
from tests.waiting import eventually

SCOPES = (*READING, "tokens.write")


@pytest.fixture
def client(connect: Connect, core: RunningCore, place: str) -> Client:
    made = core.create(SCOPES, [place])
    return connect(client_id=made.client.client_id, client_secret=made.client_secret)


def ids(events: list[events_pb2.Event]) -> list[str]:
    return [event.token.token_id for event in events]


def test_a_subscription_is_made_changed_moved_and_deleted(client: Client, place: str) -> None:
    made = client.subscriptions.create("orders", start="0", lease=5)
    assert (made.lease_duration.seconds, made.subscription_id) == (5, "orders")
    wanted = events_pb2.EventFilter(merchant_gateway_id=place)
    after = client.subscriptions.update(made.name, filter=wanted, lease=2.5, etag=made.etag)
    assert (after.filter, after.lease_duration.ToMilliseconds()) == (wanted, 2500)
    with pytest.raises(PreconditionFailed, match="ETAG_MISMATCH"):
        client.subscriptions.update(made.name, lease=3, etag=made.etag)
    client.tokens.import_(imports(place, "a", "b"))
    pulled = client.subscriptions.pull(made.name, 1)
    assert client.subscriptions.extend(made.name, pulled.events, 60) == []
    assert client.subscriptions.acknowledge(made.name, [pulled.events[0].event.sequence]) == 1
    assert [each.name for each in client.subscriptions.list()] == [made.name]
    assert client.subscriptions.get(made.name).outstanding_count == 0
    assert client.subscriptions.seek(made.name, "now").lag <= 1
    assert list(client.subscriptions.pull(made.name).events) == []
    client.subscriptions.delete(made.name)
    with pytest.raises(NotFound):
        client.subscriptions.get(made.name)


def test_a_pull_waits_longer_than_one_try_of_another_call(client: Client, place: str) -> None:
    name = client.subscriptions.create("orders").name
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.subscriptions.pull, name, wait=20)
        client.tokens.import_(imports(place, "a"))
        assert ids([each.event for each in answer.result(15).events]) == ["a"]


def test_an_event_is_acknowledged_when_the_next_is_asked_for(client: Client, place: str) -> None:
    name = client.subscriptions.create("orders", start="0").name
    client.tokens.import_(imports(place, "a", "b", "c"))
    with client.subscriptions.follow(name) as events:
        assert ids([next(events), next(events)]) == ["a", "b"]
        assert events.delivery_count == 1
        # Acknowledgements are sent by themselves.
        eventually(lambda: client.subscriptions.get(name).outstanding_count == 2, what="the acknowledgement of a")
    # What was being dealt with and what was never begun went back.
    with client.subscriptions.follow(name, until_caught_up=True) as events:
        assert ids([next(events)]) == ["b"]
        assert events.delivery_count == 2
        events.ack()
        assert client.subscriptions.get(name).outstanding_count == 1
        assert events.delivery_count == 0
        assert ids(list(events)) == ["c"]
    assert client.subscriptions.get(name).outstanding_count == 0


def test_leases_are_kept_up_while_somebody_works(client: Client, place: str) -> None:
    name = client.subscriptions.create("orders", start="0", lease=1).name
    client.tokens.import_(imports(place, "a", "b"))
    with client.subscriptions.follow(name) as events:
        assert ids([next(events)]) == ["a"]
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert list(client.subscriptions.pull(name, wait=0.25).events) == []
        assert ids([next(events)]) == ["b"]
        events.ack()
    assert client.subscriptions.get(name).outstanding_count == 0


def test_a_lease_begins_when_the_wait_ends(client: Client, place: str) -> None:
    """Also one that is shorter than the wait."""
    name = client.subscriptions.create("orders", lease=1).name
    with client.subscriptions.follow(name) as events, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(next, events)
        until = time.monotonic() + 1.2
        eventually(lambda: time.monotonic() > until)
        client.tokens.import_(imports(place, "a"))
        assert ids([answer.result(10)]) == ["a"]
        assert events.delivery_count == 1


def test_what_somebody_else_has_meanwhile_is_not_handed_out(client: Client, place: str, network: FakeNetwork) -> None:
    """The network is gone until the leases have ended, and another one is faster."""
    name = client.subscriptions.create("orders", start="0", lease=1).name
    client.tokens.import_(imports(place, "a", "b", "c"))
    credentials = client._connection.access_token._credentials
    assert credentials
    client_id, secret = credentials()
    with (
        Client(network.address, client_id=client_id, client_secret=secret) as far,
        far.subscriptions.follow(name) as events,
    ):
        assert ids([next(events)]) == ["a"]
        network.freeze()
        other = eventually(lambda: client.subscriptions.pull(name, wait=1).events, what="the end of the leases")
        assert ids([each.event for each in other]) == ["a", "b", "c"]
        client.subscriptions.acknowledge(name, [each.event.sequence for each in other])
        client.tokens.import_(imports(place, "d"))
        network.thaw()
        assert ids([next(events)]) == ["d"]


def is_pulling(events: EventFollower) -> bool:
    return events._channel is not None


def test_closing_ends_a_wait_and_a_client_its_followers(client: Client) -> None:
    name = client.subscriptions.create("orders").name
    for close in ("follower", "client"):
        events = client.subscriptions.follow(name)
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(list, events)
            eventually(partial(is_pulling, events), what="the pull")
            (events if close == "follower" else client).close()
            assert waits.result(10) == []


def test_what_cannot_pass_is_raised(client: Client, core: RunningCore) -> None:
    with client.subscriptions.follow("clients/none/subscriptions/none") as events, pytest.raises(NotFound):
        next(events)
    with pytest.raises(CursorOutOfRange):
        client.subscriptions.create("ahead", start=f"{core.core.store.generation}.{10**9}")
    with (
        Client(f"unix:{core.folder}/nobody.sock", timeout=0.2) as nowhere,
        nowhere.subscriptions.follow("clients/a/subscriptions/b", patience=0.0) as events,
        pytest.raises(Unavailable),
    ):
        next(events)


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.campaign)])
def test_none_of_5000_events_is_missed(kills: int, core: RunningCore, place: str, tmp_path: Path) -> None:
    made = core.create(SCOPES, [place])
    address, client_id, secret = core.settings.grpc_address, made.client.client_id, made.client_secret
    credentials, seen = tmp_path / "orders.json", tmp_path / "seen"
    credentials.write_text(json.dumps({"client_id": client_id, "client_secret": secret}))
    seen.touch()
    kill_at = iter(sorted(random.Random(kills).sample(range(EVENTS * len("99999\n") // 2), kills)))
    with Client(address, client_id=client_id, client_secret=secret) as client:
        name = client.subscriptions.create("orders", start="0", lease=1).name
        slow_name = client.subscriptions.create("slow", start="0", lease=1).name
        command = [sys.executable, "-m", "tests.mintmark_client.following", address]
        command += [str(credentials), name, str(seen), str(EVENTS)]
        write(core, place, 0)
        with client.subscriptions.follow(slow_name, max_events=1000) as slow:
            slowly = [next(slow).sequence]
            running = subprocess.Popen(command, cwd=ROOT)
            try:
                for batch in range(1, EVENTS // BATCH):
                    write(core, place, batch)
                for size in kill_at:
                    eventually(partial(has_grown, seen, size), 30, "events before the kill")
                    running.kill()
                    running.wait(10)
                    running = subprocess.Popen(command, cwd=ROOT)
                assert running.wait(60) == 0
            finally:
                running.kill()
                running.wait(10)
            slowly += [next(slow).sequence for _ in range(EVENTS - 1)]
        again: set[int] = set()

        def all_acknowledged() -> bool:
            # What one that was killed had dealt with and not acknowledged comes again when its lease ends.
            with client.subscriptions.follow(name, until_caught_up=True) as rest:
                again.update(each.sequence for each in rest)
            return client.subscriptions.get(name).outstanding_count == 0

        eventually(all_acknowledged, 30, "everything acknowledged")
        assert {str(sequence) for sequence in again} <= set(seen.read_text().split())

    written = [event.sequence for event in core.admin.events_after("0", merchant_gateway_id=place)]
    assert len(written) == EVENTS
    # Nobody else was there to get anything of the slow one's.
    assert slowly == written
    assert set(seen.read_text().split()) == {str(sequence) for sequence in written}


def test_a_killed_subscriber_sees_each_resource_in_order(core: RunningCore, place: str) -> None:
    """Two followers in turns, one of which never says goodbye: what it had is seen again from where it was."""
    made = core.create(SCOPES, [place])
    client_id, secret = made.client.client_id, made.client_secret
    happened = happen(core, place, *("a", "b") * 15)
    seen: list[tuple[str, int]] = []
    with Client(core.settings.grpc_address, client_id=client_id, client_secret=secret) as client:
        name = client.subscriptions.create("orders", start="0", lease=1).name
        done = threading.Event()
        for goes_well in (False, True):
            events = client.subscriptions.follow(name, max_events=30)
            if not goes_well:
                # As if the process were gone: nothing is kept up, sent or given back any more.
                for _ in range(10):
                    event = next(events)
                    seen.append((event.resource, event.sequence))
                events._closed.set()
                continue
            while not done.is_set():
                event = next(events)
                seen.append((event.resource, event.sequence))
                if {sequence for _, sequence in seen} == set(happened):
                    done.set()
            events.close()
    for resource in {resource for resource, _ in seen}:
        first_seen = list(dict.fromkeys(sequence for of, sequence in seen if of == resource))
        assert first_seen == sorted(first_seen)
