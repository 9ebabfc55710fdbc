"""The gateway's ASGI application: finds the route, holds the limits, turns what goes wrong into an answer."""

import asyncio
import re
import time
from collections.abc import Callable, Collection
from contextlib import aclosing
from typing import Any

import structlog
from opentelemetry.trace import Tracer
from starlette.types import Receive, Scope, Send

from adapters.inbound import correlation, problems
from adapters.inbound.failed_authentications import FailedAuthentications, source
from adapters.inbound.limits import Limits
from adapters.inbound.metrics import Metrics
from adapters.inbound.problems import CLOSE, Answer, Disconnected, Header, Problem, Streamed, error
from adapters.inbound.protocol import CROWDED, body_complete, cut
from adapters.inbound.recorder import NotStored
from adapters.inbound.request import Request
from adapters.inbound.routes import Route, Routes
from adapters.inbound.spans import RequestSpan
from adapters.logs import fault

UNKNOWN = "unknown"
GONE = 499
_PORT = re.compile(rb":[0-9]{0,5}\Z")


class Gateway:
    """The application. `hosts`, where given, are the only ones that the Host header may name (development mode);
    `end_streams` is called when it stops. Without a `tracer` nothing is traced."""

    def __init__(
        self,
        routes: Routes,
        limits: Limits,
        metrics: Metrics,
        failed_authentications: FailedAuthentications,
        hosts: Collection[str] | None = None,
        tracer: Tracer | None = None,
        end_streams: Callable[[], None] = lambda: None,
    ) -> None:
        self._routes = routes
        self._limits = limits
        self._metrics = metrics
        self._failed_authentications = failed_authentications
        self._hosts = None if hosts is None else {host.encode() for host in hosts}
        self._tracer = tracer
        self._log = structlog.get_logger()
        self._end_streams = end_streams
        self.in_flight = 0
        self.stopping = False

    def stop(self) -> None:
        """Refuses new work from now on, and ends the streams."""
        self.stopping = True
        self._end_streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        route = self._routes.find(scope["raw_path"])
        request = Request(scope, receive, self._limits)
        if self._tracer is not None:
            self._begin_span(self._tracer, route, request)
        self.in_flight += 1
        self._metrics.in_flight.set(self.in_flight)
        try:
            answer = await self._answer(scope, route, request)
            # Repeats of a notification get the first answer again, to the byte; their own id is not in it.
            tell = route is None or not route.partner
            told = correlation.header(request.correlation_id) if tell else ()
            if answer is not None and not isinstance(answer, Streamed):
                await _send(answer, scope, send, told)
        finally:
            self.in_flight -= 1
            self._metrics.in_flight.set(self.in_flight)
        self._account(route, request, answer.status if answer else GONE, time.perf_counter() - began)
        # A stream is no request in flight: it has a limit of its own, and goes on for as long as it likes.
        if isinstance(answer, Streamed):
            await _stream(answer, request, scope, send, told, self._limits.stream_timeout)

    def _begin_span(self, tracer: Tracer, route: Route | None, request: Request) -> None:
        """Nobody unknown can make us follow a trace, nor keep one."""
        traceparent = request.header(b"traceparent")
        request.span = RequestSpan(tracer, request.method, route.template if route else UNKNOWN, traceparent)
        if route is not None and not route.authenticates:
            request.span.begin(follow=False)

    async def _answer(self, scope: Scope, route: Route | None, request: Request) -> Answer | None:
        """The answer in the words of the route's callers; None where nobody waits for one any more."""
        answer = await self._plain_answer(scope, route, request)
        if answer is not None and route is not None and (answer.status == 401 or answer.unproved):
            answer = self._limited(answer, route, request)
        if answer is not None and answer.error and route is not None and route.reshape is not None:
            return route.reshape(answer, request)
        return answer

    async def _plain_answer(self, scope: Scope, route: Route | None, request: Request) -> Answer | None:
        try:
            refused = self._refusal(scope, route, request)
            if refused is not None or route is None:
                return refused or problems.NOT_FOUND
            return await route.endpoint(request)
        except Problem as problem:
            return problem.answer
        except NotStored:
            return problems.unavailable()
        except Disconnected:
            return None
        except Exception as wrong:
            self._log.error(
                "a fault of ours",
                route=route.template if route else UNKNOWN,
                correlation_id=request.correlation_id,
                **fault(wrong),
            )
            return problems.unavailable("Something went wrong here; send it again")

    def _limited(self, answer: Answer, route: Route, request: Request) -> Answer:
        """What a failed authentication is answered with: `answer`, or that there were too many."""
        if _asks_first(answer, request):
            return answer
        seconds = self._failed_authentications.failed(request.peer, request.claim)
        if not seconds:
            return answer
        self._metrics.limited(route.template)
        if self._failed_authentications.is_news(request.peer):
            self._log.warning(
                "too many authentications have failed: for a minute no more is said about this source",
                alert=True,
                source=source(request.peer),
                route=route.template,
                correlation_id=request.correlation_id,
            )
        return route.limited(seconds)

    def _refusal(self, scope: Scope, route: Route | None, request: Request) -> Answer | None:
        """The answer where the request is refused whatever it says."""
        tsh = route is not None and route.tsh
        if self.stopping:
            return problems.stopping()
        if scope.get(CROWDED):
            return problems.crowded(tsh=tsh)
        most = self._limits.requests
        if route and route.shed_first:
            most = max(1, most // 2)
        if self.in_flight > most and not (route and route.never_shed):
            return problems.overloaded(tsh=tsh)
        # Partners' paths are authenticated in development too, and partners use names of their own for us.
        if self._hosts is not None and not (route and route.partner) and not self._host_is_ours(request):
            return problems.HOST_WRONG
        if route is not None and route.methods and request.method not in route.methods:
            return error(405, problems.METHOD_WRONG, (b"allow", ", ".join(route.methods).encode()))
        return None

    def _host_is_ours(self, request: Request) -> bool:
        """Keeps web pages from reaching a developer's gateway under a name of their own (DNS rebinding)."""
        host = request.header(b"host")
        return not host or _PORT.sub(b"", host).lower() in (self._hosts or ())

    def _account(self, route: Route | None, request: Request, status: int, seconds: float) -> None:
        template = route.template if route else UNKNOWN
        self._metrics.answered(template, status, seconds)
        facts: dict[str, Any] = {
            "method": request.method,
            "route": template,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "correlation_id": request.correlation_id,
        }
        if request.span is not None:
            facts["trace_id"] = request.span.end(status, request.correlation_id)
        if status == 401 and route is not None and route.partner:
            self._log.warning("authentication failed on a partner path: the feed may have stopped", alert=True, **facts)
        else:
            self._log.info("request", **facts)


def _asks_first(answer: Answer, request: Request) -> bool:
    """Whether nothing was tried: clients may ask without credentials first, to be told that Basic is wanted (RFC 9110
    section 11.6.1). Whoever is not told so never sends them."""
    if request.claim is not None or request.times(b"authorization"):
        return False
    return any(name == b"www-authenticate" and b"Basic " in value for name, value in answer.headers)


async def _send(answer: Answer, scope: Scope, send: Send, more: tuple[Header, ...]) -> None:
    headers = [*answer.headers, *more]
    # What is left of the body is not read: the connection cannot be used again.
    if not body_complete(scope) and CLOSE not in headers:
        headers.append(CLOSE)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _stream(
    answer: Streamed, request: Request, scope: Scope, send: Send, more: tuple[Header, ...], stalled: float
) -> None:
    """Sends a stream until it ends, its reader goes, or its reader takes nothing any more."""
    sending = asyncio.create_task(_send_chunks(answer, scope, send, more, stalled))
    gone = asyncio.create_task(request.gone())
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        answer.close()
        for task in (sending, gone):
            task.cancel()
        for ended in await asyncio.gather(sending, gone, return_exceptions=True):
            if isinstance(ended, Exception):
                structlog.get_logger().error("a fault of ours", route="event stream", **fault(ended))


async def _send_chunks(answer: Streamed, scope: Scope, send: Send, more: tuple[Header, ...], stalled: float) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, *more]})
    try:
        async with aclosing(answer.chunks) as chunks:
            async for chunk in chunks:
                # Waits while the connection is full: what its reader has not taken is not read from the core either.
                async with asyncio.timeout(stalled):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        cut(scope)
