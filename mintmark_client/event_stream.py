"""Events as they happen, over connections that come and go."""

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType

import grpc
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import events_pb2 as pb
from mintmark.v1 import events_pb2_grpc

from mintmark_client import errors
from mintmark_client.connection import Connection, metadata, new_id
from mintmark_client.errors import Fault, MintmarkError, Unavailable
from mintmark_client.pacing import Backoff
from mintmark_client.silence import Silence

HEARTBEAT = 10.0
# So many silent heartbeats mean that the connection is broken.
SILENT_HEARTBEATS = 2.5
# How a stream ends when something between us and the server breaks, and not the server.
BROKEN = {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a stream is to show, and how; times in seconds."""

    cursor: str
    filter: pb.EventFilter | None
    heartbeat: float
    until_caught_up: bool
    patience: float | None


class EventStream(Iterator[pb.Event]):
    """An iterator over events in the order of their commits. Each comes at least once, and none is skipped.

    It connects again after whatever passes: a restart of the server, a broken or silent connection, an access token
    that is not good any more. It raises CursorOutOfRange (start again from its `oldest_cursor`), Unauthenticated,
    Forbidden, InvalidRequest, Fault, and Unavailable only where patience is limited; then it is over.
    One thread iterates; any may call `close`.
    """

    def __init__(self, connection: Connection, wish: Wish, correlation_id: str) -> None:
        self.correlation_id = correlation_id or new_id()
        self._wish = wish
        self._cursor = wish.cursor
        self._caught_up = False
        self._connection = connection
        self._access_token = connection.access_token
        self._pacing = connection.pacing
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._channel: grpc.Channel | None = None
        self._events = self._follow()
        connection.close_with(self)

    @property
    def cursor(self) -> str:
        """Goes on after the events that were handed out; save it when they are dealt with.

        It moves past events that the filter leaves out too. Empty until the server was heard, where none was given.
        """
        return self._cursor

    @property
    def caught_up(self) -> bool:
        """Whether nothing newer was there when the last event was sent."""
        return self._caught_up

    def __next__(self) -> pb.Event:
        return next(self._events)

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the iteration, also one that waits in another thread. Closing again changes nothing."""
        self._closed.set()
        with self._lock:
            if self._channel is not None:
                self._channel.close()

    def _follow(self) -> Iterator[pb.Event]:
        backoff = Backoff(self._pacing)
        renewed = False
        gone_since: float | None = None
        while not self._closed.is_set():
            used = ""
            broken: MintmarkError
            try:
                used = self._access_token.get(self._pacing.attempt, self.correlation_id)
                with closing(self._messages(used)) as messages:
                    for message in messages:
                        backoff.reset()
                        renewed, gone_since = False, None
                        for event in self._handed_out(message):
                            yield event
                            if self._closed.is_set():
                                return
                        if self._caught_up and self._wish.until_caught_up:
                            return
                broken = Unavailable("the stream ended", correlation_id=self.correlation_id)
            except MintmarkError as error:
                broken = error
            self._caught_up = False
            if self._closed.is_set():
                return
            if not renewed and self._access_token.worth_another(used, broken):
                renewed = True
                continue
            gone_since = gone_since or self._pacing.monotonic()
            if not passes(broken) or self._out_of_patience(gone_since):
                raise broken
            pause = backoff.pause()
            log.info("the event stream goes on from %s in %.3f s: %s", self._cursor or "now", pause, broken)
            self._closed.wait(pause)

    def _handed_out(self, message: pb.StreamEventsResponse) -> Iterator[pb.Event]:
        """The message's events; the cursor moves with them."""
        for event in message.events[:-1]:
            self._cursor, self._caught_up = event.cursor, False
            yield event
        self._cursor, self._caught_up = message.cursor or self._cursor, message.caught_up
        yield from message.events[-1:]

    def _messages(self, access_token: str) -> Generator[pb.StreamEventsResponse, None, None]:
        """What one connection brings. Raises MintmarkError when it breaks."""
        interval = Duration()
        interval.FromNanoseconds(round(self._wish.heartbeat * 1e9))
        request = pb.StreamEventsRequest(cursor=self._cursor, filter=self._wish.filter, heartbeat_interval=interval)
        with self._lock:
            if self._closed.is_set():
                return
            channel = self._channel = self._connection.stream_channel()
            stub = events_pb2_grpc.EventsServiceStub(channel)
            call = stub.StreamEvents(request, metadata=metadata(access_token, self.correlation_id))
        silence = Silence(SILENT_HEARTBEATS * self._wish.heartbeat, call.cancel)
        try:
            while True:
                with silence.waiting():
                    message = next(call, None)
                if message is None:
                    return
                yield message
        except grpc.RpcError as error:
            if silence.broken:
                text = f"the server was silent for {SILENT_HEARTBEATS * self._wish.heartbeat:g} s"
                raise Unavailable(text, correlation_id=self.correlation_id) from None
            raise errors.of(error, self.correlation_id) from error
        finally:
            silence.over()
            channel.close()

    def _out_of_patience(self, gone_since: float) -> bool:
        patience = self._wish.patience
        return patience is not None and self._pacing.monotonic() - gone_since >= patience


def passes(error: MintmarkError) -> bool:
    """Whether a new connection may go better."""
    return isinstance(error, Unavailable) or (isinstance(error, Fault) and not error.reason and error.code in BROKEN)
