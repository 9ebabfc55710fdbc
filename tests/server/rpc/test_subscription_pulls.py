"""Pulls that wait, pullers on several cores, and what is measured of them."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import access_tokens_pb2
from mintmark.v1 import subscriptions_pb2 as pb
from prometheus_client import REGISTRY

from server.clock import SystemClock
from server.keys import keyring
from server.services.subscription_lag import KEPT_S, LagMetrics
from tests.server.rpc.running import RunningCore, Session, code_of, refused, running_core
from tests.server.rpc.subscribing import (
    SCOPES,
    acknowledge,
    another_core,
    delete,
    extend,
    get,
    happen,
    listed,
    pull,
    pulled,
    subscribe,
)
from tests.server.rpc.test_events import import_tokens
from tests.waiting import eventually


@pytest.fixture
def session(core: RunningCore, place: str) -> Session:
    return core.client(SCOPES, [place])


def waiting() -> float:
    return REGISTRY.get_sample_value("mintmark_grpc_in_flight", {"call_class": "waiting"}) or 0


@contextmanager
def waiting_pull(session: Session, name: str, wait: int = 20) -> Iterator["Future[list[int]]"]:
    with ThreadPoolExecutor(1) as pool:
        before = waiting()
        future = pool.submit(pulled, session, name, 0, wait)
        eventually(lambda: waiting() > before, what="the wait")
        yield future


def test_a_waiting_pull_is_answered_when_something_happens(core: RunningCore, session: Session, place: str) -> None:
    name = subscribe(session, "", merchant_gateway_id=place)
    with waiting_pull(session, name) as answer:
        happen(core, f"{place}x", "other")
        a1, a2 = happen(core, place, "a"), happen(core, place, "a")
        assert answer.result(10) == a1
    with waiting_pull(session, name) as answer:
        acknowledge(session, name, *a1)
        assert answer.result(10) == a2
    with waiting_pull(session, name) as answer:
        extend(session, name, [(a2[0], 1)], 0)
        assert answer.result(10) == a2
    with waiting_pull(session, name) as answer:
        delete(session, name)
        assert code_of(answer.result) == "NOT_FOUND"


def test_a_wait_ends_before_the_callers_deadline(core: RunningCore, session: Session) -> None:
    name = subscribe(session, "")
    assert list(pull(session, name, wait=20, timeout=5).events) == []


def test_a_revoked_caller_waits_no_longer(core: RunningCore, session: Session) -> None:
    name = subscribe(session, "")
    with waiting_pull(session, name) as answer:
        request = access_tokens_pb2.RevokeAccessTokenRequest(access_token=session.access_token)
        session.access_tokens.RevokeAccessToken(request)
        assert code_of(lambda: answer.result(10)) == "UNAUTHENTICATED"


def test_40_wait_32_find_a_place_and_the_others_work(core: RunningCore, session: Session, place: str) -> None:
    name = subscribe(session, "", merchant_gateway_id=place)
    sessions = [Session(core.channel(), session.metadata) for _ in range(40)]
    request = pb.PullEventsRequest(name=name, wait=Duration(seconds=20))
    calls = [each.subscriptions.PullEvents.future(request, timeout=60) for each in sessions]
    (*_,) = eventually(lambda: [call for call in calls if call.done()][7:], what="eight refusals")
    eventually(lambda: waiting() == 32, what="32 that wait")
    turned_away = [call for call in calls if call.done()]
    assert len(turned_away) == 8
    with refused("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS") as told:
        turned_away[0].result()
    assert told.metadata == {"class": "waiting"}
    assert len(happen(core, f"{place}x", "unary calls go on")) == 1
    # Whoever has gone frees a place at once.
    kept = [call for call in calls if not call.done()]
    kept.pop().cancel()
    eventually(lambda: waiting() == 31, 2.0, "a free place")
    for call in kept:
        call.cancel()
    eventually(lambda: waiting() == 0, what="all places free")


def test_a_stopping_core_lets_those_who_wait_go(place: str) -> None:
    core = RunningCore()
    try:
        session = core.client(SCOPES, [place])
        name = subscribe(session, "")
        with waiting_pull(session, name) as answer:
            stopping = threading.Thread(target=core.core.stop)
            stopping.start()
            with refused("UNAVAILABLE", "SHUTTING_DOWN"):
                answer.result(5)
            stopping.join(10)
            assert not stopping.is_alive()
        core.start()
    finally:
        core.remove()


# Several pullers at once, and what is measured.


def race(sessions: list[Session], name: str, wanted: int) -> list[tuple[str, int]]:
    """What pullers get who want everything as fast as they can, in the order in which they got it."""
    lock = threading.Lock()
    seen: list[tuple[str, int]] = []

    def work(session: Session) -> None:
        while len(seen) < wanted:
            answer = pull(session, name, 7, 1)
            with lock:
                seen.extend((each.event.resource, each.event.sequence) for each in answer.events)
            if answer.events:
                acknowledge(session, name, *(each.event.sequence for each in answer.events))

    with ThreadPoolExecutor(len(sessions)) as pool:
        for future in [pool.submit(work, session) for session in sessions]:
            future.result(60)
    return seen


def test_two_cores_hand_out_each_event_once(postgres_database: str, tmp_path: Path) -> None:
    keys = tmp_path / "keyring.json"
    keyring.create(keys)
    with (
        running_core(database_url=postgres_database, keyring_file=keys) as core,
        another_core(core, tmp_path) as other,
    ):
        session = core.client(SCOPES, ["g"])
        name = subscribe(session)
        sessions = [
            Session(core.channel(address), session.metadata)
            for address in (core.settings.grpc_address, other)
            for _ in range(4)
        ]
        eventually(lambda: code_of(lambda: listed(sessions[-1])) == "OK", what="the client on the other core")
        import_tokens(core, "g", *(f"t-{number}" for number in range(400)))
        happen(core, "g", *("hot",) * 20)
        seen = race(sessions, name, 420)
        assert len(set(seen)) == len(seen) == 420
        hot = [sequence for resource, sequence in seen if resource.endswith("/hot")]
        assert len(hot) == 20
        assert hot == sorted(hot)
        assert get(session, name).outstanding_count == 0


def test_deliveries_are_counted(core: RunningCore, session: Session, place: str) -> None:
    def counted(what: str) -> float:
        return REGISTRY.get_sample_value(f"mintmark_subscription_{what}_events_total") or 0

    name = subscribe(session, core.admin.head(), merchant_gateway_id=place)
    before = {what: counted(what) for what in ("delivered", "redelivered", "acknowledged")}
    (a,) = happen(core, place, "a")
    assert pulled(session, name) == [a]
    extend(session, name, [(a, 1)], 0)
    assert pulled(session, name) == [a]
    acknowledge(session, name, a)
    assert {what: counted(what) - before[what] for what in before} == dict.fromkeys(before, 1)


class HeldClock(SystemClock):
    """Its monotonic time moves when it is moved."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_lag_is_measured_and_the_store_asked_for_it_only_now_and_then(place: str) -> None:
    def measured() -> dict[str, float]:
        (gauge,) = metrics.collect()
        return {sample.labels["subscription"]: sample.value for sample in gauge.samples}

    with running_core() as core:
        session = core.client(SCOPES, [place])
        name = subscribe(session, "")
        clock = HeldClock()
        metrics = LagMetrics(core.core.store, clock)
        assert measured() == {name: 1}
        assert REGISTRY.get_sample_value("mintmark_subscription_lag_events", {"subscription": name}) == 1
        happen(core, place, "a")
        assert measured() == {name: 1}
        clock.seconds += KEPT_S
        assert measured() == {name: 2}
        # A store that is gone has no lag to show, and the other metrics are there all the same.
        file = core.folder / "data/mintmark.sqlite"
        file.rename(file.with_name("away"))
        clock.seconds += KEPT_S
        assert measured() == {}
        file.with_name("away").rename(file)
        clock.seconds += KEPT_S
        assert measured() == {name: 2}
    assert REGISTRY.get_sample_value("mintmark_subscription_lag_events", {"subscription": name}) is None
