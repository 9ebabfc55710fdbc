"""The events of a subscription one by one: pulled, kept under their leases, acknowledged when they are dealt with."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

import grpc
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import events_pb2, subscriptions_pb2_grpc
from mintmark.v1 import subscriptions_pb2 as pb

from mintmark_client import errors
from mintmark_client.calls import Options
from mintmark_client.connection import Connection, metadata, new_id
from mintmark_client.errors import MintmarkError, PreconditionFailed, Unavailable
from mintmark_client.event_stream import passes
from mintmark_client.pacing import Backoff

# The longest that the server lets a pull wait.
LONGEST_WAIT = 20.0
# Acknowledgements wait for company, but no longer than this, and no more of them.
FLUSH_S = 0.5
FLUSH_COUNT = 100
# A lease is made longer when a third of it is over.
RENEWALS = 3
# What closing may take for what is still to be said to the server.
LAST_WORDS_S = 3.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """An event that is leased to us and not acknowledged. `ends` is on the monotonic clock, and rather too early."""

    event: events_pb2.Event
    delivery_count: int
    ends: float
    done: bool = False


class EventFollower(Iterator[events_pb2.Event]):
    """An iterator over the events of a subscription. Each comes at least once, those of one resource in order.

    An event is acknowledged when the next one is asked for, or by `ack`; acknowledgements travel together, half a
    second later at most. A thread keeps up the leases of what is here, however long the work on one event takes. On
    `close` what was not dealt with goes back, and somebody else gets it at once.

    It goes on after whatever passes, and raises NotFound (the subscription is gone), CursorOutOfRange (seek to its
    `oldest_cursor`), Unauthenticated, Forbidden, Fault, and Unavailable only where patience is limited.
    One thread iterates; any may call `close`.
    """

    def __init__(
        self,
        connection: Connection,
        stub: subscriptions_pb2_grpc.SubscriptionsServiceStub,
        name: str,
        max_events: int,
        options: Options,
        until_caught_up: bool,
        patience: float | None,
    ) -> None:
        self.name = name
        self._stub = stub
        self._connection = connection
        self._options = options
        self._pacing = connection.pacing
        self._access_token = connection.access_token
        self._correlation_id = options.correlation_id or new_id()
        self._max_events = max_events
        self._until_caught_up = until_caught_up
        self._patience = patience
        self._lock = threading.Lock()
        # Acknowledgements of one resource must not overtake each other.
        self._acknowledging = threading.Lock()
        self._closed = threading.Event()
        self._channel: grpc.Channel | None = None
        self._keeper: threading.Thread | None = None
        self._lease = 0.0
        self._held: dict[int, _Held] = {}
        self._next: deque[int] = deque()
        self._current: _Held | None = None
        connection.close_with(self)

    @property
    def delivery_count(self) -> int:
        """How many times the current event was handed out; more than 1: it may have been dealt with. 0 without one."""
        current = self._current
        return current.delivery_count if current else 0

    def __next__(self) -> events_pb2.Event:
        with self._lock:
            if self._current:
                self._current.done = True
                self._current = None
            many = sum(each.done for each in self._held.values()) >= FLUSH_COUNT
        if many:
            self._flush()
        while not self._closed.is_set():
            with self._lock:
                self._current = self._first()
                if self._current:
                    return self._current.event
            self._flush()
            if not self._pull():
                break
        raise StopIteration

    def __enter__(self) -> "EventFollower":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ack(self) -> None:
        """Acknowledges the current event, for certain when this returns. Raises MintmarkError where it could not."""
        with self._lock:
            if self._current:
                self._current.done = True
                self._current = None
        self._flush(self._options.timeout, patient=False)

    def close(self) -> None:
        """Acknowledges what is dealt with, gives back the rest, ends the iteration. Closing again changes nothing."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            keeper = self._keeper
        self._drop_channel()
        if keeper is not None:
            # What it is saying right now is said before the client's connection may be closed.
            keeper.join(3 * LAST_WORDS_S)
        self._flush()
        with self._lock:
            back = [each for each in self._held.values() if not each.done]
            self._held.clear()
            self._next.clear()
            self._current = None
        if back:
            try:
                self._stub.ExtendEventLeases(self._leases(back, Duration()), timeout=LAST_WORDS_S)
            except MintmarkError as error:
                log.info("what was not dealt with comes again when its lease ends: %s", error)

    def _first(self) -> _Held | None:
        """The next event that is here; None where its lease may have ended, and everything must be pulled again."""
        while self._next:
            held = self._held.get(self._next.popleft())
            if held is None:
                continue
            if held.ends > self._pacing.monotonic():
                return held
            for sequence in (held.event.sequence, *self._next):
                self._held.pop(sequence, None)
            self._next.clear()
        return None

    def _pull(self) -> bool:
        """Pulls until events are here; False where there are none, and it is to end."""
        backoff = Backoff(self._pacing)
        gone_since: float | None = None
        renewed = False
        wait = 0.0 if self._until_caught_up else LONGEST_WAIT
        while not self._closed.is_set():
            used = ""
            began = self._pacing.monotonic()
            try:
                used = self._access_token.get(self._pacing.attempt, self._correlation_id)
                answer = self._answer(used, wait)
            except MintmarkError as error:
                if self._closed.is_set():
                    return False
                if not renewed and self._access_token.worth_another(used, error):
                    renewed = True
                    continue
                gone_since = began if gone_since is None else gone_since
                impatient = self._patience is not None and self._pacing.monotonic() - gone_since >= self._patience
                if not passes(error) or impatient:
                    raise
                pause = backoff.pause()
                log.info("the subscription goes on in %.3f s: %s", pause, error)
                self._closed.wait(pause)
                continue
            backoff.reset()
            gone_since, renewed = None, False
            self._lease = answer.lease_duration.ToNanoseconds() / 1e9
            if answer.events:
                self._take(answer, began + answer.waited.ToNanoseconds() / 1e9 + self._lease)
                return True
            if self._until_caught_up and answer.caught_up:
                return False
            # There is more to look at, or others have so much that nothing new is handed out.
            wait = max(wait, 1.0)
        return False

    def _answer(self, access_token: str, wait: float) -> pb.PullEventsResponse:
        """One pull, on a connection of its own that goes away when it breaks. Raises MintmarkError."""
        request = pb.PullEventsRequest(name=self.name, max_events=self._max_events, wait=Duration(seconds=round(wait)))
        with self._lock:
            # Nothing may be called on a closed channel: gRPC ends the process there.
            if self._closed.is_set():
                raise Unavailable("closed", correlation_id=self._correlation_id)
            if self._channel is None:
                self._channel = self._connection.stream_channel()
            stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(self._channel)
            timeout = LONGEST_WAIT + self._pacing.attempt
            call = stub.PullEvents.future(
                request, timeout=timeout, metadata=metadata(access_token, self._correlation_id)
            )
        try:
            return call.result()
        except grpc.RpcError as error:
            raise errors.of(error, self._correlation_id) from error
        except grpc.FutureCancelledError:
            raise Unavailable("the connection was closed", correlation_id=self._correlation_id) from None
        finally:
            if call.code() is not grpc.StatusCode.OK:
                self._drop_channel()

    def _drop_channel(self) -> None:
        with self._lock:
            if self._channel is not None:
                self._channel.close()
            self._channel = None

    def _take(self, answer: pb.PullEventsResponse, ends: float) -> None:
        with self._lock:
            for each in answer.events:
                self._held[each.event.sequence] = _Held(each.event, each.delivery_count, ends)
                self._next.append(each.event.sequence)
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="mintmark-leases", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        """Keeps up the leases, and sends acknowledgements that have waited long enough."""
        renewed = self._pacing.monotonic()
        while not self._closed.wait(min(FLUSH_S, self._lease / RENEWALS)):
            self._flush()
            if self._pacing.monotonic() - renewed >= self._lease / RENEWALS:
                renewed = self._pacing.monotonic()
                self._renew(renewed)

    def _renew(self, now: float) -> None:
        with self._lock:
            held = list(self._held.values())
            lease = self._lease
        if not held:
            return
        try:
            answer = self._stub.ExtendEventLeases(self._leases(held, None), timeout=LAST_WORDS_S)
        except MintmarkError as error:
            log.info("leases were not renewed, which is tried again: %s", error)
            return
        lost = set(answer.lost_sequences)
        with self._lock:
            for each in held:
                if each.event.sequence not in lost:
                    each.ends = now + lease
                elif each is not self._current and not each.done:
                    # Somebody else has it, or will: not for us any more.
                    self._held.pop(each.event.sequence, None)

    def _leases(self, held: list[_Held], duration: Duration | None) -> pb.ExtendEventLeasesRequest:
        leases = [pb.EventLease(sequence=each.event.sequence, delivery_count=each.delivery_count) for each in held]
        return pb.ExtendEventLeasesRequest(name=self.name, leases=leases, lease_duration=duration)

    def _flush(self, timeout: float = LAST_WORDS_S, *, patient: bool = True) -> None:
        """Acknowledges what is dealt with. What the server refuses comes again; `patient`, what could not be sent is
        kept for the next time, else MintmarkError is raised."""
        with self._acknowledging:
            with self._lock:
                done = [each for each in self._held.values() if each.done]
            try:
                for resource in self._refused(done, timeout):
                    of = [each for each in done if each.event.resource == resource]
                    if self._refused(of, timeout):
                        log.warning("events of %s come again: their leases had ended", resource)
            except MintmarkError as error:
                if not patient:
                    raise
                log.info("acknowledgements were not sent, which is tried again: %s", error)
                return
            with self._lock:
                for each in done:
                    self._held.pop(each.event.sequence, None)

    def _refused(self, done: list[_Held], timeout: float) -> list[str]:
        """Acknowledges events; returns their resources where the server refused, with nothing changed."""
        if not done:
            return []
        request = pb.AcknowledgeEventsRequest(name=self.name, sequences=[each.event.sequence for each in done])
        try:
            self._stub.AcknowledgeEvents(request, timeout=timeout)
        except PreconditionFailed:
            return sorted({each.event.resource for each in done})
        return []
