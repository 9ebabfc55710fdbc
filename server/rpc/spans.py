"""Spans of calls: who is followed, and what is told."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import structlog
from opentelemetry import context as contexts
from opentelemetry.trace import (
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

from server.rpc.auth import CARD_NUMBER

W3C = TraceContextTextMapPropagator()
# Ours, not the caller's, as OpenTelemetry's conventions for gRPC say.
FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


def told_by(traceparent: str) -> SpanContext | None:
    """The span that a W3C `traceparent` names; None where it names none."""
    found = get_current_span(W3C.extract({"traceparent": traceparent}, contexts.Context())).get_span_context()
    return found if found.is_valid else None


def resource_type(name: str) -> str:
    """The collection of a resource name, such as `tokens`; names themselves are not for spans."""
    return name.rpartition("/")[0].rpartition("/")[2]


class CallSpan:
    """The span of one call. It begins when the caller is known: nobody else's trace is followed."""

    def __init__(self, tracer: Tracer | None, method: str) -> None:
        self._tracer = tracer
        self._method = method
        self._began = time.time_ns() if tracer else 0
        self.span: Span | None = None

    def begin(self, metadata: Mapping[str, str] | None = None, *, ours: bool = False) -> None:
        """Begins it below the span that the caller names in `metadata`, else as the first of a trace.

        Of a caller that is not `ours`, what could be a card number is no trace to follow: it goes into logs.
        """
        if self._tracer is None or self.span is not None:
            return
        given = metadata.get("traceparent", "") if metadata else ""
        if not ours and CARD_NUMBER.search(given):
            given = ""
        parent = W3C.extract({"traceparent": given}, contexts.Context()) if given else contexts.Context()
        service, _, method = self._method.removeprefix("/").rpartition("/")
        self.span = self._tracer.start_span(
            self._method.removeprefix("/"),
            parent,
            SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
            start_time=self._began,
        )

    @property
    def trace_id(self) -> str:
        """For log lines; empty where nothing is traced."""
        return format_trace_id(self.span.get_span_context().trace_id) if self.span else ""

    def end(self, code: grpc.StatusCode, correlation_id: str, name: str) -> None:
        """Ends it; one that never began, because the caller is not known, is the first of a trace of its own."""
        self.begin()
        if self.span is None:
            return
        self.span.set_attribute("rpc.grpc.status_code", code.value[0])
        self.span.set_attribute("mintmark.correlation_id", correlation_id)
        if name:
            self.span.set_attribute("mintmark.resource_type", resource_type(name))
        if code in FAULTS:
            self.span.set_status(Status(StatusCode.ERROR))
        self.span.end()


@contextmanager
def followed(span: Span | None, correlation_id: str) -> Iterator[None]:
    """What this thread logs, reads and writes meanwhile belongs to a call."""
    bound: dict[str, Any] = {"correlation_id": correlation_id}
    token = None
    if span is not None:
        bound["trace_id"] = format_trace_id(span.get_span_context().trace_id)
        token = contexts.attach(set_span_in_context(span))
    structlog.contextvars.bind_contextvars(**bound)
    try:
        yield
    finally:
        structlog.contextvars.unbind_contextvars(*bound)
        if token is not None:
            contexts.detach(token)
