"""A stream that has much to pass over is heard all the same."""

import threading
import time
from dataclasses import replace

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import events_pb2 as pb

from server.domain.events import Event
from server.rpc.auth import DEVELOPMENT
from server.rpc.calls import Call
from server.rpc.events import Events
from server.rpc.policies import policy_of
from server.services.events import EventFeed
from tests.server.rpc.running import RunningCore
from tests.server.store import samples


class EndlessFeed(EventFeed):
    """Always has another event that is not asked for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._head = 2**60

    def events(self, after: int, limit: int) -> list[Event]:
        return [replace(samples.event(), sequence=after + 1)]


def test_what_the_filter_leaves_out_does_not_silence_a_stream(core: RunningCore) -> None:
    began = time.monotonic()
    gone = threading.Event()
    call = Call(
        caller=DEVELOPMENT,
        policy=policy_of(pb.DESCRIPTOR.services_by_name["EventsService"].methods_by_name["StreamEvents"]),
        deadline=began + 60,
        correlation_id="c-1",
        gone=gone,
        stopping=threading.Event(),
        check=lambda: DEVELOPMENT,
        on_gone=lambda run: True,
    )
    wanted = pb.EventFilter(kinds=[pb.EVENT_KIND_MERCHANT_UPDATED])
    request = pb.StreamEventsRequest(cursor="0", filter=wanted, heartbeat_interval=Duration(seconds=1))
    store = core.core.store
    stream = Events(store, EndlessFeed()).StreamEvents(request, call)
    beats = [next(stream), next(stream)]
    gone.set()
    assert 2 <= time.monotonic() - began < 10
    assert [(list(beat.events), beat.caught_up) for beat in beats] == [([], False)] * 2
    first, second = (int(beat.cursor.partition(".")[2]) for beat in beats)
    assert 0 < first < second
