"""Replays, by the Python client."""

import pytest
from mintmark.v1 import notifications_pb2, replays_pb2

from mintmark_client import Client, InvalidRequest, NotFound
from tests.mintmark_client.conftest import Connect
from tests.server.rpc import notices
from tests.server.rpc.running import RunningCore, request_id
from tests.waiting import eventually


def test_one_notification_and_many_are_replayed(client: Client, core: RunningCore, place: str) -> None:
    key = core.api_key(place, ["another"])
    told = {"binding_state": "ACTIVE"}
    notices.record(core, *(notices.tsh(key, "binding_update", told, device_id=f"d-{n}") for n in range(3)))
    core.api_key(place)
    quarantined = [notifications_pb2.NOTIFICATION_STATE_QUARANTINED]
    kept = [
        each.name for each in client.notifications.list(states=quarantined, partners=[notifications_pb2.PARTNER_TSH])
    ]
    assert client.notifications.plan_replay(kept[0]).differs
    own = request_id()
    first = client.notifications.replay(kept[0], request_id=own)
    assert client.notifications.replay(kept[0], request_id=own) == first
    assert not client.notifications.plan_replay(kept[0]).differs
    made = client.replays.create("bound now", notifications_pb2.NotificationFilter(states=quarantined))
    eventually(lambda: client.replays.get(made.name).state == replays_pb2.REPLAY_STATE_DONE, what="its end")
    assert [each.replay.notification for each in client.replays.results(name=made.name, page_size=1)] == kept[:0:-1]
    assert client.replays.cancel(made.name).applied_count == 2
    assert [each.name for each in client.replays.list()] == [made.name]
    assert not list(client.notifications.list(states=quarantined))


def test_what_is_not_there_is_told(client: Client, connect: Connect) -> None:
    made = client.replays.create("nothing", dry_run=True)
    with pytest.raises(NotFound):
        connect().replays.get(made.name)
    with pytest.raises(NotFound):
        client.notifications.replay("notifications/none")
    with pytest.raises(InvalidRequest):
        client.replays.create("")
