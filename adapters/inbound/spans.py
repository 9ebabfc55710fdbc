"""Spans of requests, and of the calls to the core that they lead to."""

import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry import context as contexts
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

# As in a correlation id: so many digits in a row could be one.
CARD_NUMBER = re.compile(r"[0-9]{13}")
W3C = TraceContextTextMapPropagator()
# Key in the context: the spans of the requests that a call is made for, besides the one that it is below.
LINKS = contexts.create_key("mintmark-links")


class RequestSpan:
    """The span of one request, named by its route. It begins when it is known whether the caller is to be followed."""

    def __init__(self, tracer: Tracer, method: str, route: str, traceparent: bytes) -> None:
        self._tracer = tracer
        self._name = f"{method} {route}"
        self._attributes = {"http.request.method": method, "http.route": route}
        self._traceparent = traceparent
        self._began = time.time_ns()
        self._span: Span | None = None

    def begin(self, *, follow: bool) -> None:
        """Begins it: with `follow` in the trace that the caller names, else as the first of a trace of ours.

        What is done for the request from now on is below it.
        """
        if self._span is not None:
            return
        parent = contexts.Context()
        given = self._traceparent.decode("latin-1")
        # It goes into logs: what could be a card number is no trace to follow.
        if follow and given and not CARD_NUMBER.search(given):
            parent = W3C.extract({"traceparent": given}, parent)
        self._span = self._tracer.start_span(
            self._name, parent, SpanKind.SERVER, self._attributes, start_time=self._began
        )
        # Each request is a task with a context of its own, which ends with it.
        contexts.attach(set_span_in_context(self._span))

    def end(self, status: int, correlation_id: str) -> str:
        """Ends it, and returns the id of its trace for the log."""
        self.begin(follow=False)
        span = self._span
        if span is None:
            return ""
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("mintmark.correlation_id", correlation_id)
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        return format_trace_id(span.get_span_context().trace_id)


def current() -> SpanContext | None:
    """The span that this task is in."""
    context = get_current_span().get_span_context()
    return context if context.is_valid else None


def traceparent() -> str:
    """The span that this task is in, as W3C Trace Context writes it; empty outside of one."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def made_for(requests: Sequence[SpanContext]) -> Iterator[None]:
    """A call meanwhile is made for all of these: it is below the first that is kept, with links to each of them."""
    kept = [each for each in requests if each.trace_flags.sampled]
    below = (kept or list(requests))[:1]
    if not below:
        yield
        return
    context = contexts.set_value(LINKS, [Link(each) for each in kept], contexts.Context())
    token = contexts.attach(set_span_in_context(NonRecordingSpan(below[0]), context))
    try:
        yield
    finally:
        contexts.detach(token)


class Following(grpc.aio.UnaryUnaryClientInterceptor):
    """Gives each call to the core a span, and tells the core of it. Only where something is traced."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        details: Any = client_call_details
        name = details.method.decode().removeprefix("/")
        service, _, rpc = name.rpartition("/")
        links = contexts.get_value(LINKS)
        span = self._tracer.start_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": rpc},
            links=links if isinstance(links, list) else (),
        )
        carrier: dict[str, str] = {}
        W3C.inject(carrier, set_span_in_context(span))
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        metadata.add("traceparent", carrier["traceparent"])
        try:
            call = await continuation(details._replace(metadata=metadata), request)
            code = await call.code()
            span.set_attribute("rpc.grpc.status_code", code.value[0])
            if code is not grpc.StatusCode.OK:
                span.set_status(Status(StatusCode.ERROR))
            return call
        finally:
            span.end()
