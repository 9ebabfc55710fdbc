"""Many notifications decided again in the background."""

from collections import Counter
from typing import Any

import pytest
from mintmark.v1 import clients_pb2, events_pb2, notifications_pb2, replays_pb2

from server.domain import bindings
from server.domain.bindings import BindingState
from server.services import replays, steward
from server.services.replay_plans import Planning
from tests.server.rpc.notices import MERCHANT, record, tsh
from tests.server.rpc.readings import notification
from tests.server.rpc.replaying import Place
from tests.server.rpc.running import RunningCore, Session, code_of, refused, request_id, running_core
from tests.waiting import eventually

Kind = events_pb2.EventKind
State = replays_pb2.ReplayState
Filter = notifications_pb2.NotificationFilter
QUARANTINED = notifications_pb2.NotificationState.NOTIFICATION_STATE_QUARANTINED


@pytest.fixture
def at(core: RunningCore, place: str) -> Place:
    return Place(core, place)


def create(session: Session, *, dry_run: bool = False, **wanted: Any) -> replays_pb2.Replay:
    request = replays_pb2.CreateReplayRequest(
        request_id=request_id(), dry_run=dry_run, reason="the merchant is bound now", filter=Filter(**wanted)
    )
    return session.replays.CreateReplay(request).replay


def read(session: Session, name: str) -> replays_pb2.Replay:
    return session.replays.GetReplay(replays_pb2.GetReplayRequest(name=name)).replay


def ended(session: Session, name: str) -> replays_pb2.Replay:
    def look() -> replays_pb2.Replay | None:
        found = read(session, name)
        return found if found.state != State.REPLAY_STATE_RUNNING else None

    found = eventually(look, 20, "the end of the replay")
    assert found is not None
    return found


def counts(replay: replays_pb2.Replay) -> tuple[int, int, int, int]:
    return replay.examined_count, replay.different_count, replay.applied_count, replay.refused_count


def results(session: Session, name: str, page_size: int = 3) -> list[replays_pb2.ReplayResult]:
    found: list[replays_pb2.ReplayResult] = []
    request = replays_pb2.ListReplayResultsRequest(name=name, page_size=page_size)
    while True:
        answer = session.replays.ListReplayResults(request)
        found += answer.results
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def quarantine(at: Place, count: int) -> list[str]:
    """Notifications of as many devices that the key is not bound to."""
    told = {"binding_state": "ACTIVE"}
    sent = record(at.core, *(tsh(at.unbound, "binding_update", told, device_id=f"d-{n}") for n in range(count)))
    return [each.notification for each in sent]


def heal(at: Place) -> None:
    at.core.api_key(at.gateway, ["another", MERCHANT])


def test_what_was_in_quarantine_is_applied_when_the_merchant_is_bound(at: Place) -> None:
    core, admin = at.core, at.core.admin
    applied = tsh(at.key, "binding_update", {"binding_state": "DELETED"}, device_id="d-0")
    names = quarantine(at, 7)
    record(core, applied)
    heal(at)
    tried = ended(admin, create(admin, dry_run=True, merchant_gateway_id=at.gateway).name)
    assert (tried.state, tried.dry_run, tried.total_count) == (State.REPLAY_STATE_DONE, True, 8)
    assert counts(tried) == (8, 7, 0, 0)
    found = results(admin, tried.name)
    assert [each.replay.notification for each in found] == names
    assert not any(each.applied for each in found)
    assert len(at.resources()) == 1
    cursor = admin.head()
    wanted: dict[str, Any] = {"merchant_gateway_id": at.gateway, "states": [QUARANTINED]}
    done = ended(admin, create(admin, **wanted).name)
    assert (done.state, counts(done), done.total_count) == (State.REPLAY_STATE_DONE, (7, 7, 7, 0), 7)
    assert (done.client, done.reason, done.filter) == ("clients/admin", "the merchant is bound now", Filter(**wanted))
    assert (done.position, done.HasField("end_time")) == (names[-1], True)
    assert all(each.applied for each in results(admin, done.name))
    states = {each.device_id: each.state_text for each in at.resources().values()}
    # The later notification, which was applied at once, stays the newest.
    assert states == {"d-0": "DELETED"} | {f"d-{n}": "ACTIVE" for n in range(1, 7)}
    of_place = Counter(each.kind for each in admin.events_after(cursor, merchant_gateway_id=at.gateway))
    assert of_place == {Kind.EVENT_KIND_BINDING_UPDATED: 6, Kind.EVENT_KIND_NOTIFICATION_REPLAYED: 7}
    created, finished = [each for each in admin.events_after(cursor) if each.resource == done.name]
    assert dict(created.details) == {"dry_run": "false", "reason": "the merchant is bound now"}
    assert dict(finished.details) == {
        "state": "DONE",
        "examined": "7",
        "different": "7",
        "applied": "7",
        "refused": "0",
    }
    again = ended(admin, create(admin, merchant_gateway_id=at.gateway).name)
    assert counts(again) == (8, 0, 0, 0)
    assert results(admin, again.name) == []


