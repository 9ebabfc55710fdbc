"""What every call goes through: limits, who calls, what was asked, and how refusals and faults are told."""

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import grpc
import protovalidate
import structlog
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from opentelemetry.trace import Span, Tracer
from prometheus_client import Counter, Gauge, Histogram

from server.domain import card_numbers
from server.domain.callers import Caller
from server.domain.refusals import (
    DeadlinePassed,
    FieldInvalid,
    Refusal,
    ShuttingDown,
    TooManyCalls,
)
from server.domain.violations import FieldsInvalid
from server.ports import Clock, ContentRefused, Hasher, Request, Store, Transaction
from server.rpc import refusals
from server.rpc.auth import Authenticator, correlation_id_of, metadata_of
from server.rpc.incoming import Unreadable, reader
from server.rpc.policies import Policy, policy_of
from server.rpc.spans import CallSpan, followed
from server.services import requests
from server.services.requests import InProgress

R = TypeVar("R", bound=Message)

DEFAULT_DEADLINE_S = 10.0
LONGEST_DEADLINE_S = 60.0
# Callers learn by it what to look for in our logs.
CORRELATION_ID = "x-correlation-id"
FAR_FUTURE_S = 365 * 24 * 3600.0
UNARY_LIMIT = 32
WAITING_LIMIT = 32
RESERVED_LIMIT = 32
STREAM_LIMIT = 64
REFLECTION_LIMIT = 8
# Threads that are left to say no when every class is full.
SPARE_THREADS = 8
THREADS = UNARY_LIMIT + WAITING_LIMIT + RESERVED_LIMIT + STREAM_LIMIT + REFLECTION_LIMIT + SPARE_THREADS

CALLS = Counter("mintmark_grpc_calls_total", "Finished calls.", ("method", "code"))
SECONDS = Histogram("mintmark_grpc_seconds", "Time of unary calls, in seconds.", ("method",))
IN_FLIGHT = Gauge("mintmark_grpc_in_flight", "Calls in flight.", ("call_class",))

log = structlog.get_logger("rpc")


def path_of(violation: protovalidate.Violation) -> str:
    """The field that a violation is about, such as `tokens[3].token_id`."""
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        path += f".{element.field_name}"
        if element.subscript and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
    return path.removeprefix(".")


