"""Replays beside those of others: who sees their results, and one that cannot go on."""

import pytest
from mintmark.v1 import clients_pb2, replays_pb2

from server.domain.refusals import StoreUnavailable
from server.domain.replays import Replay
from server.services import replays, steward
from server.services.replays import Replaying
from tests.server.rpc.replaying import Place
from tests.server.rpc.running import RunningCore, Session, request_id
from tests.server.rpc.test_replays import cancel, counts, create, ended, heal, quarantine, results
from tests.waiting import eventually


@pytest.fixture
def at(core: RunningCore, place: str) -> Place:
    return Place(core, place)


def test_results_are_shown_as_far_as_their_reader_sees_today(at: Place) -> None:
    core = at.core
    other = Place(core, f"{at.gateway}-other")
    here, there = quarantine(at, 2), quarantine(other, 2)
    heal(at)
    heal(other)
    mine = core.client(["notifications.replay"], [at.gateway, other.gateway])
    done = ended(mine, create(mine, dry_run=True).name)

    def seen(session: Session) -> list[str]:
        return [each.replay.notification for each in results(session, done.name, 1)]

    assert seen(mine) == here + there
    request = clients_pb2.UpdateClientRequest(request_id=request_id())
    request.update_mask.paths.append("merchant_gateway_ids")
    request.client.name = f"clients/{mine.client_id}"
    request.client.merchant_gateway_ids.append(at.gateway)
    core.admin.clients.UpdateClient(request)
    assert seen(mine) == here
    assert seen(core.admin) == here + there


@pytest.mark.parametrize("fault", [StoreUnavailable("the search takes too long"), LookupError("a fault of ours")])
def test_a_replay_that_cannot_go_on_stops_no_other(
    at: Place, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steward, "FAULT_PAUSE_S", 0.1)
    monkeypatch.setattr(replays, "PIECE", 2)
    quarantine(at, 3)
    heal(at)
    go_on = Replaying._go_on
    tried: list[str] = []

    def failing(self: Replaying, replay: Replay) -> None:
        if replay.reason == stuck.reason:
            tried.append(replay.name)
            raise fault
        go_on(self, replay)

    admin = at.core.admin
    stuck = replays_pb2.Replay(reason="stuck")
    monkeypatch.setattr(Replaying, "_go_on", failing)
    request = replays_pb2.CreateReplayRequest(request_id=request_id(), reason=stuck.reason)
    stuck = admin.replays.CreateReplay(request).replay
    eventually(lambda: tried, what="the first try")
    done = ended(admin, create(admin, merchant_gateway_id=at.gateway).name)
    assert (counts(done), len(set(tried))) == ((3, 3, 3, 0), 1)
    # Where nobody else waits, it is tried again all the same.
    before = len(tried)
    eventually(lambda: len(tried) > before, what="another try")
    cancel(admin, stuck.name)