def test_a_changed_rule_is_made_good_everywhere_and_only_there(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [{"binding_state": state} for state in ("MELTED", "ACTIVE", "MELTED", "DELETED")]
    sent = record(at.core, *(tsh(at.key, "binding_update", each, device_id=f"d-{n}") for n, each in enumerate(told)))
    melted = [sent[0].notification, sent[2].notification]
    monkeypatch.setitem(bindings.REPORTED_STATES, "MELTED", BindingState.SUSPENDED)
    admin = at.core.admin
    done = ended(admin, create(admin, merchant_gateway_id=at.gateway).name)
    assert counts(done) == (4, 2, 2, 0)
    found = results(admin, done.name)
    assert [each.replay.notification for each in found] == melted
    assert {(each.path, each.before, each.after) for one in found for each in one.replay.differences} == {
        ("state", "UNRECOGNIZED", "SUSPENDED")
    }
    assert all(each.replay.after.flags == [] for each in found)


def test_what_cannot_be_replayed_is_told_and_stops_nothing(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    names = quarantine(at, 5)
    heal(at)
    plan = Planning.plan

    def faulty(self: Planning) -> Any:
        planned = plan(self)
        if planned.kept.name == names[1]:
            raise LookupError("a fault of ours")
        return planned

    monkeypatch.setattr(Planning, "plan", faulty)
    monkeypatch.setattr(replays, "MOST_RESULTS", 3)
    admin = at.core.admin
    done = ended(admin, create(admin, merchant_gateway_id=at.gateway).name)
    assert (counts(done), done.result_count) == ((5, 4, 4, 1), 3)
    assert [(each.cause, each.applied) for each in results(admin, done.name)] == [
        ("", True),
        ("FAULT", False),
        ("", True),
    ]
    assert notification(at.core, names[1]).state == QUARANTINED


def test_what_comes_after_its_creation_is_not_part_of_it(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine(at, 3)
    heal(at)
    monkeypatch.setattr(replays, "PIECE", 1)
    plan, more = Planning.plan, [1]

    def meanwhile(self: Planning) -> Any:
        if more.pop() if more else 0:
            quarantine(at, 2)
        return plan(self)

    monkeypatch.setattr(Planning, "plan", meanwhile)
    admin = at.core.admin
    assert counts(ended(admin, create(admin, merchant_gateway_id=at.gateway).name)) == (3, 3, 3, 0)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """One notification a step, and the steps in turn."""
    monkeypatch.setattr(replays, "PIECE", 1)


def test_a_replay_is_cancelled_where_it_stands(at: Place, slow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine(at, 6)
    heal(at)
    admin, plan = at.core.admin, Planning.plan
    made: list[str] = []

    def cancelling(self: Planning) -> Any:
        if made and read(admin, made[0]).examined_count == 3:
            cancel(admin, made[0])
        return plan(self)

    monkeypatch.setattr(Planning, "plan", cancelling)
    made.append(create(admin, dry_run=True, merchant_gateway_id=at.gateway).name)
    stopped = ended(admin, made[0])
    assert (stopped.state, stopped.end_reason) == (State.REPLAY_STATE_CANCELLED, "cancelled by clients/admin")
    assert stopped.examined_count == 3
    assert cancel(admin, made[0]) == stopped
    done = ended(admin, create(admin, dry_run=True, merchant_gateway_id=f"{at.gateway}-none").name)
    assert cancel(admin, done.name) == done


def cancel(session: Session, name: str) -> replays_pb2.Replay:
    return session.replays.CancelReplay(replays_pb2.CancelReplayRequest(request_id=request_id(), name=name)).replay


def test_two_replays_take_turns(at: Place, slow: None) -> None:
    quarantine(at, 5)
    heal(at)
    admin = at.core.admin
    made = [create(admin, merchant_gateway_id=at.gateway), create(admin, dry_run=True, merchant_gateway_id=at.gateway)]
    done = [ended(admin, each.name) for each in made]
    assert done[0].applied_count == 5
    assert [each.examined_count for each in done] == [5, 5]


def test_a_replay_sees_what_its_creator_sees_and_is_its_creators(at: Place) -> None:
    core = at.core
    other = Place(core, f"{at.gateway}-other")
    quarantine(at, 3)
    quarantine(other, 2)
    heal(at)
    heal(other)
    mine = core.client(["notifications.replay"], [at.gateway])
    done = ended(mine, create(mine).name)
    assert counts(done) == (3, 3, 3, 0)
    assert len(other.resources()) == 0
    stranger = core.client(["notifications.replay"], [at.gateway])
    for run in (
        lambda: read(stranger, done.name),
        lambda: cancel(stranger, done.name),
        lambda: results(stranger, done.name),
    ):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            run()
    listed = stranger.replays.ListReplays(replays_pb2.ListReplaysRequest()).replays
    assert list(listed) == []
    assert [each.name for each in mine.replays.ListReplays(replays_pb2.ListReplaysRequest()).replays] == [done.name]
    assert done.name in {each.name for each in core.admin.replays.ListReplays(replays_pb2.ListReplaysRequest()).replays}
    assert read(core.admin, done.name) == done


@pytest.mark.parametrize("how", ["disabled", "without the scope"])
def test_a_creator_that_may_not_replay_any_more_stops_it(at: Place, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    core = at.core
    quarantine(at, 3)
    heal(at)
    mine = core.client(["notifications.replay"], [at.gateway])
    name = f"clients/{mine.client_id}"
    plan = Planning.plan
    monkeypatch.setattr(replays, "PIECE", 1)

    def leaving(self: Planning) -> Any:
        if how == "disabled":
            core.admin.clients.DisableClient(clients_pb2.DisableClientRequest(request_id=request_id(), name=name))
        else:
            request = clients_pb2.UpdateClientRequest(request_id=request_id())
            request.update_mask.paths.append("scopes")
            request.client.name = name
            request.client.scopes.append("events.read")
            core.admin.clients.UpdateClient(request)
        return plan(self)

    monkeypatch.setattr(Planning, "plan", leaving)
    stopped = ended(core.admin, create(mine).name)
    assert (stopped.state, counts(stopped)) == (State.REPLAY_STATE_CANCELLED, (1, 1, 1, 0))
    assert stopped.end_reason == f"{name} may not replay any more"


def test_a_replay_goes_on_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    # The core that was stopped keeps its successor from the chore for so long.
    monkeypatch.setattr(steward, "LEASE_S", 0.5)
    with running_core() as core:
        at = Place(core, "MGW_000001")
        names = quarantine(at, 8)
        heal(at)
        plan = Planning.plan
        looked: list[Planning] = []
        monkeypatch.setattr(replays, "PIECE", 1)

        def failing(self: Planning) -> Any:
            if len(looked) == 3:
                # As if the core were stopped right here: nothing of this step is stored.
                raise replays.Superseded
            looked.append(self)
            return plan(self)

        monkeypatch.setattr(Planning, "plan", failing)
        made = create(core.admin, merchant_gateway_id=at.gateway)
        eventually(lambda: read(core.admin, made.name).examined_count == 3, what="the third notification")
        core.stop()
        monkeypatch.setattr(Planning, "plan", plan)
        core.start()
        done = ended(core.admin, made.name)
        assert (counts(done), done.state) == ((8, 8, 8, 0), State.REPLAY_STATE_DONE)
        assert [each.replay.notification for each in results(core.admin, made.name)] == names
        assert all(each.etag == "1" for each in at.resources().values())


def test_in_development_nobody_in_particular_may_replay() -> None:
    with running_core(development=True) as core:
        at = Place(core, "MGW_000001")
        quarantine(at, 2)
        heal(at)
        done = ended(core.anonymous, create(core.anonymous).name)
        assert (done.client, counts(done)) == ("clients/development", (2, 2, 2, 0))


def test_the_same_request_creates_one_replay(at: Place) -> None:
    request = replays_pb2.CreateReplayRequest(request_id=request_id(), dry_run=True, reason="once")
    first = at.core.admin.replays.CreateReplay(request)
    assert at.core.admin.replays.CreateReplay(request) == first
    at.core.admin.replays.CancelReplay(replays_pb2.CancelReplayRequest(request_id=request_id(), name=first.replay.name))


HOSTILE: list[dict[str, Any]] = [
    {"sender": "x" * 257},
    {"resource": "x" * 1025},
    {"resource": "%00" * 10},
    {"resource": "merchantGateways/%00/merchants/%ff"},
    {"resource": "merchantGateways/a/merchants/b/tokens/%00"},
    {"resource": "'; DROP TABLE notifications; --%_\\"},
    {"resource": "\0"},
    {"sender": "\0"},
    {"start_time": {"seconds": -1}},
    {"start_time": {"seconds": 2**63 - 1}},
    {"end_time": {"seconds": -(2**63)}},
    {"end_time": {"seconds": 253402300799, "nanos": 999999999}},
    {"end_time": {"nanos": -(2**31)}},
    {"start_time": {"nanos": 2**31 - 1}},
    {"start_time": {"seconds": 5}, "end_time": {"seconds": 1}},
    {"states": [99]},
    {"partners": [-1]},
    {"flags": [2**31 - 1]},
    {"flags": [1, 2, 3] * 20},
    {"quarantine_reasons": [0]},
    {"partners": [1], "kinds": [2]},
    {"token_id": "4111111111111111"},
    {"correlation_id": "🜚" * 256},
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_filters_are_no_fault_of_ours(at: Place, hostile: dict[str, Any]) -> None:
    quarantine(at, 1)
    admin = at.core.admin
    listing = notifications_pb2.ListNotificationsRequest(**hostile)
    assert code_of(lambda: admin.notifications.ListNotifications(listing)) in ("OK", "INVALID_ARGUMENT")
    try:
        made = create(admin, dry_run=True, **hostile)
    except Exception as error:
        assert "INVALID_ARGUMENT" in str(error)  # noqa: PT017  some are refused, which is as good
        return
    assert ended(admin, made.name).state == State.REPLAY_STATE_DONE


@pytest.mark.parametrize("name", ["", "x", "replays/none", "notifications/../x", "replays/%00", "x" * 129])
def test_hostile_names_are_no_fault_of_ours(core: RunningCore, name: str) -> None:
    admin = core.admin
    expected = ("NOT_FOUND", "INVALID_ARGUMENT")
    plan = notifications_pb2.PlanNotificationReplayRequest(name=name)
    assert code_of(lambda: admin.notifications.PlanNotificationReplay(plan)) in expected
    replay = notifications_pb2.ReplayNotificationRequest(request_id=request_id(), name=name)
    assert code_of(lambda: admin.notifications.ReplayNotification(replay)) in expected
    assert code_of(lambda: read(admin, name)) in expected
    assert code_of(lambda: cancel(admin, name)) in expected
    assert code_of(lambda: results(admin, name)) in expected
