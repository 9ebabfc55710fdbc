"""Calls to the core in the trace that they are made in: a span for each, which the core's span is below."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from opentelemetry import context as contexts
from opentelemetry.trace import SpanKind, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

W3C = TraceContextTextMapPropagator()
# Key in the context: the spans of the requests that a call is made for, besides the one that it is below.
LINKS = contexts.create_key("mintmark-links")


class Following(grpc.aio.UnaryUnaryClientInterceptor):
    """Gives each call to the core a span, and tells the core of it. Only where something is traced."""

    def __init__(self, tracer: Tracer, *, begins: bool = True) -> None:
        """Without `begins` a call that belongs to no trace begins none."""
        self._tracer = tracer
        self._begins = begins

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        if not self._begins and not get_current_span().get_span_context().is_valid:
            return await continuation(client_call_details, request)
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
            code = await _code(call)
            span.set_attribute("rpc.grpc.status_code", code.value[0])
            if code is not grpc.StatusCode.OK:
                span.set_status(Status(StatusCode.ERROR))
            return call
        finally:
            span.end()


async def _code(call: Any) -> grpc.StatusCode:
    """How the call ends. Where nobody waits for that any more, it ends at once."""
    try:
        code: grpc.StatusCode = await call.code()
    except asyncio.CancelledError:
        call.cancel()
        raise
    return code
