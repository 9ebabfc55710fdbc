"""A core killed while it replays: it goes on where it stood, and nothing is applied twice."""

import signal
import uuid
from collections import Counter

import pytest
from mintmark.v1 import (
    api_keys_pb2,
    api_keys_pb2_grpc,
    bindings_pb2,
    bindings_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    notifications_pb2,
    notifications_pb2_grpc,
    replays_pb2,
    replays_pb2_grpc,
)

from tests.faults.core_process import CoreProcess
from tests.server.rpc.notices import MERCHANT, tsh
from tests.waiting import eventually

COUNT = 60
# At how many changed notifications each life ends.
KILLS = (1, 7, 20)
Kind = events_pb2.EventKind


class Operator:
    """What an operator sees and does, through all kills."""

    def __init__(self, core: CoreProcess) -> None:
        self.core = core
        self.key = self._key("narrow", ["another"])

    def _key(self, key_id: str, merchants: list[str]) -> str:
        request = api_keys_pb2.CreateApiKeyRequest(
            request_id=str(uuid.uuid4()), api_key_id=key_id, merchant_gateway_id="G", merchant_ids=merchants
        )
        stub = api_keys_pb2_grpc.ApiKeysServiceStub(self.core.channel())
        return stub.CreateApiKey(request, metadata=self.core.metadata(), timeout=15).api_key.name

    def quarantine(self) -> None:
        """Two notifications each of COUNT / 2 devices, the second one older by its time than the first."""
        stub = notifications_pb2_grpc.NotificationRecordsServiceStub(self.core.channel(internal=True))
        times = ("2020-01-02T00:00:00Z", "2020-01-01T00:00:00Z")
        records = [
            tsh(self.key, "binding_update", {"binding_state": time, "last_update_timestamp": time}, device_id=f"d-{n}")
            for n in range(COUNT // 2)
            for time in times
        ]
        request = notifications_pb2.RecordNotificationsRequest(records=records)
        stub.RecordNotifications(request, metadata=self.core.metadata("role.gateway"), timeout=30)

    def bind(self) -> None:
        self._key("wide", ["another", MERCHANT])

    def create(self) -> str:
        request = replays_pb2.CreateReplayRequest(request_id=str(uuid.uuid4()), reason="killed in the middle")
        stub = replays_pb2_grpc.ReplaysServiceStub(self.core.channel())
        return stub.CreateReplay(request, metadata=self.core.metadata(), timeout=15).replay.name

    def read(self, name: str) -> replays_pb2.Replay:
        stub = replays_pb2_grpc.ReplaysServiceStub(self.core.channel())
        request = replays_pb2.GetReplayRequest(name=name)
        return stub.GetReplay(request, metadata=self.core.metadata(), timeout=15).replay

    def events(self) -> list[events_pb2.Event]:
        stub, cursor = events_pb2_grpc.EventsServiceStub(self.core.channel()), "0"
        found: list[events_pb2.Event] = []
        while True:
            request = events_pb2.ListEventsRequest(cursor=cursor, page_size=1000)
            answer = stub.ListEvents(request, metadata=self.core.metadata(), timeout=15)
            found += answer.events
            cursor = answer.next_cursor
            if answer.caught_up:
                return found

    def bindings(self) -> list[bindings_pb2.Binding]:
        stub = bindings_pb2_grpc.BindingsServiceStub(self.core.channel())
        request = bindings_pb2.ListBindingsRequest(page_size=1000)
        return list(stub.ListBindings(request, metadata=self.core.metadata(), timeout=15).bindings)


@pytest.mark.parametrize("side", ["inside", "after"])
def test_a_replay_survives_kills_and_applies_nothing_twice(side: str) -> None:
    core = CoreProcess()
    try:
        core.start(_program(0, side))
        operator = Operator(core)
        operator.quarantine()
        operator.bind()
        core.stop()
        core.start(_program(KILLS[0], side))
        name = operator.create()
        for number, killed_at in enumerate(KILLS, 1):
            assert core.ended(60) == -signal.SIGKILL
            core.kill()
            core.start(_program(KILLS[number] if number < len(KILLS) else 0, side))
            stands_at = sum(KILLS[:number]) - (number if side == "inside" else 0)
            # It may have gone on already.
            assert operator.read(name).examined_count >= stands_at, killed_at
        done = eventually(
            lambda: found if (found := operator.read(name)).state == replays_pb2.REPLAY_STATE_DONE else None, 60
        )
        assert done is not None
        assert (done.examined_count, done.different_count, done.applied_count) == (COUNT, COUNT, COUNT)
        _check_events(operator.events(), name)
        assert {(each.state_text, each.etag, each.delivery_count) for each in operator.bindings()} == {
            ("2020-01-02T00:00:00Z", "1", 2)
        }
    finally:
        core.remove()


def _program(at: int, side: str) -> tuple[str, ...]:
    return "-m", "tests.faults.replaying_core", str(at), side


def _check_events(events: list[events_pb2.Event], name: str) -> None:
    """One audit event a notification, one event a device, and one end."""
    replayed = Counter(each.resource for each in events if each.kind == Kind.EVENT_KIND_NOTIFICATION_REPLAYED)
    assert (len(replayed), set(replayed.values())) == (COUNT, {1})
    changed = Counter(each.resource for each in events if each.kind == Kind.EVENT_KIND_BINDING_UPDATED)
    assert (len(changed), set(changed.values())) == (COUNT // 2, {1})
    ends = [each for each in events if each.kind == Kind.EVENT_KIND_REPLAY_FINISHED]
    assert [(each.resource, each.details["applied"]) for each in ends] == [(name, str(COUNT))]
