"""A stand-in for an OpenTelemetry collector: a real OTLP listener that keeps what it is sent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Seen:
    """A span as it arrived; ids in hexadecimal."""

    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    began: int
    ended: int


def value_of(pair: KeyValue) -> Any:
    return getattr(pair.value, str(pair.value.WhichOneof("value")))


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Listens on a port of its own. With `answers` cleared it takes what comes and says nothing."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.asked = 0
        self.raw = b""
        self._seen: list[Seen] = []
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(8))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Export(self, request: Any, _context: grpc.ServicerContext) -> Any:  # noqa: N802  the proto's name
        with self._lock:
            self.asked += 1
            self.raw += request.SerializeToString()
            self._seen += _spans(request)
        self.answers.wait(60)
        return trace_service_pb2.ExportTraceServiceResponse()

    def seen(self) -> list[Seen]:
        with self._lock:
            return list(self._seen)

    def named(self, name: str, **attributes: Any) -> list[Seen]:
        """The spans of this name with these attributes; `_` stands for a dot."""
        wanted = {key.replace("_", ".", 1): value for key, value in attributes.items()}
        return [
            span
            for span in self.seen()
            if span.name == name and all(span.attributes.get(key) == value for key, value in wanted.items())
        ]

    def stop(self) -> None:
        self.answers.set()
        self._server.stop(None)


def _spans(request: Any) -> list[Seen]:
    return [
        Seen(
            service=next(value_of(pair) for pair in resource.resource.attributes if pair.key == "service.name"),
            name=span.name,
            kind=span.kind,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            attributes={pair.key: value_of(pair) for pair in span.attributes},
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
            began=span.start_time_unix_nano,
            ended=span.end_time_unix_nano,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
