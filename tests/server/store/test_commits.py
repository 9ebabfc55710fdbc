"""Spans of the writer: one commit serves many units, and each unit's trace leads to it."""

from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer
from prometheus_client import REGISTRY

from server.domain.refusals import StoreUnavailable
from server.ports import Transaction
from server.store.store import SqlStore
from tests.server.store.writers import WatchedWriter, writing
from tests.waiting import eventually

Traced = tuple[SqlStore, Tracer, Callable[[], dict[str, list[ReadableSpan]]]]


@pytest.fixture
def traced(database: str) -> Iterator[Traced]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    store = SqlStore(database, WatchedWriter, tracer)

    def spans() -> dict[str, list[ReadableSpan]]:
        found: dict[str, list[ReadableSpan]] = {}
        for span in exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found

    yield store, tracer, spans
    store.close()


def nothing(_transaction: Transaction) -> None:
    """Reads nothing and writes nothing."""


def test_a_commit_has_links_to_its_units_and_they_to_it(traced: Traced) -> None:
    store, tracer, spans = traced

    def write(number: int) -> None:
        with tracer.start_as_current_span(f"call {number}"):
            store.write(f"k{number}", nothing)

    with writing(store) as writers:
        with writers.held(3):
            calls = [writers._pool.submit(write, number) for number in range(3)]
        for call in calls:
            call.result(30)
    found = spans()
    (commit,) = found["store commit"]
    callers = {span.context.span_id for name, (span, *_) in found.items() if name.startswith("call") and span.context}
    assert {link.context.span_id for link in commit.links} == callers
    assert commit.parent is not None
    assert commit.parent.span_id in callers
    assert {span.parent.span_id for span in found["store queue"] if span.parent} == callers
    assert commit.context is not None
    assert {link.context.span_id for span in found["store queue"] for link in span.links} == {commit.context.span_id}


def test_what_nobody_follows_is_not_traced(traced: Traced) -> None:
    store, tracer, spans = traced
    store.write("k", nothing)
    store.view.bounds()
    assert spans() == {}
    with tracer.start_as_current_span("call"):
        store.view.bounds()
        store.view.token("nothing")
    assert set(spans()) == {"call", "store get head", "store get tokens"}


def test_a_commit_that_fails_is_an_error(traced: Traced) -> None:
    store, tracer, spans = traced

    def broken(_transaction: Transaction) -> None:
        raise OSError("the disk is gone")

    with tracer.start_as_current_span("call"), pytest.raises(StoreUnavailable):
        store.write("k", broken)
    (commit,) = spans()["store commit"]
    assert not commit.status.is_ok
    assert (commit.attributes or {})["mintmark.fault"] == "unavailable"


def test_the_queue_and_the_age_of_its_oldest_unit_are_shown(traced: Traced) -> None:
    store, _, _ = traced

    def shown(name: str) -> float | None:
        return REGISTRY.get_sample_value(f"mintmark_writer_{name}")

    assert (shown("waiting_units"), shown("oldest_unit_seconds")) == (0, 0)
    with writing(store) as writers:
        with writers.held(3):
            calls = [writers.start(f"k{number}", nothing) for number in range(3)]
            eventually(lambda: shown("waiting_units") == 3)
            assert (shown("oldest_unit_seconds") or 0) > 0
        for call in calls:
            call.result(30)
    eventually(lambda: (shown("waiting_units"), shown("oldest_unit_seconds")) == (0, 0))
