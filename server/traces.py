"""Traces: what a call waited for, as OpenTelemetry spans. The same file in server and in adapters.

Here alone OpenTelemetry's SDK and exporter are known; this is imported only where something is traced, after
`settings.hide_opentelemetry`. Every other room knows OpenTelemetry's API, and is given a tracer, or None where nothing
is traced. Exporting disturbs nobody: what waits too long is dropped, and counted.
"""

import contextlib
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import format_span_id, format_trace_id

SCOPE = "mintmark"
QUEUE_LIMIT = 4096
BATCH_LIMIT = 512
EXPORT_EVERY_S = 0.5
# Of one batch, tries again included.
EXPORT_TIMEOUT_S = 3.0
LONGEST_CLOSE_S = 2.0
# A commit has a link to each unit of its group, a batch to each of its notifications.
MOST_LINKS = 512
MOST_ATTRIBUTES = 32
LONGEST_ATTRIBUTE = 256

Spans = Sequence[ReadableSpan]
# What became of how many spans: "exported", "failed" or "dropped".
Count = Callable[[str, int], None]


class TraceSettings(Protocol):
    """What of the settings concerns traces."""

    @property
    def traces(self) -> str: ...
    @property
    def traces_endpoint(self) -> str: ...
    @property
    def traces_path(self) -> Path: ...
    @property
    def traces_ratio(self) -> float: ...


class Exporter(Protocol):
    """Where spans go."""

    def export(self, spans: Spans) -> bool:
        """Whether they have arrived."""

    def close(self) -> None:
        """Gives up what is under way."""


class Traces:
    """The tracer that the settings ask for, and what it needs."""

    def __init__(self, settings: TraceSettings, role: str, version: str, count: Count) -> None:
        exporter = SpanFile(settings.traces_path, role) if settings.traces == "file" else Otlp(settings.traces_endpoint)
        self._exporting = Exporting(exporter, count)
        about: dict[str, str | int] = {
            "service.name": f"mintmark-{role}",
            "service.version": version,
            "process.pid": os.getpid(),
        }
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.traces_ratio)),
            resource=Resource(dict(about)),
            shutdown_on_exit=False,
            span_limits=SpanLimits(
                max_attributes=MOST_ATTRIBUTES,
                max_events=0,
                max_links=MOST_LINKS,
                max_span_attributes=MOST_ATTRIBUTES,
                max_event_attributes=0,
                max_link_attributes=0,
                max_attribute_length=LONGEST_ATTRIBUTE,
                max_span_attribute_length=LONGEST_ATTRIBUTE,
            ),
        )
        provider.add_span_processor(self._exporting)
        self.tracer = provider.get_tracer(SCOPE)

    def close(self, seconds: float) -> None:
        """Exports what is waiting, within the time and within LONGEST_CLOSE_S. What is left is dropped."""
        self._exporting.close(max(0.0, min(seconds, LONGEST_CLOSE_S)))


class Exporting(SpanProcessor):
    """Exports on a thread of its own."""

    def __init__(self, exporter: Exporter, count: Count) -> None:
        self._exporter = exporter
        self._count = count
        self._waiting: deque[ReadableSpan] = deque()
        self._wake = threading.Event()
        self._end: float | None = None
        self._failing = False
        self._log = structlog.get_logger("traces")
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        if not (span.context and span.context.trace_flags.sampled):
            return
        if len(self._waiting) >= QUEUE_LIMIT or self._end is not None:
            self._count("dropped", 1)
            return
        self._waiting.append(span)
        if len(self._waiting) >= BATCH_LIMIT:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Exports what is waiting within the time, and drops the rest."""
        self._end = time.monotonic() + seconds
        self._wake.set()
        self._thread.join(seconds)
        self._exporter.close()
        if self._waiting:
            self._count("dropped", len(self._waiting))
            self._waiting.clear()

    def _work(self) -> None:
        while self._end is None:
            self._wake.wait(EXPORT_EVERY_S)
            self._wake.clear()
            self._export_waiting()
        self._export_waiting()

    def _export_waiting(self) -> None:
        while self._waiting and (self._end is None or time.monotonic() < self._end):
            batch = [self._waiting.popleft() for _ in range(min(BATCH_LIMIT, len(self._waiting)))]
            try:
                done = self._exporter.export(batch)
            except Exception:
                # Whatever it is: without this thread nothing would be exported any more.
                done = False
            self._count("exported" if done else "failed", len(batch))
            self._tell(failing=not done)

    def _tell(self, *, failing: bool) -> None:
        """A line when exporting begins to fail, and one when it works again."""
        if failing is not self._failing:
            self._failing = failing
            if failing:
                self._log.warning("traces_not_exported")
            else:
                self._log.info("traces_exported_again")


class Otlp:
    """A collector, over gRPC: there a call has one limit for all of it, so that slow answers hold up nothing."""

    def __init__(self, endpoint: str) -> None:
        # It tells of its own trouble in a line for each try. Ours is told once.
        theirs = logging.getLogger("opentelemetry")
        theirs.handlers, theirs.propagate = [logging.NullHandler()], False
        # What is not given, or empty, would be looked for in the environment.
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint,
            insecure=endpoint.startswith("http:"),
            headers=(("x-sender", SCOPE),),
            timeout=EXPORT_TIMEOUT_S,
        )

    def export(self, spans: Spans) -> bool:
        return self._exporter.export(spans) is SpanExportResult.SUCCESS

    def close(self) -> None:
        self._exporter.shutdown()


class SpanFile:
    """A file, a line of JSON for each span. It is opened for each batch, so that it may be moved away at any time."""

    def __init__(self, path: Path, role: str) -> None:
        self._path = path
        self._role = role

    def export(self, spans: Spans) -> bool:
        lines = (json.dumps(self._shown(span), separators=(",", ":")) + "\n" for span in spans)
        content = "".join(lines).encode()
        with contextlib.suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # One write for a batch: other roles write to the same file.
                return os.write(file, content) == len(content)
            finally:
                os.close(file)
        return False

    def close(self) -> None:
        """Nothing is ever under way."""

    def _shown(self, span: ReadableSpan) -> dict[str, Any]:
        """Ids in hexadecimal, `start` in nanoseconds since the epoch."""
        context, parent = span.context, span.parent
        began, ended = span.start_time or 0, span.end_time or 0
        return {
            "trace_id": format_trace_id(context.trace_id) if context else "",
            "span_id": format_span_id(context.span_id) if context else "",
            "parent_id": format_span_id(parent.span_id) if parent else "",
            "role": self._role,
            "name": span.name,
            "kind": span.kind.name.lower(),
            "start": began,
            "ms": round((ended - began) / 1e6, 3),
            "status": span.status.status_code.name.lower(),
            "attributes": dict(span.attributes or {}),
            "links": [
                {"trace_id": format_trace_id(link.context.trace_id), "span_id": format_span_id(link.context.span_id)}
                for link in span.links
            ],
        }
