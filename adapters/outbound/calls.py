"""What is told of every call to a partner: a line in the log, counts, a span. Never ids of a path, a body, a secret."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from mintmark.v1 import tasks_pb2 as pb
from opentelemetry import context as contexts
from opentelemetry.trace import Span, SpanKind, Tracer, format_trace_id, get_current_span
from opentelemetry.trace.status import Status, StatusCode

from adapters.outbound.metrics import Metrics
from adapters.outbound.outcomes import Answered, Result

log = structlog.get_logger("mintmark.dispatcher")


class MadeCall:
    """One call, and how it ended."""

    def __init__(self) -> None:
        self.outcome = "fault"
        self.result: Result | None = None
        self.trouble = ""
        self.facts: dict[str, str] = {}

    def ended(self, outcome: str, result: Result | None, trouble: str = "", **facts: str) -> None:
        """`outcome` is a word of few; `facts` are for the log alone."""
        self.outcome, self.result, self.trouble = outcome, result, trouble
        self.facts = facts
        if not trouble and result is not None and not isinstance(result, Answered):
            self.trouble = result.trouble


class CallBook:
    """Where calls are told of. Without a tracer nothing is traced."""

    def __init__(
        self, metrics: Metrics, tracer: Tracer | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._tracer = tracer
        self._monotonic = monotonic

    @contextmanager
    def working(self, task: pb.Task) -> Iterator[None]:
        """What is done meanwhile is done for a task: its span is the first of a trace, which the core's are below."""
        if self._tracer is None:
            yield
            return
        kind = pb.TaskKind.Name(task.kind).removeprefix("TASK_KIND_")
        attributes = {"mintmark.task_kind": kind, "mintmark.correlation_id": task.correlation_id}
        # The exception's text could quote what came in.
        with self._tracer.start_as_current_span(
            f"task {kind}", contexts.Context(), SpanKind.CONSUMER, attributes, record_exception=False
        ):
            yield

    @contextmanager
    def calling(
        self, kind: str, account: str, method: str, template: str, correlation_id: str, **facts: str
    ) -> Iterator[MadeCall]:
        """A call meanwhile is of this `kind`; who makes it says how it ended. `template` is its path without ids."""
        made = MadeCall()
        began = self._monotonic()
        span = self._span(method, template, correlation_id)
        try:
            yield made
        finally:
            self._tell(kind, account, correlation_id, made, self._monotonic() - began, facts)
            _end(span, made)

    def _span(self, method: str, template: str, correlation_id: str) -> Span | None:
        if self._tracer is None:
            return None
        attributes = {
            "http.request.method": method,
            "url.template": template,
            "mintmark.correlation_id": correlation_id,
        }
        return self._tracer.start_span(f"{method} {template}", kind=SpanKind.CLIENT, attributes=attributes)

    def _tell(
        self, kind: str, account: str, correlation_id: str, made: MadeCall, seconds: float, facts: dict[str, str]
    ) -> None:
        self._metrics.calls.labels(kind, made.outcome).inc()
        self._metrics.seconds.labels(kind).observe(seconds)
        told = {**facts, **made.facts}
        if isinstance(made.result, Answered):
            told["status"] = str(made.result.http_status)
        if made.trouble:
            told["trouble"] = made.trouble
        context = get_current_span().get_span_context()
        if context.is_valid:
            told["trace_id"] = format_trace_id(context.trace_id)
        log.info(
            "partner call",
            kind=kind,
            account=account,
            outcome=made.outcome,
            ms=round(seconds * 1000, 2),
            correlation_id=correlation_id,
            **told,
        )


def _end(span: Span | None, made: MadeCall) -> None:
    if span is None:
        return
    span.set_attribute("mintmark.outcome", made.outcome)
    if isinstance(made.result, Answered):
        span.set_attribute("http.response.status_code", made.result.http_status)
    if made.trouble:
        span.set_attribute("error.type", made.trouble)
    if made.trouble or (isinstance(made.result, Answered) and made.result.http_status >= 500):
        span.set_status(Status(StatusCode.ERROR))
    span.end()
