"""Events as server-sent events (WHATWG HTML, section 9.2): StreamEvents for those who have only HTTP.

Each event has `id:` (the cursor that resumes after it), `event:` (its kind) and `data:` (it as JSON). Blocks with an
id alone are heartbeats: they move `Last-Event-ID` past what the filter leaves out, and no listener hears of them. A
stream that cannot go on says why as `event: problem` and ends; clients come back after `retry:` with Last-Event-ID.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from mintmark.v1 import events_pb2 as pb
from prometheus_client import Gauge

from adapters.inbound.problems import Answer, Header, Streamed
from adapters.inbound.request import Request
from adapters.inbound.rest import callers, correlation, messages, refusals
from adapters.inbound.rest.headers import one
from adapters.inbound.rest.operations import Operation
from adapters.inbound.rest.problems import NO_SNIFFING, RETRY_AFTER, Trouble, Troubled, trouble
from adapters.inbound.rest.reasons import CORE_UNAVAILABLE, GATEWAY_UNAVAILABLE, STREAMS_FULL

CONTENT_TYPE = b"text/event-stream"
LAST_EVENT_ID = b"last-event-id"
RETRY_MS = 1000
# What is wrong from the start is an answer of its own; who hears nothing for so long gets the stream all the same.
FIRST_SECONDS = 2.0
HEADERS: tuple[Header, ...] = (
    (b"content-type", CONTENT_TYPE + b"; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Proxies such as nginx would keep events back.
    (b"x-accel-buffering", b"no"),
    NO_SNIFFING,
)


def wanted(request: Request) -> bool:
    """Whether the caller asks for a stream: it names the type, and does not like JSON better."""
    weights: dict[bytes, float] = {}
    for part in request.header(b"accept").lower().split(b","):
        media, *parameters = (each.strip() for each in part.split(b";"))
        weights[media] = min([_weight(each[2:]) for each in parameters if each.startswith(b"q=")] or [1.0])
    return 0.0 < weights.get(CONTENT_TYPE, 0.0) >= weights.get(b"application/json", 0.0)


def _weight(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


class EventStreams:
    """All streams of this gateway: so many and no more, and they end when it stops."""

    def __init__(self, most: int, gauge: Gauge) -> None:
        self._most = most
        self._gauge = gauge
        self._open = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends all streams; their clients come back."""
        self._stopping.set()

    async def answer(self, operation: Operation, request: Request) -> Answer:
        """The stream, or what was wrong from the start. Raises Troubled and Problem."""
        metadata = callers.metadata(request)
        message: Any = await operation.message(request)
        # A browser repeats the query with which it began, and knows better by now.
        message.cursor = one(request, LAST_EVENT_ID) or message.cursor
        if self._open >= self._most:
            raise Troubled(trouble(STREAMS_FULL, "too many event streams are open here", RETRY_AFTER))
        self._count(1)
        stream = EventStream(self, operation.ask(message, metadata=metadata), correlation.of(request))
        try:
            await stream.begin()
        except BaseException:
            stream.close()
            raise
        return Streamed(200, HEADERS, chunks=stream.chunks(), close=stream.close)

    @property
    def stopping(self) -> asyncio.Event:
        """Set when all streams have to end."""
        return self._stopping

    def closed(self) -> None:
        """Makes room for another."""
        self._count(-1)

    def _count(self, change: int) -> None:
        self._open += change
        self._gauge.set(self._open)


class EventStream:
    """One stream. It reads the core's next message only when the one before has been sent."""

    def __init__(self, streams: EventStreams, call: Any, correlation_id: str) -> None:
        self._streams = streams
        self._call = call
        self._correlation_id = correlation_id
        self._reading = self._read()
        self._closed = False

    async def begin(self) -> None:
        """Waits for the first message. Raises Troubled where the core refuses."""
        await asyncio.wait({self._reading}, timeout=FIRST_SECONDS)
        if self._reading.done() and isinstance(error := self._reading.exception(), grpc.aio.AioRpcError):
            raise Troubled(refusals.of(error))

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The stream's text."""
        yield b"retry: %d\n\n" % RETRY_MS
        stopping = asyncio.ensure_future(self._streams.stopping.wait())
        try:
            while not isinstance(message := await self._next(stopping), Trouble):
                for event in message.events:
                    yield _event(event)
                    # Partners' notifications wait for the same loop.
                    await asyncio.sleep(0)
                yield b": heartbeat\nid: %b\n\n" % message.cursor.encode()
                self._reading = self._read()
            yield self._problem(message)
        finally:
            stopping.cancel()

    def close(self) -> None:
        """Ends the call, whatever became of it. Safe to repeat."""
        if not self._closed:
            self._closed = True
            self._call.cancel()
            self._streams.closed()

    def _read(self) -> "asyncio.Future[Any]":
        reading: asyncio.Future[Any] = asyncio.ensure_future(self._call.read())
        # Nobody may be there any more to hear how it ended.
        reading.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return reading

    async def _next(self, stopping: "asyncio.Future[Any]") -> "pb.StreamEventsResponse | Trouble":
        await asyncio.wait({self._reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            return trouble(GATEWAY_UNAVAILABLE, "the gateway is restarting; come back with Last-Event-ID")
        try:
            message = self._reading.result()
        except grpc.aio.AioRpcError as error:
            return refusals.of(error)
        except asyncio.CancelledError:
            return trouble(CORE_UNAVAILABLE, "the call was cancelled")
        if message is grpc.aio.EOF:
            return trouble(CORE_UNAVAILABLE, "the core ended the stream; come back with Last-Event-ID")
        read: pb.StreamEventsResponse = message
        return read

    def _problem(self, wrong: Trouble) -> bytes:
        return f"event: problem\ndata: {wrong.text(self._correlation_id)}\n\n".encode()


def _event(event: pb.Event) -> bytes:
    kind = pb.EventKind.Name(event.kind) if event.kind in pb.EventKind.values() else str(event.kind)
    return f"id: {event.cursor}\nevent: {kind}\ndata: {messages.text(event)}\n\n".encode()
