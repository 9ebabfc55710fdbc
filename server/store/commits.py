"""What is told of the writer's work: metrics, log lines and spans."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode
from prometheus_client import Counter, Gauge, Histogram

# A commit that takes longer than this is worth a line.
SLOW_S = 1.0
# So many correlation ids are named in a line; of the others it tells how many there are.
MOST_NAMED = 5
GROUPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
NOTHING_FAILED = ""

WAITING = Gauge("mintmark_writer_waiting_units", "Units of work that wait for the writer.")
OLDEST = Gauge("mintmark_writer_oldest_unit_seconds", "Age of the oldest unit that is not done, in seconds.")
GROUP = Histogram("mintmark_writer_group_units", "Units of work in one transaction.", buckets=GROUPS)
COMMIT = Histogram(
    "mintmark_writer_commit_seconds", "Time of a transaction until it is durable, in seconds.", buckets=SECONDS
)
FAILURES = Counter("mintmark_writer_failures_total", "Transactions of the writer that failed, by fault.", ("fault",))

log = structlog.get_logger("store")


class Told(Protocol):
    """What a unit of work says of itself."""

    @property
    def queued(self) -> float: ...
    @property
    def correlation_ids(self) -> Sequence[str]: ...
    @property
    def span(self) -> SpanContext | None: ...


def caller() -> Sequence[str]:
    """The correlation id of the call that this thread is working on; none where there is no call."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    return (bound,) if bound else ()


def traced() -> SpanContext | None:
    """The span that this thread is in; None where it is not kept."""
    context = get_current_span().get_span_context()
    return context if context.trace_flags.sampled else None


def concerned(units: Sequence[Told]) -> dict[str, Any]:
    """Whom the units concern, for a log line of bounded length."""
    named: list[str] = []
    for unit in units:
        if len(named) < MOST_NAMED:
            named += unit.correlation_ids[: MOST_NAMED - len(named)]
    return {"correlation_ids": named, "correlation_id_count": sum(len(unit.correlation_ids) for unit in units)}


def watch_queue(waiting: Callable[[], int], oldest: Callable[[], float]) -> None:
    """Shows a writer's queue: its length and the age of its oldest unit in seconds."""
    WAITING.set_function(waiting)
    OLDEST.set_function(oldest)


class Transactions:
    """Tells of each transaction when it has ended. Only the writer's thread calls it."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer = tracer

    def ended(self, units: Sequence[Told], began: float, fault: str) -> None:
        """`began` on the monotonic clock; `fault` as in the metric, NOTHING_FAILED where all went well."""
        seconds = time.monotonic() - began
        if fault:
            FAILURES.labels(fault).inc()
        else:
            GROUP.observe(len(units))
            COMMIT.observe(seconds)
        if seconds > SLOW_S:
            log.warning("commit_slow", ms=round(seconds * 1000), units=len(units), fault=fault, **concerned(units))
        if self._tracer is not None:
            self._trace(self._tracer, units, began, seconds, fault)

    def _trace(self, tracer: Tracer, units: Sequence[Told], began: float, seconds: float, fault: str) -> None:
        """One span for the transaction, below the first of its units; one below each for its wait, with links."""
        followed = [(unit, unit.span) for unit in units if unit.span is not None]
        if not followed:
            return
        ended_ns = time.time_ns()
        began_ns = ended_ns - int(seconds * 1e9)
        commit = tracer.start_span(
            "store commit",
            _below(followed[0][1]),
            attributes={"mintmark.units": len(units), "mintmark.fault": fault},
            links=[Link(span) for _, span in followed],
            start_time=began_ns,
        )
        if fault:
            commit.set_status(Status(StatusCode.ERROR))
        commit.end(ended_ns)
        for unit, span in followed:
            queued_ns = began_ns - int((began - unit.queued) * 1e9)
            waited = tracer.start_span(
                "store queue", _below(span), links=[Link(commit.get_span_context())], start_time=queued_ns
            )
            waited.end(began_ns)


def _below(span: SpanContext) -> Any:
    return set_span_in_context(NonRecordingSpan(span))
