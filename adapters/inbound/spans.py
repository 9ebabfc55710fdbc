"""Spans of requests, and for whom a call to the core is made."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
from opentelemetry.trace.status import Status, StatusCode

from adapters.following import LINKS, W3C

# As in a correlation id: so many digits in a row could be one.
CARD_NUMBER = re.compile(r"[0-9]{13}")


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
