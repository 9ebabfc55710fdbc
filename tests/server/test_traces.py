"""Exporting spans: it never makes anybody wait, never grows, and never ends before it is told to."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from server.traces import BATCH_LIMIT, QUEUE_LIMIT, Exporting, Spans
from tests.waiting import eventually


class Held:
    """An exporter that waits until it is let go, and then fails as often as it was told to."""

    def __init__(self, failures: int = 0) -> None:
        self.begun, self.go, self.closed = threading.Event(), threading.Event(), threading.Event()
        self._failures = failures

    def export(self, _spans: Spans) -> bool:
        self.begun.set()
        self.go.wait(60)
        if self._failures:
            self._failures -= 1
            raise RuntimeError("whatever it is")
        return True

    def close(self) -> None:
        self.closed.set()
        self.go.set()


@contextmanager
def exporting(exporter: Held) -> Iterator[tuple[Tracer, Exporting, "Counter[str]"]]:
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def count(outcome: str, spans: int) -> None:
        with lock:
            seen[outcome] += spans

    processor = Exporting(exporter, count)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    try:
        yield provider.get_tracer("tests"), processor, seen
    finally:
        processor.close(5)


def test_what_waits_too_long_is_dropped_and_nobody_waits_for_it() -> None:
    exporter = Held()
    with exporting(exporter) as (tracer, processor, seen):
        tracer.start_span("first").end()
        assert exporter.begun.wait(10)
        for _ in range(QUEUE_LIMIT + 10):
            tracer.start_span("more").end()
        assert seen == {"dropped": 10}
        processor.close(0.0)
        assert exporter.closed.is_set()
        tracer.start_span("too late").end()
        eventually(lambda: seen["exported"] == 1)
        assert seen == {"dropped": QUEUE_LIMIT + 11, "exported": 1}


def test_what_is_waiting_is_exported_at_the_end() -> None:
    exporter = Held()
    exporter.go.set()
    with exporting(exporter) as (tracer, processor, seen):
        for _ in range(BATCH_LIMIT + 1):
            tracer.start_span("kept").end()
        processor.close(10)
        assert seen == {"exported": BATCH_LIMIT + 1}


def test_an_exporter_that_breaks_is_told_of_once_and_asked_again() -> None:
    exporter = Held(failures=3)
    exporter.go.set()
    with structlog.testing.capture_logs() as lines, exporting(exporter) as (tracer, _, seen):
        for number in range(1, 6):
            tracer.start_span("again").end()
            eventually(lambda expected=number: sum(seen.values()) == expected)  # type: ignore[misc]
    assert seen == {"failed": 3, "exported": 2}
    assert [line["event"] for line in lines] == ["traces_not_exported", "traces_exported_again"]
