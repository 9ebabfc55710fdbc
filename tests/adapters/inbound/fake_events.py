"""The fake core's events: as many as a test wants, and an end as a test wants it."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from mintmark.v1 import events_pb2 as pb
from mintmark.v1 import events_pb2_grpc

LONGEST_WAIT = 30.0


class FakeEvents(events_pb2_grpc.EventsServiceServicer):
    """Streams `count` events of about `size` bytes, then what `end` says: nothing more, an error, or the end."""

    def __init__(self) -> None:
        self.count = 3
        self.size = 0
        self.end = "wait"
        self.go_on = threading.Event()
        # What was asked for and by whom, and what happened.
        self.asked: list[pb.StreamEventsRequest] = []
        self.metadata: list[dict[str, Any]] = []
        self.sent = 0
        self.open = 0
        self._lock = threading.Lock()

    def ListEvents(  # noqa: N802  gRPC's name
        self, request: pb.ListEventsRequest, context: grpc.ServicerContext
    ) -> pb.ListEventsResponse:
        return pb.ListEventsResponse()

    def StreamEvents(  # noqa: N802  gRPC's name
        self, request: pb.StreamEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StreamEventsResponse]:
        self.asked.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        over = threading.Event()
        context.add_callback(over.set)
        with self._lock:
            self.open += 1
        try:
            yield from self._messages(request, context, over)
        finally:
            with self._lock:
                self.open -= 1

    def _messages(
        self, request: pb.StreamEventsRequest, context: grpc.ServicerContext, over: threading.Event
    ) -> Iterator[pb.StreamEventsResponse]:
        if request.cursor == "refused":
            _refuse(context, grpc.StatusCode.OUT_OF_RANGE, "CURSOR_OUT_OF_RANGE", {"oldest_cursor": "g.7"})
        first = int(request.cursor.rpartition(".")[2] or 0) + 1
        for number in range(first, first + self.count):
            event = pb.Event(
                name=f"events/{number}", cursor=f"g.{number}", sequence=number, kind=pb.EVENT_KIND_TOKEN_CREATED
            )
            event.details["filling"] = "x" * self.size
            self.sent += 1
            yield pb.StreamEventsResponse(events=[event], cursor=event.cursor)
        yield pb.StreamEventsResponse(cursor=f"g.{first + self.count}", caught_up=True)
        if self.end == "wait":
            over.wait(LONGEST_WAIT)
        if self.end == "error":
            self.go_on.wait(LONGEST_WAIT)
            _refuse(context, grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", {})


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, reason: str, metadata: dict[str, str]) -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(domain="mintmark", reason=reason, metadata=metadata))
    status = status_pb2.Status(code=code.value[0], message="as the test wants", details=[detail])
    context.abort_with_status(rpc_status.to_status(status))
