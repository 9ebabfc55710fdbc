"""What happened."""

from collections.abc import Iterator

import grpc
from mintmark.v1 import events_pb2 as pb
from mintmark.v1 import events_pb2_grpc

from mintmark_client.calls import Options
from mintmark_client.connection import Connection
from mintmark_client.event_stream import HEARTBEAT, EventStream, Wish
from mintmark_client.pages import PAGE


class Events:
    """The methods of EventsService. A cursor says where to go on: keep it, and nothing is missed."""

    def __init__(self, channel: grpc.Channel, connection: Connection, options: Options) -> None:
        self._stub = events_pb2_grpc.EventsServiceStub(channel)
        self._connection = connection
        self._options = options

    def list(
        self, cursor: str = "0", filter: pb.EventFilter | None = None, *, page_size: int = PAGE
    ) -> Iterator[pb.Event]:
        """The events after `cursor` up to now; `0` is the oldest kept. Each has the cursor that goes on after it.

        Raises CursorOutOfRange, InvalidRequest for a cursor that is none.
        """
        while True:
            request = pb.ListEventsRequest(cursor=cursor, filter=filter, page_size=page_size)
            answer = self._stub.ListEvents(request)
            yield from answer.events
            if answer.caught_up:
                return
            cursor = answer.next_cursor

    def stream(
        self,
        cursor: str = "",
        filter: pb.EventFilter | None = None,
        *,
        heartbeat: float = HEARTBEAT,
        until_caught_up: bool = False,
        patience: float | None = None,
    ) -> EventStream:
        """Follows the events after `cursor`: `0` is the oldest kept, empty starts with what comes next.

        A stream that ends, breaks or is silent for 2.5 `heartbeat` (seconds, 1 to 60) goes on from its cursor, for ever
        or until nothing was heard for `patience` seconds. `until_caught_up` ends it where nothing newer is there.
        Nothing is sent before the first event is asked for.
        """
        wish = Wish(
            cursor=cursor, filter=filter, heartbeat=heartbeat, until_caught_up=until_caught_up, patience=patience
        )
        return EventStream(self._connection, wish, self._options.correlation_id)
