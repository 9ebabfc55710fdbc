"""What became of recorded notifications, told one by one: a batch's own line says only that it was one."""

from collections.abc import Sequence

import structlog
from mintmark.v1 import notifications_pb2 as pb
from opentelemetry.trace import Link, NonRecordingSpan, Span, Tracer, format_trace_id, set_span_in_context
from prometheus_client import Counter

from server.domain.notifications import NotificationState, Record, RecordOutcome, RecordResult
from server.rpc.spans import told_by

RECORDED = Counter(
    "mintmark_notifications_recorded_total", "Notifications by what became of them.", ("kind", "outcome", "reason")
)
NO_REASON = "NONE"
STATES = {
    NotificationState.APPLIED: "applied",
    NotificationState.STALE: "stale",
    NotificationState.QUARANTINED: "quarantined",
    NotificationState.REJECTED: "rejected",
}

log = structlog.get_logger("notifications")


def outcome_of(result: RecordResult) -> tuple[str, str]:
    """What became of it, and why: a quarantine reason, or how it was refused."""
    match result.outcome:
        case RecordOutcome.STORED:
            outcome = STATES[result.state] if result.state else "applied"
            return outcome, result.quarantine_reason or NO_REASON
        case RecordOutcome.REPEATED:
            return "repeated", NO_REASON
        case RecordOutcome.NOT_STORED:
            return "not_stored", NO_REASON
        case refused:
            return "refused", refused.value


def tell(records: Sequence[Record], results: Sequence[RecordResult], traces: Sequence[str]) -> None:
    """Counts each, and logs each that was not plainly applied; that one only at level debug."""
    for record, result, trace in zip(records, results, traces, strict=True):
        outcome, reason = outcome_of(result)
        RECORDED.labels(record.kind.value, outcome, reason).inc()
        level = {"applied": log.debug, "quarantined": log.warning, "not_stored": log.error}.get(outcome, log.info)
        context = told_by(trace) if trace else None
        facts = {"trace_id": format_trace_id(context.trace_id)} if context else {}
        level(
            "notification",
            kind=record.kind.value,
            state=outcome,
            reason=reason,
            notification=result.notification,
            **{"correlation_id": record.correlation_id, **facts},
        )


def links(traces: Sequence[str]) -> list[Link]:
    """The spans of the requests that a batch came from."""
    return [Link(context) for context in map(told_by, filter(None, traces)) if context]


def trace(
    tracer: Tracer, batch: Span, began: int, records: Sequence[pb.NotificationRecord], results: Sequence[RecordResult]
) -> None:
    """A span for each notification in its own request's trace; `began` in nanoseconds. Each has a link to the batch."""
    for record, result in zip(records, results, strict=True):
        context = told_by(record.trace_context) if record.trace_context else None
        if context is None or not context.trace_flags.sampled:
            continue
        outcome, reason = outcome_of(result)
        tracer.start_span(
            "record notification",
            set_span_in_context(NonRecordingSpan(context)),
            attributes={
                "mintmark.notification_kind": pb.NotificationKind.Name(record.kind),
                "mintmark.outcome": outcome,
                "mintmark.reason": reason,
                "mintmark.correlation_id": record.correlation_id,
            },
            links=[Link(batch.get_span_context())],
            start_time=began,
        ).end()
