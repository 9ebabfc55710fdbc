"""Calls to partners over HTTP/1.1: one pool, one total time for each call, and a trace of what was sent.

Nothing here repeats a call, follows a redirect, keeps a cookie, or goes through a proxy that the environment names.
"""

import asyncio
import email.utils
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from adapters.outbound.outcomes import Answered, NotSent, OutcomeUnknown, Result, TooLate, failed, trouble_of

CONNECT_S = 3.0
LONGEST_BODY = 256 * 1024
# A connection that was idle for longer may have been closed at the other end, which is an outcome that nobody knows.
IDLE_S = 1.5
# The names of httpcore's trace (its documentation, "extensions"); a test holds that they still are.
HEADERS_BEGIN = "http11.send_request_headers.started"


def presenting(certificate: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext:
    """TLS towards a partner that wants our certificate, or that an authority of its own speaks for. Raises OSError and
    ssl.SSLError where a file cannot be used."""
    context = httpx.create_ssl_context(trust_env=False) if ca is None else ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        # Never asks for a password: who starts us is no person.
        context.load_cert_chain(certificate, key, password=lambda: "")
    return context


class Traced:
    """What the transport said of one request."""

    def __init__(self, send_by: float | None, monotonic: Callable[[], float]) -> None:
        self.began = False
        self._send_by = send_by
        self._monotonic = monotonic

    async def __call__(self, event: str, _facts: Mapping[str, Any]) -> None:
        """Called by the transport before and after each of its steps. Raises TooLate: then the step is not taken."""
        if event != HEADERS_BEGIN:
            return
        if self._send_by is not None and self._monotonic() >= self._send_by:
            raise TooLate
        self.began = True


class Transport:
    """The pool. `connections` is how many calls may be under way at once, `tls` how the other end is verified and what
    we show it; as everybody does when not given."""

    def __init__(
        self,
        connections: int,
        monotonic: Callable[[], float] = time.monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._limits: set[asyncio.Timeout] = set()
        self._http = httpx.AsyncHTTPTransport(
            verify=tls or httpx.create_ssl_context(trust_env=False),
            trust_env=False,
            http1=True,
            http2=False,
            retries=0,
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_S
            ),
        )

    async def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        total: float,
        send_by: float | None = None,
    ) -> Result:
        """One call, begun once, within `total` seconds; its headers leave before `send_by` (monotonic) or never.

        Cancelling it loses the outcome: use `hurry`.
        """
        traced = Traced(send_by, self._monotonic)
        try:
            request = _request(method, url, headers, content, total, traced)
        except Exception as error:
            return NotSent(trouble_of(error))
        try:
            async with asyncio.timeout(total) as limit:
                self._limits.add(limit)
                try:
                    answered = await self._exchange(request)
                finally:
                    self._limits.discard(limit)
        except Exception as error:
            return failed(error, began=traced.began)
        # An answer to a request that was never sent: the trace is not to be trusted, and no word of it from now on.
        return answered if traced.began else OutcomeUnknown("trace_silent")

    def hurry(self) -> None:
        """Ends every call that is under way as if its time were over."""
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _exchange(self, request: httpx.Request) -> Answered:
        response = await self._http.handle_async_request(request)
        try:
            body, whole = await _body(response)
        finally:
            await response.aclose()
        return Answered(response.status_code, body, whole, _retry_after(response.headers.get("retry-after", "")))


def _request(
    method: str, url: str, headers: Mapping[str, str], content: bytes, total: float, traced: Traced
) -> httpx.Request:
    timeout = httpx.Timeout(total, connect=CONNECT_S, pool=CONNECT_S)
    return httpx.Request(
        method,
        url,
        headers={"accept": "application/json", "accept-encoding": "identity", **headers},
        content=content or None,
        extensions={"timeout": timeout.as_dict(), "trace": traced},
    )


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """The body as it came, and whether that is all of it and can be looked into."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_raw():
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_BODY:
            return b"".join(pieces)[:LONGEST_BODY], False
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        # Nobody asked for it, and nobody could say what is in it.
        return b"", False
    return b"".join(pieces), True


def _retry_after(text: str) -> float:
    """Seconds from now; 0 where the header says none."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