def unfit_text(message: Message, prefix: str = "") -> tuple[str, str, str] | None:
    """The first text field that must not be stored as it is: its path, what is wrong, and the rule. None where all may.

    U+0000 cannot be stored by PostgreSQL; a card number must not be stored by anybody. Secrets are kept as hashes only.
    """
    for field, value in message.ListFields():
        name = f"{prefix}{field.name}"
        if field.type == FieldDescriptor.TYPE_STRING and not field.GetOptions().debug_redact:
            for text in (value,) if isinstance(value, str) else value:
                if "\0" in text:
                    return name, "must not contain U+0000", "string.nul"
                if card_numbers.holds_one(text):
                    return name, "must not contain a card number", "string.card_number"
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in (value,) if isinstance(value, Message) else value:
                found = unfit_text(each, f"{name}.") if isinstance(each, Message) else None
                if found:
                    return found
    return None


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who, until when on the monotonic clock, and whether the caller has gone."""

    caller: Caller
    policy: Policy
    deadline: float
    correlation_id: str
    gone: threading.Event
    stopping: threading.Event
    check: Callable[[], Caller]
    on_gone: Callable[[Callable[[], None]], bool]
    # None where nothing is traced.
    span: Span | None = None

    def over(self) -> bool:
        """Whether a stream or a wait has to end: its caller has gone, or the server stops."""
        return self.gone.is_set() or self.stopping.is_set()

    def end(self) -> None:
        """Raises ShuttingDown for a caller that is still there, so that it comes back."""
        if not self.gone.is_set():
            raise ShuttingDown


class Calls:
    """Wraps servicers whose methods are `(request, call) -> response` (or an iterator of responses)."""

    def __init__(
        self,
        store: Store,
        authenticator: Authenticator,
        hasher: Hasher,
        clock: Clock,
        in_progress: InProgress,
        tracer: Tracer | None = None,
        *,
        internal: bool = False,
    ) -> None:
        """`internal` where nobody but our own roles can call at all."""
        self._store = store
        self._authenticator = authenticator
        self._hasher = hasher
        self.clock = clock
        self._in_progress = in_progress
        self.tracer = tracer
        self._internal = internal
        self._validator = protovalidate.Validator()
        self._rooms = {
            "unary": threading.BoundedSemaphore(UNARY_LIMIT),
            "waiting": threading.BoundedSemaphore(WAITING_LIMIT),
            "reserved": threading.BoundedSemaphore(RESERVED_LIMIT),
            "stream": threading.BoundedSemaphore(STREAM_LIMIT),
            "reflection": threading.BoundedSemaphore(REFLECTION_LIMIT),
        }
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._in_flight = 0

    def stop(self) -> None:
        """Refuses everything new from now on; streams and waits end."""
        self._stopping.set()

    def wait_idle(self, seconds: float) -> bool:
        """Waits until no call but streams is in flight or the time is up; whether none is."""
        with self._idle:
            return self._idle.wait_for(lambda: self._in_flight == 0, seconds)

    def wrap(self, servicer: object, service: ServiceDescriptor) -> object:
        """An object with gRPC's own methods `(request, context)` for each method of the service."""
        methods = {method.name: self._wrapped(servicer, method) for method in service.methods}
        return type(f"Wrapped{service.name}", (), {name: staticmethod(run) for name, run in methods.items()})()

    def handler(self, servicer: object, service: ServiceDescriptor) -> grpc.GenericRpcHandler:
        """The wrapped servicer as a real server takes it."""
        wrapped = self.wrap(servicer, service)
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for method in service.methods:
            make = (
                grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
            )
            handlers[method.name] = make(
                getattr(wrapped, method.name),
                request_deserializer=reader(message_factory.GetMessageClass(method.input_type)),
                response_serializer=lambda response: response.SerializeToString(),
            )
        return grpc.method_handlers_generic_handler(service.full_name, handlers)

    def write(
        self,
        call: Call,
        request: Any,
        key: str,
        run: Callable[[Transaction], R],
        repeated: Callable[[R], R] | None = None,
        apart: Sequence[str] = (),
    ) -> R:
        """Runs a unit of work once per `request_id`; the same request again gets the first answer.

        `repeated` makes the answer that a repeat gets, without what is shown once. `apart` names the fields that are
        not compared: what is encrypted anew looks different each time. Raises RequestIdReused, RequestInProgress, and
        what `run` refuses with.
        """
        bare = type(request)()
        bare.CopyFrom(request)
        bare.DiscardUnknownFields()
        # It is the key, and a UUID is the same in capitals.
        for field in ("request_id", *apart):
            bare.ClearField(field)
        # A keyed digest: the request may hold a secret.
        fingerprint = self._hasher.identity_hash(
            call.policy.method.encode(), bare.SerializeToString(deterministic=True)
        )
        client, request_id = call.caller.client, request.request_id.lower()

        def unit(transaction: Transaction) -> R | bytes:
            first = requests.answered(transaction, client, call.policy.method, request_id, fingerprint)
            if first is not None:
                return first
            try:
                response = run(transaction)
            except Refusal:
                # Another core may have done the same request meanwhile, and what it did be in the way of a second time.
                first = requests.answered(transaction, client, call.policy.method, request_id, fingerprint)
                if first is None:
                    raise
                return first
            kept = repeated(response) if repeated else response
            now = self.clock.now()
            kept_bytes = kept.SerializeToString()
            requests.keep(transaction, Request(client, call.policy.method, request_id, fingerprint, kept_bytes, now))
            return response

        with self._in_progress.of(client, call.policy.method, request_id):
            answer = self._store.write(key, unit, deadline=call.deadline)
        if isinstance(answer, bytes):
            return cast("R", call.policy.answer.FromString(answer))
        return answer

    def _wrapped(self, servicer: object, method: MethodDescriptor) -> Callable[[Any, grpc.ServicerContext], Any]:
        policy = policy_of(method)
        behaviour = getattr(servicer, method.name)

        def answered(request: Any, context: grpc.ServicerContext, call: Call) -> Any:
            with followed(call.span, call.correlation_id):
                answer = behaviour(request, call)
            context.set_trailing_metadata(((CORRELATION_ID, call.correlation_id),))
            return answer

        def unary(request: Any, context: grpc.ServicerContext) -> Any:
            seconds = SECONDS.labels(method.name)
            with self._told(policy, request, context) as begin, self.room("unary"), seconds.time():
                return answered(request, context, begin())

        def waiting(request: Any, context: grpc.ServicerContext) -> Any:
            # The time that they wait says nothing about how fast we are.
            with self._told(policy, request, context) as begin, self.room("waiting"):
                return answered(request, context, begin())

        def reserved(request: Any, context: grpc.ServicerContext) -> Any:
            # What it brings cannot be had again: it waits for a place instead of being refused.
            seconds = SECONDS.labels(method.name)
            with self._told(policy, request, context) as begin, self.room("reserved", wait=True), seconds.time():
                return answered(request, context, begin())

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._told(policy, request, context) as begin, self.room("stream"):
                call = begin()
                # A stream may go on for days: its caller learns the id at the beginning.
                context.send_initial_metadata(((CORRELATION_ID, call.correlation_id),))
                yield from behaviour(request, call)

        if method.server_streaming:
            return stream
        if policy.reserved:
            return reserved
        return waiting if policy.waiting else unary

    @contextmanager
    def _told(self, policy: Policy, request: Any, context: grpc.ServicerContext) -> Iterator[Callable[[], Call]]:
        """Tells refusals and faults to the caller, and every call's end to the log."""
        began = time.monotonic()
        metadata = metadata_of(context)
        correlation_id = correlation_id_of(metadata)
        code = grpc.StatusCode.OK
        told: tuple[grpc.StatusCode, str, bytes] | None = None
        seen: dict[str, str] = {}
        span = CallSpan(self.tracer, policy.method)

        def begin() -> Call:
            call = self._begin(policy, request, context, metadata, correlation_id, span)
            seen["client"] = call.caller.client
            return call

        try:
            yield begin
        except Refusal as refusal:
            told = refusals.of_refusal(refusal)
        except ContentRefused:
            told = refusals.of_refusal(FieldInvalid("", "the database cannot hold this content"))
        except GeneratorExit:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:
            # The text of an unforeseen error may hold anything; its type and place say where to look.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error(
                "fault", method=policy.method, error=type(error).__name__, at=where, correlation_id=correlation_id
            )
            told = refusals.of_fault(correlation_id)
        finally:
            code = told[0] if told else code
            # A name that names nothing is the caller's own text, and not for a log.
            resource = getattr(request, "name", "") if code is grpc.StatusCode.OK else ""
            span.end(code, correlation_id, resource)
            CALLS.labels(policy.method.rpartition("/")[2], code.name).inc()
            log.info(
                "call",
                method=policy.method,
                resource=resource,
                code=code.name,
                ms=round((time.monotonic() - began) * 1000, 1),
                correlation_id=correlation_id,
                client=seen.get("client", ""),
                **({"trace_id": span.trace_id} if span.span else {}),
            )
        if told:
            context.set_trailing_metadata(((refusals.DETAILS_KEY, told[2]), (CORRELATION_ID, correlation_id)))
            context.abort(told[0], told[1])

    def _begin(
        self,
        policy: Policy,
        request: Any,
        context: grpc.ServicerContext,
        metadata: dict[str, str],
        correlation_id: str,
        span: CallSpan,
    ) -> Call:
        if self._stopping.is_set():
            raise ShuttingDown
        remaining = context.time_remaining()
        # A caller that gives no deadline shows as None or as one in the far future.
        given = remaining is not None and remaining < FAR_FUTURE_S
        seconds = min(remaining or 0.0, LONGEST_DEADLINE_S) if given else DEFAULT_DEADLINE_S
        if seconds <= 0:
            raise DeadlinePassed
        caller = self._authenticator.caller(policy, metadata, correlation_id)
        # A caller that nobody knows cannot make us follow its trace.
        span.begin(metadata if self._internal or not policy.anonymous else None, ours=self._internal)
        self._validate(policy, request)
        gone = threading.Event()
        if not context.add_callback(gone.set):
            # The call ended while it waited for its turn.
            gone.set()
        return Call(
            caller=caller,
            policy=policy,
            deadline=time.monotonic() + seconds,
            correlation_id=correlation_id,
            gone=gone,
            stopping=self._stopping,
            # Its token may expire meanwhile; a revoked one ends the call.
            check=lambda: self._authenticator.caller(policy, metadata, correlation_id, begun=True),
            on_gone=context.add_callback,
            span=span.span,
        )

    def _validate(self, policy: Policy, request: Message | Unreadable) -> None:
        if isinstance(request, Unreadable):
            raise FieldInvalid("", "this is not a request of the method, or has a text that is not UTF-8", "message")
        violations = [
            (path_of(violation), violation.proto.message, violation.proto.rule_id)
            for violation in self._validator.collect_violations(request)
        ]
        if violations:
            raise FieldsInvalid(violations)
        # What partners sent is cut and escaped before it is stored; what a client of ours writes must be clean.
        unfit = None if policy.internal else unfit_text(request)
        if unfit:
            raise FieldInvalid(*unfit)

    @contextmanager
    def room(self, call_class: str, *, wait: bool = False) -> Iterator[None]:
        """A place among the calls of a class. Raises TooManyCalls where there is none, or none in the longest
        deadline."""
        room = self._rooms[call_class]
        if not room.acquire(blocking=wait, timeout=LONGEST_DEADLINE_S if wait else None):
            raise TooManyCalls(call_class)
        self._count(call_class, 1)
        try:
            with IN_FLIGHT.labels(call_class).track_inprogress():
                yield
        finally:
            room.release()
            self._count(call_class, -1)

    def _count(self, call_class: str, change: int) -> None:
        if call_class in ("unary", "waiting", "reserved"):
            with self._idle:
                self._in_flight += change
                self._idle.notify_all()
